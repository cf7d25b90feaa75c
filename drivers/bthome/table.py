"""Every object of BTHome v2 as a row: what it is called, how it is laid out and what the hub makes of it.

Source: the BTHome v2 format as published at bthome.io/format. Units are UCUM; where two quantities share a
unit, the second carries an annotation in braces (UCUM section 6), which leaves the unit itself unchanged.
"""

from enum import Enum, auto
from typing import NamedTuple

from hub.domain.codes import Kind


class Use(Enum):
    """What the hub makes of an object."""

    NOTHING = auto()  # known, so that what follows it can be read
    BATTERY = auto()  # rides along with the frame's observations
    READING = auto()  # climate.reading with its unit
    STATE = auto()  # `on` and `off`, reported when it changes
    ALARM = auto()  # `on` whenever it is 1: a repeated alarm is harmless, a suppressed one is not
    BUTTON = auto()


class Object(NamedTuple):
    """One row.

    Attributes:
        name: What it measures; names that share a state share a name.
        size: Bytes of its value; 0: the next byte tells.
        use: What the hub makes of it.
        signed: Its value is two's complement.
        factor: What the raw value is multiplied by.
        unit: UCUM unit of the product.
        on: Kind that 1 stands for.
        off: Kind that 0 stands for.
    """

    name: str
    size: int
    use: Use = Use.NOTHING
    signed: bool = False
    factor: float = 1
    unit: str | None = None
    on: Kind | None = None
    off: Kind | None = None


def _reading(name: str, size: int, factor: float, unit: str, *, signed: bool = False) -> Object:
    return Object(name, size, Use.READING, signed, factor, unit)


def _state(name: str, on: Kind, off: Kind | None = None) -> Object:
    return Object(name, 1, Use.STATE, on=on, off=off)


def _alarm(name: str, on: Kind) -> Object:
    return Object(name, 1, Use.ALARM, on=on)


_door = (Kind.DOOR_OPENED, Kind.DOOR_CLOSED)
_motion = (Kind.MOTION_DETECTED, Kind.MOTION_CLEARED)
_occupancy = (Kind.OCCUPANCY_STARTED, Kind.OCCUPANCY_ENDED)

COMMAND = 0x3B

