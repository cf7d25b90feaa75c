"""Frames, plan and time of the open dispenser profile: bytes to values and back."""

import binascii
import datetime as dt
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from drivers.base import Dose
from drivers.dispenser.record import RECORD_BYTES
from hub.domain.errors import MalformedError

MAX_FRAME_BYTES = 256
DELIMITER = 0
# A clock without a network drifts by seconds a day, and summer time begins and ends.
TIME_EVERY_S = 6 * 3600.0
_CRC_BYTES = 2
_PLAN_HEAD = struct.Struct("<HHB")
_ENTRY = struct.Struct("<HBH")
# Type, head, entries, checksum, one byte of COBS and the delimiter stay below MAX_FRAME_BYTES.
MAX_DOSES = (MAX_FRAME_BYTES - 5 - _PLAN_HEAD.size) // _ENTRY.size


class Frame(IntEnum):
    """Type of a serial frame; from 0x80 on they go to the dispenser."""

    EVENT = 0x01
    STATUS = 0x02
    PLAN = 0x03
    HELLO = 0x06
    ACK = 0x81
    SET_PLAN = 0x83
    CONTROL = 0x84
    SET_TIME = 0x85
    HELLO_REQUEST = 0x86


_RECORD_FRAMES = frozenset({Frame.EVENT, Frame.STATUS})
# Type, record, checksum and one byte of COBS: what always stands before the delimiter of a record.
_RECORD_FRAME_BYTES = 1 + RECORD_BYTES + _CRC_BYTES + 1


def crc16(data: bytes) -> int:
    """Return CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF; 0x29B1 for ``123456789``."""
    return binascii.crc_hqx(data, 0xFFFF)


def cobs_encode(data: bytes) -> bytes:
    """Encode so that no byte is 0 (Cheshire and Baker, 1999), without the delimiter."""
    out = bytearray()
    for part in data.split(b"\0"):
        rest = part
        while len(rest) >= 254:
            out += b"\xff" + rest[:254]
            rest = rest[254:]
        out.append(len(rest) + 1)
        out += rest
    return bytes(out)


def cobs_decode(data: bytes) -> bytes:
    """Decode what stands before a delimiter.

    Raises:
        MalformedError: A block is cut short; the sentence names the byte.
    """
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        end = at + code
        if code == 0 or end > len(data):
            raise MalformedError(f"byte {at}: block of {code} bytes, {len(data) - at} are there")
        out += data[at + 1 : end]
        at = end
        if code < 0xFF and at < len(data):
            out.append(0)
    return bytes(out)


def frame(kind: Frame, body: bytes = b"") -> bytes:
    """Make a serial frame with its delimiter."""
    content = bytes([kind]) + body
    return cobs_encode(content + crc16(content).to_bytes(2, "little")) + bytes([DELIMITER])


class Received(NamedTuple):
    """A frame whose checksum fits."""

    kind: int
    body: bytes


def read_frame(data: bytes) -> Received:
    """Read what stands before a delimiter.

    Raises:
        MalformedError: It is too short or long, is not COBS, or its checksum does not fit.
    """
    if len(data) >= MAX_FRAME_BYTES:
        raise MalformedError(f"byte {MAX_FRAME_BYTES - 1}: frame of {len(data)} bytes is above the limit")
    content = cobs_decode(data)
    if len(content) <= _CRC_BYTES:
        raise MalformedError(f"byte {len(data)}: frame ends before its checksum")
    body, crc = content[:-_CRC_BYTES], int.from_bytes(content[-_CRC_BYTES:], "little")
    if crc != crc16(body):
        raise MalformedError(f"byte {len(data) - _CRC_BYTES}: checksum is 0x{crc:04X}, not 0x{crc16(body):04X}")
    return Received(body[0], body[1:])


