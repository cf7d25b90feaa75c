"""What Z-Wave calls things, and what the hub makes of them.

Command classes, notification types and their values are those of the Z-Wave application specification
(Notification command class, list of assigned types); property names are those that Z-Wave JS gives them, written
as :func:`plain` writes them.
"""

from typing import NamedTuple

from hub.domain.codes import Kind


def plain(name: str) -> str:
    """Write a name as in these tables: ``Water_Alarm``, ``Water Alarm`` and ``water-alarm`` are one."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


# Command classes by number and by the names of "named topics".
CLASSES: dict[str, str] = {
    "113": "notification",
    "notification": "notification",
    "48": "binary",
    "sensorbinary": "binary",
    "binarysensor": "binary",
    "128": "battery",
    "battery": "battery",
    "91": "scene",
    "centralscene": "scene",
}


class Row(NamedTuple):
    """A state of a notification.

    Attributes:
        values: Those that mean "on"; 0 and every other one mean "off".
        when_on: What is told when it goes on.
        when_off: What is told when it goes off.
        name: Rows of one name are one state, told by several topics.
        value: Told with it.
    """

    values: frozenset[int]
    when_on: Kind
    when_off: Kind | None = None
    name: str = ""
    value: str | None = None


_ONE_TWO = frozenset((1, 2))

# Types whose first two values, with and without a location, are the alarm, whatever the variable is called.
ALARMS: dict[str, Row] = {
    "smokealarm": Row(_ONE_TWO, Kind.SMOKE_DETECTED),
    "coalarm": Row(_ONE_TWO, Kind.CO_DETECTED),
    "carbonmonoxidealarm": Row(_ONE_TWO, Kind.CO_DETECTED),
    "co2alarm": Row(_ONE_TWO, Kind.CO_DETECTED, value="gas"),
    "gasalarm": Row(frozenset((1, 2, 3, 4)), Kind.CO_DETECTED, value="gas"),
    # 3 and 4: it gets hotter fast.
    "heatalarm": Row(frozenset((1, 2, 3, 4)), Kind.HEAT_DETECTED),
    "wateralarm": Row(_ONE_TWO, Kind.WATER_DETECTED),
}

# 5632 and 5633: open, and tilted, of a window handle.
_DOOR = Row(frozenset((22, 5632, 5633)), Kind.DOOR_OPENED, Kind.DOOR_CLOSED, "contact")
STATES: dict[tuple[str, str], Row] = {
    ("accesscontrol", "doorstate"): _DOOR,
    ("accesscontrol", "doorstatesimple"): _DOOR,
    ("homesecurity", "motionsensorstatus"): Row(
        frozenset((7, 8)), Kind.MOTION_DETECTED, Kind.MOTION_CLEARED, "motion"
    ),
    ("homesecurity", "sensorstatus"): Row(_ONE_TWO, Kind.MOTION_DETECTED, Kind.MOTION_CLEARED, "intrusion"),
    ("homesecurity", "coverstatus"): Row(frozenset((3,)), Kind.DEVICE_TAMPER),
    ("smokealarm", "maintenancestatus"): Row(frozenset((4, 5)), Kind.DEVICE_FAULT, value="replace"),
    ("powermanagement", "mainsstatus"): Row(frozenset((2,)), Kind.MAINS_LOST, Kind.MAINS_RESTORED),
    ("powermanagement", "batterymaintenancestatus"): Row(frozenset((10, 11)), Kind.BATTERY_LOW),
    ("system", "hardwarestatus"): Row(frozenset((1, 3)), Kind.DEVICE_FAULT, value="hardware"),
    ("system", "softwarestatus"): Row(frozenset((2, 4)), Kind.DEVICE_FAULT, value="software"),
}

# What happens without a state: type and the beginning of the event's name.
EVENTS: tuple[tuple[str, str, Kind], ...] = (
    ("emergencyalarm", "", Kind.ALARM_PRESSED),
    ("homesecurity", "tampering", Kind.DEVICE_TAMPER),
    ("homesecurity", "glassbreakage", Kind.DEVICE_TAMPER),
    ("homesecurity", "motiondetection", Kind.MOTION_DETECTED),
    ("homesecurity", "intrusion", Kind.MOTION_DETECTED),
)

# Binary sensors of before notifications: true or false. "Any" does not tell what it is, and is not listed.
BINARY: dict[str, Row] = {
    "smoke": Row(frozenset(), Kind.SMOKE_DETECTED),
    "co": Row(frozenset(), Kind.CO_DETECTED),
    "co2": Row(frozenset(), Kind.CO_DETECTED, value="gas"),
    "heat": Row(frozenset(), Kind.HEAT_DETECTED),
    "water": Row(frozenset(), Kind.WATER_DETECTED),
    "tamper": Row(frozenset(), Kind.DEVICE_TAMPER),
    "doorwindow": Row(frozenset(), Kind.DOOR_OPENED, Kind.DOOR_CLOSED, "contact"),
    "motion": Row(frozenset(), Kind.MOTION_DETECTED, Kind.MOTION_CLEARED, "motion"),
}

# Key attributes of a central scene; while a key is held, the value comes about five times a second.
RELEASED, HELD = 1, 2
PRESSES: dict[int, str] = {0: "single", HELD: "hold", 3: "double", 4: "triple", 5: "quadruple", 6: "quintuple"}
