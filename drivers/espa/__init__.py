"""Nurse-call systems that call pagers over ESPA 4.4.4: the hub is the station that they call."""

from drivers.base import LinkType, Manifest, Setting, Setup
from drivers.espa.driver import EspaDriver
from drivers.registry import check_devices

__all__ = ["MANIFEST", "open_driver"]

MANIFEST = Manifest(
    name="espa",
    title="Nurse-call system (ESPA 4.4.4)",
    links=("serial",),
    # A call address; empty: the system itself, which takes every call that has no device of its own.
    address="[0-9*#]{0,16}",
    # The driver says device.alive every ten minutes while the system polls.
    supervision_s=1800,
    personal=True,
    baud=9600,
    settings={
        "selects_alone": Setting(title="The system never polls: station 2 is always selected", default=False),
    },
)


def open_driver(link: LinkType, setup: Setup) -> EspaDriver:
    """Open the driver for all call addresses of one system.

    Raises:
        MalformedError: The link, or a device's address, key, profile or setting does not fit.
    """
    check_devices(MANIFEST, link, setup)
    return EspaDriver(MANIFEST, setup)
