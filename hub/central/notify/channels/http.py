"""What providers over HTTP share: one request with its limits, what its failure means, and whose calls are taken.

Nothing here tells a phone number or a text: errors end up in logs and on pages.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from hub.central.notify.channels.base import Hook
from hub.domain.errors import HubError, MalformedError, PermanentError, RefusedError, TransientError

#: An alarm waits behind this request: a provider that is slower than this is left for the next one.
CONNECT_S = 3.0
TOTAL_S = 10.0

_SAID = 120
_NUMBER = re.compile(r"\+?\d(?:[\s-]?\d){3,}")
_DIGITS = re.compile(r"\d+")
_LOCAL_DIGITS = 8  # a Norwegian number without its country code
_BUSY = frozenset({408, 425, 429})
_NOT_US = frozenset({401, 402, 403, 404, 405, 407, 410})


class Meaning(NamedTuple):
    """What a provider's error code means to us.

    Attributes:
        error: What the caller should do about it: try again, another number, another provider.
        sentence: The same in words, from the provider's documentation.
    """

    error: type[HubError]
    sentence: str


Codes = Mapping[int, Meaning]

T = TypeVar("T")


class Line:
    """Requests to one provider, on connections that are kept.

    Args:
        name: What sentences call the provider.
        base_url: Its address, or a simulator's.
        auth: User name and password for basic authentication.
        at_once: How many requests it takes side by side.
    """

    def __init__(
        self, name: str, base_url: str, auth: tuple[str, str] | None = None, *, at_once: int = 50
    ) -> None:
        self._name = name
        self._client = httpx.AsyncClient(
            base_url=base_url,
            auth=auth,
            timeout=httpx.Timeout(TOTAL_S, connect=CONNECT_S),
            trust_env=False,  # a proxy or a .netrc of the machine must not decide where alarms go
            limits=httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once),
        )

    async def post(
        self, path: str, *, form: Mapping[str, str] | None = None, json: object = None
    ) -> httpx.Response:
        """Post a form or a JSON document and return the whole answer, whatever its status.

        Raises:
            TransientError: No answer within the time, or none at all; the provider may have taken it.
        """
        try:
            async with asyncio.timeout(TOTAL_S):
                return await self._client.post(path, data=form, json=json)
        except TimeoutError as error:
            raise TransientError(f"{self._name}: no answer within {TOTAL_S:g} s") from error
        except httpx.RequestError as error:
            # The kind of error is enough; its words may hold the address with what was sent.
            raise TransientError(f"{self._name}: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def failure(name: str, answer: httpx.Response, code: int | None, codes: Codes) -> HubError:
    """Return what a refusal means: by the provider's own code where we know it, else by the HTTP status."""
    known = None if code is None else codes.get(code)
    if known is not None:
        return known.error(f"{name}: {code}, {known.sentence}{_again(answer)}")
    said = f"{name} answered {answer.status_code}" + ("" if code is None else f", code {code}") + _again(answer)
    if answer.status_code in _NOT_US:
        return PermanentError(said)
    if answer.is_client_error and answer.status_code not in _BUSY:
        return RefusedError(said)
    return TransientError(said)


def read(name: str, answer: httpx.Response, form: type[T]) -> T:
    """Return an answer of the provider.

    Raises:
        TransientError: It is not theirs: a proxy or a login page answers 200 as well. Nothing says that it left.
    """
    try:
        return msgspec.json.decode(answer.content, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TransientError(f"{name}: an answer that is not theirs ({answer.status_code})") from error


def attempt(decode: Callable[[], T]) -> T | None:
    """Return what could be decoded, or ``None``: a refusal need not be of any form."""
    try:
        return decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def masked(said: str, *private: str) -> str:
    """Return the beginning of a provider's words on one line, without numbers and without what we sent."""
    for text in private:
        said = said.replace(text, "…")
    return _NUMBER.sub("…", " ".join(said.split()))[:_SAID]


def known_caller(hook: Hook, hooks: str) -> None:
    """Make sure that a call came to the address that only the provider was told.

    Args:
        hook: The call.
        hooks: The address of our hooks, with the secret in its path.

    Raises:
        RefusedError: The secret is another.
    """
    given = urlsplit(hook.url).path.encode()
    expected = f"{urlsplit(hooks).path.rstrip('/')}/{hook.what}".encode()
    if not secrets.compare_digest(given, expected):
        raise RefusedError("the secret in the address does not fit")


def required(fields: Mapping[str, str], name: str) -> str:
    """Return a field of a call.

    Raises:
        MalformedError: It is missing.
    """
    value = fields.get(name, "")
    if not value:
        raise MalformedError(f"field {name!r} is missing")
    return value


def message_id(text: str | None) -> int | None:
    """Return our number of a message from a reference or an address; ``None`` when there is none."""
    if text is None or not text.isascii() or _DIGITS.fullmatch(text) is None or len(text) > 18:
        return None
    return int(text)


def e164(number: str) -> str:
    """Return a number as the rota writes it: providers leave out the plus, Norwegian ones the country too."""
    digits = number.strip().removeprefix("+").removeprefix("00")
    if _DIGITS.fullmatch(digits) is None or not digits.isascii():
        return number.strip()
    if len(digits) == _LOCAL_DIGITS and not number.strip().startswith(("+", "00")):
        return f"+47{digits}"
    return f"+{digits}"


def _again(answer: httpx.Response) -> str:
    wait = answer.headers.get("retry-after", "")
    return f", again in {wait} s" if message_id(wait) is not None else ""
