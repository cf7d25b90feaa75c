"""EnOcean: pendants, pull cords, contacts, detectors and mats, heard through a stick that speaks ESP3."""

from drivers.base import LinkType, Manifest, Setup
from drivers.enocean.driver import EnOceanDriver
from drivers.enocean.profiles import MATS, PROFILES, SETTINGS
from drivers.enocean.renamed import renamed
from drivers.registry import check_devices, settings_of
from hub.domain.errors import MalformedError

__all__ = ["MANIFEST", "open_driver", "renamed"]

MANIFEST = Manifest(
    name="enocean",
    title="EnOcean pendant, pull cord, contact, detector or mat (USB stick)",
    links=("serial",),
    profiles=tuple(PROFILES),
    address="[0-9A-F]{8}",
    settings=SETTINGS,
    # A sensor repeats its state every 20 to 100 minutes, a button never speaks by itself: the longest
    # silence allowed of anything that can raise an alarm.
    supervision_s=24 * 3600,
    baud=57600,
)


def open_driver(link: LinkType, setup: Setup) -> EnOceanDriver:
    """Open the driver for all devices of one stick.

    Raises:
        MalformedError: The link, or a device's address, key, profile or a setting does not fit.
    """
    settings = {}
    check_devices(MANIFEST, link, setup)
    for device in setup.devices:
        settings[device.id] = settings_of(MANIFEST, device)
        if settings[device.id]["mat"] not in MATS:
            raise MalformedError(f"settings 'mat': write one of {', '.join(MATS)}")
    return EnOceanDriver(setup, settings)
