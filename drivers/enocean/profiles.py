"""EnOcean equipment profiles (EEP), one row each.

A row reads a telegram's payload, status and the device's settings into facts. Source: EnOcean Equipment
Profiles 3.1, sections on F6-01, F6-02, F6-05, F6-10, D5-00, A5-07, A5-08, A5-14 and A5-30. Bytes of a payload are
numbered as they come: the specification's DB3 is 0, its DB0 is 3.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from drivers.base import Setting
from hub.domain.codes import Kind
from hub.domain.observation import Scalar, Value

RPS, ONE_BS, FOUR_BS, VLD, UTE = 0xF6, 0xD5, 0xA5, 0xD2, 0xD4
# Radio telegram types that a home may hold; others are counted as bad.
KNOWN_RORGS = frozenset({RPS, ONE_BS, FOUR_BS, VLD, UTE})

# The profiles name no least supply, so this is our choice: a lithium cell of 3 V is all but empty there. A
# solar one may sag for a night: told below the first, forgotten above the second, so that it is told once.
LOW_V, GOOD_V = 2.4, 2.6
_SUPPLY_MAX = 250  # above: error codes
_OPENED, _CLOSED = "opened", "closed"


class State(NamedTuple):
    """Something that lasts until a telegram says otherwise: what, and how it is now."""

    name: str
    word: str


class Fact(NamedTuple):
    """One thing that a telegram says.

    Attributes:
        kind: The kind observed; ``None``: only the state is noted.
        value: Its detail.
        unit: UCUM unit of a quantity.
        state: Where there is one, the fact is told only when it changes.
        flags: What is odd about it.
    """

    kind: Kind | None
    value: Value = None
    unit: str | None = None
    state: State | None = None
    flags: tuple[str, ...] = ()


class Said(NamedTuple):
    """A telegram as a row reads it; settings are those that hold for the device."""

    payload: bytes
    status: int
    settings: Mapping[str, Scalar]


Facts = tuple[Fact, ...]


class Profile(NamedTuple):
    """One row: radio telegram type, payload length, and how it is read.

    ``read`` returns nothing for a telegram without meaning, such as the release of a button.
    """

    rorg: int
    size: int
    read: Callable[[Said], Facts]


_ALIVE = Fact(Kind.DEVICE_ALIVE)
_UNKNOWN = ("unknown_value",)

_ROCKERS = ("AI", "AO", "BI", "BO")
_NU = 0x10  # status: an N-message, which names its rocker; a U-message tells how many were pressed
_PRESSED = 0x10
_SECOND_VALID = 0x01


def _button(said: Said) -> Facts:
    return (Fact(Kind.ALARM_PRESSED),) if said.payload[0] & _PRESSED else ()


def _rocker(said: Said) -> Facts:
    byte = said.payload[0]
    if not byte & _PRESSED:
        return ()
    if not said.status & _NU:
        return (Fact(Kind.ALARM_PRESSED, {"rocker": "several"}),)
    value = {"rocker": _rocker_name(byte >> 5)}
    if byte & _SECOND_VALID:
        value["second"] = _rocker_name(byte >> 1 & 0x07)
    return (Fact(Kind.ALARM_PRESSED, value),)


def _rocker_name(index: int) -> str:
    return _ROCKERS[index] if index < len(_ROCKERS) else str(index)


_WATER = {0x00: _ALIVE, 0x11: Fact(Kind.WATER_DETECTED)}
_SMOKE = {
    0x00: Fact(None, state=State("battery", "good")),
    0x10: Fact(Kind.SMOKE_DETECTED),
    0x30: Fact(Kind.BATTERY_LOW, state=State("battery", "low")),
}


def _water(said: Said) -> Facts:
    return (_listed(_WATER, said.payload[0], Kind.WATER_DETECTED),)


def _smoke(said: Said) -> Facts:
    return (_listed(_SMOKE, said.payload[0], Kind.SMOKE_DETECTED),)


def _listed(rows: Mapping[int, Fact], byte: int, alarm: Kind) -> Fact:
    """Look a value up; one that the profile does not list, but that says "on", is raised and flagged."""
    return rows.get(byte) or Fact(alarm if byte & _PRESSED else Kind.DEVICE_ALIVE, flags=_UNKNOWN)


# Bits 5 and 4: where the handle went; bits 7 and 6 are set in each of them.
_HANDLE = {0b1100: _OPENED, 0b1101: "tilted", 0b1110: _OPENED, 0b1111: _CLOSED}


def _handle(said: Said) -> Facts:
    word = _HANDLE.get(said.payload[0] >> 4)
    if word is None:
        return (Fact(Kind.DEVICE_ALIVE, flags=_UNKNOWN),)
    return (_door(word, {"handle": word} if word == "tilted" else None),)


def _door(word: str, value: Value = None) -> Fact:
    return Fact(Kind.DOOR_CLOSED if word == _CLOSED else Kind.DOOR_OPENED, value, state=State("door", word))


def _contact(said: Said) -> Facts:
    return (_door(_CLOSED if said.payload[0] & 0x01 else _OPENED),)


def _supplied_contact(said: Said) -> Facts:
    return (_door(_OPENED if said.payload[3] & 0x01 else _CLOSED), *_supply(said.payload[0], _SUPPLY_MAX))


def _supply(raw: int, highest: int) -> Facts:
    """Read the supply voltage, in steps of 0.02 V."""
    volts = raw * 0.02
    if raw > highest or LOW_V <= volts < GOOD_V:
        return ()
    if volts < LOW_V:
        return (Fact(Kind.BATTERY_LOW, round(volts, 2), "V", State("battery", "low")),)
    return (Fact(None, state=State("battery", "good")),)


def _motion(*, moving: bool) -> Fact:
    kind = Kind.MOTION_DETECTED if moving else Kind.MOTION_CLEARED
    return Fact(kind, state=State("motion", "moving" if moving else "still"))


def _pir(said: Said) -> Facts:
    payload = said.payload
    supply = _supply(payload[0], _SUPPLY_MAX) if payload[3] & 0x01 else ()
    return (_motion(moving=payload[2] >= 128), *supply)


def _pir_light(said: Said) -> Facts:
    supply, light, warmth, bits = said.payload
    facts = [_motion(moving=not bits & 0x02)]
    if not bits & 0x01:
        # Whoever presses it is there: a sign of a person, and no call for help.
        facts.append(Fact(Kind.MOTION_DETECTED, {"button": "occupancy"}))
    facts += [
        Fact(Kind.CLIMATE_READING, light * 2, "lx"),
        Fact(Kind.CLIMATE_READING, round(warmth * 0.2, 1), "Cel"),
    ]
    return (*facts, *_supply(supply, 0xFF))


# What the digital input of a mat stands for: when somebody comes, and when somebody goes.
MATS: Mapping[str, tuple[Kind, Kind]] = {
    "bed": (Kind.BED_ENTERED, Kind.BED_LEFT),
    "chair": (Kind.OCCUPANCY_STARTED, Kind.CHAIR_LEFT),
    "floor": (Kind.OCCUPANCY_STARTED, Kind.OCCUPANCY_ENDED),
}
SETTINGS: Mapping[str, Setting] = {
    "mat": Setting(title=f"A5-30-03: what lies there ({', '.join(MATS)})", default="floor", low=1, high=8),
    "mat_input": Setting(title="A5-30-03: digital input that it is at", default=0, low=0, high=3),
    "mat_level": Setting(title="A5-30-03: level of the input when it is taken", default=1, low=0, high=1),
}


def _mat(said: Said) -> Facts:
    _, warmth, inputs, _ = said.payload
    settings = said.settings
    level = inputs >> int(settings["mat_input"]) & 0x01
    taken = level == settings["mat_level"]
    comes, goes = MATS[str(settings["mat"])]
    return (
        Fact(comes if taken else goes, state=State("mat", "taken" if taken else "free")),
        # 255 is 0 degrees, 0 is 40 degrees.
        Fact(Kind.CLIMATE_READING, round((255 - warmth) * 40 / 255, 1), "Cel"),
    )


PROFILES: dict[str, Profile] = {
    "D5-00-01": Profile(ONE_BS, 1, _contact),
    "F6-02-01": Profile(RPS, 1, _rocker),
    "F6-02-02": Profile(RPS, 1, _rocker),
    "F6-01-01": Profile(RPS, 1, _button),
    "F6-05-01": Profile(RPS, 1, _water),
    "F6-05-02": Profile(RPS, 1, _smoke),
    "F6-10-00": Profile(RPS, 1, _handle),
    "A5-07-01": Profile(FOUR_BS, 4, _pir),
    "A5-08-01": Profile(FOUR_BS, 4, _pir_light),
    "A5-14-01": Profile(FOUR_BS, 4, _supplied_contact),
    "A5-30-03": Profile(FOUR_BS, 4, _mat),
}
