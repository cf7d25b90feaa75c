"""60 GHz fall radars R60AFD1 (also sold as MR60FDA1), on a serial line of their own."""

from drivers.base import LinkType, Manifest, Setting, Setup
from drivers.radar60.driver import RadarDriver
from drivers.registry import only_device

__all__ = ["MANIFEST", "open_driver"]

MANIFEST = Manifest(
    name="radar60",
    title="60 GHz fall radar (R60AFD1, MR60FDA1)",
    links=("serial",),
    # The driver says device.alive every minute while the radar talks.
    supervision_s=300,
    baud=115200,
    settings={
        "threshold_s": Setting(
            title="Time on the floor before a fall is reported, s", default=30, low=5, high=180
        ),
        "sensitivity": Setting(title="Sensitivity of the fall detection, 3 is highest", default=3, low=0, high=3),
        "height_cm": Setting(title="Height below which somebody may lie, cm", default=60, low=0, high=150),
    },
)


def open_driver(link: LinkType, setup: Setup) -> RadarDriver:
    """Open the driver for one radar.

    Raises:
        MalformedError: The link, the address, the key, the profile or a setting does not fit.
    """
    return RadarDriver(MANIFEST, only_device(MANIFEST, link, setup), setup.state)
