"""Zigbee2MQTT: contacts, leak and smoke detectors and alarm buttons behind a gateway on the home's broker."""

from drivers.base import LinkType, Manifest, Setup
from drivers.registry import check_devices
from drivers.zigbee2mqtt.driver import Zigbee2MqttDriver

__all__ = ["MANIFEST", "open_driver"]

MANIFEST = Manifest(
    name="zigbee2mqtt",
    title="Zigbee device behind Zigbee2MQTT",
    links=("topic",),
    # A friendly name of one level, or the IEEE address that stands for it. Wildcards and controls are no names.
    address=r"[^/+#\x00-\x1f]{1,100}",
    # Battery devices report at least once a day or every 25 hours; the longest silence that is allowed.
    supervision_s=24 * 3600,
    topics=("+", "+/availability", "bridge/state", "bridge/health"),
)


def open_driver(link: LinkType, setup: Setup) -> Zigbee2MqttDriver:
    """Open the driver for all devices of one gateway.

    Raises:
        MalformedError: The link, or a device's address or key does not fit.
    """
    check_devices(MANIFEST, link, setup)
    return Zigbee2MqttDriver(setup)
