"""46elks: texts over HTTP (46elks.com/docs, "Send SMS", "SMS delivery reports", "Receive SMS").

It has no key against double sending: when an answer is lost the text is sent again and may arrive twice.
"""

import datetime as dt

import httpx
import msgspec

from hub.central.notify.channels import http
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
from hub.domain.errors import MalformedError, RefusedError

NAME = "46elks"


# The longest that a field may be; theirs are shorter.
_LONGEST = {"id": 96, "from": 32, "to": 32, "message": 2_000, "status": 32}


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
    capabilities = frozenset({Capability.SMS, Capability.TWO_WAY, Capability.ANSWERS})

    def __init__(self, settings: Settings) -> None:
        self._sender = settings.sender
        self._line = http.Line(NAME, settings.base_url, (settings.username, settings.password))

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
        return _read(await self._line.post("/a1/sms", form=form))

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
        await self._line.close()


def make(settings: Settings, _hooks: str) -> Elks:
    """Return the provider."""
    return Elks(settings)


def _read(answer: httpx.Response) -> Accepted:
    """Make of an answer what our errors call it. 46elks has sentences, no table of codes."""
    said = http.masked(answer.text)
    if answer.status_code == httpx.codes.FORBIDDEN:
        # It may be about this number only; 401 and 402 are about the account.
        raise RefusedError(f"{NAME} answered {answer.status_code}: {said}")
    if not answer.is_success:
        refusal = http.failure(NAME, answer, None, {})
        raise type(refusal)(f"{refusal}: {said}")
    sms = http.read(NAME, answer, _Sms)
    if sms.status == "failed":
        raise RefusedError(f"{NAME}: the message failed at once")
    return Accepted(sms.id)


def _report(hook: Hook) -> Report:
    try:
        status = ReceiptStatus(http.required(hook.form, "status"))
    except ValueError as error:
        raise MalformedError("an unknown status") from error
    message = hook.query.get("message", "")
    message_id = http.message_id(message)
    if message and message_id is None:
        raise MalformedError("message is not a number")
    return Report(
        provider_ref=http.required(hook.form, "id"),
        status=status,
        at=_instant(hook.form.get("delivered", ""), hook.now),
        message_id=message_id,
        reason="46elks reports that it failed" if status is ReceiptStatus.FAILED else "",
    )


def _inbound(hook: Hook) -> Inbound:
    return Inbound(
        provider=NAME,
        provider_ref=http.required(hook.form, "id"),
        sender=http.required(hook.form, "from"),
        recipient=hook.form.get("to", ""),
        text=hook.form.get("message", ""),
        at=_instant(hook.form.get("created", ""), hook.now),
    )


def _instant(text: str, now: dt.datetime) -> dt.datetime:
    """Return an instant of 46elks: ISO 8601 in UTC without saying so; without one, now."""
    try:
        at = dt.datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return now
