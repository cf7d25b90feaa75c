"""Short messages as they stand on the wire (TPDU), with the service centre's address before them.

Source: 3GPP TS 23.040: 9.2.2.1 SMS-DELIVER, 9.2.2.2 SMS-SUBMIT, 9.2.2.3 SMS-STATUS-REPORT, 9.1.2.5 addresses,
9.2.3.11 time stamps, 9.2.3.12 validity, 9.2.3.24 user data header; data coding: TS 23.038, section 4.
"""

import datetime as dt
from typing import NamedTuple

from drivers.gsm.alphabet import Alphabet, packed, text_of, unpacked, utf16
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError

_DELIVER, _STATUS_REPORT = 0x00, 0x02
_TYPE_BITS, _HAS_HEADER = 0x03, 0x40
_INTERNATIONAL, _ALPHANUMERIC = 1, 5
_DIGITS = "0123456789*#abc"
_CONCAT_8, _CONCAT_16 = 0x00, 0x08
# A quarter of an hour is the unit of a time stamp's zone; no zone is farther than 14 hours from UTC.
_QUARTER_MIN, _FARTHEST_QUARTERS = 15, 56


class Concat(NamedTuple):
    """Which part of a long text a message is: reference, number of parts, number of this one from 1."""

    reference: int
    total: int
    number: int


class Deliver(NamedTuple):
    """A text that came.

    Attributes:
        sender: ``+`` and digits, digits alone where the number is not international, or letters.
        time: When the service centre took it, UTC; ``None`` where the stamp is none.
        alphabet: How ``data`` was read.
        message_class: 0 to 3, or ``None``.
        data: The user data behind its header, as UTF-16 big endian, so that parts can be joined.
        concat: Which part it is, or ``None``.
        readable: It is not compressed.
        head: Protocol identifier, coding scheme, time stamp and length, hexadecimal: what may leave the home.
    """

    sender: str
    time: dt.datetime | None
    alphabet: Alphabet
    message_class: int | None
    data: bytes
    concat: Concat | None
    readable: bool
    head: str = ""


class StatusReport(NamedTuple):
    """What became of a text that was sent: its reference, who it was for, and TP-ST (9.2.3.15)."""

    reference: int
    recipient: str
    status: int


class _Cursor:
    """Octets read one after the other; what is missing is said with its place."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int, what: str) -> bytes:
        if self.at + count > len(self._data):
            raise MalformedError(
                f"byte {len(self._data)}: ends in {what}, which needs {count} from byte {self.at}"
            )
        taken = self._data[self.at : self.at + count]
        self.at += count
        return taken

    def octet(self, what: str) -> int:
        return self.take(1, what)[0]

    def since(self, start: int) -> bytes:
        return self._data[start : self.at]


def read_line(digits: str, octets: int | None) -> Deliver | StatusReport:
    """Read a PDU as a modem writes it.

    Args:
        digits: Hexadecimal.
        octets: How many its header promised behind the service centre's address; ``None``: any number is right.

    Raises:
        MalformedError: It is cut, of another length or of another type; the sentence names the byte.
    """
    if len(digits) % 2:
        raise MalformedError(f"byte {len(digits) // 2}: ends in half an octet")
    data = bytes.fromhex(digits)
    got = len(data) - 1 - data[0]
    if octets is not None and octets != got:
        raise MalformedError(f"byte {len(data)}: {got} octets instead of {octets}")
    return read_pdu(data)


def read_pdu(data: bytes) -> Deliver | StatusReport:
    """Read what a modem hands over: service centre address, then an SMS-DELIVER or SMS-STATUS-REPORT.

    Raises:
        MalformedError: It is cut, or of another type; the sentence names the byte.
    """
    cursor = _Cursor(data)
    cursor.take(cursor.octet("the length of the service centre"), "the service centre")
    at = cursor.at
    first = cursor.octet("the type")
    if first & _TYPE_BITS == _DELIVER:
        return _deliver(cursor, has_header=bool(first & _HAS_HEADER))
    if first & _TYPE_BITS == _STATUS_REPORT:
        reference = cursor.octet("the reference")
        recipient = _address(cursor, "the recipient")
        cursor.take(14, "the time stamps")
        return StatusReport(reference, recipient, cursor.octet("the status"))
    raise MalformedError(f"byte {at}: type {first & _TYPE_BITS} is neither a text nor a report")


def _deliver(cursor: _Cursor, *, has_header: bool) -> Deliver:
    sender = _address(cursor, "the sender")
    start = cursor.at
    cursor.octet("the protocol identifier")
    alphabet, message_class, readable = coding(cursor.octet("the data coding scheme"))
    time = stamp(cursor.take(7, "the time stamp"))
    length = cursor.octet("the length of the text")
    head = cursor.since(start).hex()
    octets = (length * 7 + 7) // 8 if alphabet is Alphabet.GSM7 and readable else length
    data = cursor.take(octets, "the text")
    concat, skipped = _header(data) if has_header else (None, 0)
    if not readable:
        text = b""
    elif alphabet is Alphabet.GSM7:
        header_septets = (skipped * 8 + 6) // 7
        text = utf16(text_of(unpacked(data, length)[header_septets:]))
    elif alphabet is Alphabet.UCS2:
        text = data[skipped:]
    else:
        text = utf16(data[skipped:].decode("latin-1"))
    return Deliver(sender, time, alphabet, message_class, text, concat, readable, head)


def _header(data: bytes) -> tuple[Concat | None, int]:
    """Return the part that a user data header tells, and the header's octets; unknown elements are skipped."""
    size = 1 + data[0] if data else 0
    if size == 0 or size > len(data):
        raise MalformedError(f"text byte 0: a header of {size} octets in {len(data)}")
    concat: Concat | None = None
    at = 1
    while at + 2 <= size:
        element, length = data[at], data[at + 1]
        body = data[at + 2 : min(size, at + 2 + length)]
        at += 2 + length
        if element == _CONCAT_8 and len(body) == length == 3:
            found = Concat(body[0], body[1], body[2])
        elif element == _CONCAT_16 and len(body) == length == 4:
            found = Concat(int.from_bytes(body[:2], "big"), body[2], body[3])
        else:
            continue
        if 1 <= found.number <= found.total:  # anything else is to be ignored (9.2.3.24.1)
            concat = found
    return concat, size


