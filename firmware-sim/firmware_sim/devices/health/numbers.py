"""How health devices write numbers and times: SFLOAT, FLOAT, Date Time (IEEE 11073-20601, Bluetooth GSS)."""

import datetime as dt
import struct

SFLOAT_NAN, SFLOAT_NRES, SFLOAT_PLUS_INF, SFLOAT_MINUS_INF = 0x07FF, 0x0800, 0x07FE, 0x0802
FLOAT_NAN = 0x007FFFFF
_SFLOAT_LIMIT, _FLOAT_LIMIT = 0x07FD, 0x007FFFFD
_TINY = 1e-9


def sfloat(value: float) -> bytes:
    """Write a number with 12 bits of mantissa.

    Raises:
        ValueError: It has no such form.
    """
    exponent, mantissa = _split(value, _SFLOAT_LIMIT, range(-8, 8))
    return struct.pack("<H", (exponent & 0xF) << 12 | mantissa & 0xFFF)


def float32(value: float) -> bytes:
    """Write a number with 24 bits of mantissa.

    Raises:
        ValueError: It has no such form.
    """
    exponent, mantissa = _split(value, _FLOAT_LIMIT, range(-4, 8))
    return struct.pack("<I", (exponent & 0xFF) << 24 | mantissa & 0xFFFFFF)


def date_time(when: dt.datetime) -> bytes:
    """Write a date and time without zone."""
    return struct.pack("<HBBBBB", when.year, when.month, when.day, when.hour, when.minute, when.second)


def read_date_time(data: bytes) -> dt.datetime:
    """Read a date and time without zone.

    Raises:
        ValueError: There is no such day.
        struct.error: It is too short.
    """
    year, month, day, hour, minute, second = struct.unpack_from("<HBBBBB", data)
    return dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 -- a device knows no zone


def _split(value: float, limit: int, exponents: range) -> tuple[int, int]:
    """Return the exponent nearest to 0 with which the number is whole, and the mantissa."""
    for exponent in sorted(exponents, key=abs):
        scaled = value * 10.0**-exponent
        mantissa = round(scaled)
        if abs(mantissa) <= limit and abs(scaled - mantissa) < _TINY * max(1.0, abs(scaled)):
            return exponent, mantissa
    raise ValueError(f"{value} has too many digits for the format")
