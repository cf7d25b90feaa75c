"""The two float formats of health devices (IEEE 11073-20601), exactly: mantissa times a power of ten.

Both parts are two's complement. Five mantissas are no numbers, and only with exponent 0.
"""

from decimal import Decimal
from enum import StrEnum


class Special(StrEnum):
    """What a device says instead of a number; the word is the reason of a failed measurement."""

    NAN = "nan"
    NRES = "nres"  # cannot be told at this resolution
    PLUS_INF = "plus_infinity"
    MINUS_INF = "minus_infinity"
    RESERVED = "reserved"


Number = Decimal | Special

SFLOAT_BYTES, FLOAT_BYTES = 2, 4
_SFLOAT_SPECIALS = {
    0x07FF: Special.NAN,
    0x0800: Special.NRES,
    0x07FE: Special.PLUS_INF,
    0x0802: Special.MINUS_INF,
    0x0801: Special.RESERVED,
}
_FLOAT_SPECIALS = {
    0x007FFFFF: Special.NAN,
    0x00800000: Special.NRES,
    0x007FFFFE: Special.PLUS_INF,
    0x00800002: Special.MINUS_INF,
    0x00800001: Special.RESERVED,
}


def sfloat(raw: int) -> Number:
    """Read a 16-bit SFLOAT: exponent in bits 15-12, mantissa in bits 11-0."""
    special = _SFLOAT_SPECIALS.get(raw)
    return special or Decimal(_signed(raw & 0x0FFF, 12)).scaleb(_signed(raw >> 12, 4))


def float32(raw: int) -> Number:
    """Read a 32-bit FLOAT: exponent in bits 31-24, mantissa in bits 23-0."""
    special = _FLOAT_SPECIALS.get(raw)
    return special or Decimal(_signed(raw & 0x00FFFFFF, 24)).scaleb(_signed(raw >> 24, 8))


def _signed(raw: int, bits: int) -> int:
    return raw - (1 << bits) if raw >> (bits - 1) else raw
