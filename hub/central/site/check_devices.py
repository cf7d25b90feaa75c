"""Checks of links, devices and doses: what is written must fit the driver that will read it."""

from drivers import registry
from drivers.base import Device as DriverDevice
from drivers.base import LinkType, Manifest, Setup
from hub.central.escalation.days import parse_days, parse_hours, parse_time
from hub.central.site.model import Device, Dose, Site
from hub.document import Collector, Path
from hub.domain.errors import MalformedError
from hub.wire.config import LinkConfig, LinkKind

_WEEK_MIN = 7 * 24 * 60
_DAY_MIN = 24 * 60
# How a driver calls the ways through a link of this kind.
_WAYS: dict[LinkKind, tuple[LinkType, ...]] = {
    "serial": ("serial",),
    "ble": ("advert", "gatt"),
    "mqtt": ("topic",),
}
# Contacts, which say nothing but open and closed: without night hours nothing of theirs is an incident.
_ONLY_CONTACT = {("enocean", "D5-00-01")}


def check(site: Site, found: Collector) -> None:
    """Check links, devices and doses."""
    for number, hub in enumerate(site.hubs):
        _links(("hubs", number, "links"), hub.id, hub.links, found)
    links = {(hub.id, link.id): link for hub in site.hubs for link in hub.links}
    manifests = {}
    heard: dict[tuple[str, str, str], str] = {}
    for number, device in enumerate(site.devices):
        path = ("devices", number)
        manifest = _manifest((*path, "driver"), device.driver, device.id, found)
        link = links.get((device.hub, device.link))
        if link is None:
            text = f"hub {device.hub!r} has no link {device.link!r}; write it in [[hubs.links]]"
            found.error((*path, "link"), text, device.id)
        if manifest is not None:
            manifests[device.id] = manifest
            way = _way(path, device, manifest, link, found) if link else None
            _device(path, device, manifest, way, found)
        key = (device.hub, device.link, device.address)
        if key in heard:
            text = f"device {heard[key]!r} has the same address on this link; only one of them can be heard"
            found.error((*path, "address"), text, device.id)
        heard.setdefault(key, device.id)
    _doses(site, manifests, found)


def _manifest(path: Path, driver: str, name: str, found: Collector) -> Manifest | None:
    package = found.read(path, lambda: registry.package(driver), name)
    return package.MANIFEST if package else None


def _links(path: Path, hub_id: str, links: tuple[LinkConfig, ...], found: Collector) -> None:
    known: set[str] = set()
    for number, link in enumerate(links):
        here = (*path, number)
        if link.id in known:
            found.error((*here, "id"), f"{link.id!r} is twice in this hub; give each link its own id", hub_id)
        known.add(link.id)
        if link.kind == "ble":
            continue
        if link.kind == "serial" and not link.port:
            found.error((*here, "port"), "a serial link needs its port, best /dev/serial/by-id/...", hub_id)
        if link.kind == "mqtt" and not link.base:
            found.error((*here, "base"), "an mqtt link needs the base of its topics: zigbee2mqtt", hub_id)
        if not link.driver:
            text = f"a link of kind {link.kind} needs the driver that reads it"
            found.error((*here, "driver"), text, hub_id)
        else:
            manifest = _manifest((*here, "driver"), link.driver, hub_id, found)
            if manifest and _WAYS[link.kind][0] not in manifest.links:
                text = f"{link.driver} does not read a link of kind {link.kind}"
                found.error((*here, "driver"), text, hub_id)


