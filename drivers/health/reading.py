"""What one value of a health device says, before anybody asked whether it is new or when it was."""

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from drivers.health.number import Number, Special
from drivers.health.units import Conversion, same
from hub.domain.codes import Kind
from hub.domain.observation import Value

EXTRA_BYTES = "extra_bytes"
IMPOSSIBLE = "impossible_value"

# What no living person and no such device can show: beyond it is a fault, within it is for the rules to judge.
# (least, greatest), in the unit that is reported.
POSSIBLE: dict[str, tuple[Decimal, Decimal]] = {
    "systolic": (Decimal(10), Decimal(400)),
    "diastolic": (Decimal(5), Decimal(300)),
    "mean": (Decimal(5), Decimal(350)),
    "pulse": (Decimal(10), Decimal(400)),
    "temperature": (Decimal(10), Decimal(50)),
    "weight": (Decimal("0.1"), Decimal(700)),
    "spo2": (Decimal(1), Decimal(100)),
    "heart_rate": (Decimal(10), Decimal(400)),
    "glucose": (Decimal("0.1"), Decimal(100)),
}


class Reading(NamedTuple):
    """One measurement as the device told it.

    Attributes:
        measurement: Its name, for a failure.
        kind: What it is when it succeeded.
        unit: UCUM unit of the quantity.
        value: Quantities and details, by name.
        failed: Why there is no measurement, or empty; ``field`` then names the quantity.
        time: Local time that it carries, without zone.
        timed: It carries a time field, readable or not.
        flags: What the device said of it that is odd.
        test: It was no measurement of the resident.
    """

    measurement: str
    kind: Kind
    unit: str
    value: dict[str, Value]
    failed: str = ""
    field: str = ""
    time: dt.datetime | None = None
    timed: bool = False
    flags: tuple[str, ...] = ()
    test: bool = False

    def outcome(self) -> tuple[Kind, Value, str | None]:
        """Return kind, value and unit of the observation; a failure tells what failed and keeps the rest."""
        if not self.failed:
            return self.kind, dict(self.value), self.unit
        told = {"measurement": self.measurement, "reason": self.failed}
        if self.field:
            told["field"] = self.field
        return Kind.VITAL_FAILED, {**told, **self.value}, None


class Quantities:
    """Gathers the quantities of one reading and what is wrong with them."""

    def __init__(self) -> None:
        self.value: dict[str, Value] = {}
        self.failed = ""
        self.field = ""
        self.flags: list[str] = []

    def needs(self, name: str, number: Number, convert: Conversion = same) -> None:
        """Add a quantity without which there is no measurement."""
        if wrong := self._add(name, number, convert):
            self.fail(wrong, name)

    def has(self, name: str, number: Number, convert: Conversion = same) -> None:
        """Add a quantity that a device may leave out by saying NaN."""
        wrong = self._add(name, number, convert)
        if wrong and wrong is not Special.NAN:
            self.flags.append(f"{name}_failed")

    def fail(self, reason: str, field: str = "") -> None:
        """Note why there is no measurement; the first reason stays."""
        if not self.failed:
            self.failed, self.field = reason, field

    def _add(self, name: str, number: Number, convert: Conversion) -> str:
        if isinstance(number, Special):
            return number
        converted = convert(number)
        self.value[name] = float(converted)
        low, high = POSSIBLE.get(name, (converted, converted))
        return "" if low <= converted <= high else IMPOSSIBLE


def named(bits: int, names: Mapping[int, str]) -> Iterable[str]:
    """Return the names of the bits that are set."""
    return (name for bit, name in names.items() if bits & (1 << bit))
