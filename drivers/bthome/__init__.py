"""BTHome v2: buttons, contacts, motion and climate sensors that only advertise."""

from drivers.base import LinkType, Manifest, Setup
from drivers.bthome.driver import SERVICE_DATA, BTHomeDriver
from drivers.registry import only_device

__all__ = ["MANIFEST", "open_driver"]

# Source: the maker's device pages; 1.. and 2.. are variants that speak Zigbee besides.
NAMES = {
    "SBBT-[01]02C": "Shelly BLU Button1 or Button Tough 1",
    "SBBT-[01]04C(US|EU)?": "Shelly BLU RC Button 4 or Wall Switch 4",
    "SBDW-[0-2]02C": "Shelly BLU Door/Window",
    "SBMO-[0-2]03Z": "Shelly BLU Motion",
    "SBHT-[0-2]03C": "Shelly BLU H&T",
}

MANIFEST = Manifest(
    name="bthome",
    title="BTHome button or sensor (Shelly BLU and others)",
    links=("advert",),
    address="[0-9A-F]{2}(:[0-9A-F]{2}){5}",
    key_bytes=16,
    # The longest silence allowed of anything that can raise an alarm; beacon mode allows far less.
    supervision_s=24 * 3600,
    services=(SERVICE_DATA,),
    names=NAMES,
)


def open_driver(link: LinkType, setup: Setup) -> BTHomeDriver:
    """Open the driver for one device.

    Raises:
        MalformedError: The link, the address or the key does not fit.
    """
    return BTHomeDriver(only_device(MANIFEST, link, setup), setup.state)