OBJECTS: dict[int, Object] = {
    0x00: Object("packet", 1),
    0x01: Object("battery", 1, Use.BATTERY, unit="%"),
    0x02: _reading("temperature", 2, 0.01, "Cel", signed=True),
    0x03: _reading("humidity", 2, 0.01, "%"),
    0x04: _reading("pressure", 3, 0.01, "hPa"),
    0x05: _reading("illuminance", 3, 0.01, "lx"),
    0x06: Object("mass", 2, factor=0.01, unit="kg"),
    0x07: Object("mass", 2, factor=0.01, unit="[lb_av]"),
    0x08: _reading("dew point", 2, 0.01, "Cel{dew_point}", signed=True),
    0x09: Object("count", 1),
    0x0A: Object("energy", 3, factor=0.001, unit="kW.h"),
    0x0B: Object("power", 3, factor=0.01, unit="W"),
    0x0C: Object("voltage", 2, factor=0.001, unit="V"),
    0x0D: _reading("particles 2.5", 2, 1, "ug/m3{pm2_5}"),
    0x0E: _reading("particles 10", 2, 1, "ug/m3{pm10}"),
    0x0F: Object("generic", 1),
    0x10: Object("powered", 1),
    0x11: _state("opening", *_door),
    0x12: _reading("carbon dioxide", 2, 1, "[ppm]"),
    0x13: _reading("volatile compounds", 2, 1, "ug/m3{tvoc}"),
    0x14: _reading("moisture", 2, 0.01, "%{moisture}"),
    0x15: _state("battery low", Kind.BATTERY_LOW),
    0x16: Object("charging", 1),
    0x17: _alarm("carbon monoxide", Kind.CO_DETECTED),
    0x18: Object("cold", 1),
    0x19: Object("connectivity", 1),
    0x1A: _state("door", *_door),
    0x1B: _state("garage door", *_door),
    0x1C: _alarm("gas", Kind.CO_DETECTED),  # the vocabulary has no word for other gases
    0x1D: _alarm("heat", Kind.HEAT_DETECTED),
    0x1E: Object("light", 1),
    0x1F: Object("lock", 1),
    0x20: _alarm("water", Kind.WATER_DETECTED),
    0x21: _state("motion", *_motion),
    0x22: _state("moving", *_motion),
    0x23: _state("occupancy", *_occupancy),
    0x24: Object("plug", 1),
    0x25: _state("presence", *_occupancy),
    0x26: _state("problem", Kind.DEVICE_FAULT),
    0x27: Object("running", 1),
    0x28: Object("safety", 1),
    0x29: _alarm("smoke", Kind.SMOKE_DETECTED),
    0x2A: Object("sound", 1),
    0x2B: _alarm("tamper", Kind.DEVICE_TAMPER),
    0x2C: Object("vibration", 1),
    0x2D: _state("window", *_door),
    0x2E: _reading("humidity", 1, 1, "%"),
    0x2F: _reading("moisture", 1, 1, "%{moisture}"),
    0x3A: Object("button", 1, Use.BUTTON),
    COMMAND: Object("command", 0),
    0x3C: Object("dimmer", 2),
    0x3D: Object("count", 2),
    0x3E: Object("count", 4),
    0x3F: Object("rotation", 2, signed=True, factor=0.1, unit="deg"),
    0x40: Object("distance", 2, unit="mm"),
    0x41: Object("distance", 2, factor=0.1, unit="m"),
    0x42: Object("duration", 3, factor=0.001, unit="s"),
    0x43: Object("current", 2, factor=0.001, unit="A"),
    0x44: Object("speed", 2, factor=0.01, unit="m/s"),
    0x45: _reading("temperature", 2, 0.1, "Cel", signed=True),
    0x46: _reading("uv index", 1, 0.1, "{uv_index}"),
    0x47: Object("volume", 2, factor=0.1, unit="L"),
    0x48: Object("volume", 2, unit="mL"),
    0x49: Object("flow", 2, factor=0.001, unit="m3/h"),
    0x4A: Object("voltage", 2, factor=0.1, unit="V"),
    0x4B: Object("gas volume", 3, factor=0.001, unit="m3"),
    0x4C: Object("gas volume", 4, factor=0.001, unit="m3"),
    0x4D: Object("energy", 4, factor=0.001, unit="kW.h"),
    0x4E: Object("volume", 4, factor=0.001, unit="L"),
    0x4F: Object("water volume", 4, factor=0.001, unit="L"),
    0x50: Object("timestamp", 4, unit="s"),
    0x51: Object("acceleration", 2, factor=0.001, unit="m/s2"),
    0x52: Object("gyroscope", 2, factor=0.001, unit="deg/s"),
    0x53: Object("text", 0),
    0x54: Object("raw", 0),
    0x55: Object("volume stored", 4, factor=0.001, unit="L"),
    0x56: Object("conductivity", 2, unit="uS/cm"),
    0x57: _reading("temperature", 1, 1, "Cel", signed=True),
    0x58: _reading("temperature", 1, 0.35, "Cel", signed=True),
    0x59: Object("count", 1, signed=True),
    0x5A: Object("count", 2, signed=True),
    0x5B: Object("count", 4, signed=True),
    0x5C: Object("power", 4, signed=True, factor=0.01, unit="W"),
    0x5D: Object("current", 2, signed=True, factor=0.001, unit="A"),
    0x5E: Object("direction", 2, factor=0.01, unit="deg"),
    0x5F: Object("precipitation", 2, factor=0.1, unit="mm"),
    0x60: Object("channel", 1),
    0x61: Object("rotational speed", 2, unit="/min"),
    0x62: Object("speed", 4, signed=True, factor=1e-6, unit="m/s"),
    0x63: Object("acceleration", 4, signed=True, factor=1e-6, unit="m/s2"),
    0x64: Object("light level", 1),
    0x65: Object("settings revision", 1),
    0xF0: Object("device type", 2),
    0xF1: Object("firmware", 4),
    0xF2: Object("firmware", 3),
}

# The word for each way of pressing; 0xFE is hold in firmware before 1.0.23 of the common make.
PRESSES = {
    0x01: "single",
    0x02: "double",
    0x03: "triple",
    0x04: "long",
    0x05: "long_double",
    0x06: "long_triple",
    0x80: "hold",
    0xFE: "hold",
}
NOT_PRESSED = frozenset({0x00, 0x81})  # none, and released after a hold
