"""Absence is an observation: every hub and every device has a deadline for being heard from its first day.

A silent hub is one incident that names who is unprotected; its devices are then not reported one by one. Many that
fall silent together are one incident too (:mod:`hub.central.network`). A
centre that is deaf itself blames nobody: silence counts only while it listens.
"""

import datetime as dt
from collections.abc import Mapping

import sqlalchemy as sa

from hub.central import clockwork, network
from hub.central.centre import Tx
from hub.central.incidents import desk
from hub.central.incidents.desk import Finding
from hub.central.incidents.lifecycle import OPEN
from hub.central.maintenance import holding
from hub.central.presence import WAKING, Presence
from hub.central.site.directory import Directory
from hub.central.store.tables import devices, due, hubs, incidents
from hub.domain.codes import Kind, Severity

HUB = "hub.silent"
DEVICE = "device.silent"
DEAF = "centre.deaf"


def hub_need(hub_id: str) -> str:
    """Name the need of a silent hub."""
    return f"technical:{hub_id}:silent"


def device_need(device_id: str) -> str:
    """Name the need of a silent device."""
    return f"technical:device:{device_id}:silent"


def _interval(site: Directory, kind: str, subject: str) -> dt.timedelta:
    """Return after how much silence a hub or device is overdue."""
    if kind == HUB:
        return dt.timedelta(seconds=site.site.supervision.hub_silent_s)
    return dt.timedelta(seconds=site.supervision_s(site.devices[subject]))


