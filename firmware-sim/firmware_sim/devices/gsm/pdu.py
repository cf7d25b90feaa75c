"""Short messages as a network makes and reads them: SMS-DELIVER, SMS-STATUS-REPORT and SMS-SUBMIT.

Written from 3GPP TS 23.040 (9.2.2, 9.1.2.5, 9.2.3) and TS 23.038 (4, 6.2.1).
"""

import datetime as dt
from typing import NamedTuple

#: TS 23.038, 6.2.1: what each code from 0x00 on shows; 0x1B leads to the extension.
_BASIC = [
    *"@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ",
    "",
    *"ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡",
    *"ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
]
_EXTENDED = dict(zip("\f^{}\\[~]|€", (0x0A, 0x14, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65), strict=True))
_ESC = 0x1B
_SERVICE_CENTRE = "+4700000099"
_SCTS_MINUTES = 15


class Submitted(NamedTuple):
    """What a modem gave to be sent; ``part`` is (reference, of, number)."""

    recipient: str
    text: str
    wants_report: bool
    part: tuple[int, int, int] | None


def codes(text: str) -> list[int] | None:
    """Return a text's septets, ``None`` when a letter of it has none."""
    found: list[int] = []
    for letter in text:
        if letter in _EXTENDED:
            found += [_ESC, _EXTENDED[letter]]
        elif letter in _BASIC:
            found.append(_BASIC.index(letter))
        else:
            return None
    return found


def pack(septets: list[int], skip_bits: int = 0) -> bytes:
    """Lay septets end to end, lowest bit first, behind some empty bits."""
    bits = "".join(f"{septet:07b}"[::-1] for septet in septets)
    bits = "0" * skip_bits + bits
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


def unpack(octets: bytes, count: int) -> list[int]:
    """Take septets apart again."""
    bits = "".join(f"{octet:08b}"[::-1] for octet in octets)
    return [int(bits[at * 7 : at * 7 + 7][::-1], 2) for at in range(count) if len(bits) >= at * 7 + 7]


def shown(septets: list[int]) -> str:
    """Return what septets show."""
    letters, extended = "", False
    for code in septets:
        if extended:
            letters += next((letter for letter, at in _EXTENDED.items() if at == code), _BASIC[code])
            extended = False
        elif code == _ESC:
            extended = True
        else:
            letters += _BASIC[code]
    return letters


def address(number: str) -> bytes:
    """Return an address: international, national, or a name of letters."""
    digits = number.removeprefix("+")
    if not digits.isdigit():
        septets = codes(number) or []
        return bytes([-(-len(septets) * 7 // 4), 0xD0]) + pack(septets)
    padded = digits if len(digits) % 2 == 0 else digits + "F"
    swapped = "".join(b + a for a, b in zip(padded[::2], padded[1::2], strict=True))
    return bytes([len(digits), 0x91 if number.startswith("+") else 0x81]) + bytes.fromhex(swapped)


def stamp(at: dt.datetime) -> bytes:
    """Return a time stamp in the zone that ``at`` has."""
    offset = at.utcoffset() or dt.timedelta(0)
    quarters = int(abs(offset).total_seconds()) // 60 // _SCTS_MINUTES
    pairs = [f"{number:02d}"[::-1] for number in (at.year % 100, at.month, at.day, at.hour, at.minute, at.second)]
    zone = int(f"{quarters:02d}"[::-1], 16) | (0x08 if offset < dt.timedelta(0) else 0)
    return bytes.fromhex("".join(pairs)) + bytes([zone])


def _with_centre(tpdu: bytes) -> bytes:
    centre = address(_SERVICE_CENTRE)[1:]
    return bytes([len(centre)]) + centre + tpdu


def deliver(sender: str, text: str, at: dt.datetime, reference: int, *, wide: bool = False) -> list[bytes]:
    """Return the PDUs of a text, in order; ``wide`` references have 16 bits."""
    septets = codes(text)
    header_bytes = 7 if wide else 6
    if septets is None:
        whole = text.encode("utf-16-be")
        pieces = _cut(whole, 140, (140 - header_bytes) // 2 * 2)
    else:
        whole = bytes(septets)
        pieces = _cut(whole, 160, 160 - -(-header_bytes * 8 // 7))
    made: list[bytes] = []
    for number, piece in enumerate(pieces, start=1):
        header = b""
        if len(pieces) > 1:
            place = bytes([len(pieces), number])
            header = b"\x08\x04" + reference.to_bytes(2, "big") if wide else b"\x00\x03" + bytes([reference % 256])
            header = bytes([len(header) + 2]) + header + place
        first = 0x44 if header else 0x04
        if septets is None:
            data, length, scheme = header + piece, len(header + piece), 0x08
        else:
            fill = -len(header) * 8 % 7
            data, scheme = header + pack(list(piece), fill), 0x00
            length = (len(header) * 8 + fill) // 7 + len(piece)
        tpdu = bytes([first]) + address(sender) + bytes([0x00, scheme]) + stamp(at) + bytes([length]) + data
        made.append(_with_centre(tpdu))
    return made


def _cut(whole: bytes, alone: int, each: int) -> list[bytes]:
    if len(whole) <= alone:
        return [whole]
    pieces: list[bytes] = []
    at = 0
    while at < len(whole):
        end = at + each
        if each < 140 and end < len(whole) and 0xD8 <= whole[end - 2] <= 0xDB:
            end -= 2  # both halves of a letter stay in one piece
        if each >= 140 and whole[end - 1 : end] == bytes([_ESC]):
            end -= 1
        pieces.append(whole[at:end])
        at = end
    return pieces


def report(reference: int, recipient: str, at: dt.datetime, status: int) -> bytes:
    """Return the PDU of a status report."""
    return _with_centre(bytes([0x06, reference]) + address(recipient) + stamp(at) + stamp(at) + bytes([status]))


def read_submit(pdu: bytes) -> Submitted:
    """Read an SMS-SUBMIT.

    Raises:
        ValueError: It is none, or cut.
    """
    try:
        return _read_submit(pdu)
    except IndexError as error:
        raise ValueError("the PDU ends too early") from error


def _read_submit(pdu: bytes) -> Submitted:
    tpdu = pdu[1 + pdu[0] :]
    first = tpdu[0]
    if first & 3 != 1:
        raise ValueError(f"type {first & 3} is no SUBMIT")
    length = tpdu[2]
    end = 4 + (length + 1) // 2
    digits = tpdu[4:end].hex()
    number = "".join(b + a for a, b in zip(digits[::2], digits[1::2], strict=True))[:length]
    if not number.isdigit():
        raise ValueError("the recipient is no number")
    recipient = ("+" if tpdu[3] == 0x91 else "") + number
    scheme = tpdu[end + 1]
    at = end + 2 + {0: 0, 2: 1, 1: 7, 3: 7}[first >> 3 & 3]
    size, data = tpdu[at], tpdu[at + 1 :]
    header = data[: 1 + data[0]] if first & 0x40 else b""
    part: tuple[int, int, int] | None = None
    if header:
        part = (int.from_bytes(header[3:-2], "big"), header[-2], header[-1])
    if scheme == 0x08:
        if len(data) != size:
            raise ValueError(f"{len(data)} octets of text instead of {size}")
        text = data[len(header) :].decode("utf-16-be")
    else:
        if len(data) != -(-size * 7 // 8):
            raise ValueError(f"{len(data)} octets for {size} septets")
        text = shown(unpack(data, size)[-(-len(header) * 8 // 7) :])
    return Submitted(recipient, text, bool(first & 0x20), part)
