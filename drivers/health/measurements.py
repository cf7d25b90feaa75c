"""Measurements that a device stores and tells once: blood pressure, temperature, weight, oxygen spot-check.

Layouts: Bluetooth services BLS, HTS, WSS, PLXS and their characteristics (GATT Specification Supplement).
"""

from decimal import Decimal

from drivers.health.reader import Reader
from drivers.health.reading import EXTRA_BYTES, Quantities, Reading, named
from drivers.health.units import from_fahrenheit, from_inch, from_kpa, from_lb, same
from hub.domain.codes import Kind

UNKNOWN_USER = 0xFF
WEIGHT_FAILED = 0xFFFF
SITES = {
    1: "axillary",
    2: "body",
    3: "ear",
    4: "finger",
    5: "gastrointestinal",
    6: "mouth",
    7: "rectum",
    8: "toe",
    9: "tympanum",
}
# Bits 3 and 4 of the blood pressure status are one number.
_PRESSURE_STATUS = {0: "body_movement", 1: "cuff_loose", 2: "irregular_pulse", 5: "improper_position"}
_PULSE_RANGE = {1: "pulse_above_range", 2: "pulse_below_range"}
# What a value can still be used with is a flag; what makes it none is its failure.
_OXIMETER_STATUS = {6: "early_estimate", 14: "questionable"}
_OXIMETER_FAILED = {13: "measurement_unavailable", 15: "invalid"}
_OXIMETER_TEST = 1 << 10 | 1 << 11 | 1 << 12  # demonstration, testing, calibration
SENSOR_STATUS = {
    1: "equipment_malfunction",
    2: "signal_irregular",
    3: "inadequate_signal",
    4: "poor_signal",
    5: "low_perfusion",
    6: "erratic_signal",
    7: "no_pulse_signal",
    8: "questionable_pulse",
    10: "sensor_interference",
    11: "sensor_unconnected",
    12: "unknown_sensor",
    13: "sensor_displaced",
    14: "sensor_malfunction",
    15: "sensor_disconnected",
}


def blood_pressure(data: bytes) -> Reading:
    """Read Blood Pressure Measurement 0x2A35.

    Raises:
        MalformedError: It is too short.
    """
    reader, found = Reader(data), Quantities()
    flags = reader.whole(1, "flags")
    convert = from_kpa if flags & 0x01 else same
    found.needs("systolic", reader.sfloat("systolic"), convert)
    found.needs("diastolic", reader.sfloat("diastolic"), convert)
    found.has("mean", reader.sfloat("mean"), convert)
    time = reader.date_time() if flags & 0x02 else None
    if flags & 0x04:
        found.has("pulse", reader.sfloat("pulse"))
    _user(reader, found, given=flags & 0x08)
    if flags & 0x10:
        status = reader.whole(2, "status")
        found.flags += named(status, _PRESSURE_STATUS)
        if word := _PULSE_RANGE.get(status >> 3 & 0b11):
            found.flags.append(word)
    return _told("blood_pressure", Kind.VITAL_BLOOD_PRESSURE, "mm[Hg]", reader, found)._replace(
        time=time, timed=bool(flags & 0x02)
    )


def temperature(data: bytes) -> Reading:
    """Read Temperature Measurement 0x2A1C.

    Raises:
        MalformedError: It is too short.
    """
    reader, found = Reader(data), Quantities()
    flags = reader.whole(1, "flags")
    found.needs("temperature", reader.float32("temperature"), from_fahrenheit if flags & 0x01 else same)
    time = reader.date_time() if flags & 0x02 else None
    if flags & 0x04:
        site = reader.whole(1, "type")
        found.value["site"] = SITES.get(site, f"0x{site:02X}")
    return _told("temperature", Kind.VITAL_TEMPERATURE, "Cel", reader, found)._replace(
        time=time, timed=bool(flags & 0x02)
    )


def weight(data: bytes) -> Reading:
    """Read Weight Measurement 0x2A9D.

    Raises:
        MalformedError: It is too short.
    """
    reader, found = Reader(data), Quantities()
    flags = reader.whole(1, "flags")
    imperial = bool(flags & 0x01)
    count = reader.whole(2, "weight")
    if count == WEIGHT_FAILED:
        found.fail("unsuccessful", "weight")
    else:
        resolution = Decimal("0.01") if imperial else Decimal("0.005")
        found.needs("weight", count * resolution, from_lb if imperial else same)
    time = reader.date_time() if flags & 0x02 else None
    _user(reader, found, given=flags & 0x04)
    if flags & 0x08:
        found.has("bmi", reader.scaled("BMI", "0.1"))
        height = reader.scaled("height", "0.1" if imperial else "0.001")
        found.has("height_m", height, from_inch if imperial else same)
    return _told("weight", Kind.VITAL_WEIGHT, "kg", reader, found)._replace(time=time, timed=bool(flags & 0x02))


def oxygen_spot(data: bytes) -> Reading:
    """Read PLX Spot-Check Measurement 0x2A5E.

    Raises:
        MalformedError: It is too short.
    """
    reader, found = Reader(data), Quantities()
    flags = reader.whole(1, "flags")
    found.needs("spo2", reader.sfloat("SpO2"))
    found.has("pulse", reader.sfloat("pulse rate"))
    time = reader.date_time() if flags & 0x01 else None
    test = oxygen_details(reader, found, flags >> 1)
    # Bit 4: the clock that made the time was never set.
    return _told("spo2", Kind.VITAL_SPO2, "%", reader, found)._replace(
        time=None if flags & 0x10 else time, timed=bool(flags & 0x01), test=test
    )


def oxygen_details(reader: Reader, found: Quantities, present: int) -> bool:
    """Read the end that both oximeter characteristics have; tell whether it was a test.

    Args:
        reader: Stands before the measurement status.
        found: Takes what is said.
        present: Bit 0 measurement status, bit 1 sensor status, bit 2 pulse amplitude index.

    Raises:
        MalformedError: It is too short.
    """
    status = reader.whole(2, "measurement status") if present & 1 else 0
    sensor = reader.whole(3, "sensor status") if present & 2 else 0
    if present & 4:
        found.has("perfusion_index", reader.sfloat("pulse amplitude index"))
    found.flags += [*named(status, _OXIMETER_STATUS), *named(sensor, SENSOR_STATUS)]
    for reason in named(status, _OXIMETER_FAILED):
        found.fail(reason)
    return bool(status & _OXIMETER_TEST)


def _user(reader: Reader, found: Quantities, *, given: int) -> None:
    if given:
        user = reader.whole(1, "user")
        if user != UNKNOWN_USER:
            found.value["user"] = user


def _told(measurement: str, kind: Kind, unit: str, reader: Reader, found: Quantities) -> Reading:
    if reader.left:
        found.flags.append(EXTRA_BYTES)
    return Reading(
        measurement=measurement,
        kind=kind,
        unit=unit,
        value=found.value,
        failed=found.failed,
        field=found.field,
        flags=tuple(found.flags),
    )
