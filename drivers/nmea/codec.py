"""Sentences of NMEA 0183: a byte stream to sentences whose checksum fits.

``$`` talker and formatter, fields after commas, ``*`` and the XOR of everything between ``$`` and ``*`` as two
hexadecimal digits. A sentence is whole with its second digit; the line end after it is not waited for. What was
passed over is told without its content, which may be a position.
"""

from functools import reduce
from operator import xor
from typing import NamedTuple

START, STAR = b"$", b"*"
# The standard has 82 characters; receivers with more digits and systems send some more.
MAX_BYTES = 128
_LINE_ENDS = b"\r\n"
_HEX = frozenset(b"0123456789ABCDEFabcdef")


def checksum(body: bytes) -> int:
    """Return the checksum of what stands between ``$`` and ``*``."""
    return reduce(xor, body, 0)


def sentence(body: str) -> bytes:
    """Make a sentence with its line end."""
    data = body.encode("ascii")
    return START + data + STAR + f"{checksum(data):02X}\r\n".encode()


class Sentence(NamedTuple):
    """What stands between ``$`` and ``*``, and the number of its first byte since the line was opened."""

    at: int
    body: str


class Stream:
    """The receiving side: takes bytes cut anywhere, gives sentences."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget half sentences: the line was opened again."""
        self._buffer = bytearray()
        self._base = 0  # number of the buffer's first byte
        self._bad: list[str] = []
        self._noise_from, self._noise = 0, 0

    def feed(self, data: bytes) -> list[Sentence]:
        """Take bytes."""
        self._buffer += data
        found: list[Sentence] = []
        while True:
            used, body = self._next()
            if body is not None:
                found.append(Sentence(self._base, body))
            elif not used:
                return found
            del self._buffer[:used]
            self._base += used

    def give_up(self) -> None:
        """Say what is cut short: nothing follows."""
        self._close_noise()
        if self._buffer:
            self._bad.append(f"byte {self._base}: sentence ends after {len(self._buffer)} bytes")
            self._base += len(self._buffer)
            self._buffer.clear()

    def take_bad(self) -> tuple[str, ...]:
        """Return the lines on what was passed over since the last call."""
        lines, self._bad = tuple(self._bad), []
        return lines

    def _next(self) -> tuple[int, str | None]:
        """Return how many bytes are done with, and the sentence that was in them."""
        buffer = self._buffer
        start = buffer.find(START)
        if start:
            upto = len(buffer) if start < 0 else start
            self._passed(bytes(buffer[:upto]))
            return upto, None
        self._close_noise()
        end = next((at for at in range(1, len(buffer)) if buffer[at] in b"$*\r\n"), -1)
        if end > MAX_BYTES or (end < 0 and len(buffer) > MAX_BYTES):
            return self._wrong(max(end, MAX_BYTES), f"sentence of more than {MAX_BYTES} bytes")
        if end < 0:
            return 0, None
        if buffer[end : end + 1] != STAR:
            return self._wrong(end, f"sentence ends after {end} bytes, without a checksum")
        return self._checked(end)

    def _checked(self, star: int) -> tuple[int, str | None]:
        told, body = bytes(self._buffer[star + 1 : star + 3]), bytes(self._buffer[1:star])
        if any(digit not in _HEX for digit in told):
            return self._wrong(star + 1, "checksum is no hexadecimal number")
        if len(told) < 2:
            return 0, None
        if int(told, 16) != checksum(body):
            return self._wrong(star + 3, f"checksum is 0x{told.decode().upper()}, not 0x{checksum(body):02X}")
        if not body.isascii():
            return self._wrong(star + 3, "a character that is not ASCII")
        return star + 3, body.decode("ascii")

    def _wrong(self, used: int, why: str) -> tuple[int, None]:
        self._bad.append(f"byte {self._base}: {why}")
        return used, None

    def _passed(self, data: bytes) -> None:
        count = sum(byte not in _LINE_ENDS for byte in data)
        if count and not self._noise:
            self._noise_from = self._base
        self._noise += count

    def _close_noise(self) -> None:
        if self._noise:
            self._bad.append(f"byte {self._noise_from}: {self._noise} bytes passed over, no sentence begins there")
            self._noise = 0