class Line:
    """The receiving side of the serial line: takes bytes cut anywhere, gives frames.

    A dispenser that loses power in the middle of a frame leaves a half one, to which its next frame is
    joined. So the end of a bad frame, as long as a frame with a record is, is read once more by itself: no
    noise in front of it costs a record.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget half frames: the line was opened again."""
        self._buffer = bytearray()
        self._said = False
        self._bad: list[str] = []

    def feed(self, data: bytes) -> list[Received]:
        """Take bytes."""
        *whole, rest = data.split(b"\0")
        found = [received for part in whole if (received := self._end(part))]
        self._keep(rest)
        return found

    def unfinished(self) -> int:
        """Return how many bytes wait for their delimiter."""
        return len(self._buffer)

    def give_up(self) -> None:
        """Say once that a half frame waits; its bytes stay, since its end may still come."""
        if not self._said:
            self._said = True
            self._bad.append(f"byte {len(self._buffer)}: frame ends before its delimiter: {self._buffer.hex()}")

    def take_bad(self) -> tuple[str, ...]:
        """Return the lines on bad frames since the last call."""
        lines, self._bad = tuple(self._bad), []
        return lines

    def _keep(self, part: bytes) -> None:
        self._buffer += part
        # The end is what a whole frame can be in.
        del self._buffer[: max(0, len(self._buffer) - MAX_FRAME_BYTES)]

    def _end(self, part: bytes) -> Received | None:
        self._keep(part)
        self._said = False
        data = bytes(self._buffer)
        self._buffer.clear()
        if not data:
            return None  # a delimiter more than needed only makes sure
        try:
            return read_frame(data)
        except MalformedError as error:
            self._bad.append(f"frame {data.hex()}: {error}")
        try:
            received = read_frame(data[-_RECORD_FRAME_BYTES:])
        except MalformedError:
            return None
        return received if received.kind in _RECORD_FRAMES else None


def plan(version: int, doses: Sequence[Dose]) -> bytes:
    """Make the plan: version, checksum over the entries, count, entries."""
    entries = b"".join(_ENTRY.pack(dose.minute_of_day, dose.weekdays, dose.window_min) for dose in doses)
    return _PLAN_HEAD.pack(version & 0xFFFF, crc16(entries), len(doses)) + entries


class Plan(NamedTuple):
    """A plan as the dispenser has it; its entries stay bytes, because they are only compared."""

    version: int
    entries: bytes


def read_plan(data: bytes) -> Plan:
    """Read a plan.

    Raises:
        MalformedError: Its length or its checksum does not fit.
    """
    if len(data) < _PLAN_HEAD.size:
        raise MalformedError(f"byte {len(data)}: plan ends, its head has {_PLAN_HEAD.size} bytes")
    version, crc, count = _PLAN_HEAD.unpack_from(data)
    entries = data[_PLAN_HEAD.size :]
    if len(entries) != count * _ENTRY.size:
        raise MalformedError(f"byte 4: plan of {count} entries has {len(entries)} bytes of them")
    if crc != crc16(entries):
        raise MalformedError(f"byte 2: plan checksum is 0x{crc:04X}, not 0x{crc16(entries):04X}")
    return Plan(version, entries)


def set_time(utc: dt.datetime, offset: dt.timedelta) -> bytes:
    """Make the body of a set-time frame: Unix seconds, minutes east of UTC."""
    return struct.pack("<Ih", int(utc.timestamp()) & 0xFFFF_FFFF, int(offset.total_seconds()) // 60)


_EXTERNAL_REFERENCE = 0x02


def current_time(utc: dt.datetime) -> bytes:
    """Make the value of Current Time 0x2A2B: date and time, weekday (1 Monday), 1/256 s, adjust reason."""
    head = struct.pack("<HBBBBB", utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second)
    fraction = utc.microsecond * 256 // 1_000_000
    return head + bytes([utc.isoweekday(), fraction, _EXTERNAL_REFERENCE])


class Hello(NamedTuple):
    """How a dispenser introduces itself."""

    model: str
    serial: str
    firmware: str


def read_hello(body: bytes) -> Hello:
    """Read a hello: three strings, each with its length before it.

    Raises:
        MalformedError: A string is cut short.
    """
    texts: list[str] = []
    at = 0
    for name in Hello._fields:
        if at >= len(body) or at + 1 + body[at] > len(body):
            raise MalformedError(f"byte {1 + at}: hello ends in its {name}")
        texts.append(body[at + 1 : at + 1 + body[at]].decode(errors="replace"))
        at += 1 + body[at]
    return Hello(*texts)
