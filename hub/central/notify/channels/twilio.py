"""Twilio: texts over HTTP (twilio.com/docs, "Messages resource", "Error and Warning Dictionary", "Security").

Twilio has no key against double sending of new messages (``I-Twilio-Idempotency-Token`` is a header of *its* calls
to us): a text whose answer is lost is sent again and may arrive twice. Both report to the same address.
"""

from xml.sax.saxutils import escape

import httpx
import msgspec

from hub.central.notify.channels import http, twilio_signature
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
from hub.central.notify.channels.http import Meaning
from hub.domain.errors import MalformedError, PermanentError, RefusedError, TransientError

NAME = "twilio"

#: The codes that concern texts and calls, of Twilio's dictionary.
CODES: http.Codes = {
    10001: Meaning(PermanentError, "the account is not active"),
    20003: Meaning(PermanentError, "permission denied"),
    20404: Meaning(PermanentError, "not found"),
    20429: Meaning(TransientError, "too many requests"),
    20503: Meaning(TransientError, "service unavailable"),
    21210: Meaning(PermanentError, "the sender is not verified"),
    21211: Meaning(RefusedError, "invalid number"),
    21212: Meaning(PermanentError, "invalid sender"),
    21214: Meaning(RefusedError, "the number cannot be reached"),
    21215: Meaning(RefusedError, "no permission to call this country"),
    21216: Meaning(RefusedError, "calls to this number are blocked"),
    21217: Meaning(RefusedError, "the number does not seem to be valid"),
    21219: Meaning(RefusedError, "the number is not verified (trial account)"),
    21408: Meaning(RefusedError, "no permission to send to this country"),
    21606: Meaning(PermanentError, "the sender cannot send texts"),
    21608: Meaning(RefusedError, "the number is not verified (trial account)"),
    21610: Meaning(RefusedError, "the recipient has unsubscribed"),
    21611: Meaning(TransientError, "the sender's queue is full"),
    21612: Meaning(RefusedError, "no way from this sender to this number"),
    21614: Meaning(RefusedError, "not a mobile number"),
    21617: Meaning(RefusedError, "the text is too long"),
    21730: Meaning(TransientError, "system under maintenance"),
    30001: Meaning(TransientError, "queue overflow"),
    30002: Meaning(PermanentError, "the account is suspended"),
    30003: Meaning(RefusedError, "the phone is unreachable"),
    30004: Meaning(RefusedError, "message blocked"),
    30005: Meaning(RefusedError, "unknown phone"),
    30006: Meaning(RefusedError, "landline or unreachable operator"),
    30007: Meaning(RefusedError, "message filtered"),
    30008: Meaning(TransientError, "unknown error"),
}

#: The dictionary ends before this.
_HIGHEST_CODE = 999_999

_STATUS = {
    "accepted": ReceiptStatus.SENT,
    "queued": ReceiptStatus.SENT,
    "sending": ReceiptStatus.SENT,
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.READ,
    "undelivered": ReceiptStatus.FAILED,
    "failed": ReceiptStatus.FAILED,
    "canceled": ReceiptStatus.FAILED,
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """The account.

    Attributes:
        base_url: ``https://api.twilio.com``, or a simulator's.
        account_sid: AC and 32 hexadecimal digits.
        auth_token: Its token; Twilio signs its calls with it.
        sender: Our number there, E.164.
    """

    base_url: str = "https://api.twilio.com"
    account_sid: str
    auth_token: str
    sender: str


class _Created(msgspec.Struct):
    sid: str
    status: str = "queued"
    error_code: int | None = None


class _Problem(msgspec.Struct):
    code: int | None = None


class Twilio:
    """Texts through Twilio.

    Args:
        settings: The account.
    """

    name = NAME
    channel = "sms"
    capabilities = frozenset({Capability.SMS, Capability.TWO_WAY, Capability.ANSWERS})

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._line = http.Line(NAME, settings.base_url, (settings.account_sid, settings.auth_token))

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand a message to Twilio, once.

        Raises:
            TransientError: No answer, a late one, or one that is not theirs.
            RefusedError: They do not take this message.
            PermanentError: They do not take messages from this account.
        """
        form = {
            "From": self._settings.sender,
            "To": outgoing.number,
            "Body": outgoing.text,
            "StatusCallback": outgoing.receipt_url,
        }
        path = f"/2010-04-01/Accounts/{self._settings.account_sid}/Messages.json"
        return accepted(NAME, await self._line.post(path, form=form))

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Read a status callback or a text that came in.

        Raises:
            RefusedError: The signature does not fit.
            MalformedError: It is not of their form.
        """
        twilio_signature.signed(hook, self._settings.auth_token)
        if hook.what == "delivery":
            return (_report(hook),)
        if hook.what == "inbound":
            return (_inbound(hook),)
        raise MalformedError(f"{NAME} has no hook {hook.what!r}")

    def reply(self, hook: Hook, _told: tuple[Told, ...], text: str) -> Reply:
        """Answer in TwiML: an answer to a text goes back to its phone."""
        said = f"<Message>{escape(text)}</Message>" if text and hook.what == "inbound" else ""
        return twiml(said)

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()


def make(settings: Settings, _hooks: str) -> Twilio:
    """Return the provider."""
    return Twilio(settings)


def accepted(name: str, answer: httpx.Response) -> Accepted:
    """Make of an answer to a new message or call what our errors call it.

    Raises:
        TransientError: Busy, or not theirs.
        RefusedError: Not this number.
        PermanentError: Not this account.
    """
    if not answer.is_success:
        problem = http.attempt(lambda: msgspec.json.decode(answer.content, type=_Problem)) or _Problem()
        raise http.failure(name, answer, problem.code, CODES)
    created = http.read(name, answer, _Created)
    if created.status == "failed":
        code = created.error_code
        known = CODES.get(code) if code is not None else None
        raise (known.error if known else RefusedError)(f"{name}: failed at once, {reason(str(code or ''))}")
    return Accepted(created.sid)


def reason(code: str) -> str:
    """Return a code of a callback with its words."""
    number = http.message_id(code)
    if number is None or number > _HIGHEST_CODE:  # that may be a phone number
        return "no code"
    meaning = CODES.get(number)
    return f"{number}, {meaning.sentence}" if meaning else str(number)


def twiml(said: str) -> Reply:
    """Return an answer in TwiML, Twilio's XML."""
    document = f'<?xml version="1.0" encoding="UTF-8"?><Response>{said}</Response>'
    return Reply(document.encode(), "text/xml; charset=utf-8")


def _report(hook: Hook) -> Report:
    said = http.required(hook.form, "MessageStatus")
    status = _STATUS.get(said)
    if status is None:
        raise MalformedError("'MessageStatus' is unknown")
    failed = status is ReceiptStatus.FAILED
    return Report(
        provider_ref=http.required(hook.form, "MessageSid"),
        status=status,
        at=hook.now,
        message_id=http.message_id(hook.query.get("message")),
        reason=f"{said}: {reason(hook.form.get('ErrorCode', ''))}" if failed else "",
    )


def _inbound(hook: Hook) -> Inbound:
    return Inbound(
        provider=NAME,
        provider_ref=http.required(hook.form, "MessageSid"),
        sender=http.required(hook.form, "From"),
        recipient=hook.form.get("To", ""),
        text=http.text(hook.form.get("Body", "")),
        at=hook.now,
    )
