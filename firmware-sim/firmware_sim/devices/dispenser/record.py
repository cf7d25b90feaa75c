"""The bytes of the Open Dispenser Profile 1: event records, plans, and serial frames."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

_RECORD = struct.Struct("<BBIIIHBBH")
_VERSION = 1
_PLAN_HEAD = struct.Struct("<HHB")
_PLAN_ENTRY = struct.Struct("<HBH")

NO_SLOT = 0xFFFF
ALIVE = 0x30
ON_MAINS, LID_OPEN = 0x01, 0x02
TEST = 0x04

#: What one can make happen, by word: event code of the profile.
EVENTS = {
    "dispense": 0x01,
    "assist": 0x02,
    "extra": 0x03,
    "travel": 0x04,
    "present": 0x10,
    "miss": 0x11,
    "unconfirmed": 0x12,
    "run_out": 0x13,
    "run_low": 0x14,
    "jam": 0x15,
    "fill_drawer": 0x18,
    "stop_working": 0x19,
    "unplug": 0x22,
    "plug_in": 0x23,
    "unlock": 0x24,
    "force_open": 0x25,
}
#: Event codes that take a dose out.
DISPENSED = frozenset({0x01, 0x02, 0x03, 0x04, 0x12})


class Record(NamedTuple):
    """One event record, 20 bytes."""

    event: int
    seq: int
    unix_time: int
    uptime_s: int
    slot: int = NO_SLOT
    battery_pct: int = 100
    flags: int = 0
    doses_left: int = 0xFFFF

    def encoded(self) -> bytes:
        """Return its bytes."""
        return _RECORD.pack(_VERSION, *self)

    @classmethod
    def decoded(cls, data: bytes) -> "Record":
        """Read it from its bytes.

        Raises:
            ValueError: It is no record of version 1.
        """
        if len(data) != _RECORD.size or data[0] != _VERSION:
            raise ValueError(f"not a record of version 1: {data.hex()}")
        return cls(*_RECORD.unpack(data)[1:])


class Dose(NamedTuple):
    """One entry of a plan: minute of the local day, weekdays (bit 0 Monday), minutes it may take."""

    minute_of_day: int
    weekdays: int
    window_min: int


def crc16(data: bytes) -> int:
    """Return CRC-16/CCITT-FALSE: polynomial 0x1021, from 0xFFFF, not reflected."""
    value = 0xFFFF
    for octet in data:
        value ^= octet << 8
        for _ in range(8):
            value = ((value << 1) ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def encoded_plan(version: int, doses: Sequence[Dose]) -> bytes:
    """Return a plan's bytes, its checksum over the entries included."""
    entries = b"".join(_PLAN_ENTRY.pack(*dose) for dose in doses)
    return _PLAN_HEAD.pack(version, crc16(entries), len(doses)) + entries


def decoded_plan(data: bytes) -> tuple[int, list[Dose]]:
    """Return a plan's version and doses.

    Raises:
        ValueError: It is cut short, or its checksum does not fit.
    """
    if len(data) < _PLAN_HEAD.size:
        raise ValueError("plan shorter than its head")
    version, crc, count = _PLAN_HEAD.unpack_from(data)
    entries = data[_PLAN_HEAD.size :]
    if len(entries) != count * _PLAN_ENTRY.size:
        raise ValueError(f"plan of {count} doses with {len(entries)} bytes of doses")
    if crc16(entries) != crc:
        raise ValueError("plan with a wrong checksum")
    return version, [Dose(*entry) for entry in _PLAN_ENTRY.iter_unpack(entries)]


_LONGEST_RUN = 254


def cobs(data: bytes) -> bytes:
    """Return the data without any zero byte (consistent overhead byte stuffing), end mark not included."""
    out = bytearray()
    for part in data.split(b"\x00"):
        rest = part
        while len(rest) >= _LONGEST_RUN:
            out += bytes([_LONGEST_RUN + 1]) + rest[:_LONGEST_RUN]
            rest = rest[_LONGEST_RUN:]
        out += bytes([len(rest) + 1]) + rest
    return bytes(out)


def uncobs(data: bytes) -> bytes:
    """Return what was stuffed.

    Raises:
        ValueError: It is not well stuffed.
    """
    out = bytearray()
    at = 0
    while at < len(data):
        run = data[at]
        if run == 0 or at + run > len(data):
            raise ValueError("broken byte stuffing")
        out += data[at + 1 : at + run]
        at += run
        if run <= _LONGEST_RUN and at < len(data):
            out.append(0)
    return bytes(out)


def serial_frame(kind: int, body: bytes) -> bytes:
    """Return a frame for the serial line, end mark included."""
    content = bytes([kind]) + body
    return cobs(content + struct.pack("<H", crc16(content))) + b"\x00"


def opened_frame(stuffed: bytes) -> tuple[int, bytes]:
    """Return kind and body of a frame whose end mark has been taken off.

    Raises:
        ValueError: The stuffing or the checksum is wrong.
    """
    data = uncobs(stuffed)
    if len(data) < 3:
        raise ValueError("frame too short")
    if crc16(data[:-2]) != int.from_bytes(data[-2:], "little"):
        raise ValueError("frame with a wrong checksum")
    return data[0], data[1:-2]