class Supervision:
    """Decides about silence. Its methods are handlers of due rows.

    Args:
        presence: Since when the centre listens, and which silences are open incidents.
    """

    def __init__(self, presence: Presence) -> None:
        self._presence = presence

    def arm(self, tx: Tx) -> None:
        """Give every hub and device of the site a deadline, and take those of the gone away."""
        sorts: tuple[tuple[str, Mapping[str, object]], ...] = ((HUB, tx.site.hubs), (DEVICE, tx.site.devices))
        for kind, known in sorts:
            rows = tx.connection.execute(sa.select(due.c.subject, due.c.at).where(due.c.kind == kind))
            armed = {row.subject: row.at for row in rows}
            for subject in armed.keys() - known.keys():
                clockwork.unschedule(tx, kind, subject)
            for subject in known:
                # One whose interval was longer before would be looked at too late.
                if subject not in armed or armed[subject] > tx.now.utc + _interval(tx.site, kind, subject):
                    clockwork.schedule(tx, tx.now.utc, kind, subject)
        network.forget_gone(tx)
        self.refresh(tx)

    def refresh(self, tx: Tx) -> None:
        """Note which silences are open incidents: another centre may have raised them."""
        self._presence.lost = {hub_need(hub_id) for hub_id in network.members(tx)} | set(
            tx.connection.scalars(
                sa.select(incidents.c.need).where(
                    incidents.c.state.in_(OPEN),
                    incidents.c.kind.in_([Kind.HUB_LOST, Kind.DEVICE_LOST]),
                )
            )
        )

    def hub_due(self, tx: Tx, hub_id: str) -> None:
        """Decide whether a hub is silent, and look again when it could be next."""
        hub = tx.connection.execute(sa.select(hubs).where(hubs.c.hub_id == hub_id)).one_or_none()
        if hub is None or hub_id not in tx.site.hubs:
            return
        silent = _interval(tx.site, HUB, hub_id)
        never = dt.timedelta(seconds=tx.site.site.supervision.never_seen_s)
        seen_at = self._presence.heard_at("hub", hub_id, hub.last_seen_at)
        deadline = seen_at + silent if seen_at else hub.assigned_at + never
        if not self._over(tx, deadline, HUB, hub_id):
            return
        held = holding.hubs_held(tx)
        if seen_at and hub_id not in held:
            together = network.fell_silent(tx, hub_id, seen_at, silent, held)
            if together:
                self._presence.lost |= {hub_need(name) for name in together}
                return
        residents = network.by_risk(tx.site, tx.site.residents_of(hub_id))
        since = f"since {seen_at:%Y-%m-%d %H:%M:%S} UTC" if seen_at else "since it was assigned"
        desk.raise_incident(
            tx,
            Finding(
                incident_class="technical",
                kind=Kind.HUB_LOST,
                severity=Severity.SERIOUS if residents else Severity.NORMAL,
                need=hub_need(hub_id),
                reason=f"nothing was heard of hub {hub_id} {since}",
                zone=tx.site.hubs[hub_id].zone,
                occurred_at=seen_at or hub.assigned_at,
                hub_id=hub_id,
                unprotected=residents,
            ),
        )
        self._presence.lost.add(hub_need(hub_id))

    def device_due(self, tx: Tx, device_id: str) -> None:
        """Decide whether a device is silent, and look again when it could be next."""
        row = tx.connection.execute(sa.select(devices).where(devices.c.device_id == device_id)).one_or_none()
        device = tx.site.devices.get(device_id)
        if row is None or device is None:
            return
        hub = tx.connection.execute(sa.select(hubs).where(hubs.c.hub_id == device.hub)).one_or_none()
        interval = _interval(tx.site, DEVICE, device_id)
        never = dt.timedelta(seconds=tx.site.site.supervision.never_seen_s)
        seen_at = self._presence.heard_at("device", device_id, row.last_seen_at)
        deadline = seen_at + interval if seen_at else row.assigned_at + never
        if hub is not None and hub.heard_since:
            # It could not be heard while its hub was not.
            deadline = max(deadline, hub.heard_since + min(interval, never))
        if hub is None or hub.last_seen_at is None or hub_need(device.hub) in self._presence.lost:
            # The hub's own incident speaks for it.
            clockwork.schedule(tx, tx.now.utc + min(interval, never), DEVICE, device_id)
            return
        if not self._over(tx, deadline, DEVICE, device_id):
            return
        since = f"since {seen_at:%Y-%m-%d %H:%M:%S} UTC" if seen_at else "since it was assigned"
        desk.raise_incident(
            tx,
            Finding(
                incident_class="technical",
                kind=Kind.DEVICE_LOST,
                severity=Severity.MODERATE if device.resident else Severity.NORMAL,
                need=device_need(device_id),
                reason=f"nothing was heard of device {device_id} {since}",
                zone=tx.site.zone_of(device.hub, device.resident),
                occurred_at=seen_at or row.assigned_at,
                resident_id=device.resident,
                device_id=device_id,
                hub_id=device.hub,
                room=device.room,
                unprotected=(device.resident,) if device.resident else (),
            ),
        )
        self._presence.lost.add(device_need(device_id))

    def returned(self, tx: Tx, need: str, hub_id: str | None, heard_at: dt.datetime) -> None:
        """Close the incident of a hub or device that is heard again.

        A centre that stood still since clears nothing: the hub may have fallen silent again, and is heard again
        by its next word if it has not.
        """
        silent = dt.timedelta(seconds=tx.site.site.supervision.hub_silent_s)
        if hub_id is not None and tx.now.utc - heard_at >= silent:
            self._presence.lost.add(need)
            return
        desk.clear(tx, need, "it is heard again")
        if hub_id is not None:
            network.heard(tx, hub_id, "it is heard again")
            tx.connection.execute(hubs.update().where(hubs.c.hub_id == hub_id).values(heard_since=tx.now.utc))

    def deaf_due(self, tx: Tx, owner: str) -> None:
        """Raise one incident for everybody when the centre itself cannot hear."""
        residents = network.by_risk(tx.site, tx.site.residents)
        desk.raise_incident(
            tx,
            Finding(
                incident_class="technical",
                kind=Kind.CENTRE_DEAF,
                severity=Severity.CRITICAL,
                need=f"technical:{owner}:deaf",
                reason="the centre has no connection to its broker: no alarm can be heard",
                zone=tx.site.site.zones[0].id,
                occurred_at=tx.now.utc,
                unprotected=residents,
            ),
        )

    def _over(self, tx: Tx, deadline: dt.datetime, kind: str, subject: str) -> bool:
        """Tell whether a deadline passed while the centre listened; else look again when it could have."""
        if self._presence.stood_still(tx.now.utc):
            clockwork.schedule(tx, tx.now.utc + WAKING, kind, subject)
            return False
        interval = _interval(tx.site, kind, subject)
        listening = self._presence.listening_since or tx.now.utc
        # What a device said meanwhile its hub has kept and sends now. A device that may be silent for a month
        # would never be missed if each restart gave it another one.
        never = dt.timedelta(seconds=tx.site.site.supervision.never_seen_s)
        deadline = max(deadline, listening + (interval if kind == HUB else min(interval, never)))
        over = deadline <= tx.now.utc
        # Never later than an interval from now: what was not seen yet may be seen, and lost, before its deadline.
        following = tx.now.utc + interval if over else min(deadline, tx.now.utc + interval)
        clockwork.schedule(tx, following, kind, subject)
        if not over:
            return False
        if kind == HUB and network.spoken_for(tx, subject):
            return False
        need = hub_need(subject) if kind == HUB else device_need(subject)
        return tx.connection.scalar(sa.select(incidents.c.id).where(incidents.c.open_key == need)) is None
