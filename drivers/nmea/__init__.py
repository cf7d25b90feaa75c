"""Trackers and position receivers that speak NMEA 0183 on a serial line of their own."""

from drivers.base import LinkType, Manifest, Setting, Setup
from drivers.nmea.driver import NmeaDriver
from drivers.registry import only_device

__all__ = ["MANIFEST", "open_driver"]

MANIFEST = Manifest(
    name="nmea",
    title="Position receiver (NMEA 0183)",
    links=("serial",),
    # A receiver talks every second; the driver says something at least every five minutes while it does.
    supervision_s=900,
    personal=True,
    baud=9600,
    settings={
        "interval_s": Setting(title="Least time between two fixes, s", default=60, low=1, high=3600),
        "moved_m": Setting(title="Distance moved that is told at once, m", default=50, low=5, high=10000),
        "no_fix_s": Setting(title="Time without a position that is a fault, s", default=3600, low=60, high=86400),
    },
)


def open_driver(link: LinkType, setup: Setup) -> NmeaDriver:
    """Open the driver for one receiver.

    Raises:
        MalformedError: The link, the address, the key, the profile or a setting does not fit.
    """
    return NmeaDriver(MANIFEST, only_device(MANIFEST, link, setup))
