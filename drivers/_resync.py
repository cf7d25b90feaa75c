"""Frames out of a byte stream that starts anywhere, loses bytes and carries noise.

Whatever is no frame costs one byte, and the search for the next start goes on right after it. So a false start
costs no frame behind it: that frame is found again inside what the false one claimed, as soon as that many bytes
are there or the line was silent for 50 ms. The one thing that can hide a frame is a false one around it that fits
in everything that is checked.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

#: A frame is sent without pauses; whatever follows after this long is another one.
GAP_S = 0.05

Frame = TypeVar("Frame")
# Returns the size of the frame that starts at a place of the buffer, as far as it is known, and why it is none.
Measure = Callable[[bytearray, int], tuple[int, str]]


class Resync(Generic[Frame]):
    """The receiving side: takes bytes cut anywhere, gives frames and what was passed over.

    The bytes that were passed over between two frames make one line, numbered from the first byte since the
    line was opened.

    Args:
        word: What the device's protocol calls a frame.
        start: What every frame starts with.
        measure: Measures a frame, and checks it where all of it is there.
        made: Makes a frame of its bytes.
    """

    def __init__(self, word: str, start: bytes, measure: Measure, made: Callable[[bytes], Frame]) -> None:
        self._word, self._start, self._measure, self._made = word, start, measure, made
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
        # Where the new bytes begin: the search moves the buffer's first byte.
        new_from = self._base + len(self._buffer)
        gap = bool(self._buffer) and mono - self._last_byte > GAP_S
        if data:
            self._buffer += data
            self._last_byte = mono
            self._quiet_ticks = 0
        found = list(self._scan())
        # A slow reader makes a gap that was not on the line, so what is whole counts first; only the rest
        # of a frame that the gap did cut in two is dropped, up to where the new bytes begin.
        if gap and not found:
            found = list(self._scan(give_up=new_from))
        return found

    def tick(self, mono: float) -> list[Frame]:
        """Let go of a half frame that nothing follows."""
        self._quiet_ticks += 1
        found: list[Frame] = []
        # The second tick: bytes that came during a stall are read before it.
        if self._buffer and self._quiet_ticks > 1 and mono - self._last_byte > GAP_S:
            found = list(self._scan(give_up=self._base + len(self._buffer)))
        if not self._buffer:
            self._close_bad()
        return found

    def take_bad(self) -> tuple[str, ...]:
        """Return the lines on what was passed over since the last call."""
        lines, self._bad = tuple(self._bad), []
        return lines

    def _scan(self, give_up: int = 0) -> Iterator[Frame]:
        """Yield what is whole; a half frame that starts before ``give_up`` will not become so."""
        buffer, at = self._buffer, 0
        while at < len(buffer):
            if not self._start.startswith(buffer[at : at + len(self._start)]):
                self._pass_over(at, f"0x{buffer[at]:02X} is no start (0x{self._start.hex().upper()})")
                at = buffer.find(self._start[:1], at + 1)
                if at < 0:
                    at = len(buffer)
                continue
            size, why = self._measure(buffer, at)
            if not why and size > len(buffer) - at:
                if self._base + at >= give_up:
                    break
                why = f"{self._word} ends after {len(buffer) - at} of {size} bytes"
            if why:
                self._pass_over(at, why)
                at += 1
                continue
            self._close_bad(at)
            yield self._made(bytes(buffer[at : at + size]))
            at += size
        del buffer[:at]
        self._base += at

    def _pass_over(self, at: int, why: str) -> None:
        if self._first_bad < 0:
            self._first_bad, self._why = self._base + at, why

    def _close_bad(self, at: int = 0) -> None:
        if self._first_bad >= 0:
            count = self._base + at - self._first_bad
            self._bad.append(f"byte {self._first_bad}: {self._why}; {count} bytes passed over")
            self._first_bad = -1
