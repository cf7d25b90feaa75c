"""Maintenance is begun with a reason and an end, listed, and comes back by itself."""

import datetime as dt
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from hub.central import clockwork
from hub.central.auth import audit
from hub.central.bulletin import News
from hub.central.centre import Tx
from hub.central.incidents import desk
from hub.central.incidents.desk import Finding
from hub.central.maintenance.holding import END
from hub.central.store import sql
from hub.central.store.tables import held_findings, maintenances
from hub.central.supervision import DEVICE, HUB
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError

Subject = Literal["hub", "device", "zone"]

# Longer is no maintenance: the device is then to be taken out of the site.
MOST = dt.timedelta(days=30)
_REASON_CHARS = (3, 500)
_BY_ITSELF = "centre"
# What was silent is looked at anew, so that these are not raised from memory.
_LOOKED_AT = frozenset({Kind.HUB_LOST, Kind.DEVICE_LOST})


class Maintenance(msgspec.Struct, frozen=True, kw_only=True):
    """One maintenance, under way or to come. ``held`` counts what was not raised because of it."""

    id: int
    kind: str
    subject: str
    reason: str
    created_at: dt.datetime
    created_by: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    held: int


def add(
    tx: Tx,
    kind: Subject,
    subject: str,
    reason: str,
    by: str,
    *,
    until: dt.datetime,
    since: dt.datetime | None = None,
) -> Maintenance:
    """Begin a maintenance, or plan one.

    Args:
        tx: The transaction.
        kind: What ``subject`` is.
        subject: Its id in the site.
        reason: Why, for whoever finds the device silent. Of a device, one that begins with ``broken`` turns its
            care alarms into faults.
        by: Who answers for it.
        until: When it ends by itself, at most 30 days after it began.
        since: When it begins; ``None`` is now.

    Raises:
        RefusedError: There is no such subject, or reason or times are not as they must be.
    """
    known = {"hub": [*tx.site.hubs], "device": [*tx.site.devices], "zone": [*tx.site.zones]}
    if subject not in known[kind]:
        raise RefusedError(f"there is no {kind} {subject} in the site")
    reason = " ".join(reason.split())
    least, most = _REASON_CHARS
    if not least <= len(reason) <= most or not reason.isprintable():
        raise RefusedError(f"write a reason of {least} to {most} characters: it is what others will see")
    begins = max(since or tx.now.utc, tx.now.utc)
    if not begins < until <= begins + MOST:
        raise RefusedError(f"its end must lie after its beginning, at most {MOST.days} days later")
    values = {
        "kind": kind,
        "subject": subject,
        "reason": reason,
        "created_at": tx.now.utc,
        "created_by": by[:64],
        "starts_at": begins,
        "ends_at": until,
        "held": 0,
    }
    number = sql.new_id(tx.connection.execute(maintenances.insert(), values))
    clockwork.schedule(tx, until, END, str(number))
    audit.note(tx.connection, tx.now, by[:64], "maintenance.added", f"maintenance:{number}", f"{kind} {subject}")
    _announce(tx, number)
    return _read(_row(tx, number))


def listed(connection: sa.Connection) -> list[Maintenance]:
    """Return what is under way or to come, the one that ends first at the top."""
    query = sa.select(maintenances).where(maintenances.c.ended_at.is_(None))
    return [_read(row) for row in connection.execute(query.order_by(maintenances.c.ends_at, maintenances.c.id))]


def end(tx: Tx, number: int, by: str) -> Maintenance:
    """End a maintenance; what it held and what may still be wrong is raised.

    Raises:
        RefusedError: There is none of this number, or it has ended.
    """
    row = _row(tx, number)
    if row.ended_at is not None:
        raise RefusedError(f"maintenance {number} ended at {row.ended_at:%Y-%m-%d %H:%M:%S} UTC")
    ended = {"ended_at": tx.now.utc, "ended_by": by[:64]}
    tx.connection.execute(maintenances.update().where(maintenances.c.id == number).values(ended))
    clockwork.unschedule(tx, END, str(number))
    _look_at(tx, row)
    _raise_held(tx, number)
    audit.note(tx.connection, tx.now, by[:64], "maintenance.ended", f"maintenance:{number}", f"{row.held} held")
    _announce(tx, number)
    return _read(row)


def over(tx: Tx, subject: str) -> None:
    """Its end has come; the work of a due row."""
    if _row(tx, int(subject)).ended_at is None:
        end(tx, int(subject), _BY_ITSELF)


def _announce(tx: Tx, number: int) -> None:
    tx.effects.news.append(News("maintenance", str(number)))


def _look_at(tx: Tx, row: sa.Row[Any]) -> None:
    """Let supervision decide now about every hub and device that the maintenance spoke for."""
    for hub in tx.site.site.hubs:
        if (row.kind, row.subject) in {("hub", hub.id), ("zone", hub.zone)}:
            clockwork.schedule(tx, tx.now.utc, HUB, hub.id)
    for device in tx.site.site.devices:
        zone = tx.site.zone_of(device.hub, device.resident)
        if (row.kind, row.subject) in {("device", device.id), ("hub", device.hub), ("zone", zone)}:
            clockwork.schedule(tx, tx.now.utc, DEVICE, device.id)


def _raise_held(tx: Tx, number: int) -> None:
    """Raise each technical fault that was held: nobody else knows whether the work has mended it."""
    query = sa.select(held_findings.c.finding).where(held_findings.c.maintenance_id == number)
    for text in tx.connection.scalars(query.order_by(held_findings.c.id)).all():
        finding = msgspec.json.decode(text, type=Finding)
        if finding.incident_class == "technical" and finding.kind not in _LOOKED_AT:
            again = msgspec.structs.replace(finding, observation_id=None)
            desk.raise_incident(tx, again.because(f"It was held by maintenance {number}, which has ended."))


def _row(tx: Tx, number: int) -> sa.Row[Any]:
    query = sa.select(maintenances).where(maintenances.c.id == number).with_for_update()
    row = tx.connection.execute(query).one_or_none()
    if row is None:
        raise RefusedError(f"there is no maintenance {number}")
    return row


def _read(row: sa.Row[Any]) -> Maintenance:
    return Maintenance(**{name: row._mapping[name] for name in Maintenance.__struct_fields__})  # noqa: SLF001 - SQLAlchemy's own public name
