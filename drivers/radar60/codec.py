"""Frames of the R60 radars: a byte stream to frames, and back.

``53 59 | control | command | length 2 | data | checksum | 54 43``; the checksum is the sum of everything before
it. The length is believed up to a ceiling, and a frame only when checksum and tail fit; whatever does not fit
costs one byte, and the search for the next head starts right after it. So a false start costs no frame behind
it: that frame is found again as soon as the bytes that the false one claims are there, or the line was silent
for 50 ms.
"""

from collections.abc import Iterator
from typing import NamedTuple

HEAD = b"\x53\x59"
TAIL = b"\x54\x43"
HEADER_BYTES = 6
# Checksum and tail.
_END_BYTES = 3
# The longest reports known (position, heights) have 6 bytes; a ceiling keeps noise from holding an alarm long.
MAX_DATA_BYTES = 64
GAP_S = 0.05


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


class Stream:
    """The receiving side: takes bytes cut anywhere, gives frames and what was passed over.

    The bytes that were passed over between two frames make one line, numbered from the first byte since the
    line was opened.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget half frames: the line was opened again."""
        self._buffer = bytearray()
        self._base = 0  # number of the buffer's first byte
        self._first_bad = -1
        self._why = ""
        self._last_byte = 0.0
        self._quiet_ticks = 0
        self._bad: list[str] = []

    def feed(self, data: bytes, mono: float) -> list[Frame]:
        """Take bytes that came at ``mono``."""
        gap = len(self._buffer) if mono - self._last_byte > GAP_S else 0
        if data:
            self._buffer += data
            self._last_byte = mono
            self._quiet_ticks = 0
        found = list(self._scan())
        # A slow reader makes a gap that was not on the line, so what is whole counts first.
        if gap and not found:
            found = list(self._scan(give_up=self._base + gap))
        return found

    def tick(self, mono: float) -> list[Frame]:
        """Let go of a half frame that nothing follows."""
        self._quiet_ticks += 1
        found: list[Frame] = []
        # The second tick: bytes that came during a stall are read before it.
        if self._buffer and self._quiet_ticks > 1 and mono - self._last_byte > GAP_S:
            found = list(self._scan(give_up=self._base + len(self._buffer)))
        if not self._buffer:
            self._close_bad(0)
        return found

    def take_bad(self) -> tuple[str, ...]:
        """Return the lines on what was passed over since the last call."""
        lines, self._bad = tuple(self._bad), []
        return lines

    def _scan(self, give_up: int = 0) -> Iterator[Frame]:
        """Yield what is whole; a half frame that starts before ``give_up`` will not become so."""
        buffer, at = self._buffer, 0
        while at < len(buffer):
            size, why = _size(buffer, at)
            if not why and size > len(buffer) - at:
                if self._base + at >= give_up:
                    break
                why = f"frame ends after {len(buffer) - at} of {size} bytes"
            if why:
                self._pass_over(at, why)
                at += 1
                continue
            self._close_bad(at)
            raw = bytes(buffer[at : at + size])
            yield Frame(raw[2], raw[3], raw[HEADER_BYTES:-_END_BYTES], raw)
            at += size
        del buffer[:at]
        self._base += at

    def _pass_over(self, at: int, why: str) -> None:
        if self._first_bad < 0:
            self._first_bad, self._why = self._base + at, why

    def _close_bad(self, at: int) -> None:
        if self._first_bad >= 0:
            count = self._base + at - self._first_bad
            self._bad.append(f"byte {self._first_bad}: {self._why}; {count} bytes passed over")
            self._first_bad = -1


def _size(buffer: bytearray, at: int) -> tuple[int, str]:
    """Return the size of the frame that starts here, as far as it is known, and why it is none."""
    here = len(buffer) - at
    if not HEAD.startswith(buffer[at : at + 2]):
        return 0, f"0x{buffer[at]:02X} is no start (0x5359)"
    if here < HEADER_BYTES:
        return HEADER_BYTES + _END_BYTES, ""
    length = buffer[at + 4] << 8 | buffer[at + 5]
    if length > MAX_DATA_BYTES:
        return 0, f"length {length} is above {MAX_DATA_BYTES}"
    size = HEADER_BYTES + length + _END_BYTES
    if here < size:
        return size, ""
    return size, _why_unfit(bytes(buffer[at : at + size]))


def _why_unfit(whole: bytes) -> str:
    checksum, told = sum(whole[:-_END_BYTES]) & 0xFF, whole[-_END_BYTES]
    if checksum != told:
        return f"checksum is 0x{told:02X}, not 0x{checksum:02X}"
    if whole[-2:] != TAIL:
        return f"tail is 0x{whole[-2:].hex().upper()}, not 0x{TAIL.hex().upper()}"
    return ""
