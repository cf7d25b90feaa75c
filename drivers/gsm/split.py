"""A text of any length, cut into messages.

Source: 3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8 (concatenation with 8 and 16 bit references).
"""

from drivers.gsm.alphabet import Alphabet, is_gsm7, septets_of, utf16
from drivers.gsm.pdu import Submit, submit
from hub.domain.errors import MalformedError

_OCTETS = 140
_SEPTETS = 160
MAX_PARTS = 255


def submits(recipient: str, text: str, reference: int, valid_s: float = 3600.0) -> tuple[Submit, ...]:
    """Make the messages of a text, in order; one alone has no header.

    Args:
        recipient: ``+`` and digits.
        text: In GSM 7 bit where that has all its letters, else in UCS2.
        reference: Tells the parts of one text from another's; above 255 it takes 16 bits.
        valid_s: How long the service centre may try.

    Raises:
        MalformedError: The recipient is no number, the text too long or the reference out of range.
    """
    if not 0 <= reference <= 0xFFFF:
        raise MalformedError(f"reference {reference}: must be from 0 to 65535")
    alphabet = Alphabet.GSM7 if is_gsm7(text) else Alphabet.UCS2
    letters = [_units(letter, alphabet) for letter in text]
    if sum(map(len, letters)) <= _room(alphabet, 0):
        return (submit(recipient, alphabet, tuple(unit for letter in letters for unit in letter), valid_s, b""),)
    long = reference > 0xFF
    pieces = _cut(letters, _room(alphabet, 7 if long else 6))
    if len(pieces) > MAX_PARTS:
        raise MalformedError(f"text of {len(text)} letters: needs {len(pieces)} messages, {MAX_PARTS} is the most")
    start = b"\x06\x08\x04" if long else b"\x05\x00\x03"
    start += reference.to_bytes(2 if long else 1, "big") + bytes([len(pieces)])
    return tuple(
        submit(recipient, alphabet, piece, valid_s, start + bytes([number]))
        for number, piece in enumerate(pieces, start=1)
    )


def _units(letter: str, alphabet: Alphabet) -> tuple[int, ...]:
    if alphabet is Alphabet.GSM7:
        return septets_of(letter) or ()
    octets = utf16(letter)
    return tuple(int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2))


def _room(alphabet: Alphabet, header_octets: int) -> int:
    if alphabet is Alphabet.GSM7:
        return _SEPTETS - (header_octets * 8 + 6) // 7
    return (_OCTETS - header_octets) // 2


def _cut(letters: list[tuple[int, ...]], room: int) -> list[tuple[int, ...]]:
    """Fill one piece after the other; a letter of two units stays whole."""
    pieces: list[tuple[int, ...]] = []
    piece: list[int] = []
    for units in letters:
        if len(piece) + len(units) > room:
            pieces.append(tuple(piece))
            piece = []
        piece += units
    return [*pieces, tuple(piece)]
