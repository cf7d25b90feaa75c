"""The configuration in force, and what follows from it: one session for each serial line and BLE device.

A new configuration is taken whole or not at all. It is kept in the journal, so that a hub that starts
without its broker knows its devices.
"""

import datetime as dt
import logging
import zlib
from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from drivers import registry
from drivers.base import Device, Dose, LinkType, Manifest, Setup
from hub.domain.codes import Kind
from hub.domain.errors import HubError, MalformedError
from hub.edge.recorder import Recorder
from hub.wire import config
from hub.wire.config import DeviceConfig, HubConfig, LinkConfig, LinkKind

log = logging.getLogger(__name__)

_KEY = "config"
_ANY_DAY = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What one session has to do; two that are equal need no restart.

    Attributes:
        name: For the log.
        link: The way in.
        link_type: How the driver is reached there.
        driver: Its name.
        setup: What the driver is told, but for its state.
        state_name: Where its state is kept.
        critical: Devices marked critical.
    """

    name: str
    link: LinkConfig
    link_type: LinkType
    driver: str
    setup: Setup
    state_name: str
    critical: frozenset[str]


class Configuration:
    """Holds the configuration in force.

    Args:
        hub_id: Whose it must be.
        recorder: Keeps it.
        on_change: Called when a new one is in force.
    """

    def __init__(self, hub_id: str, recorder: Recorder, on_change: Callable[[HubConfig], None]) -> None:
        self._hub_id = hub_id
        self._recorder = recorder
        self._on_change = on_change
        self._refused = 0
        self.current = HubConfig(version=-1, hub_id=hub_id)

    async def load(self) -> None:
        """Take up the one that was kept; without one the hub waits for its centre."""
        payload = await self._recorder.meta(_KEY)
        if payload is None:
            log.info("configuration: none yet")
            return
        try:
            self.current = config.decode(payload, self._hub_id)
        except MalformedError as error:
            log.error("configuration: the one that was kept is not used: %s", error)  # noqa: TRY400 -- one line
            return
        log.info("configuration: version %d, as kept", self.current.version)
        self._on_change(self.current)

    async def offered(self, payload: bytes) -> None:
        """Take a configuration from the centre, or refuse it and say why.

        Raises:
            TransientError: It is good and could not be kept; ask again.
        """
        if not payload:
            return  # the retained message was cleared: keep what we have
        try:
            new = self._read(payload)
        except MalformedError as error:
            await self._refuse(payload, error)
            return
        if new.version < self.current.version:
            log.info("configuration: version %d is older than %d", new.version, self.current.version)
        elif new != self.current:
            await self._recorder.keep(_KEY, payload)
            self.current = new
            log.info("configuration: version %d taken", new.version)
            self._on_change(new)

    def _read(self, payload: bytes) -> HubConfig:
        new = config.decode(payload, self._hub_id)
        _check(new)
        if new.version == self.current.version and new != self.current:
            raise MalformedError(
                f"configuration: version {new.version} again, with other content; raise its version"
            )
        return new

    async def _refuse(self, payload: bytes, error: HubError) -> None:
        log.error("configuration refused: %s", error)
        # It is retained, and comes again with every connection: one report is enough.
        checksum = zlib.crc32(payload)
        if checksum != self._refused:
            self._refused = checksum
            await self._recorder.say(Kind.DEVICE_FAULT, {"reason": f"configuration refused: {error}"[:500]})


def tasks(current: HubConfig, at: dt.datetime) -> tuple[list[Task], list[str]]:
    """Return what sessions there must be at an instant, and what in the configuration cannot be done."""
    found: list[Task] = []
    wrong: list[str] = []
    try:
        offset = at.astimezone(ZoneInfo(current.timezone)).utcoffset() or dt.timedelta(0)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        offset = dt.timedelta(0)
        wrong.append(f"unknown timezone {current.timezone!r}")
    for link in current.links:
        devices = [item for item in current.devices if item.link == link.id]
        groups = [[item] for item in devices] if link.kind == "ble" else [devices]
        for group in groups:
            try:
                found.append(_task(current, link, group, offset))
            except MalformedError as error:
                wrong.append(f"link {link.id!r}: {error}")
            except Exception as error:
                # The boundary to the drivers: one that is broken must not keep the others from starting.
                log.exception("link %s: the driver cannot be opened", link.id)
                wrong.append(f"link {link.id!r}: its driver fails: {error!r}")
    return found, wrong


def _task(current: HubConfig, link: LinkConfig, group: list[DeviceConfig], offset: dt.timedelta) -> Task:
    driver = group[0].driver if link.kind == "ble" else link.driver
    if not driver or (link.kind == "serial" and not link.port) or (link.kind == "mqtt" and not link.base):
        raise MalformedError("a serial link needs a port and a driver, an mqtt link a base and a driver")
    for item in group:
        if item.driver != driver:
            raise MalformedError(f"device {item.id!r} has driver {item.driver!r}, its line has {driver!r}")
    package = registry.package(driver)
    link_type = _link_type(link, package.MANIFEST)
    if link_type not in package.MANIFEST.links:
        raise MalformedError(f"driver {driver!r} cannot be reached over {link.kind}")
    setup = Setup(
        devices=tuple(_device(item, link.kind) for item in group),
        doses={
            item.id: tuple(
                Dose(minute_of_day=d.minute_of_day, weekdays=d.weekdays, window_min=d.window_min)
                for d in current.doses
                if d.device == item.id
            )
            for item in group
        },
        utc_offset=offset,
    )
    package.open_driver(link_type, setup)  # raises for a device that does not fit
    name = group[0].id if link.kind == "ble" else link.id
    return Task(
        name=name,
        link=link,
        link_type=link_type,
        driver=driver,
        setup=setup,
        state_name=f"{driver}/{name}",
        critical=frozenset(item.id for item in group if item.critical),
    )


def _link_type(link: LinkConfig, manifest: Manifest) -> LinkType:
    if link.kind == "ble":
        return "gatt" if "gatt" in manifest.links else "advert"
    return "topic" if link.kind == "mqtt" else "serial"


def _device(item: DeviceConfig, kind: LinkKind) -> Device:
    try:
        key = bytes.fromhex(item.key) if item.key else None
    except ValueError as error:
        raise MalformedError(f"device {item.id!r}: its key is not hexadecimal") from error
    return Device(
        id=item.id,
        # Names that a gateway gives are as they are written; octets are in capitals.
        address=item.address if kind == "mqtt" else item.address.upper(),
        key=key,
        profile=item.profile,
        settings=item.settings,
    )


def _check(new: HubConfig) -> None:
    """Refuse a configuration that could not be carried out in full.

    Raises:
        MalformedError: With everything that is wrong.
    """
    for what, ids in (("link", [x.id for x in new.links]), ("device", [x.id for x in new.devices])):
        if len(set(ids)) != len(ids):
            raise MalformedError(f"configuration: two of one {what} id")
    if min(new.intervals.alive_s, new.intervals.alarm_resend_s, new.intervals.reading_resend_s) <= 0:
        raise MalformedError("configuration: an interval must be longer than 0 s")
    found, wrong = tasks(new, _ANY_DAY)
    names = [task.name for task in found]
    if len(set(names)) != len(names):
        wrong.append("a link and a BLE device of one id")
    addresses = [task.setup.devices[0].address for task in found if task.link.kind == "ble"]
    if len(set(addresses)) != len(addresses):
        wrong.append("two BLE devices of one address")
    if wrong:
        raise MalformedError("configuration: " + "; ".join(wrong))
