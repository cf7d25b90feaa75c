"""From a payload to the store: what is decided about observations, in one transaction with keeping them."""

import datetime as dt
import logging
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from hub.central import commander, dose
from hub.central.centre import Tx
from hub.central.commissioning import mode
from hub.central.commissioning.mode import Mode
from hub.central.incidents import desk, record
from hub.central.incidents.desk import Finding
from hub.central.site.model import Device
from hub.central.store import sql
from hub.central.store.tables import dead_letters, observations
from hub.central.synthetic import rounds
from hub.domain.clock import TimeQuality
from hub.domain.codes import CODES, Kind, Lane, Severity, lane
from hub.wire import envelope
from hub.wire.envelope import Event, Rejected
from rules.engine import Action, Decision, Facts, RuleSet

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_DEAD_LETTER_BYTES = 64 * 1024
_IN_TEST_MODE = "The device is in test mode."

# Made once: to make a statement takes longer than to ask it.
_KEEP = sql.spelt(lambda insert: insert(observations).on_conflict_do_nothing())
_KEEP_AND_NUMBER = sql.spelt(
    lambda insert: insert(observations).on_conflict_do_nothing().returning(observations.c.id)
)


class Parcel(msgspec.Struct, frozen=True):
    """What one message held, and where it came from."""

    topic: str
    hub_id: str
    events: list[Event]
    rejected: list[Rejected]


def keep(tx: Tx, parcels: Iterable[Parcel], rules: RuleSet) -> None:
    """Store everything in the parcels and raise what must be raised. Repeated delivery changes nothing."""
    modes = mode.running(tx.connection, tx.now.utc)
    dull: list[dict[str, Any]] = []
    telling: list[tuple[dict[str, Any], Finding, Action]] = []
    for parcel in parcels:
        for event in parcel.events:
            device = tx.site.devices.get(event.subject)
            row = _row(event, device, tx.now.utc)
            if event.data.kind is Kind.DEVICE_ANSWERED:
                commander.answered(tx, event)
            found = _found(tx, event, device, rules, modes.get(event.subject))
            if found is None:
                dull.append(row)
            else:
                telling.append((row, *found))
        for rejected in parcel.rejected:
            _bury(tx, parcel, rejected)
    database = tx.connection.dialect.name
    noted = {finding.need for _, finding, action in telling if action == "note"}
    noted &= record.open_needs(tx, noted)
    for row, finding, action in telling:
        if action == "note" and finding.need not in noted:
            dull.append(row)  # there is nothing to add it to
            continue
        row["test"] = finding.test
        number = tx.connection.scalar(_KEEP_AND_NUMBER[database], row)
        if number is None:
            continue  # it was delivered before
        if action == "note":
            desk.add_note(tx, finding.need, finding.reason, int(number))
        else:
            _raise(tx, msgspec.structs.replace(finding, observation_id=int(number)))
            noted.add(finding.need)
    if dull:
        tx.connection.execute(_KEEP[database], dull)


def _raise(tx: Tx, finding: Finding) -> None:
    number = desk.raise_incident(tx, finding)
    if finding.test_id is not None:
        mode.await_answer(tx, number)


def unkeepable(parcel: Parcel, error: Exception) -> Parcel:
    """Turn what the store will never take into something to be buried: nothing may block its lane."""
    # Below the first line a database's error quotes the row, which is in the dead letter, where it belongs.
    said = next(iter(str(error).splitlines()), "")
    reason = f"cannot be kept: {type(error).__name__}: {said}"[:500]
    buried = [
        Rejected(reason, envelope.encode(event), event.epoch, event.seq, event.data.kind, event.subject)
        for event in parcel.events
    ]
    buried += [Rejected(reason, item.raw[:1024]) for item in parcel.rejected]
    return Parcel(parcel.topic, parcel.hub_id, [], buried)


def _row(event: Event, device: Device | None, received_at: dt.datetime) -> dict[str, Any]:
    data = event.data
    return {
        "hub_id": event.hub_id,
        "epoch": event.epoch,
        "seq": event.seq,
        "event_id": event.id,
        "device_id": event.subject,
        "resident_id": device.resident if device else None,
        "kind": data.kind,
        "lane": _lane(event, device),
        "value": None if data.value is None else _encode(data.value).decode(),
        "unit": data.unit,
        "battery_pct": data.battery_pct,
        "rssi_dbm": data.rssi_dbm,
        "test": data.test,
        "flags": " ".join(data.flags),
        "raw": data.raw,
        "time": event.time,
        "timequality": event.timequality,
        "received_at": received_at,
    }


def _lane(event: Event, device: Device | None) -> Lane:
    return lane(event.data.kind, critical=device is not None and device.night is not None)


