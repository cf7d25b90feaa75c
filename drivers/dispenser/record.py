"""The event record of the open dispenser profile 1: 20 bytes, little endian."""

import struct
from typing import NamedTuple

from hub.domain.codes import Kind
from hub.domain.errors import MalformedError

VERSION = 1
_LAYOUT = struct.Struct("<BBIIIHBBH")
RECORD_BYTES = _LAYOUT.size

NO_SLOT = 0xFFFF
UNKNOWN_DOSES = 0xFFFF
ON_MAINS, LID_OPEN, TEST = 0x01, 0x02, 0x04
ALIVE = 0x30


class Record(NamedTuple):
    """One record as it stands on the wire.

    Attributes:
        event: Code of :data:`EVENTS`.
        seq: Grows by one with each record and survives power loss; 0 is never used.
        unix_time: Seconds UTC; 0: its clock is not set.
        uptime_s: Seconds since power-on.
        slot: Index in the plan, :data:`NO_SLOT` without one.
        battery_pct: State of charge, or ``None``.
        flags: ``ON_MAINS``, ``LID_OPEN``, ``TEST``.
        doses_left: Doses left, or ``None``.
    """

    event: int
    seq: int
    unix_time: int
    uptime_s: int
    slot: int
    battery_pct: int | None
    flags: int
    doses_left: int | None


class Event(NamedTuple):
    """What an event code stands for; ``vkp`` as in ``vkp-alert-code-v090``, dispense events with ``MD``."""

    kind: Kind
    vkp: str | None


EVENTS: dict[int, Event] = {
    0x01: Event(Kind.DOSE_DISPENSED, "MD 1.1"),
    0x02: Event(Kind.DOSE_DISPENSED, "MD 1.2"),
    0x03: Event(Kind.DOSE_DISPENSED, "MD 1.3"),
    0x04: Event(Kind.DOSE_DISPENSED, "MD 2"),
    0x10: Event(Kind.DOSE_PRESENTED, "1.10"),
    0x11: Event(Kind.DOSE_NOT_DISPENSED, "1.1"),
    0x12: Event(Kind.DOSE_NOT_CONFIRMED, "1.3"),
    0x13: Event(Kind.DISPENSER_EMPTY, "1.13"),
    0x14: Event(Kind.DISPENSER_LOW_STOCK, "1.12"),
    0x15: Event(Kind.DISPENSER_JAMMED, "1.8"),
    0x16: Event(Kind.DISPENSER_FAULT, "1.7"),
    0x17: Event(Kind.DISPENSER_FAULT, "1.6"),
    0x18: Event(Kind.DISPENSER_FULL_DRAWER, "1.9"),
    0x19: Event(Kind.DISPENSER_FAULT, "1.5"),
    0x1A: Event(Kind.DISPENSER_NO_PLAN, "1.14"),
    0x20: Event(Kind.BATTERY_LOW, "1.17"),
    0x21: Event(Kind.BATTERY_LOW, "1.18"),
    0x22: Event(Kind.MAINS_LOST, "1.19"),
    0x23: Event(Kind.MAINS_RESTORED, None),
    0x24: Event(Kind.DISPENSER_OPENED, "1.21"),
    0x25: Event(Kind.DEVICE_TAMPER, "1.22"),
    0x26: Event(Kind.DISPENSER_FAULT, "1.23"),
    ALIVE: Event(Kind.DEVICE_ALIVE, None),
}
UNKNOWN_EVENT = Event(Kind.DEVICE_FAULT, None)


def read_record(data: bytes) -> Record:
    """Read a record.

    Raises:
        MalformedError: Its length or its version is another.
    """
    if len(data) != RECORD_BYTES:
        raise MalformedError(f"byte {min(len(data), RECORD_BYTES)}: a record has 20 bytes, not {len(data)}")
    version, event, seq, unix_time, uptime_s, slot, battery, flags, doses = _LAYOUT.unpack(data)
    if version != VERSION:
        raise MalformedError(f"byte 0: record version {version}, known is {VERSION}")
    return Record(
        event,
        seq,
        unix_time,
        uptime_s,
        slot,
        battery if battery <= 100 else None,
        flags,
        None if doses == UNKNOWN_DOSES else doses,
    )
