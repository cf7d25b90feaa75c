"""What each kind of health device sends, by its Bluetooth service."""

import datetime as dt
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from firmware_sim.devices.base import Arguments, whole
from firmware_sim.devices.health.numbers import FLOAT_NAN, SFLOAT_NAN, date_time, float32, sfloat
from firmware_sim.errors import Unfit

_NAN = struct.pack("<H", SFLOAT_NAN)
_CUFF_LOOSE, _SENSOR_UNCONNECTED, _STRIP_PULLED = 0x0002, 1 << 11, 0x0200
_FULLY_QUALIFIED = 0x0100
_BODY, _CAPILLARY_AT_FINGER = 2, 0x11

Frame = Callable[[Arguments, dt.datetime], bytes]


class Kind(NamedTuple):
    """One kind of device.

    Attributes:
        service: Its service.
        measurement: Characteristic of its stored measurements.
        measured: Writes a measurement from what one says it measured.
        failed: Writes a measurement that failed.
        stream: Characteristic that it notifies every second while it is worn.
        streamed: Writes one value of it; the second: without contact.
    """

    service: int
    measurement: int | None
    measured: Frame | None = None
    failed: Frame | None = None
    stream: int | None = None
    streamed: tuple[Frame, Frame] | None = None


def number(arguments: Arguments, key: str, default: float) -> float:
    """Return an argument that is a number.

    Raises:
        Unfit: It is something else.
    """
    value = arguments.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit(f"{key!r} must be a number, not {value!r}")
    return float(value)


def _pressure(given: Arguments, when: dt.datetime) -> bytes:
    kpa = 0x01 if given.get("kpa") else 0
    values = [("systolic", 142.0), ("diastolic", 88.0), ("mean", 106.0)]
    pressure = b"".join(sfloat(number(given, key, default)) for key, default in values)
    user, status = whole(given, "user", 0, 255, 1), whole(given, "status", 0, 0xFFFF, 0)
    pulse = sfloat(number(given, "pulse", 71))
    return bytes([0x1E | kpa]) + pressure + date_time(when) + pulse + struct.pack("<BH", user, status)


def _pressure_failed(given: Arguments, when: dt.datetime) -> bytes:
    status = whole(given, "status", 0, 0xFFFF, _CUFF_LOOSE)
    return bytes([0x12]) + 3 * _NAN + date_time(when) + struct.pack("<H", status)


def _temperature(given: Arguments, when: dt.datetime) -> bytes:
    fahrenheit = 0x01 if given.get("fahrenheit") else 0
    site = whole(given, "site", 0, 255, _BODY)
    return (
        bytes([0x06 | fahrenheit]) + float32(number(given, "temperature", 36.7)) + date_time(when) + bytes([site])
    )


def _temperature_failed(_given: Arguments, when: dt.datetime) -> bytes:
    return bytes([0x02]) + struct.pack("<I", FLOAT_NAN) + date_time(when)


def _weight(given: Arguments, when: dt.datetime) -> bytes:
    pounds = 0x01 if given.get("pounds") else 0
    count = round(number(given, "weight", 81.4) / (0.01 if pounds else 0.005))
    return (
        bytes([0x06 | pounds])
        + struct.pack("<H", count)
        + date_time(when)
        + bytes([whole(given, "user", 0, 255, 1)])
    )


def _weight_failed(_given: Arguments, when: dt.datetime) -> bytes:
    return bytes([0x02]) + struct.pack("<H", 0xFFFF) + date_time(when)


def _oxygen(given: Arguments, when: dt.datetime) -> bytes:
    values = sfloat(number(given, "spo2", 97)) + sfloat(number(given, "pulse", 64))
    return bytes([0x03]) + values + date_time(when) + struct.pack("<H", _FULLY_QUALIFIED)


def _oxygen_failed(_given: Arguments, when: dt.datetime) -> bytes:
    return bytes([0x05]) + 2 * _NAN + date_time(when) + _SENSOR_UNCONNECTED.to_bytes(3, "little")


def _oxygen_stream(given: Arguments, _when: dt.datetime) -> bytes:
    return bytes([0x00]) + sfloat(number(given, "spo2", 97)) + sfloat(number(given, "pulse", 64))


def _oxygen_off(_given: Arguments, _when: dt.datetime) -> bytes:
    return bytes([0x08]) + 2 * _NAN + _SENSOR_UNCONNECTED.to_bytes(3, "little")


def _heart(given: Arguments, _when: dt.datetime) -> bytes:
    rate = whole(given, "heart_rate", 1, 255, 72)
    return bytes([0x16, rate]) + struct.pack("<H", min(0xFFFF, round(60 / rate * 1024)))


def _heart_off(_given: Arguments, _when: dt.datetime) -> bytes:
    return bytes([0x04, 0])


def _glucose(given: Arguments, when: dt.datetime) -> bytes:
    seq = whole(given, "seq", 0, 0xFFFF)
    follows = 0x10 if given.get("meal") else 0
    value = sfloat(round(number(given, "glucose", 5.4) / 1000, 7))
    head = struct.pack("<BH", 0x06 | follows, seq) + date_time(when)
    return head + value + bytes([whole(given, "sample", 0, 255, _CAPILLARY_AT_FINGER)])


def _glucose_failed(given: Arguments, when: dt.datetime) -> bytes:
    head = struct.pack("<BH", 0x08, whole(given, "seq", 0, 0xFFFF)) + date_time(when)
    return head + struct.pack("<H", _STRIP_PULLED)


def meal_context(seq: int, meal: int) -> bytes:
    """Write the context of a glucose record that tells the meal."""
    return struct.pack("<BHB", 0x02, seq, meal)


GLUCOSE = "glucose"
DEVICES: Mapping[str, Kind] = {
    "blood_pressure": Kind(0x1810, 0x2A35, _pressure, _pressure_failed),
    "thermometer": Kind(0x1809, 0x2A1C, _temperature, _temperature_failed),
    "weight_scale": Kind(0x181D, 0x2A9D, _weight, _weight_failed),
    "pulse_oximeter": Kind(0x1822, 0x2A5E, _oxygen, _oxygen_failed, 0x2A5F, (_oxygen_stream, _oxygen_off)),
    "heart_rate": Kind(0x180D, None, stream=0x2A37, streamed=(_heart, _heart_off)),
    GLUCOSE: Kind(0x1808, 0x2A18, _glucose, _glucose_failed),
}
