"""Hubs and devices as a technician reads them: heard or silent, battery, backlog, what is open about them."""

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa

from hub.central.commissioning import standing
from hub.central.commissioning.standing import Standing
from hub.central.console import upkeep
from hub.central.console.upkeep import Upkeep
from hub.central.incidents import view
from hub.central.site.directory import Directory
from hub.central.site.model import Device
from hub.central.store import tables
from hub.domain.clock import Now

NEVER, ONLINE, SILENT = "never", "online", "silent"
HEARD, OVERDUE, BEHIND = "heard", "overdue", "behind"
_TROUBLE_FIRST = (SILENT, NEVER, ONLINE)


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One device: where it is, when it was last heard and what is open about it.

    ``state`` is ``behind`` when its hub is not heard: then nobody knows how it is. ``service`` tells whether it
    was tested from end to end.
    """

    id: str
    driver: str
    link: str
    room: str
    resident_id: str | None
    state: str
    service: standing.State
    in_service_at: dt.datetime | None
    test_until: dt.datetime | None
    last_seen_at: dt.datetime | None
    last_kind: str | None
    battery_pct: int | None
    incidents: tuple[int, ...]


class HubRow(msgspec.Struct, frozen=True, kw_only=True):
    """One hub with its devices. ``pending_*`` are journal entries that wait for their receipt."""

    id: str
    zone: str
    state: str
    last_seen_at: dt.datetime | None
    pending_alarm: int
    pending_reading: int
    evicted: int
    timequality: str | None
    version: str | None
    incidents: tuple[int, ...]
    upkeep: tuple[Upkeep, ...]
    devices: tuple[DeviceRow, ...]


def hub_rows(connection: sa.Connection, site: Directory, now: Now) -> list[HubRow]:
    """Return the site's hubs, those in trouble first."""
    hubs = {row.hub_id: row for row in connection.execute(sa.select(tables.hubs))}
    devices = {row.device_id: row for row in connection.execute(sa.select(tables.devices))}
    stands = {one.id: one for one in standing.standings(connection, site, now.utc)}
    overdue = _overdue(site, stands, now)
    technical = view.open_about(connection, incident_class="technical")
    by_device: dict[str, list[view.Incident]] = {}
    for incident in technical:
        if incident.device_id is not None:
            by_device.setdefault(incident.device_id, []).append(incident)
    # What is about a device is shown at the device.
    by_hub = _numbers([incident for incident in technical if incident.device_id is None], "hub_id")
    switched_off = [row for row in upkeep.listed(connection, site, now.utc) if row.number is not None]
    rows = []
    for hub in site.site.hubs:
        row = hubs.get(hub.id)
        state = _hub_state(row, site, now)
        rows.append(
            HubRow(
                id=hub.id,
                zone=hub.zone,
                state=state,
                last_seen_at=row.last_seen_at if row else None,
                pending_alarm=(row.pending_alarm or 0) if row else 0,
                pending_reading=(row.pending_reading or 0) if row else 0,
                evicted=(row.evicted or 0) if row else 0,
                timequality=row.timequality if row else None,
                version=row.version if row else None,
                incidents=by_hub.get(hub.id, ()),
                upkeep=upkeep.of_hub(switched_off, site, hub),
                devices=_device_rows(site.devices_of(hub.id), devices, stands, by_device, state, overdue),
            )
        )
    return sorted(rows, key=lambda row: (_TROUBLE_FIRST.index(row.state), row.id))


def _hub_state(row: sa.Row[Any] | None, site: Directory, now: Now) -> str:
    if row is None or row.last_seen_at is None:
        return NEVER
    silent_after = dt.timedelta(seconds=site.site.supervision.hub_silent_s)
    return ONLINE if row.online and now.utc - row.last_seen_at < silent_after else SILENT


def _overdue(site: Directory, stands: dict[str, Standing], now: Now) -> set[str]:
    """Return the devices that are silent for longer than they may be, whether an incident says so or not."""
    return {
        device.id
        for device in site.site.devices
        if (seen_at := stands[device.id].last_seen_at) is not None
        and now.utc - seen_at >= dt.timedelta(seconds=site.supervision_s(device))
    }


def _device_rows(
    here: list[Device],
    rows: dict[str, sa.Row[Any]],
    stands: dict[str, Standing],
    technical: dict[str, list[view.Incident]],
    hub_state: str,
    overdue: set[str],
) -> tuple[DeviceRow, ...]:
    """Return the devices of a hub, those that were never tested first."""
    found = []
    for device in here:
        heard = OVERDUE if device.id in overdue else HEARD
        state = heard if hub_state == ONLINE else BEHIND
        incidents = technical.get(device.id, [])
        found.append(_device_row(device, rows.get(device.id), stands[device.id], incidents, state))
    return tuple(sorted(found, key=lambda row: row.in_service_at is not None))


def _device_row(
    device: Device, row: sa.Row[Any] | None, stands: Standing, incidents: list[view.Incident], heard: str
) -> DeviceRow:
    last_seen_at = row.last_seen_at if row else None
    return DeviceRow(
        id=device.id,
        driver=device.driver,
        link=device.link,
        room=device.room,
        resident_id=device.resident,
        state=NEVER if last_seen_at is None else heard,
        service=stands.state,
        in_service_at=stands.in_service_at,
        test_until=stands.test_until,
        last_seen_at=last_seen_at,
        last_kind=row.last_kind if row else None,
        battery_pct=row.battery_pct if row else None,
        incidents=tuple(incident.id for incident in incidents),
    )


def _numbers(incidents: list[view.Incident], column: str) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for incident in incidents:
        key = getattr(incident, column)
        if key:
            found[key] = (*found.get(key, ()), incident.id)
    return found
