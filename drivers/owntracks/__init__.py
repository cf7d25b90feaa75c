"""OwnTracks: phones and trackers that publish their position on the home's own broker."""

from drivers.base import LinkType, Manifest, Setting, Setup
from drivers.owntracks.driver import OwnTracksDriver
from drivers.registry import check_devices, settings_of

__all__ = ["MANIFEST", "open_driver"]

MANIFEST = Manifest(
    name="owntracks",
    title="Phone or tracker with OwnTracks",
    links=("topic",),
    # user/device, as the app has it in its topic: best a number, for a name would stand on the broker.
    address=r"[^/+#\x00-\x1f]{1,60}/[^/+#\x00-\x1f]{1,60}",
    # A phone that lies still pings every half hour or less often, as its maker's system lets it.
    supervision_s=24 * 3600,
    personal=True,
    topics=("+/+", "+/+/event"),
    settings={
        "accuracy_m": Setting(
            title="fixes worse than this are flagged (m)", default=100.0, low=1.0, high=100_000.0
        ),
    },
)


def open_driver(link: LinkType, setup: Setup) -> OwnTracksDriver:
    """Open the driver for all phones and trackers below one base.

    Raises:
        MalformedError: The link, or a device's address, key or settings do not fit.
    """
    limits: dict[str, float] = {}
    check_devices(MANIFEST, link, setup)
    for device in setup.devices:
        limits[device.id] = float(settings_of(MANIFEST, device)["accuracy_m"])
    return OwnTracksDriver(setup, limits)
