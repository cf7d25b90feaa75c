"""Blocks of ESPA 4.4.4: bytes to records, and back.

``SOH header STX record RS record … ETX BCC``, a record is ``type US data``; the BCC is the XOR of everything after
SOH up to and with ETX, 7 bits (ISO 1155).
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import reduce
from operator import xor
from typing import NamedTuple


class Control(IntEnum):
    """The control characters of ISO 1745 that the dialogue is made of."""

    SOH = 0x01
    STX = 0x02
    ETX = 0x03
    EOT = 0x04
    ENQ = 0x05
    ACK = 0x06
    NAK = 0x15
    RS = 0x1E
    US = 0x1F


CALL = "1"
# Status information and status request.
STATUS = frozenset({"2", "3"})


class Record:
    """Types of records."""

    ADDRESS = "1"
    TEXT = "2"
    BEEP = "3"
    CALL_TYPE = "4"
    TRANSMISSIONS = "5"
    PRIORITY = "6"


class Block(NamedTuple):
    """One block whose BCC fits.

    Attributes:
        header: ``1`` call to pager, ``2`` status information, ``3`` status request.
        records: By type; of two of one type the first.
        flags: What is odd about its form.
    """

    header: str
    records: Mapping[str, str]
    flags: tuple[str, ...] = ()


def bcc(data: bytes | bytearray) -> int:
    """Return the block check character of what stands after SOH, ETX included."""
    return reduce(xor, data, 0) & 0x7F


def block(header: str, records: Iterable[tuple[str, str]]) -> bytes:
    """Make the bytes of a block."""
    parts = [f"{kind}{chr(Control.US)}{data}" for kind, data in records]
    text = f"{header}{chr(Control.STX)}{chr(Control.RS).join(parts)}{chr(Control.ETX)}"
    body = text.encode("latin-1", errors="replace")
    return bytes([Control.SOH]) + body + bytes([bcc(body)])


def read_block(content: bytes) -> Block:
    """Read what stands between SOH and ETX.

    Nothing is refused here: whoever sent it was sure of it, for its BCC fits, and it may be an alarm.
    """
    text = content.decode("latin-1")
    header, stx, rest = text[:1], text[1:2], text[2:]
    odd = stx != chr(Control.STX)
    records: dict[str, str] = {}
    for part in (text[1:] if odd else rest).split(chr(Control.RS)):
        kind, separator, data = part.partition(chr(Control.US))
        if separator:
            # Some systems put a space before the first type.
            records.setdefault(kind.strip(), data)
        elif part:
            odd = True
    return Block(header, records, ("bad_block",) if odd else ())
