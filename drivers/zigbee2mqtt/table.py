"""What Zigbee2MQTT calls things, and what the hub makes of them.

Names and values are those of its "Exposes" and "MQTT topics and messages" pages (zigbee2mqtt.io).
"""

from typing import NamedTuple

from hub.domain.codes import Kind


class Binary(NamedTuple):
    """A property that is true or false.

    Attributes:
        when_on: What is told when it becomes true.
        when_off: What is told when it becomes false.
        inverted: True is the state of rest.
        value: Told with it.
    """

    when_on: Kind
    when_off: Kind | None = None
    inverted: bool = False
    value: str | None = None


BINARY: dict[str, Binary] = {
    # "true" is closed: the magnet is in contact.
    "contact": Binary(Kind.DOOR_OPENED, Kind.DOOR_CLOSED, inverted=True),
    "occupancy": Binary(Kind.OCCUPANCY_STARTED, Kind.OCCUPANCY_ENDED),
    "presence": Binary(Kind.OCCUPANCY_STARTED, Kind.OCCUPANCY_ENDED),
    "moving": Binary(Kind.MOTION_DETECTED, Kind.MOTION_CLEARED),
    "vibration": Binary(Kind.MOTION_DETECTED, Kind.MOTION_CLEARED, value="vibration"),
    "water_leak": Binary(Kind.WATER_DETECTED),
    "smoke": Binary(Kind.SMOKE_DETECTED),
    "carbon_monoxide": Binary(Kind.CO_DETECTED),
    "gas": Binary(Kind.CO_DETECTED, value="gas"),
    "sos": Binary(Kind.ALARM_PRESSED, value="sos"),
    "tamper": Binary(Kind.DEVICE_TAMPER),
    "battery_low": Binary(Kind.BATTERY_LOW),
    "trouble": Binary(Kind.DEVICE_FAULT, value="trouble"),
}

# Readings with their UCUM units; told when they change.
READINGS: dict[str, str] = {"temperature": "Cel", "humidity": "%"}

# The last word of an action: "1_single" is a press of the first of several buttons.
_PRESS_WORDS = "emergency sos panic press pressed single double triple quadruple many hold long on off toggle"
PRESSES = frozenset(_PRESS_WORDS.split())
# Words that do not call for anybody: a finger that lets go, and keypads that set an alarm system.
_OTHER_WORDS = "release released none disarm arm_day_zones arm_night_zones arm_all_zones exit_delay entry_delay"
NO_PRESSES = frozenset(_OTHER_WORDS.split())
