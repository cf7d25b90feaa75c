"""LINK Mobility: texts over its "Common" REST API ("SMS REST API, MT and Delivery Reports" 2.4; "MO messages").

``refId`` is a reference only, no key against double sending: a text whose answer is lost is sent again and may
arrive twice. Both bear the same ``refId``, so that the report about either finds the message.
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
from hub.central.notify.channels.http import Meaning
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError, PermanentError, RefusedError, TransientError

NAME = "link"
_QUEUED = 1005

#: Result codes: what they mean for a message that is sent, and what is said of one that failed.
CODES: http.Codes = {
    0: Meaning(TransientError, "unknown error"),
    1: Meaning(TransientError, "temporary routing error"),
    2: Meaning(RefusedError, "permanent routing error"),
    3: Meaning(TransientError, "maximum throttling exceeded"),
    4: Meaning(TransientError, "timeout"),
    5: Meaning(TransientError, "unknown error at the operator"),
    6: Meaning(TransientError, "error at the operator"),
    104: Meaning(PermanentError, "configuration error"),
    105: Meaning(TransientError, "internal error"),
    1002: Meaning(RefusedError, "expired"),
    1003: Meaning(RefusedError, "deleted"),
    1004: Meaning(RefusedError, "the phone is full"),
    1006: Meaning(RefusedError, "not delivered"),
    1009: Meaning(RefusedError, "billed, not delivered"),
    1010: Meaning(RefusedError, "expired without a report from the operator"),
    2000: Meaning(PermanentError, "invalid sender"),
    2001: Meaning(PermanentError, "a short number as sender is not supported"),
    2002: Meaning(PermanentError, "a name as sender is not supported"),
    2003: Meaning(PermanentError, "a phone number as sender is not supported"),
    2100: Meaning(RefusedError, "a short number as destination is not supported"),
    2101: Meaning(RefusedError, "a name as destination is not supported"),
    2102: Meaning(RefusedError, "this phone number as destination is not supported"),
    2103: Meaning(RefusedError, "the operation is blocked"),
    2104: Meaning(RefusedError, "unknown subscriber"),
    2105: Meaning(RefusedError, "the destination is blocked"),
    2106: Meaning(RefusedError, "error in the number"),
    2107: Meaning(TransientError, "the destination is blocked for now"),
    4001: Meaning(RefusedError, "invalid content"),
    4003: Meaning(RefusedError, "invalid text"),
    4007: Meaning(RefusedError, "the destination does not take this content"),
    106000: Meaning(TransientError, "unknown error"),
    106100: Meaning(PermanentError, "invalid authentication"),
    106101: Meaning(PermanentError, "access denied"),
    106200: Meaning(PermanentError, "invalid platformId"),
    106201: Meaning(PermanentError, "invalid platformPartnerId"),
    106203: Meaning(PermanentError, "no gate for reports"),
    106204: Meaning(PermanentError, "the gate for reports is not available"),
}

_DELIVERED = frozenset({1001, 1007})
_UNDER_WAY = frozenset({1000, _QUEUED, 1008, 1011, 1012, 1013})


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """The account, as LINK's support set it up.

    Attributes:
        base_url: The node, or a simulator's.
        username: User name.
        password: Password.
        platform_id: ``platformId``.
        platform_partner_id: ``platformPartnerId``.
        gate_id: The gate that posts delivery reports to our hook.
        sender: A number (+47…), a short number, or a name; to a name nobody can reply.
    """

    base_url: str = "https://n-eu.linkmobility.io"
    username: str
    password: str
    platform_id: str
    platform_partner_id: str
    gate_id: str
    sender: str


class _Result(msgspec.Struct, rename="camel"):
    message_id: str = ""
    result_code: int = _QUEUED


class _Refusal(msgspec.Struct, rename="camel"):
    """What an HTTP error may hold; which of the names it uses was not checked."""

    result_code: int | None = None
    error_code: int | str | None = None
    status: int | None = None


class _Delivery(msgspec.Struct, rename="camel"):
    id: str
    result_code: int
    ref_id: str | None = None
    timestamp: object = None


class _Content(msgspec.Struct, frozen=True, rename="camel"):
    user_data: str = ""


class _Mobile(msgspec.Struct, rename="camel"):
    message_id: str
    source: str
    destination: str = ""
    content: _Content = _Content()
    timestamp: object = None


class Link:
    """Texts through LINK Mobility.

    Args:
        settings: The account. Its gate posts to the address that LINK's support was told.
    """

    name = NAME
    channel = "sms"

    def __init__(self, settings: Settings) -> None:
        self._source = _source(settings.sender)
        named = self._source["sourceTON"] == "ALPHANUMERIC"
        self.capabilities = frozenset({Capability.SMS} if named else {Capability.SMS, Capability.TWO_WAY})
        self._settings = settings
        self._line = http.Line(NAME, settings.base_url, (settings.username, settings.password))

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand a message to LINK, once.

        Raises:
            TransientError: No answer, a late one, or one that is not theirs.
            RefusedError: They do not take this message.
            PermanentError: They do not take messages from this account.
        """
        order = {
            **self._source,
            "destination": outgoing.number,
            "userData": outgoing.text,
            "platformId": self._settings.platform_id,
            "platformPartnerId": self._settings.platform_partner_id,
            "useDeliveryReport": True,
            "deliveryReportGates": [self._settings.gate_id],
            "refId": str(outgoing.message_id),
        }
        return _read(await self._line.post("/sms/send", json=order))

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Read a delivery report or a text that came in: JSON.

        LINK signs nothing: its secret is the address, which is checked before this.

        Raises:
            MalformedError: It is not of their form.
        """
        try:
            if hook.what == "delivery":
                return (_report(msgspec.json.decode(hook.body, type=_Delivery), hook.now),)
            if hook.what == "inbound":
                return (_inbound(msgspec.json.decode(hook.body, type=_Mobile), hook.now),)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # The error's words name the field, not what is in it.
            raise MalformedError(f"{NAME}, {hook.what}: {error}") from error
        raise MalformedError(f"{NAME} has no hook {hook.what!r}")

    def reply(self, _hook: Hook, _told: tuple[Told, ...], _text: str) -> Reply:
        """Answer 200. LINK sends no body on to a phone, so it has not :attr:`Capability.ANSWERS`."""
        return Reply(b"")

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()


def make(settings: Settings, _hooks: str) -> Link:
    """Return the provider."""
    return Link(settings)


def _source(sender: str) -> dict[str, str]:
    if sender.startswith("+"):
        return {"source": sender, "sourceTON": "MSISDN"}
    return {"source": sender, "sourceTON": "SHORTNUMBER" if sender.isdecimal() else "ALPHANUMERIC"}


def _read(answer: httpx.Response) -> Accepted:
    """Make of an answer what our errors call it."""
    if not answer.is_success:
        refusal = http.attempt(lambda: msgspec.json.decode(answer.content, type=_Refusal)) or _Refusal()
        raise http.failure(NAME, answer, _code(refusal), CODES)
    result = http.read(NAME, answer, _Result)
    if result.result_code in _DELIVERED | _UNDER_WAY and result.message_id:
        return Accepted(result.message_id)
    if result.result_code in CODES:
        raise http.failure(NAME, answer, result.result_code, CODES)
    raise TransientError(f"{NAME}: an answer that is not theirs ({answer.status_code})")


def _code(refusal: _Refusal) -> int | None:
    for code in (refusal.result_code, http.message_id(str(refusal.error_code)), refusal.status):
        if code in CODES:
            return code
    return None


def _report(delivery: _Delivery, now: dt.datetime) -> Report:
    code = delivery.result_code
    status = ReceiptStatus.FAILED
    if code in _DELIVERED:
        status = ReceiptStatus.DELIVERED
    elif code in _UNDER_WAY:
        status = ReceiptStatus.SENT
    meaning = CODES.get(code)
    why = f"{code}, {meaning.sentence}" if meaning else str(code)
    return Report(
        # A text of several parts is reported part by part, as id$1, id$2…
        provider_ref=http.word(delivery.id, "id").partition("$")[0],
        status=status,
        at=_instant(delivery.timestamp, now),
        message_id=http.message_id(delivery.ref_id),
        reason=why if status is ReceiptStatus.FAILED else "",
    )


def _inbound(mobile: _Mobile, now: dt.datetime) -> Inbound:
    return Inbound(
        provider=NAME,
        provider_ref=http.word(mobile.message_id, "messageId"),
        sender=http.e164(http.word(mobile.source, "source")),
        recipient=http.text(mobile.destination),
        text=http.text(mobile.content.user_data),
        at=_instant(mobile.timestamp, now),
    )


def _instant(value: object, now: dt.datetime) -> dt.datetime:
    """Return an instant of theirs, RFC 3339; anything else counts as now."""
    try:
        at = dt.datetime.fromisoformat(value) if isinstance(value, str) else now
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter in the year 1, east of Greenwich
        return now
