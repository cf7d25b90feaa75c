"""The table of profiles: which service, which characteristics, and what reads them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from drivers.health import measurements, streams
from drivers.health.reading import Reading


def uuid(number: int) -> str:
    """Return a Bluetooth short UUID with 128 bits."""
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


CURRENT_TIME = uuid(0x2A2B)
DATE_TIME = uuid(0x2A08)
BATTERY_LEVEL = uuid(0x2A19)
# Device information without the serial number, which leads to a person.
ABOUT = {uuid(0x2A29): "manufacturer", uuid(0x2A24): "model", uuid(0x2A26): "firmware"}

GLUCOSE_MEASUREMENT = uuid(0x2A18)
GLUCOSE_CONTEXT = uuid(0x2A34)
RACP = uuid(0x2A52)

Read = Callable[[bytes], Reading]


class Profile(NamedTuple):
    """One kind of health device.

    Attributes:
        service: UUID by which it is known in the air.
        stored: Characteristics whose values are records, each told once.
        streamed: Characteristics whose values come every second and are condensed.
        racp: Its records are asked for through the Record Access Control Point.
    """

    service: str
    stored: Mapping[str, Read] = {}
    streamed: Mapping[str, Read] = {}
    racp: bool = False


PROFILES: dict[str, Profile] = {
    "blood_pressure": Profile(uuid(0x1810), stored={uuid(0x2A35): measurements.blood_pressure}),
    "thermometer": Profile(uuid(0x1809), stored={uuid(0x2A1C): measurements.temperature}),
    "weight_scale": Profile(uuid(0x181D), stored={uuid(0x2A9D): measurements.weight}),
    "pulse_oximeter": Profile(
        uuid(0x1822),
        stored={uuid(0x2A5E): measurements.oxygen_spot},
        streamed={uuid(0x2A5F): streams.oxygen_continuous},
    ),
    "heart_rate": Profile(uuid(0x180D), streamed={uuid(0x2A37): streams.heart_rate}),
    "glucose": Profile(uuid(0x1808), racp=True),
}
