"""The float formats of health devices, exactly; conversions to the ward's units, exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.health import units
from drivers.health.number import Special, float32, sfloat


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0x008E, "142"),
        (0xF0BD, "18.9"),
        (0xC036, "0.0054"),
        (0x0FFF, "-1"),
        (0xFFFF, "-0.1"),
        (0x7001, "1E+7"),
        (0x8001, "1E-8"),
        (0x07FD, "2045"),
        (0x0803, "-2045"),
        (0x0000, "0"),
        # Special only with exponent 0: these are numbers.
        (0xF7FF, "204.7"),
        (0x1800, "-20480"),
    ],
)
def test_sfloat(raw: int, value: str) -> None:
    assert sfloat(raw) == Decimal(value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0xFF00016F, "36.7"),
        (0xFE000E56, "36.70"),
        (0x00FFFFFF, "-1"),
        (0x7F000001, "1E+127"),
        (0x80000001, "1E-128"),
    ],
)
def test_float(raw: int, value: str) -> None:
    assert float32(raw) == Decimal(value)


def test_special_values() -> None:
    short = {0x07FF: "nan", 0x0800: "nres", 0x07FE: "plus_infinity", 0x0802: "minus_infinity", 0x0801: "reserved"}
    long = {
        0x007FFFFF: "nan",
        0x00800000: "nres",
        0x007FFFFE: "plus_infinity",
        0x00800002: "minus_infinity",
        0x00800001: "reserved",
    }
    assert {raw: sfloat(raw) for raw in short} == {raw: Special(word) for raw, word in short.items()}
    assert {raw: float32(raw) for raw in long} == {raw: Special(word) for raw, word in long.items()}
    assert sum(isinstance(sfloat(raw), Special) for raw in range(0x10000)) == len(short)


@given(st.integers(-2045, 2045), st.integers(-8, 7))
def test_every_sfloat_is_its_mantissa_times_its_power(mantissa: int, exponent: int) -> None:
    raw = (exponent % 16) << 12 | mantissa % 4096
    found = sfloat(raw)
    assert isinstance(found, Decimal)
    assert Fraction(found) == mantissa * Fraction(10) ** exponent


@pytest.mark.parametrize(
    ("convert", "given_value", "expected"),
    [
        (units.from_kpa, "18.9", "141.76"),
        (units.from_kpa, "16", "120.01"),
        (units.from_kpa, "13.3322387415", "100.00"),
        (units.from_fahrenheit, "98.6", "37.00"),
        (units.from_fahrenheit, "-40", "-40.00"),
        (units.from_lb, "180", "81.65"),
        (units.from_inch, "70", "1.778"),
        (units.from_mol_per_l, "0.0054", "5.4"),
        (units.glucose_from_kg_per_l, "0.00097", "5.38"),
        (units.glucose_from_kg_per_l, "0.00180156", "10.00"),
    ],
)
def test_conversions(convert: units.Conversion, given_value: str, expected: str) -> None:
    assert convert(Decimal(given_value)) == Decimal(expected)
