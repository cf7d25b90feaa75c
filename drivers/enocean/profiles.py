"""EnOcean equipment profiles (EEP), one row each.

A row reads the payload and status byte of a telegram into a fact. Source: EnOcean Equipment Profiles 3.1,
sections on F6-01, F6-02 and D5-00.
"""

from collections.abc import Callable
from typing import NamedTuple

from hub.domain.codes import Kind
from hub.domain.observation import Value

RPS, ONE_BS, FOUR_BS, VLD, UTE = 0xF6, 0xD5, 0xA5, 0xD2, 0xD4
# Radio telegram types that a home may hold; others are counted as bad.
KNOWN_RORGS = frozenset({RPS, ONE_BS, FOUR_BS, VLD, UTE})


class Fact(NamedTuple):
    """What a telegram says.

    Attributes:
        kind: The kind observed.
        value: Its detail.
        state: For what has two states: reported when it changes, ``device.alive`` when it is repeated.
    """

    kind: Kind
    value: Value = None
    state: bool | None = None


class Profile(NamedTuple):
    """One row: radio telegram type, payload length, and how a payload with its status byte is read."""

    rorg: int
    size: int
    read: Callable[[bytes, int], Fact | None]


_ROCKERS = ("AI", "AO", "BI", "BO")
_NU = 0x10  # status: an N-message, which names its rocker; a U-message tells how many were pressed
_PRESSED = 0x10
_SECOND_VALID = 0x01


def _button(payload: bytes, _status: int) -> Fact | None:
    return Fact(Kind.ALARM_PRESSED) if payload[0] & _PRESSED else None


def _rocker(payload: bytes, status: int) -> Fact | None:
    byte = payload[0]
    if not byte & _PRESSED:
        return None
    if not status & _NU:
        return Fact(Kind.ALARM_PRESSED, {"rocker": "several"})
    value = {"rocker": _rocker_name(byte >> 5)}
    if byte & _SECOND_VALID:
        value["second"] = _rocker_name(byte >> 1 & 0x07)
    return Fact(Kind.ALARM_PRESSED, value)


def _rocker_name(index: int) -> str:
    return _ROCKERS[index] if index < len(_ROCKERS) else str(index)


def _contact(payload: bytes, _status: int) -> Fact:
    if not payload[0] & 0x08:
        return Fact(Kind.DEVICE_ALIVE, {"teach_in": True})
    closed = bool(payload[0] & 0x01)
    return Fact(Kind.DOOR_CLOSED if closed else Kind.DOOR_OPENED, state=closed)


PROFILES: dict[str, Profile] = {
    "D5-00-01": Profile(ONE_BS, 1, _contact),
    "F6-02-01": Profile(RPS, 1, _rocker),
    "F6-02-02": Profile(RPS, 1, _rocker),
    "F6-01-01": Profile(RPS, 1, _button),
}
