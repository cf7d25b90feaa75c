"""46elks: texts over HTTP (46elks.com/docs, "Send SMS", "SMS delivery reports", "Receive SMS").

It has no key against double sending: when an answer is lost the text is sent again and may arrive twice.
"""

import asyncio
import datetime as dt
import re

import httpx
import msgspec

from hub.central.notify.channels.base import (
    Accepted,
    Capability,
    Hook,
    Inbound,
    Outgoing,
    ReceiptStatus,
    Reply,
    Report,
    Told,
)
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError, PermanentError, RefusedError, TransientError

NAME = "46elks"

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

# The longest that a field may be; theirs are shorter.
_LONGEST = {"id": 96, "from": 32, "to": 32, "message": 2_000, "status": 32}
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


class _Sms(msgspec.Struct):
    """What we read of the answer to ``POST /a1/sms``."""

    id: str
    status: str = "created"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """The account at 46elks; ``sender`` is the number that replies come back to."""

    base_url: str = "https://api.46elks.com"
    username: str
    password: str
    sender: str


class Elks:
    """Texts through 46elks.

    Args:
        settings: The account. To a name instead of a number as ``sender`` nobody could reply.
    """

    name = NAME
    channel = "sms"
    capabilities = frozenset({Capability.SMS, Capability.TWO_WAY})

    def __init__(self, settings: Settings) -> None:
        self._sender = settings.sender
        self._client = httpx.AsyncClient(
            base_url=settings.base_url,
            auth=(settings.username, settings.password),
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

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Read a delivery report (``delivery``) or a text that came in (``inbound``).

        46elks signs nothing: its secret is the address, which is checked before this.

        Raises:
            MalformedError: It is neither, or lacks a field.
        """
        for name, longest in _LONGEST.items():
            if len(hook.form.get(name, "")) > longest:
                raise MalformedError(f"{name} is too long")
        if hook.what == "delivery":
            return (_report(hook),)
        if hook.what == "inbound":
            return (_inbound(hook),)
        raise MalformedError(f"46elks has no hook {hook.what!r}")

    def reply(self, hook: Hook, told: tuple[Told, ...], text: str) -> Reply:
        """Answer a text with a text: what the body says is sent back to the phone."""
        del hook, told
        return Reply(text.encode())

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def make(settings: Settings, _hooks: str) -> Elks:
    """Return the provider."""
    return Elks(settings)


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


def _report(hook: Hook) -> Report:
    try:
        status = ReceiptStatus(_required(hook, "status"))
    except ValueError as error:
        raise MalformedError("an unknown status") from error
    message = hook.query.get("message", "")
    if message and not _NUMBER.fullmatch(message):
        raise MalformedError("message is not a number")
    return Report(
        provider_ref=_required(hook, "id"),
        status=status,
        at=_instant(hook.form.get("delivered", ""), hook.now),
        message_id=int(message) if message else None,
        reason="46elks reports that it failed" if status is ReceiptStatus.FAILED else "",
    )


def _inbound(hook: Hook) -> Inbound:
    return Inbound(
        provider=NAME,
        provider_ref=_required(hook, "id"),
        sender=_required(hook, "from"),
        recipient=hook.form.get("to", ""),
        text=hook.form.get("message", ""),
        at=_instant(hook.form.get("created", ""), hook.now),
    )


def _required(hook: Hook, name: str) -> str:
    value = hook.form.get(name, "")
    if not value:
        raise MalformedError(f"{name} is missing")
    return value


def _instant(text: str, now: dt.datetime) -> dt.datetime:
    """Return an instant of 46elks: ISO 8601 in UTC without saying so; without one, now."""
    try:
        at = dt.datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return now


def _masked(text: str) -> str:
    """Return the beginning of a foreign text on one line, without phone numbers."""
    return _LONG_NUMBER.sub("…", " ".join(text.split()))[:_SAID]
