"""ESP3, the serial protocol of EnOcean sticks: a byte stream to packets, and back.

``55 | data length 2, opt length 1, type 1 | CRC8H | data | optional | CRC8D`` (EnOcean Serial Protocol 3,
section 1.6). The length is believed only after CRC8H, and only below a ceiling; whatever does not fit costs
one byte, and the search for the next 0x55 starts right after it. So a false start costs no frame behind it:
the frame is found again inside what the false one claimed, as soon as that many bytes are there or the line
was silent for 50 ms. The one thing that can hide a frame is a false one around it whose two checksums
both fit.
"""

from collections.abc import Iterator
from typing import NamedTuple

SYNC = 0x55
HEADER_BYTES = 6
GAP_S = 0.05
# The longest packets of the specification (remote management, section 1.12) stay below; radio needs 30.
MAX_BODY_BYTES = 512

RADIO_ERP1 = 0x01
RESPONSE = 0x02
COMMON_COMMAND = 0x05
_CO_RD_IDBASE = 0x08


def _crc_table() -> bytes:
    table = bytearray(256)
    for start in range(256):
        crc = start
        for _ in range(8):
            crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)
        table[start] = crc
    return bytes(table)


_CRC8 = _crc_table()


def crc8(data: bytes | bytearray | memoryview) -> int:
    """Return the checksum of ESP3: polynomial 0x07, start 0, not reflected; 0xF4 for ``123456789``."""
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


class Packet(NamedTuple):
    """One packet whose checksums fit; ``raw`` is all of it."""

    type: int
    data: bytes
    optional: bytes
    raw: bytes


def packet(kind: int, data: bytes, optional: bytes = b"") -> bytes:
    """Make the bytes of a packet."""
    header = len(data).to_bytes(2, "big") + bytes([len(optional), kind])
    body = data + optional
    return bytes([SYNC]) + header + bytes([crc8(header)]) + body + bytes([crc8(body)])


READ_BASE_ID = packet(COMMON_COMMAND, bytes([_CO_RD_IDBASE]))


class Stream:
    """The receiving side: takes bytes cut anywhere, gives packets and what was passed over.

    The bytes that were passed over between two packets make one line, numbered from the first byte since
    the line was opened.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget half packets: the line was opened again."""
        self._buffer = bytearray()
        self._base = 0  # number of the buffer's first byte
        self._first_bad = -1
        self._why = ""
        self._last_byte = 0.0
        self._quiet_ticks = 0
        self._bad: list[str] = []

    def feed(self, data: bytes, mono: float) -> list[Packet]:
        """Take bytes that came at ``mono``."""
        gap = len(self._buffer) if mono - self._last_byte > GAP_S else 0
        if data:
            self._buffer += data
            self._last_byte = mono
            self._quiet_ticks = 0
        found = list(self._scan())
        # A slow reader makes a gap that was not on the line, so what is whole counts first; only the rest
        # of a packet that the gap did cut in two is dropped, up to where the new bytes begin.
        if gap and found == []:
            found = list(self._scan(give_up=self._base + gap))
        return found

    def tick(self, mono: float) -> list[Packet]:
        """Let go of a half packet that nothing follows."""
        self._quiet_ticks += 1
        # The second tick: bytes that came during a stall are read before it.
        if self._buffer and self._quiet_ticks > 1 and mono - self._last_byte > GAP_S:
            found = list(self._scan(give_up=self._base + len(self._buffer)))
            self._close_bad()
            return found
        if not self._buffer:
            self._close_bad()
        return []

    def take_bad(self) -> tuple[str, ...]:
        """Return the lines on what was passed over since the last call."""
        lines, self._bad = tuple(self._bad), []
        return lines

    def _scan(self, give_up: int = 0) -> Iterator[Packet]:
        """Yield what is whole; a half packet that starts before ``give_up`` will not become so."""
        buffer, at = self._buffer, 0
        while at < len(buffer):
            if buffer[at] != SYNC:
                start, at = at, buffer.find(SYNC, at)
                if at < 0:
                    at = len(buffer)
                self._pass_over(start, f"0x{buffer[start]:02X} is no start (0x55)")
                continue
            size, why = _size(buffer, at)
            if size > len(buffer) - at:
                if self._base + at >= give_up:
                    break
                why = f"packet ends after {len(buffer) - at} of {size} bytes"
            if why:
                self._pass_over(at, why)
                at += 1
                continue
            self._close_bad(at)
            yield _packet(bytes(buffer[at : at + size]))
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


def _size(buffer: bytearray, at: int) -> tuple[int, str]:
    """Return the size of the packet that starts here, as far as it is known, and why it is none."""
    if len(buffer) - at < HEADER_BYTES:
        return HEADER_BYTES, ""
    header = buffer[at + 1 : at + 5]
    if crc8(header) != buffer[at + 5]:
        return 0, f"header checksum is 0x{buffer[at + 5]:02X}, not 0x{crc8(header):02X}"
    body = (header[0] << 8 | header[1]) + header[2]
    if body > MAX_BODY_BYTES:
        return 0, f"length {body} is above {MAX_BODY_BYTES}"
    size = HEADER_BYTES + body + 1
    if len(buffer) - at >= size:
        crc = crc8(buffer[at + HEADER_BYTES : at + size - 1])
        if crc != buffer[at + size - 1]:
            return size, f"data checksum is 0x{buffer[at + size - 1]:02X}, not 0x{crc:02X}"
    return size, ""


def _packet(raw: bytes) -> Packet:
    data_end = HEADER_BYTES + (raw[1] << 8 | raw[2])
    return Packet(raw[4], raw[HEADER_BYTES:data_end], raw[data_end:-1], raw)
