"""The envelope: CloudEvents 1.0 in structured JSON, one event or a batch (its JSON format, section 4)."""

import datetime as dt
from typing import Literal

import msgspec

from hub.domain.clock import UTC, TimeQuality
from hub.domain.codes import CENTRE_KINDS, Kind
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name
from hub.domain.observation import Observation, Value

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
EventType = Literal["no.welfarehub.observation.v1"]
EVENT_TYPE: EventType = "no.welfarehub.observation.v1"
SOURCE_PREFIX = "urn:hub:"

# A hub sends at most 500 events of well under 1 kB in a batch; what is larger is not from a hub.
MAX_PAYLOAD_BYTES = 512 * 1024
MAX_SEQ = 2**62
MAX_ID = 64
_NUL = "\0"


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The observation as it travels."""

    kind: Kind
    value: Value = None
    unit: str | None = None
    battery_pct: int | None = None
    rssi_dbm: int | None = None
    test: bool = False
    flags: tuple[str, ...] = ()
    raw: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One observation with its identity ``(source, epoch, seq)``; ``subject`` is the device."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: EventType = EVENT_TYPE
    subject: str
    time: dt.datetime
    timequality: TimeQuality
    epoch: str
    seq: int
    data: Data

    @property
    def hub_id(self) -> str:
        """The hub that journalled it."""
        return self.source.removeprefix(SOURCE_PREFIX)


class Rejected(msgspec.Struct, frozen=True):
    """An element of a payload that is no event, with as much of its identity as could be read.

    Attributes:
        reason: What is wrong, and where.
        raw: The element as it came.
        epoch: Journal life it says it belongs to, or ``None``.
        seq: Its number in the journal, or ``None``: with both, it can be receipted.
        kind: The kind it claims; an alarm that is malformed elsewhere is still raised.
        subject: The device it claims.
    """

    reason: str
    raw: bytes
    epoch: str | None = None
    seq: int | None = None
    kind: Kind | None = None
    subject: str | None = None


_encoder = msgspec.json.Encoder()
_one = msgspec.json.Decoder(Event)
_batch = msgspec.json.Decoder(list[Event])
_elements = msgspec.json.Decoder(list[msgspec.Raw])


def event(
    observation: Observation,
    *,
    event_id: str,
    hub_id: str,
    device_id: str,
    quality: TimeQuality,
    epoch: str,
    seq: int,
) -> Event:
    """Put an observation into its envelope."""
    return Event(
        id=event_id,
        source=SOURCE_PREFIX + hub_id,
        subject=device_id,
        time=observation.time,
        timequality=quality,
        epoch=epoch,
        seq=seq,
        data=Data(
            kind=observation.kind,
            value=observation.value,
            unit=observation.unit,
            battery_pct=observation.battery_pct,
            rssi_dbm=observation.rssi_dbm,
            test=observation.test,
            flags=observation.flags,
            raw=observation.raw,
        ),
    )


def encode(item: Event) -> bytes:
    """Encode one event."""
    return _encoder.encode(item)


def join(encoded: list[bytes]) -> bytes:
    """Make the payload for encoded events: the event itself, or a batch."""
    return encoded[0] if len(encoded) == 1 else b"[" + b",".join(encoded) + b"]"


def decode(payload: bytes, hub_id: str) -> tuple[list[Event], list[Rejected]]:
    """Read a payload that came on a topic of ``hub_id``.

    One bad element does not take its neighbours with it, and nothing raises: what is no event comes back
    among the rejected, with its reason.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        reason = f"payload of {len(payload)} bytes: the limit is {MAX_PAYLOAD_BYTES}"
        return [], [Rejected(reason, payload[:MAX_PAYLOAD_BYTES])]
    try:
        events = _batch.decode(payload) if payload.lstrip()[:1] == b"[" else [_one.decode(payload)]
        for item in events:
            _check(item, hub_id)
    except (msgspec.DecodeError, MalformedError, ValueError, RecursionError):
        return _one_by_one(payload, hub_id)
    return events, []


def _one_by_one(payload: bytes, hub_id: str) -> tuple[list[Event], list[Rejected]]:
    try:
        elements = [bytes(raw) for raw in _elements.decode(payload)] if payload.lstrip()[:1] == b"[" else [payload]
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return [], [Rejected(f"not JSON: {error}", payload)]
    events: list[Event] = []
    rejected: list[Rejected] = []
    for place, raw in enumerate(elements):
        try:
            item = _one.decode(raw)
            _check(item, hub_id)
        except (msgspec.DecodeError, MalformedError, ValueError, RecursionError) as error:
            rejected.append(_salvage(raw, f"element {place}: {error}"))
        else:
            events.append(item)
    return events, rejected


def _check(item: Event, hub_id: str) -> None:
    if item.hub_id != hub_id:
        raise MalformedError(f"`$.source` is {item.source!r} on a topic of hub {hub_id!r}")
    if item.time.tzinfo is None:
        raise MalformedError("`$.time` has no UTC offset")
    if item.data.kind in CENTRE_KINDS:
        raise MalformedError(f"`$.data.kind` {item.data.kind!r} is said by the centre only")
    if not 0 < item.seq <= MAX_SEQ or not 0 < len(item.epoch) <= 32 or not item.epoch.isprintable():
        raise MalformedError(f"`$.epoch`, `$.seq`: {item.epoch!r}, {item.seq} name no journal entry")
    if not 0 < len(item.id) <= MAX_ID or not item.id.isprintable():
        raise MalformedError(f"`$.id` is {item.id[:MAX_ID]!r}: use 1 to {MAX_ID} characters, and each id once")
    # A value may hold it, for it is kept as JSON; as text PostgreSQL would refuse it, with all that came along.
    if _NUL in "".join((item.data.unit or "", item.data.raw, *item.data.flags)):
        raise MalformedError("`$.data` has U+0000 in its unit, flags or raw")
    checked_name(item.subject, "`$.subject`")
    item.time.astimezone(UTC)  # an offset that leaves the calendar raises here, not later


def _salvage(raw: bytes, reason: str) -> Rejected:
    """Read what can be read of a malformed element."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Rejected(reason, raw)
    if not isinstance(found, dict):
        return Rejected(reason, raw)
    epoch, seq, subject = found.get("epoch"), found.get("seq"), found.get("subject")
    data = found.get("data")
    kind = data.get("kind") if isinstance(data, dict) else None
    return Rejected(
        reason,
        raw,
        epoch if isinstance(epoch, str) and 0 < len(epoch) <= 32 else None,
        seq if isinstance(seq, int) and not isinstance(seq, bool) and 0 < seq <= MAX_SEQ else None,
        Kind(kind) if isinstance(kind, str) and kind in set(Kind) - CENTRE_KINDS else None,
        subject[:48].replace(_NUL, "?") if isinstance(subject, str) else None,
    )