def _device(path: Path, device: Device, manifest: Manifest, way: LinkType | None, found: Collector) -> None:
    try:
        key = None if device.key is None else bytes.fromhex(device.key)
    except ValueError:
        found.error((*path, "key"), "write the key in hexadecimal digits, two for each byte", device.id)
        key = None
    else:
        if key is None and manifest.key_bytes:
            text = "no key: it is heard without encryption, and anybody near can imitate it"
            found.warning((*path, "key"), text, device.id)
    as_told = DriverDevice(
        id=device.id, address=device.address, key=key, profile=device.profile, settings=device.settings
    )
    if way is None:
        found.read(path, lambda: registry.check_device(manifest, as_told), device.id)
    else:  # a driver does no I/O: it can be asked whether it would take the device
        found.read(
            path,
            lambda: registry.package(manifest.name).open_driver(way, Setup(devices=(as_told,))),
            device.id,
        )
    if device.night is not None:
        night = device.night
        found.read((*path, "night"), lambda: parse_hours(night), device.id)
    elif (device.driver, device.profile) in _ONLY_CONTACT:
        text = "no rule can raise anything of this device; give it night hours such as 22:00-06:00"
        found.warning((*path, "night"), text, device.id)
    if device.supervision_s is not None:
        found.seconds((*path, "supervision_s"), device.supervision_s, device.id)
    if device.resident is None:
        found.warning((*path, "resident"), "its alarms will not say whose they are", device.id)


def _way(path: Path, device: Device, manifest: Manifest, link: LinkConfig, found: Collector) -> LinkType | None:
    """Return how the driver is opened for a device on a link, ``None`` when it cannot be."""
    way = next((way for way in _WAYS[link.kind] if way in manifest.links), None)
    if way is None:
        text = f"{device.driver} is not heard on a {link.kind} link; it has {', '.join(manifest.links)}"
        found.error((*path, "link"), text, device.id)
    elif link.kind != "ble" and link.driver and link.driver != device.driver:
        text = f"on link {link.id!r} the driver is {link.driver}, not {device.driver}"
        found.error((*path, "driver"), text, device.id)
    return way


def _doses(site: Site, manifests: dict[str, Manifest], found: Collector) -> None:
    windows: dict[str, list[tuple[int, int, int]]] = {}
    for number, dose in enumerate(site.doses):
        path = ("doses", number)
        manifest = manifests.get(dose.device)
        if manifest is not None and "dispenser" not in manifest.name:
            found.error((*path, "device"), f"{dose.device!r} is no dispenser")
        for start in _starts(path, dose, found):
            windows.setdefault(dose.device, []).append((start, dose.window_min, number))
    for here in windows.values():
        _overlaps(here, found)
    for number, device in enumerate(site.devices):
        if device.driver == "dispenser" and device.id not in windows:
            found.warning(("devices", number), "this dispenser has no [[doses]]", device.id)


def _starts(path: Path, dose: Dose, found: Collector) -> list[int]:
    """Return the minutes of the week at which a dose's windows start."""
    if not 1 <= dose.window_min <= _DAY_MIN:
        found.error((*path, "window_min"), f"write 1 to {_DAY_MIN} minutes")
        return []
    at = found.read((*path, "at"), lambda: parse_time(dose.at))
    days = found.read((*path, "days"), lambda: weekday_bits(dose.days))
    if at is None or days is None:
        return []
    return [day * _DAY_MIN + at for day in range(7) if days >> day & 1]


def weekday_bits(days: str) -> int:
    """Return the days of a dose as a dispenser knows them: bit 0 is Monday.

    Raises:
        MalformedError: They cannot be read, or depend on public holidays, which a dispenser does not know.
    """
    read = parse_days(days)
    if read.holidays and not read.daily:
        raise MalformedError(f"days {days!r}: a dispenser knows no public holidays; name weekdays, or daily")
    return read.weekdays


def _overlaps(windows: list[tuple[int, int, int]], found: Collector) -> None:
    said: set[tuple[int, int]] = set()
    windows.sort()
    first = windows[0]
    again = (first[0] + _WEEK_MIN, *first[1:])
    for (start, length, number), (following, _, other) in zip(windows, [*windows[1:], again], strict=True):
        if start + length > following and (number, other) not in said:
            said.add((number, other))
            text = f"its window runs into that of [[doses]] #{other + 1}; one dispensed dose would answer both"
            found.error(("doses", number, "window_min"), text)
