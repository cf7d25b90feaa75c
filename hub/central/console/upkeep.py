"""What does not go its ordinary way for a while: under maintenance, declared broken, or in test mode."""

import datetime as dt
from collections.abc import Iterable
from typing import Literal

import msgspec
import sqlalchemy as sa

from hub.central.commissioning import mode
from hub.central.maintenance import service
from hub.central.maintenance.holding import BROKEN, is_broken
from hub.central.site.directory import Directory
from hub.central.site.model import Device, Hub

Sort = Literal["maintenance", "broken", "test", "planned"]


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    """One of them.

    Attributes:
        sort: What it means for an alarm.
        kind: What ``subject`` is: ``hub``, ``device`` or ``zone``.
        subject: Its id.
        zone: Whose it is; empty when the subject has left the site.
        resident: Whose device it is, or ``None``.
        room: Where the device is, or empty.
        number: Of the maintenance; ``None`` for a test mode.
        reason: Why, as a person wrote it; of a test mode the phone that is told.
        by: Who began it.
        starts_at: When it began or is to begin.
        ends_at: When it ends by itself.
        held: How many faults were held back meanwhile.
    """

    sort: Sort
    kind: str
    subject: str
    zone: str
    resident: str | None
    room: str
    number: int | None
    reason: str
    by: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    held: int


def listed(connection: sa.Connection, site: Directory, at: dt.datetime) -> tuple[Upkeep, ...]:
    """Return all that lasts at an instant or is to come: what is declared broken first, then what ends first."""
    found = [_maintenance(row, site, at) for row in service.listed(connection)]
    found += [_test(row, site) for row in mode.running(connection, at).values()]
    return tuple(sorted(found, key=lambda one: (one.sort != "broken", one.ends_at, one.subject)))


def of_device(rows: Iterable[Upkeep], site: Directory, device: Device) -> tuple[Upkeep, ...]:
    """Return what concerns a device: its own, its hub's and its zone's."""
    zone = site.zone_of(device.hub, device.resident)
    concerned = {("device", device.id), ("hub", device.hub), ("zone", zone)}
    return tuple(row for row in rows if (row.kind, row.subject) in concerned)


def of_hub(rows: Iterable[Upkeep], site: Directory, hub: Hub) -> tuple[Upkeep, ...]:
    """Return what concerns a hub: its own, its zone's and its devices'."""
    concerned = {("hub", hub.id), ("zone", hub.zone), *(("device", one.id) for one in site.devices_of(hub.id))}
    return tuple(row for row in rows if (row.kind, row.subject) in concerned)


def of_resident(rows: tuple[Upkeep, ...], site: Directory, resident_id: str) -> tuple[Upkeep, ...]:
    """Return what concerns any device of a resident."""
    devices = [device for device in site.site.devices if device.resident == resident_id]
    concerned = {one for device in devices for one in of_device(rows, site, device)}
    return tuple(row for row in rows if row in concerned)


def _maintenance(row: service.Maintenance, site: Directory, at: dt.datetime) -> Upkeep:
    broken = is_broken(row.kind, row.reason)
    device = site.devices.get(row.subject) if row.kind == "device" else None
    return Upkeep(
        sort="planned" if row.starts_at > at else "broken" if broken else "maintenance",
        kind=row.kind,
        subject=row.subject,
        zone=_zone(row.kind, row.subject, site),
        resident=device.resident if device else None,
        room=device.room if device else "",
        number=row.id,
        reason=row.reason.removeprefix(f"{BROKEN}: "),
        by=row.created_by,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        held=row.held,
    )


def _test(row: mode.Mode, site: Directory) -> Upkeep:
    device = site.devices.get(row.device_id)
    return Upkeep(
        sort="test",
        kind="device",
        subject=row.device_id,
        zone=_zone("device", row.device_id, site),
        resident=device.resident if device else None,
        room=device.room if device else "",
        number=None,
        reason=row.phone,
        by=row.started_by,
        starts_at=row.started_at,
        ends_at=row.ends_at,
        held=0,
    )


def _zone(kind: str, subject: str, site: Directory) -> str:
    if kind == "device" and subject in site.devices:
        device = site.devices[subject]
        return site.zone_of(device.hub, device.resident)
    if kind == "hub" and subject in site.hubs:
        return site.hubs[subject].zone
    return subject if kind == "zone" else ""
