"""A serial line with an EnOcean stick at its far end: a pseudo terminal that presses pendants."""

import contextlib
import os
import tty
from pathlib import Path

# ESP3, section 1.6: sync byte, header, CRC-8 over each; a radio telegram (ERP1) of EEP F6-01-01.
_SYNC, _RADIO_ERP1, _RPS = 0x55, 0x01, 0xF6
_PRESSED, _STATUS = 0x10, 0x30
_OPTIONAL = b"\x01\xff\xff\xff\xff\x2d\x00"  # one subtelegram, to all, -45 dBm, no security


def press_telegram(sender: bytes) -> bytes:
    """Return what a stick reports when the pendant of this address is pressed."""
    data = bytes([_RPS, _PRESSED]) + sender + bytes([_STATUS])
    header = len(data).to_bytes(2, "big") + bytes([len(_OPTIONAL), _RADIO_ERP1])
    body = data + _OPTIONAL
    return bytes([_SYNC]) + header + bytes([_crc8(header)]) + body + bytes([_crc8(body)])


class Line:
    """An open pseudo terminal under a fixed path.

    Args:
        path: Where the hub finds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        path.symlink_to(os.ttyname(self._theirs))

    def write(self, data: bytes) -> None:
        """Put bytes on the line; nobody reads what the hub asks of the stick, so throw that away."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._ours, 4096)
        os.write(self._ours, data)

    def close(self) -> None:
        """Unplug it."""
        os.close(self._ours)
        os.close(self._theirs)


def _crc8(data: bytes) -> int:
    value = 0
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = ((value << 1) ^ 0x07 if value & 0x80 else value << 1) & 0xFF
    return value
