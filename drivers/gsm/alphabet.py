"""The alphabets of short messages: GSM 7 bit with its extension table, and UCS2.

Sources: 3GPP TS 23.038, sections 6.2.1 (default alphabet), 6.2.1.1 (extension table), 6.1.2.1 (packing) and
6.2.3 (UCS2, which networks treat as UTF-16 big endian).
"""

from collections.abc import Sequence
from enum import Enum

ESCAPE = 0x1B
# Row by row of the table in 6.2.1; the escape stands for itself.
_DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_SEPTETS: dict[str, tuple[int, ...]] = {
    **{letter: (code,) for code, letter in enumerate(_DEFAULT) if code != ESCAPE},
    **{letter: (ESCAPE, code) for code, letter in _EXTENSION.items()},
}


class Alphabet(Enum):
    """How the user data of a message is to be read."""

    GSM7 = "gsm7"
    OCTETS = "octets"
    UCS2 = "ucs2"


def septets_of(letter: str) -> tuple[int, ...] | None:
    """Return the one or two septets of a letter, ``None`` where the alphabet has none for it."""
    return _SEPTETS.get(letter)


def is_gsm7(text: str) -> bool:
    """Tell whether every letter of a text is in the 7 bit alphabet or its extension."""
    return all(letter in _SEPTETS for letter in text)


def text_of(septets: Sequence[int]) -> str:
    """Read septets; an unknown extension shows the letter of the main table, as 6.2.1.1 asks."""
    letters: list[str] = []
    escaped = False
    for septet in septets:
        if escaped:
            letters.append(" " if septet == ESCAPE else _EXTENSION.get(septet, _DEFAULT[septet]))
            escaped = False
        elif septet == ESCAPE:
            escaped = True
        else:
            letters.append(_DEFAULT[septet])
    return "".join(letters)


def packed(septets: Sequence[int], fill_bits: int = 0) -> bytes:
    """Pack septets into octets, the first one behind ``fill_bits`` zeros."""
    value, bits = 0, fill_bits
    for septet in septets:
        value |= septet << bits
        bits += 7
    return value.to_bytes((bits + 7) // 8, "little")


def unpacked(data: bytes, count: int, fill_bits: int = 0) -> list[int]:
    """Return ``count`` septets that start behind ``fill_bits``; fewer where the octets end before."""
    value = int.from_bytes(data, "little") >> fill_bits
    whole = min(count, max(0, len(data) * 8 - fill_bits) // 7)
    return [value >> 7 * at & 0x7F for at in range(whole)]


def utf16(text: str) -> bytes:
    """Return the octets of UCS2; half a surrogate pair is kept as it is."""
    return text.encode("utf-16-be", "surrogatepass")


def text_of_utf16(data: bytes) -> str:
    """Read octets of UCS2; what is no letter becomes U+FFFD, and a last odd octet is one too."""
    return data.decode("utf-16-be", "replace")
