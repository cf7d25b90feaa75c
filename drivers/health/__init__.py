"""Health devices that speak the Bluetooth profiles, from blood pressure to glucose."""

from drivers.base import GattDriver, LinkType, Manifest, Setup
from drivers.health.driver import HealthDriver
from drivers.health.profiles import PROFILES
from drivers.registry import check_device
from hub.domain.errors import MalformedError

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
    if link not in MANIFEST.links:
        raise MalformedError(f"link {link!r}: {MANIFEST.name} has {', '.join(MANIFEST.links)}")
    if len(setup.devices) != 1:
        raise MalformedError(f"devices: {MANIFEST.name} takes one, not {len(setup.devices)}")
    device = setup.devices[0]
    check_device(MANIFEST, device)
    return HealthDriver(device, PROFILES[device.profile], setup)
