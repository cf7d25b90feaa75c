"""Z-Wave JS UI: detectors, contacts and buttons behind a Z-Wave gateway on the home's own broker."""

from drivers.base import LinkType, Manifest, Setup
from drivers.registry import check_devices
from drivers.zwave_js_ui.driver import ZwaveJsUiDriver

__all__ = ["MANIFEST", "open_driver"]

_LEVEL = r"[^/+#\x00-\x1f]{1,100}"

MANIFEST = Manifest(
    name="zwave_js_ui",
    title="Z-Wave node behind Z-Wave JS UI",
    links=("topic",),
    # The node's name, nodeID_7 or 7, behind its location where the gateway is set to tell it.
    address=f"{_LEVEL}(/{_LEVEL})?",
    # A node that sleeps wakes up every few hours or once a day; the longest silence that is allowed.
    supervision_s=24 * 3600,
    # Values have four to six levels; what the gateway tells of a node in two or three is not asked for.
    topics=("+/status", "+/+/status", "+/+/+/+", "+/+/+/+/+", "+/+/+/+/+/+"),
)


def open_driver(link: LinkType, setup: Setup) -> ZwaveJsUiDriver:
    """Open the driver for all nodes of one gateway.

    Raises:
        MalformedError: The link, or a device's address or key does not fit.
    """
    check_devices(MANIFEST, link, setup)
    return ZwaveJsUiDriver(setup)
