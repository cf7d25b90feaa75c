"""What providers over HTTP share: a request with its limits, what its failure means, and what a call may hold.

Nothing here tells a phone number or a text: errors end up in logs and on pages.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import NamedTuple, TypeVar

import httpx
import msgspec

from hub.central.links import tokens
from hub.domain.errors import HubError, MalformedError, PermanentError, RefusedError, TransientError

#: An alarm waits behind this request: a provider that is slower than this is left for the next one.
CONNECT_S = 3.0
TOTAL_S = 10.0

# Of that time; what is left is enough to connect.
_BEGINS_WITHIN = 0.9
_SAID = 120
_SKIMMED_BYTES = 16_384
_LONGEST_WORD = 96
_LONGEST_TEXT = 2_000
_NUMBER = re.compile(r"\+?\d(?:[\s-]?\d){3,}")
_DIGITS = re.compile(r"[0-9]{1,18}")
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
        # Whoever must wait waits here, not in httpcore's pool: that never takes back the connection of a request
        # which is cancelled before it begins, and after one burst of them nothing would ever leave again.
        self._at_once = asyncio.Semaphore(at_once)
        self._client = httpx.AsyncClient(
            base_url=base_url,
            auth=auth,
            timeout=httpx.Timeout(TOTAL_S, connect=CONNECT_S),
            verify=_trusted(),
            trust_env=False,  # a proxy or a .netrc of the machine must not decide where alarms go
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=at_once),
        )

    async def post(
        self, path: str, *, form: Mapping[str, str] | None = None, json: object = None
    ) -> httpx.Response:
        """Post a form or a JSON document and return the whole answer, whatever its status.

        Raises:
            TransientError: No answer within the time, or none at all; the provider may have taken it.
        """
        return await self._in_time(lambda: self._client.post(path, data=form, json=json))

    async def status(self, request: httpx.Request) -> httpx.Response:
        """Make a request to somebody whom we do not trust and return the answer without its body.

        Raises:
            TransientError: No answer within the time, or none at all; they may have taken it.
        """
        return await self._in_time(lambda: self._skimmed(request))

    async def _skimmed(self, request: httpx.Request) -> httpx.Response:
        answer = await self._client.send(request, stream=True)
        try:
            seen = 0
            # To its end where that is near, so that the connection can be kept.
            async for chunk in answer.aiter_raw():
                seen += len(chunk)
                if seen > _SKIMMED_BYTES:
                    break
        finally:
            await answer.aclose()
        return answer

    async def _in_time(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        try:
            async with asyncio.timeout(TOTAL_S), self._turn():
                return await ask()
        except TimeoutError as error:
            raise TransientError(f"{self._name}: no answer within {TOTAL_S:g} s") from error
        except httpx.RequestError as error:
            # The kind of error is enough; its words may hold the address with what was sent.
            raise TransientError(f"{self._name}: {type(error).__name__}") from error

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a turn, but begin nothing that would be cancelled while it begins."""
        async with asyncio.timeout(TOTAL_S * _BEGINS_WITHIN):
            await self._at_once.acquire()
        try:
            yield
        finally:
            self._at_once.release()

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
    for each in private:
        said = said.replace(each, "…")
    return _NUMBER.sub("…", " ".join(tokens.hidden(said).split()))[:_SAID]


def required(fields: Mapping[str, str], name: str) -> str:
    """Return a field of a call: a name, a number or a word.

    Raises:
        MalformedError: It is missing, or longer than any of theirs.
    """
    return word(fields.get(name, ""), name)


def word(value: str, name: str) -> str:
    """Return a value of a call: a name, a number or a word.

    Raises:
        MalformedError: It is empty, or longer than any of theirs.
    """
    if not value:
        raise MalformedError(f"field {name!r} is missing")
    if len(value) > _LONGEST_WORD:
        raise MalformedError(f"field {name!r} is too long")
    return value


def text(value: str) -> str:
    """Return what a text says, as it can be kept: an answer that is too long still counts by its beginning."""
    return value.replace("\0", "")[:_LONGEST_TEXT]


def message_id(given: str | None) -> int | None:
    """Return our number of a message from a reference or an address; ``None`` when there is none."""
    if given is None or _DIGITS.fullmatch(given) is None:
        return None
    return int(given)


def e164(number: str) -> str:
    """Return a number as the rota writes it: providers leave out the plus, Norwegian ones the country too."""
    given = number.strip()
    if len(given) == _LOCAL_DIGITS and _DIGITS.fullmatch(given):
        return f"+47{given}"
    digits = given.removeprefix("+").removeprefix("00")
    return f"+{digits}" if _DIGITS.fullmatch(digits) else given


@cache
def _trusted() -> ssl.SSLContext:
    """Return the certificates that are trusted, read once for all providers."""
    return httpx.create_ssl_context(trust_env=False)


def _again(answer: httpx.Response) -> str:
    wait = answer.headers.get("retry-after", "")
    return f", again in {wait} s" if message_id(wait) is not None else ""
