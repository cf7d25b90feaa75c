"""What the centre tells a hub: its links, devices, dose plans and intervals. Applied whole or not at all."""

from typing import Literal

import msgspec

from hub.domain.errors import MalformedError
from hub.domain.observation import Scalar

LinkKind = Literal["ble", "serial", "mqtt"]


class LinkConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One way into the hub.

    Attributes:
        id: Name of the link within the hub.
        kind: ``serial``, where ``port`` and ``driver`` say what is there; ``ble``, the edge's adapter; ``mqtt``,
            the home's own broker, where ``driver`` reads what a gateway publishes below ``base``.
        port: Serial device, best as ``/dev/serial/by-id/…``.
        driver: Driver that speaks on this serial line, or reads this gateway.
        base: First levels of the gateway's topics, such as ``zigbee2mqtt``.
    """

    id: str
    kind: LinkKind
    port: str | None = None
    driver: str | None = None
    base: str | None = None


class DeviceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One device of a hub.

    Attributes:
        id: The device's id, the ``subject`` of its observations.
        link: Id of the link it is heard on.
        driver: Folder name of its driver.
        address: BLE address ``AA:BB:CC:DD:EE:FF``, EnOcean sender ``01825DAB``; empty on a one-device line.
        key: Hexadecimal key of an encrypted device.
        profile: What the driver must be told about the make: an EEP such as ``F6-01-01``.
        critical: Its ``door.opened`` and ``bed.left`` take the alarm lane.
        supervision_s: It is overdue when not heard for this long; ``None``: its driver's own interval.
        settings: What the driver's manifest lets a technician set.
    """

    id: str
    link: str
    driver: str
    address: str = ""
    key: str | None = None
    profile: str = ""
    critical: bool = False
    supervision_s: int | None = None
    settings: dict[str, Scalar] = {}


class DoseConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One dose of a dispenser, in local time.

    Attributes:
        device: The dispenser.
        minute_of_day: Local time at which it is presented.
        weekdays: Bit 0 is Monday.
        window_min: Minutes until it counts as not dispensed.
    """

    device: str
    minute_of_day: int
    weekdays: int
    window_min: int


class Intervals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds between things; the defaults are the design's figures."""

    alive_s: float = 30.0
    alarm_resend_s: float = 5.0
    reading_resend_s: float = 30.0


class HubConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a hub must know, in one versioned document."""

    version: int
    hub_id: str
    timezone: str = "Europe/Oslo"
    links: tuple[LinkConfig, ...] = ()
    devices: tuple[DeviceConfig, ...] = ()
    doses: tuple[DoseConfig, ...] = ()
    intervals: Intervals = Intervals()


_decoder = msgspec.json.Decoder(HubConfig)


def encode(config: HubConfig) -> bytes:
    """Encode a configuration."""
    return msgspec.json.encode(config)


def decode(payload: bytes, hub_id: str) -> HubConfig:
    """Read a configuration meant for ``hub_id``.

    Raises:
        MalformedError: With the place that is wrong. The hub keeps the configuration that it had.
    """
    try:
        config = _decoder.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MalformedError(f"configuration: {error}") from error
    if config.hub_id != hub_id:
        raise MalformedError(f"configuration: meant for hub {config.hub_id!r}, this is {hub_id!r}")
    links = {link.id for link in config.links}
    devices = {device.id for device in config.devices}
    for device in config.devices:
        if device.link not in links:
            raise MalformedError(f"configuration: device {device.id!r} is on unknown link {device.link!r}")
    for dose in config.doses:
        if dose.device not in devices:
            raise MalformedError(f"configuration: dose for unknown device {dose.device!r}")
    return config
