"""Frames of the R60 radars: a byte stream to frames, and back.

``53 59 | control | command | length 2 | data | checksum | 54 43``; the checksum is the sum of everything before
it. The length is believed up to a ceiling, and a frame only when checksum and tail fit.
"""

from typing import NamedTuple

from drivers._resync import Resync

HEAD = b"\x53\x59"
TAIL = b"\x54\x43"
HEADER_BYTES = 6
# Checksum and tail.
_END_BYTES = 3
# The longest reports known (position, heights) have 6 bytes; a ceiling keeps noise from holding an alarm long.
MAX_DATA_BYTES = 64


class Frame(NamedTuple):
    """One frame whose checksum fits; ``raw`` is all of it."""

    control: int
    command: int
    data: bytes
    raw: bytes


def frame(control: int, command: int, data: bytes) -> bytes:
    """Make the bytes of a frame."""
    body = HEAD + bytes([control, command]) + len(data).to_bytes(2, "big") + data
    return body + bytes([sum(body) & 0xFF]) + TAIL


class Stream(Resync[Frame]):
    """The receiving side."""

    def __init__(self) -> None:
        super().__init__("frame", HEAD, _size, _frame)


def _size(buffer: bytearray, at: int) -> tuple[int, str]:
    """Return the size of the frame that starts here, as far as it is known, and why it is none."""
    here = len(buffer) - at
    if here < HEADER_BYTES:
        return HEADER_BYTES + _END_BYTES, ""
    length = buffer[at + 4] << 8 | buffer[at + 5]
    if length > MAX_DATA_BYTES:
        return 0, f"length {length} is above {MAX_DATA_BYTES}"
    size = HEADER_BYTES + length + _END_BYTES
    if here < size:
        return size, ""
    return size, _why_unfit(bytes(buffer[at : at + size]))


def _frame(raw: bytes) -> Frame:
    return Frame(raw[2], raw[3], raw[HEADER_BYTES:-_END_BYTES], raw)


def _why_unfit(whole: bytes) -> str:
    checksum, told = sum(whole[:-_END_BYTES]) & 0xFF, whole[-_END_BYTES]
    if checksum != told:
        return f"checksum is 0x{told:02X}, not 0x{checksum:02X}"
    if whole[-2:] != TAIL:
        return f"tail is 0x{whole[-2:].hex().upper()}, not 0x{TAIL.hex().upper()}"
    return ""
