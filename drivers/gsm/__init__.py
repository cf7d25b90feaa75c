"""Dispensers that text: Careousel, Pivotell and others, heard through a GSM modem."""

import re

from drivers.base import LinkType, Manifest, Setting, Setup
from drivers.gsm.driver import MODEM, GsmDriver
from drivers.gsm.patterns import PATTERNS
from drivers.registry import check_devices, settings_of
from hub.domain.errors import MalformedError

__all__ = ["MANIFEST", "open_driver"]

MANIFEST = Manifest(
    name="gsm",
    title="GSM modem, and dispensers that text",
    links=("serial",),
    profiles=(*PATTERNS, MODEM),
    # A dispenser has its number; the modem itself none.
    address=r"(\+[1-9][0-9]{6,14})?",
    # A dispenser that has nothing to complain of may be silent for long: no more than any alarm may be.
    supervision_s=24 * 3600,
    personal=True,
    baud=115200,
    settings={
        "pin": Setting(title="PIN of the SIM, 4 to 8 digits; empty for a SIM without", default="", low=0, high=8),
        "alive_min": Setting(title="minutes between two signs of life of the modem", default=15, low=1, high=1440),
    },
)
_PIN = re.compile(r"([0-9]{4,8})?")


def open_driver(link: LinkType, setup: Setup) -> GsmDriver:
    """Open the driver for a modem and all that text to it.

    Raises:
        MalformedError: The link, or a device's address, key, profile or settings do not fit.
    """
    settings = {name: setting.default for name, setting in MANIFEST.settings.items()}
    check_devices(MANIFEST, link, setup)
    for device in setup.devices:
        if bool(device.address) is (device.profile == MODEM):
            needs = "none for the modem itself" if device.address else "the dispenser's number"
            raise MalformedError(f"address {device.address!r}: {MANIFEST.name} needs {needs}")
        if device.profile == MODEM:
            settings = settings_of(MANIFEST, device)
        elif device.settings:
            raise MalformedError(f"settings {min(device.settings)!r}: only the modem itself has it")
    if not _PIN.fullmatch(str(settings["pin"])):
        raise MalformedError("settings 'pin': write 4 to 8 digits")
    return GsmDriver(setup, settings)
