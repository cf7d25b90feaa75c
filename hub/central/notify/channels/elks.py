"""46elks: texts over HTTP (46elks.com/docs, "Send SMS", "SMS delivery reports", "Receive SMS").

It has no key against double sending: when an answer is lost the text is sent again and may arrive twice.
"""

import asyncio
import re

import httpx
import msgspec

from hub.central.notify.channels.base import Accepted, Capability, Outgoing
from hub.domain.errors import PermanentError, RefusedError, TransientError

_CONNECT_S = 5.0
_TOTAL_S = 10.0
_AT_ONCE = 50

# 403 is not among these: it may be about this number only (their documentation has no table of codes).
# Our account or our address is wrong, not this message: no other message would be taken either.
_NOT_US = frozenset(
    {
        httpx.codes.UNAUTHORIZED,
        httpx.codes.PAYMENT_REQUIRED,
        httpx.codes.NOT_FOUND,
        httpx.codes.METHOD_NOT_ALLOWED,
    }
)
_BUSY = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})

_LONG_NUMBER = re.compile(r"\d{4,}")
_SAID = 120


class _Sms(msgspec.Struct):
    """What we read of the answer to ``POST /a1/sms``."""

    id: str
    status: str = "created"


class ElksChannel:
    """Texts through 46elks.

    Args:
        base_url: ``https://api.46elks.com``, or a simulator's.
        username: API user name.
        password: API password.
        sender: Our number there, E.164. To a name instead of a number nobody could reply.
    """

    name = "sms"
    capabilities = frozenset({Capability.SMS, Capability.TWO_WAY})

    def __init__(self, base_url: str, username: str, password: str, sender: str) -> None:
        self._sender = sender
        self._client = httpx.AsyncClient(
            base_url=base_url,
            auth=(username, password),
            timeout=httpx.Timeout(_TOTAL_S, connect=_CONNECT_S),
            trust_env=False,  # a proxy or a .netrc of the machine must not decide where alarms go
            limits=httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE),
        )

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand a message to 46elks, once.

        Raises:
            TransientError: No answer, a late one, or one that is not theirs.
            RefusedError: They do not take this message.
            PermanentError: They do not take messages from this account.
        """
        form = {
            "from": self._sender,
            "to": outgoing.number,
            "message": outgoing.text,
            "whendelivered": outgoing.receipt_url,
        }
        try:
            async with asyncio.timeout(_TOTAL_S):
                answer = await self._client.post("/a1/sms", data=form)
        except TimeoutError as error:
            raise TransientError(f"46elks: no answer within {_TOTAL_S:g} s") from error
        except httpx.RequestError as error:
            raise TransientError(f"46elks: {type(error).__name__} {_masked(str(error))}".rstrip()) from error
        return _read(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _read(answer: httpx.Response) -> Accepted:
    """Make of an answer what our errors call it."""
    said = f"46elks answered {answer.status_code}: {_masked(answer.text)}"
    if answer.status_code in _NOT_US:
        raise PermanentError(said)
    if answer.is_client_error and answer.status_code not in _BUSY:
        raise RefusedError(said)
    if not answer.is_success:
        raise TransientError(said)
    try:
        sms = msgspec.json.decode(answer.content, type=_Sms)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # A proxy or a login page answers 200 as well. Nothing says that the text left.
        raise TransientError(f"46elks: an answer that is not theirs: {_masked(answer.text)}") from error
    if sms.status == "failed":
        raise RefusedError("46elks: the message failed at once")
    return Accepted(sms.id)


def _masked(text: str) -> str:
    """Return the beginning of a foreign text on one line, without phone numbers."""
    return _LONG_NUMBER.sub("…", " ".join(text.split()))[:_SAID]