def _belongs(tx: Tx, event: Event, device: Device | None) -> bool:
    """Tell whether the site knows the device, at this hub; a hub speaks of itself under its own id."""
    if device is None:
        return event.subject == event.hub_id and event.hub_id in tx.site.hubs
    return device.hub == event.hub_id


def occurred(event: Event, received_at: dt.datetime) -> dt.datetime:
    """Return when an event happened, as far as that can be believed: never later than it was received."""
    if event.timequality is TimeQuality.UNKNOWN:
        return received_at
    return min(event.time, received_at)


def _found(
    tx: Tx, event: Event, device: Device | None, rules: RuleSet, tested: Mode | None
) -> tuple[Finding, Action] | None:
    """Decide what an observation is; ``None``: it is stored and nobody is told."""
    if not _belongs(tx, event, device):
        return _from_nowhere(tx, event, device, rules), "raise"
    if rounds.is_probe(event):
        probe = rounds.observed(tx, event)
        return None if probe is None else (probe, "raise")
    at = occurred(event, tx.now.utc)
    if device is not None and tested is not None and mode.holds(tested, event.data.kind, _flags(event), at):
        return _test(tx, event, device, _decide(tx, event, device, rules, at), tested), "raise"
    return _real(tx, event, device, rules, at)


def _real(
    tx: Tx, event: Event, device: Device | None, rules: RuleSet, at: dt.datetime
) -> tuple[Finding, Action] | None:
    if event.data.kind not in rules.kinds:
        return None
    decision = _decide(tx, event, device, rules, at)
    if decision.action == "hold":
        return None
    return _finding(tx, event, device, decision, at), decision.action


def _decide(tx: Tx, event: Event, device: Device | None, rules: RuleSet, at: dt.datetime) -> Decision:
    return rules.decide(
        Facts(
            kind=event.data.kind,
            local=at.astimezone(ZoneInfo(tx.site.site.site.timezone)),
            night=device.night if device else None,
            test=event.data.test,
            flags=_flags(event),
            value=event.data.value,
            assigned=device is not None and device.resident is not None,
        )
    )


def _flags(event: Event) -> tuple[str, ...]:
    """Return what is odd about an event. That a hub has not met its time server lately is not."""
    odd_time = ("time_unknown",) if event.timequality is TimeQuality.UNKNOWN else ()
    return (*event.data.flags, *odd_time)


def _need(tx: Tx, event: Event, device: Device | None, decision: Decision, at: dt.datetime) -> str:
    """Name what belongs together: a resident's alarms of one family, or a device's or a hub's own faults."""
    test = "test:" if event.data.test else ""
    if decision.family == "dose" and device is not None:
        return test + dose.need(tx.site, device.id, at, event.data.kind)
    if decision.incident_class == "care" and device is not None and device.resident is not None:
        return f"{test}care:{device.resident}:{decision.family}"
    return f"{test}{decision.incident_class}:{event.hub_id}:{event.subject}:{decision.family}"


def _finding(
    tx: Tx,
    event: Event,
    device: Device | None,
    decision: Decision,
    at: dt.datetime,
) -> Finding:
    resident = device.resident if device else None
    return Finding(
        incident_class=decision.incident_class,
        kind=event.data.kind,
        severity=decision.severity,
        need=_need(tx, event, device, decision, at),
        reason=decision.reason,
        zone=tx.site.zone_of(event.hub_id, resident),
        occurred_at=at,
        resident_id=resident,
        device_id=event.subject,
        hub_id=event.hub_id,
        room=device.room if device else "",
        flags=_flags(event),
        test=event.data.test,
        # What is odd keeps its way to those on call, and so does all of a site without a test phone.
        test_phone=tx.site.site.site.test_phone if event.data.test and not _flags(event) else None,
    )


def _test(tx: Tx, event: Event, device: Device, decision: Decision, tested: Mode) -> Finding:
    """Find what comes of a device in test mode: a test for its technician, whatever the rules say of it."""
    alarm = decision.action == "raise"
    return Finding(
        incident_class="technical",
        kind=event.data.kind,
        severity=decision.severity if alarm else Severity.NORMAL,
        need=f"test:{tested.id}:{device.id}",
        reason=f"{_IN_TEST_MODE} {decision.reason}" if alarm else _IN_TEST_MODE,
        zone=tx.site.zone_of(event.hub_id, device.resident),
        occurred_at=occurred(event, tx.now.utc),
        resident_id=device.resident,
        device_id=device.id,
        hub_id=event.hub_id,
        room=device.room,
        test=True,
        test_id=tested.id,
        test_phone=tested.phone,
    )