def coding(scheme: int) -> tuple[Alphabet, int | None, bool]:
    """Read a data coding scheme: alphabet, class, and whether it can be read (is not compressed)."""
    group = scheme >> 4
    if group < 0b1000:  # general coding, from 0100 on with automatic deletion
        alphabet = (Alphabet.GSM7, Alphabet.OCTETS, Alphabet.UCS2, Alphabet.GSM7)[scheme >> 2 & 3]
        return alphabet, scheme & 3 if scheme & 0x10 else None, not scheme & 0x20
    if group == 0b1111:
        return Alphabet.OCTETS if scheme & 0x04 else Alphabet.GSM7, scheme & 3, True
    return Alphabet.UCS2 if group == 0b1110 else Alphabet.GSM7, None, True


def _address(cursor: _Cursor, what: str) -> str:
    length = cursor.octet(f"the length of {what}")
    kind = cursor.octet(f"the type of {what}") >> 4 & 7
    data = cursor.take((length + 1) // 2, what)
    if kind == _ALPHANUMERIC:
        return text_of(unpacked(data, length * 4 // 7))
    halves = [half for octet in data for half in (octet & 0x0F, octet >> 4)][:length]
    digits = "".join(_DIGITS[half] for half in halves if half < len(_DIGITS))
    return f"+{digits}" if kind == _INTERNATIONAL else digits


def stamp(data: bytes) -> dt.datetime | None:
    """Read a time stamp of seven octets, ``None`` where it names no instant."""
    year, month, day, hour, minute, second = ((octet & 0x0F) * 10 + (octet >> 4) for octet in data[:6])
    quarters = (data[6] & 0x07) * 10 + (data[6] >> 4)
    if data[6] & 0x08:
        quarters = -quarters
    halves = [half for octet in data[:6] for half in (octet & 0x0F, octet >> 4)]
    if max(halves) > 9 or data[6] >> 4 > 9 or abs(quarters) > _FARTHEST_QUARTERS:
        return None
    zone = dt.timezone(dt.timedelta(minutes=_QUARTER_MIN * quarters))
    try:
        return dt.datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except ValueError:
        return None


class Submit(NamedTuple):
    """One message to send: its hexadecimal digits, and the octets that ``AT+CMGS`` is told."""

    hex: str
    octets: int


def submit(recipient: str, alphabet: Alphabet, units: tuple[int, ...], valid_s: float, header: bytes) -> Submit:
    """Make an SMS-SUBMIT that asks for a status report.

    Args:
        recipient: ``+`` and digits, or digits alone.
        alphabet: GSM7 or UCS2.
        units: Septets, or 16 bit units of UCS2.
        valid_s: How long the service centre may try.
        header: User data header with its length, or nothing.

    Raises:
        MalformedError: The recipient is no number.
    """
    digits = recipient.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise MalformedError("recipient: must be a number, with a plus sign before an international one")
    if alphabet is Alphabet.GSM7:
        header_septets = (len(header) * 8 + 6) // 7
        body = packed((0,) * header_septets + units)
        body = header + body[len(header) :]
        length = header_septets + len(units)
    else:
        body = header + b"".join(unit.to_bytes(2, "big") for unit in units)
        length = len(body)
    tpdu = (
        # SUBMIT, relative validity, status report wanted; the modem puts in the reference.
        bytes([0x31 | (_HAS_HEADER if header else 0), 0x00, len(digits), 0x91 if recipient[0] == "+" else 0x81])
        + _semi_octets(digits)
        + bytes([0x00, 0x00 if alphabet is Alphabet.GSM7 else 0x08, validity(valid_s), length])
        + body
    )
    return Submit((b"\x00" + tpdu).hex().upper(), len(tpdu))


def _semi_octets(digits: str) -> bytes:
    even = digits + "F" * (len(digits) % 2)
    return bytes.fromhex("".join(even[at + 1] + even[at] for at in range(0, len(even), 2)))


def validity(seconds: float) -> int:
    """Return the relative validity period that is as long or a little longer, at most 63 weeks."""
    minutes = seconds / 60
    if minutes <= 720:
        return max(0, _up(minutes / 5) - 1)
    if minutes <= 1440:
        return 143 + _up((minutes - 720) / 30)
    if minutes <= 1440 * 30:
        return 166 + _up(minutes / 1440)
    return min(255, 192 + max(5, _up(minutes / (7 * 1440))))


def _up(number: float) -> int:
    return int(-(-number // 1))
