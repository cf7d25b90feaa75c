"""Conversions to the units of the ward, exact and then rounded to a hundredth.

Sources: conventional millimetre of mercury 133.322387415 Pa (BS 350); pound 0.45359237 kg and inch 0.0254 m
(international yard and pound, 1959); molar mass of glucose C6H12O6 180.156 g/mol.
"""

from collections.abc import Callable
from decimal import Decimal

Conversion = Callable[[Decimal], Decimal]

KPA_PER_MMHG = Decimal("0.133322387415")
KG_PER_LB = Decimal("0.45359237")
M_PER_INCH = Decimal("0.0254")
GLUCOSE_KG_PER_MOL = Decimal("0.180156")
_HUNDREDTH = Decimal("0.01")
_ROUNDED_BELOW = Decimal(10) ** 12
_FREEZING_F, _FIVE_NINTHS = Decimal(32), (Decimal(5), Decimal(9))


def same(value: Decimal) -> Decimal:
    """Leave it as it is."""
    return value


def from_kpa(value: Decimal) -> Decimal:
    """Kilopascal to mmHg."""
    return _rounded(value / KPA_PER_MMHG)


def from_fahrenheit(value: Decimal) -> Decimal:
    """Degrees Fahrenheit to degrees Celsius."""
    five, nine = _FIVE_NINTHS
    return _rounded((value - _FREEZING_F) * five / nine)


def from_lb(value: Decimal) -> Decimal:
    """Pounds to kilograms."""
    return _rounded(value * KG_PER_LB)


def from_inch(value: Decimal) -> Decimal:
    """Inches to metres."""
    return (value * M_PER_INCH).quantize(Decimal("0.001"))


def from_mol_per_l(value: Decimal) -> Decimal:
    """Mole per litre to mmol/L."""
    return value * 1000


def glucose_from_kg_per_l(value: Decimal) -> Decimal:
    """Kilograms of glucose per litre to mmol/L."""
    return _rounded(value / GLUCOSE_KG_PER_MOL * 1000)


def _rounded(value: Decimal) -> Decimal:
    # A FLOAT goes to 10^133, which has no hundredths in 28 digits; it is impossible either way.
    return value.quantize(_HUNDREDTH) if abs(value) < _ROUNDED_BELOW else value