def in_earnest(tx: Tx, row: sa.Row[Any], rules: RuleSet) -> tuple[Finding, Action] | None:
    """Decide what an observation that was kept as a test is, if it was none; ``None``: nobody is told."""
    event = Event(
        id=row.event_id,
        source=envelope.SOURCE_PREFIX + row.hub_id,
        subject=row.device_id,
        time=row.time,
        timequality=TimeQuality(row.timequality),
        epoch=row.epoch,
        seq=row.seq,
        data=envelope.Data(
            kind=Kind(row.kind),
            value=None if row.value is None else msgspec.json.decode(row.value),
            flags=tuple(row.flags.split()),
        ),
    )
    device = tx.site.devices.get(row.device_id)
    if not _belongs(tx, event, device):
        found: tuple[Finding, Action] | None = _from_nowhere(tx, event, device, rules), "raise"
    else:
        found = _real(tx, event, device, rules, occurred(event, row.received_at))
    return found and (msgspec.structs.replace(found[0], observation_id=row.id), found[1])


def _alarming(tx: Tx, event: Event, device: Device | None, rules: RuleSet) -> bool:
    """Tell whether it is an alarm, or one by its device: a door at night is one over whatever hub it comes."""
    if CODES[event.data.kind].lane is Lane.ALARM:
        return True
    if _lane(event, device) is not Lane.ALARM:
        return False
    return _decide(tx, event, device, rules, occurred(event, tx.now.utc)).action == "raise"


def _from_nowhere(tx: Tx, event: Event, device: Device | None, rules: RuleSet) -> Finding:
    """Find what comes from a hub or device that the site does not know: an alarm as an alarm, flagged."""
    if event.hub_id not in tx.site.hubs:
        flag, reason = "unknown_hub", f"hub {event.hub_id} is not in the site"
    elif device is None:
        flag, reason = "unknown_device", f"device {event.subject} is not in the site"
    else:
        flag, reason = "wrong_hub", f"device {event.subject} belongs to hub {device.hub}, not {event.hub_id}"
    alarm = _alarming(tx, event, device, rules)
    resident = device.resident if device else None
    incident_class = "care" if alarm else "technical"
    need = f"{incident_class}:{event.hub_id}:{event.subject}:{flag}"
    if record.open_for(tx, need) is None:  # said once, not with each of a stranger's observations
        log.warning("%s from %s: %s", event.data.kind, event.hub_id, reason)
    return Finding(
        incident_class=incident_class,
        kind=event.data.kind if alarm else Kind.WIRE_MALFORMED,
        severity=Severity.CRITICAL if alarm else Severity.NORMAL,
        need=need,
        reason=reason,
        zone=tx.site.zone_of(event.hub_id, resident),
        occurred_at=occurred(event, tx.now.utc),
        resident_id=resident,
        device_id=event.subject[:64],
        hub_id=event.hub_id,
        flags=(*_flags(event), flag),
        test=event.data.test,
    )


def _printable(text: str) -> str:
    """Return a reason as any database keeps it: what quotes hostile bytes may hold a NUL."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:500])


def _bury(tx: Tx, parcel: Parcel, rejected: Rejected) -> None:
    """Keep what is malformed with its reason, tell the technician, and raise what claims to be an alarm."""
    reason = _printable(rejected.reason)
    tx.connection.execute(
        dead_letters.insert().values(
            received_at=tx.now.utc,
            topic=parcel.topic,
            reason=reason,
            payload=rejected.raw[:_DEAD_LETTER_BYTES],
        )
    )
    alarm = rejected.kind is not None and CODES[rejected.kind].lane is Lane.ALARM
    device = tx.site.devices.get(rejected.subject or "")
    resident = device.resident if device else None
    zone = tx.site.zone_of(parcel.hub_id, resident)
    desk.raise_incident(
        tx,
        Finding(
            incident_class="technical",
            kind=Kind.WIRE_MALFORMED,
            severity=Severity.SERIOUS if parcel.topic.endswith("alarm") else Severity.NORMAL,
            need=f"technical:{parcel.hub_id}:malformed",
            reason=f"{parcel.topic}: {reason}",
            zone=zone,
            occurred_at=tx.now.utc,
            hub_id=parcel.hub_id,
        ),
    )
    if alarm and rejected.kind is not None:
        desk.raise_incident(
            tx,
            Finding(
                incident_class="care",
                kind=rejected.kind,
                severity=Severity.CRITICAL,
                need=f"care:{resident or rejected.subject or parcel.hub_id}:malformed",
                reason=f"an alarm came malformed: {reason}",
                zone=zone,
                occurred_at=tx.now.utc,
                resident_id=resident,
                device_id=device.id if device else None,
                hub_id=parcel.hub_id,
                room=device.room if device else "",
                flags=("malformed",),
            ),
        )
