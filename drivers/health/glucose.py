"""Glucose records and their context, by the Bluetooth Glucose Service (GLS).

Of the context only the meal is told: medicine and health of a resident stay in the home.
"""

import datetime as dt
from typing import NamedTuple

from drivers.health.reader import Reader
from drivers.health.reading import EXTRA_BYTES, Quantities, Reading, named
from drivers.health.units import from_mol_per_l, glucose_from_kg_per_l
from hub.domain.codes import Kind

CONTROL_SOLUTION = 10
SAMPLES = {
    1: "capillary_whole_blood",
    2: "capillary_plasma",
    3: "venous_whole_blood",
    4: "venous_plasma",
    5: "arterial_whole_blood",
    6: "arterial_plasma",
    7: "whole_blood",
    8: "plasma",
    9: "interstitial_fluid",
    CONTROL_SOLUTION: "control_solution",
}
LOCATIONS = {1: "finger", 2: "alternate_site", 3: "earlobe", 4: "control_solution"}
LOCATION_UNKNOWN = 15
MEALS = {1: "before_meal", 2: "after_meal", 3: "fasting", 4: "snack", 5: "bedtime"}
_ANNUNCIATIONS = {
    0: "battery_low",
    1: "sensor_malfunction",
    2: "sample_insufficient",
    3: "strip_inserted_wrongly",
    4: "strip_of_wrong_type",
    5: "result_too_high",
    6: "result_too_low",
    7: "temperature_too_high",
    8: "temperature_too_low",
    9: "strip_pulled_too_soon",
    10: "device_fault",
    11: "time_fault",
}
_TIME_FAULT = 1 << 11
# Time offsets that are no minutes: more, and less, than fit.
_OUT_OF_RANGE = (0x7FFF, -0x8000)


class Record(NamedTuple):
    """A reading with its number; ``context`` follows in a value of its own."""

    seq: int
    context: bool
    reading: Reading


class Context(NamedTuple):
    """What belongs to the reading of this number."""

    seq: int
    meal: str | None


def record(data: bytes) -> Record:
    """Read Glucose Measurement 0x2A18.

    Raises:
        MalformedError: It is too short.
    """
    reader, found = Reader(data), Quantities()
    flags = reader.whole(1, "flags")
    seq = reader.whole(2, "sequence number")
    time = reader.date_time()
    if flags & 0x01:
        minutes = reader.whole(2, "time offset", signed=True)
        time = None if minutes in _OUT_OF_RANGE else _shifted(time, dt.timedelta(minutes=minutes))
    sample = _concentration(reader, found, molar=bool(flags & 0x04)) if flags & 0x02 else 0
    if not flags & 0x02:
        found.fail("no_value", "glucose")
    if flags & 0x08:
        status = reader.whole(2, "sensor status annunciation")
        found.flags += named(status, _ANNUNCIATIONS)
        time = None if status & _TIME_FAULT else time
    if reader.left:
        found.flags.append(EXTRA_BYTES)
    found.value["device_seq"] = seq
    reading = Reading(
        measurement="glucose",
        kind=Kind.VITAL_GLUCOSE,
        unit="mmol/L",
        value=found.value,
        failed=found.failed,
        field=found.field,
        time=time,
        timed=True,
        flags=tuple(found.flags),
        # Control solution checks the meter; it says nothing of the resident.
        test=sample == CONTROL_SOLUTION,
    )
    return Record(seq, bool(flags & 0x10), reading)


def context(data: bytes) -> Context:
    """Read Glucose Measurement Context 0x2A34 as far as the meal.

    Raises:
        MalformedError: It is too short.
    """
    reader = Reader(data)
    flags = reader.whole(1, "flags")
    seq = reader.whole(2, "sequence number")
    if flags & 0x80:
        reader.whole(1, "extended flags")
    if flags & 0x01:
        reader.whole(3, "carbohydrate")
    meal = reader.whole(1, "meal") if flags & 0x02 else 0
    return Context(seq, MEALS.get(meal))


def _concentration(reader: Reader, found: Quantities, *, molar: bool) -> int:
    """Read concentration, sample and location; return the sample's code."""
    found.needs("glucose", reader.sfloat("concentration"), from_mol_per_l if molar else glucose_from_kg_per_l)
    both = reader.whole(1, "type and location")
    sample, location = both & 0x0F, both >> 4
    found.value["sample"] = SAMPLES.get(sample, f"0x{sample:X}")
    if location != LOCATION_UNKNOWN:
        found.value["location"] = LOCATIONS.get(location, f"0x{location:X}")
    return sample


def _shifted(time: dt.datetime | None, offset: dt.timedelta) -> dt.datetime | None:
    try:
        return None if time is None else time + offset
    except OverflowError:
        return None
