"""Telegrams whose sender is replaced, with a checksum that fits again: for recordings without true addresses."""

from collections.abc import Callable

from drivers.enocean.esp3 import HEADER_BYTES, RADIO_ERP1, SYNC, crc8

# Sender and status stand at the end of the data of a radio telegram (EnOcean Serial Protocol 3, section 2.1).
_SENDER = slice(-5, -1)
_LEAST_BYTES = 7


def renamed(data: bytes, rename: Callable[[str], str]) -> bytes:
    """Return the bytes of a line with another sender in each whole telegram; all else is as it was.

    Args:
        data: Bytes of the line, cut anywhere.
        rename: Gives the address, eight hexadecimal digits, that takes the place of one.
    """
    out = bytearray(data)
    at = out.find(SYNC)
    while at >= 0:
        size = _renamed_at(out, at, rename)
        at = out.find(SYNC, at + (size or 1))
    return bytes(out)


def _renamed_at(out: bytearray, at: int, rename: Callable[[str], str]) -> int:
    """Rename the telegram that starts here; return its size, 0 where there is none."""
    if len(out) - at < HEADER_BYTES or crc8(out[at + 1 : at + 5]) != out[at + 5]:
        return 0
    size = out[at + 1] << 8 | out[at + 2]
    start, end = at + HEADER_BYTES, at + HEADER_BYTES + size + out[at + 3]
    if end >= len(out) or crc8(out[start:end]) != out[end]:
        return 0
    if out[at + 4] == RADIO_ERP1 and size >= _LEAST_BYTES:
        telegram = out[start : start + size]
        telegram[_SENDER] = bytes.fromhex(rename(telegram[_SENDER].hex().upper()))
        out[start : start + size] = telegram
        out[end] = crc8(out[start:end])
    return end + 1 - at
