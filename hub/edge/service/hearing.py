"""Who is heard now, on all links: one row for each device, assigned or not."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from drivers.base import Advert, Manifest
from hub.domain.clock import Now
from hub.edge.configuration import Task
from hub.edge.service.guess import Guesser
from hub.edge.tap import Tapped

MOST = 512
# What all adverts come over, whatever the site calls its link.
BLE = "ble"


class Row(msgspec.Struct, kw_only=True):
    """One device.

    Attributes:
        link: Where it is heard.
        address: Its address there.
        name: What it calls itself.
        type: What it is, or may be.
        profile: The profile that is set, or that it has said itself.
        rssi_dbm: How strongly.
        frame: The last frame, hexadecimal.
        device: The device's id, or ``None``: it is assigned to nobody.
        times: How often it was heard since somebody began to look.
        at: When, in UTC.
    """

    link: str
    address: str
    name: str = ""
    type: str = ""
    profile: str = ""
    rssi_dbm: int | None = None
    frame: str = ""
    device: str | None = None
    times: int = 0
    at: str = ""


class Hearing:
    """Collects rows; those heard longest ago make room.

    Args:
        manifests: Of the drivers, by name.
        tasks: What is assigned now.
    """

    def __init__(self, manifests: dict[str, Manifest], tasks: Callable[[], Iterable[Task]]) -> None:
        self._manifests = manifests
        self._guesser = Guesser(manifests.values())
        self._tasks = tasks
        self._rows: OrderedDict[tuple[str, str], Row] = OrderedDict()
        self._changed: set[tuple[str, str]] = set()

    def advert(self, advert: Advert, now: Now) -> None:
        """Take an advert of anybody."""
        row = self._row(BLE, advert.address, now)
        row.name = advert.name or row.name
        row.type = self._guesser.type_of(advert) or row.type
        row.rssi_dbm = advert.rssi_dbm
        parts = list(advert.service_data.values()) or list(advert.manufacturer_data.values())
        row.frame = b"".join(parts).hex() or row.frame

    def tapped(self, seen: Tapped) -> None:
        """Take a frame of a link; adverts come the other way."""
        if seen.frame.advert is not None:
            return
        devices = {device.id: device for device in seen.task.setup.devices}
        link = seen.task.link.id
        for heard in seen.answer.observations:
            device = devices.get(heard.device_id)
            if device is None:
                continue
            row = self._row(BLE if seen.task.link_type == "gatt" else link, device.address or device.id, seen.now)
            row.rssi_dbm = row.rssi_dbm if heard.observation.rssi_dbm is None else heard.observation.rssi_dbm
            self._describe(row, seen, heard.observation.raw, device.profile)
        for address in seen.answer.strangers:
            row = self._row(link, address, seen.now)
            self._describe(row, seen, "", seen.answer.profiles.get(address, ""))

    def _describe(self, row: Row, seen: Tapped, raw: str, profile: str) -> None:
        manifest = self._manifests.get(seen.task.driver)
        row.type = manifest.title if manifest else seen.task.driver
        row.profile = profile or row.profile
        # What people may have written is for their gateway, not for a screen.
        row.frame = raw if raw or seen.task.link_type == "topic" else seen.frame.data.hex()

    def _row(self, link: str, address: str, now: Now) -> Row:
        key = (link, address)
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row(link=link, address=address)
            if len(self._rows) > MOST:
                self._changed.discard(self._rows.popitem(last=False)[0])
        self._rows.move_to_end(key)
        self._changed.add(key)
        row.times += 1
        row.at = now.utc.isoformat(timespec="milliseconds")
        return row

    def changes(self) -> list[dict[str, Any]]:
        """Return the rows that changed since the last call, with who they are assigned to now."""
        owners = {
            (BLE if task.link.kind == "ble" else task.link.id, device.address or device.id): device.id
            for task in self._tasks()
            for device in task.setup.devices
        }
        found = []
        for key in self._changed:
            row = self._rows[key]
            row.device = owners.get(key)
            found.append(msgspec.to_builtins(row))
        self._changed.clear()
        return found
