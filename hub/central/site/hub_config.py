"""What one hub must know of the site."""

from hub.central.escalation.days import parse_time
from hub.central.site.check_devices import weekday_bits
from hub.central.site.directory import Directory
from hub.central.site.model import Device
from hub.domain.errors import MalformedError
from hub.wire.config import DeviceConfig, DoseConfig, HubConfig, Intervals


def hub_config(directory: Directory, hub_id: str) -> HubConfig:
    """Return the configuration of a hub.

    Args:
        directory: The site as it stands.
        hub_id: Which hub.

    Raises:
        MalformedError: The site has no such hub.
    """
    hub = directory.hubs.get(hub_id)
    if hub is None:
        raise MalformedError(f"hub {hub_id!r}: the site has none of this name")
    here = directory.devices_of(hub_id)
    return HubConfig(
        version=directory.version,
        hub_id=hub_id,
        timezone=directory.site.site.timezone,
        links=hub.links,
        devices=tuple(_device(device) for device in here),
        doses=tuple(
            DoseConfig(
                device=dose.device,
                minute_of_day=parse_time(dose.at),
                weekdays=weekday_bits(dose.days),
                window_min=dose.window_min,
            )
            for device in here
            for dose in directory.doses.get(device.id, [])
        ),
        intervals=Intervals(alive_s=directory.site.supervision.alive_s),
    )


def _device(device: Device) -> DeviceConfig:
    return DeviceConfig(
        id=device.id,
        link=device.link,
        driver=device.driver,
        address=device.address,
        key=device.key,
        profile=device.profile,
        critical=device.night is not None,
        supervision_s=device.supervision_s,
        settings=device.settings,
    )
