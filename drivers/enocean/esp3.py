"""ESP3, the serial protocol of EnOcean sticks: a byte stream to packets, and back.

``55 | data length 2, opt length 1, type 1 | CRC8H | data | optional | CRC8D`` (EnOcean Serial Protocol 3,
section 1.6). The length is believed only after CRC8H, and only below a ceiling.
"""

from typing import NamedTuple

from drivers._resync import Resync

SYNC = 0x55
HEADER_BYTES = 6
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


class Stream(Resync[Packet]):
    """The receiving side."""

    def __init__(self) -> None:
        super().__init__("packet", bytes([SYNC]), _size, _packet)


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
