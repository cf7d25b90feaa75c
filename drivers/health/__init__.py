"""Health devices that speak the Bluetooth profiles, from blood pressure to glucose."""

from drivers.base import GattDriver, LinkType, Manifest, Setup
from drivers.health.driver import HealthDriver
from drivers.health.profiles import PROFILES
from drivers.registry import only_device

__all__ = ["MANIFEST", "open_driver"]

MANIFEST = Manifest(
    name="health",
    title="Health device (Bluetooth profile: blood pressure, thermometer, scale, oximeter, heart rate, glucose)",
    links=("gatt",),
    profiles=tuple(PROFILES),
    address="[0-9A-F]{2}(:[0-9A-F]{2}){5}",
    # It is in the air only after a measurement; most plans ask for one a day.
    supervision_s=86400,
    services=tuple(profile.service for profile in PROFILES.values()),
    bonded=True,
    # What it measured is health information, and a meter's context tells of medicine.
    personal=True,
)


def open_driver(link: LinkType, setup: Setup) -> GattDriver:
    """Open the driver for one health device.

    Raises:
        MalformedError: The link, the address, the key or the profile does not fit.
    """
    device = only_device(MANIFEST, link, setup)
    return HealthDriver(device, PROFILES[device.profile], setup)
