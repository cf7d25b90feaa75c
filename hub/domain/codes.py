"""The vocabulary of kinds, each with its lane and its national and SCAIP codes.

Sources: VKP codes from ``vkp-alert-code-v090`` (a plain number) and ``vkp-medicationdispense-events-v090``
(``MD`` before it); SCAIP device type and status code from SS 91100:2014, sections on ``dty`` and ``stc``.
``None`` where the list has no word for it.
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Lane(StrEnum):
    """The two ways through the system. Alarms overtake readings everywhere."""

    ALARM = "alarm"
    READING = "reading"


class Severity(IntEnum):
    """``vkp-severity-level-v090``."""

    NOT_REPORTED = 0
    NORMAL = 10
    MODERATE = 20
    SERIOUS = 30
    CRITICAL = 40


class Kind(StrEnum):
    """One word for what was observed. Those of the last group are said by the centre itself."""

    ALARM_PRESSED = "alarm.pressed"
    ALARM_CANCELLED = "alarm.cancelled"
    FALL_DETECTED = "fall.detected"
    FALL_CLEARED = "fall.cleared"
    BED_LEFT = "bed.left"
    BED_ENTERED = "bed.entered"
    CHAIR_LEFT = "chair.left"
    DOOR_OPENED = "door.opened"
    DOOR_CLOSED = "door.closed"
    MOTION_DETECTED = "motion.detected"
    MOTION_CLEARED = "motion.cleared"
    OCCUPANCY_STARTED = "occupancy.started"
    OCCUPANCY_ENDED = "occupancy.ended"
    SMOKE_DETECTED = "smoke.detected"
    WATER_DETECTED = "water.detected"
    CO_DETECTED = "co.detected"
    HEAT_DETECTED = "heat.detected"
    DOSE_PRESENTED = "dose.presented"
    DOSE_DISPENSED = "dose.dispensed"
    DOSE_NOT_DISPENSED = "dose.not_dispensed"
    DOSE_NOT_CONFIRMED = "dose.not_confirmed"
    DISPENSER_LOW_STOCK = "dispenser.low_stock"
    DISPENSER_EMPTY = "dispenser.empty"
    DISPENSER_JAMMED = "dispenser.jammed"
    DISPENSER_FAULT = "dispenser.fault"
    DISPENSER_NO_PLAN = "dispenser.no_plan"
    DISPENSER_OPENED = "dispenser.opened"
    DISPENSER_FULL_DRAWER = "dispenser.full_drawer"
    VITAL_BLOOD_PRESSURE = "vital.blood_pressure"
    VITAL_TEMPERATURE = "vital.temperature"
    VITAL_WEIGHT = "vital.weight"
    VITAL_SPO2 = "vital.spo2"
    VITAL_HEART_RATE = "vital.heart_rate"
    VITAL_GLUCOSE = "vital.glucose"
    VITAL_FAILED = "vital.failed"
    LOCATION_FIX = "location.fix"
    CLIMATE_READING = "climate.reading"
    BATTERY_LOW = "battery.low"
    BATTERY_LEVEL = "battery.level"
    MAINS_LOST = "mains.lost"
    MAINS_RESTORED = "mains.restored"
    DEVICE_TAMPER = "device.tamper"
    DEVICE_ALIVE = "device.alive"
    DEVICE_REKEYED = "device.rekeyed"
    DEVICE_FAULT = "device.fault"
    DEVICE_LOST = "device.lost"
    DEVICE_RETURNED = "device.returned"
    DEVICE_ANSWERED = "device.answered"
    HUB_STARTED = "hub.started"
    HUB_CLOCK_SET = "hub.clock_set"
    HUB_JOURNAL_DAMAGED = "hub.journal_damaged"

    # Said by the centre, never by an edge.
    DOSE_UNKNOWN = "dose.unknown"
    HUB_LOST = "hub.lost"
    NETWORK_LOST = "network.lost"
    CENTRE_DEAF = "centre.deaf"
    CENTRE_CLOCK_JUMPED = "centre.clock_jumped"
    WIRE_MALFORMED = "wire.malformed"
    INCIDENT_UNATTENDED = "incident.unattended"
    PHONE_UNREACHABLE = "phone.unreachable"
    CENTRE_STUCK = "centre.stuck"
    CENTRE_BEHIND = "centre.behind"
    ROUND_FAILED = "round.failed"
    ROTA_GAP = "rota.gap"


class Code(NamedTuple):
    """What the standards call a kind."""

    lane: Lane
    vkp: str | None = None
    scaip_dty: int | None = None
    scaip_stc: int | None = None


_A, _R = Lane.ALARM, Lane.READING

CODES: dict[Kind, Code] = {
    Kind.ALARM_PRESSED: Code(_A, "3", 3, 10),
    Kind.ALARM_CANCELLED: Code(_A, "3", 3, 19),
    Kind.FALL_DETECTED: Code(_A, "4.1", 5, 9),
    Kind.FALL_CLEARED: Code(_A, "4.1", 5, 92),
    Kind.BED_LEFT: Code(_R, "4.2", 12, 3),
    Kind.BED_ENTERED: Code(_R, "4.20", 12, 117),
    Kind.CHAIR_LEFT: Code(_R, "4.4", 44, 3),
    Kind.DOOR_OPENED: Code(_R, "4.15", 14, 76),
    Kind.DOOR_CLOSED: Code(_R, "4.16", 14, 21),
    Kind.MOTION_DETECTED: Code(_R, "4.18", 10, 119),
    Kind.MOTION_CLEARED: Code(_R, "4.19", 10, 69),
    Kind.OCCUPANCY_STARTED: Code(_R, "4.5", 18, 120),
    Kind.OCCUPANCY_ENDED: Code(_R, "4.6", 18, 3),
    Kind.SMOKE_DETECTED: Code(_A, "4.11", 23, 9),
    Kind.WATER_DETECTED: Code(_A, "4.17", 33, 9),
    Kind.CO_DETECTED: Code(_A, None, 26, 9),
    Kind.HEAT_DETECTED: Code(_A, "4.11", 25, 9),
    Kind.DOSE_PRESENTED: Code(_R, "1.10", 11, 82),
    Kind.DOSE_DISPENSED: Code(_R, "MD 1", 11, 83),
    Kind.DOSE_NOT_DISPENSED: Code(_A, "1.1", 11, 81),
    Kind.DOSE_NOT_CONFIRMED: Code(_A, "1.3", 11, 81),
    Kind.DISPENSER_LOW_STOCK: Code(_R, "1.12", 11, 64),
    Kind.DISPENSER_EMPTY: Code(_A, "1.13", 11, 64),
    Kind.DISPENSER_JAMMED: Code(_A, "1.8", 11, 52),
    Kind.DISPENSER_FAULT: Code(_A, "1.5", 11, 67),
    Kind.DISPENSER_NO_PLAN: Code(_R, "1.14", 11, 105),
    Kind.DISPENSER_OPENED: Code(_R, "1.21", 11, 76),
    Kind.DISPENSER_FULL_DRAWER: Code(_R, "1.9", 11, 46),
    Kind.VITAL_BLOOD_PRESSURE: Code(_R, "5"),
    Kind.VITAL_TEMPERATURE: Code(_R, "5"),
    Kind.VITAL_WEIGHT: Code(_R, "5"),
    Kind.VITAL_SPO2: Code(_R, "5"),
    Kind.VITAL_HEART_RATE: Code(_R, "5", 19, 90),
    Kind.VITAL_GLUCOSE: Code(_R, "5"),
    Kind.VITAL_FAILED: Code(_R, "5"),
    Kind.LOCATION_FIX: Code(_R, "2", 51, 119),
    Kind.CLIMATE_READING: Code(_R, None, 20, 70),
    Kind.BATTERY_LOW: Code(_R, "1.17", 0, 16),
    Kind.BATTERY_LEVEL: Code(_R, None, 0, 62),
    Kind.MAINS_LOST: Code(_R, "1.19", 41, 85),
    Kind.MAINS_RESTORED: Code(_R, None, 41, 86),
    Kind.DEVICE_TAMPER: Code(_A, "1.22", 38, 125),
    Kind.DEVICE_ALIVE: Code(_R, None, 0, 121),
    Kind.DEVICE_REKEYED: Code(_R, None, 0, 105),
    Kind.DEVICE_FAULT: Code(_R, "1.5", 0, 105),
    Kind.DEVICE_LOST: Code(_R, "1.20", 0, 123),
    Kind.DEVICE_RETURNED: Code(_R, None, 0, 124),
    Kind.DEVICE_ANSWERED: Code(_R, None, 0, 5),
    Kind.HUB_STARTED: Code(_R, None, 2, 96),
    Kind.HUB_CLOCK_SET: Code(_R, None, 2, 62),
    Kind.HUB_JOURNAL_DAMAGED: Code(_R, None, 2, 67),
    Kind.DOSE_UNKNOWN: Code(_A, "1.20", 11, 73),
    Kind.HUB_LOST: Code(_R, "1.20", 2, 23),
    Kind.NETWORK_LOST: Code(_R, None, 32, 42),
    Kind.CENTRE_DEAF: Code(_R, None, 32, 42),
    Kind.CENTRE_CLOCK_JUMPED: Code(_R, None, 31, 105),
    Kind.WIRE_MALFORMED: Code(_R, None, 32, 105),
    Kind.INCIDENT_UNATTENDED: Code(_A, None, 31, 104),
    Kind.PHONE_UNREACHABLE: Code(_R, None, 31, 42),
    Kind.CENTRE_STUCK: Code(_R, None, 31, 105),
    Kind.CENTRE_BEHIND: Code(_R, None, 31, 105),
    Kind.ROUND_FAILED: Code(_R, None, 31, 105),
    Kind.ROTA_GAP: Code(_R, None, 31, 105),
}

CENTRE_KINDS = frozenset(
    {
        Kind.DOSE_UNKNOWN,
        Kind.HUB_LOST,
        Kind.NETWORK_LOST,
        Kind.CENTRE_DEAF,
        Kind.CENTRE_CLOCK_JUMPED,
        Kind.WIRE_MALFORMED,
        Kind.INCIDENT_UNATTENDED,
        Kind.PHONE_UNREACHABLE,
        Kind.CENTRE_STUCK,
        Kind.CENTRE_BEHIND,
        Kind.ROUND_FAILED,
        Kind.ROTA_GAP,
    }
)
EDGE_KINDS = frozenset(Kind) - CENTRE_KINDS

# A rule may mark a device critical: these then take the alarm lane too.
_ALARM_WHEN_CRITICAL = frozenset({Kind.DOOR_OPENED, Kind.BED_LEFT})


def lane(kind: Kind, *, critical: bool = False) -> Lane:
    """Return the lane of an observation of this kind from a device that is marked critical, or not."""
    if critical and kind in _ALARM_WHEN_CRITICAL:
        return Lane.ALARM
    return CODES[kind].lane
