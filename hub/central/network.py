"""Many hubs that fall silent together are one incident: a street, the mobile operator, the broker.

It lists the residents who cannot be heard, those of the highest risk first. A hub that is heard again is taken
off the list, and when all are back it clears itself. One hub alone stays an incident of its own.
"""

import datetime as dt
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from hub.central.centre import Tx
from hub.central.escalation import engine
from hub.central.incidents import desk, record
from hub.central.incidents.desk import Finding
from hub.central.incidents.lifecycle import TAKEN, Event, State, after
from hub.central.store.tables import hubs, incidents, outages
from hub.domain.codes import Kind, Severity

if TYPE_CHECKING:
    from hub.central.site.directory import Directory

_ACTOR = "supervision"


def by_risk(site: "Directory", residents: Iterable[str]) -> tuple[str, ...]:
    """Return residents, each once, those of the highest risk first, else in their order."""
    of = {resident.id: resident.risk for resident in site.site.residents}
    return tuple(sorted(dict.fromkeys(residents), key=lambda resident: -of.get(resident, 0)))


def spoken_for(tx: Tx, hub_id: str) -> bool:
    """Tell whether an open incident of the network speaks for a hub."""
    query = (
        sa.select(outages.c.hub_id)
        .join(incidents, incidents.c.id == outages.c.incident_id)
        .where(outages.c.hub_id == hub_id, incidents.c.state != State.CLOSED)
    )
    return tx.connection.execute(query).first() is not None


def members(tx: Tx) -> list[str]:
    """Return the hubs that open incidents of the network speak for."""
    query = (
        sa.select(outages.c.hub_id)
        .join(incidents, incidents.c.id == outages.c.incident_id)
        .where(incidents.c.state != State.CLOSED)
    )
    return list(tx.connection.scalars(query))


def fell_silent(tx: Tx, hub_id: str, last_seen_at: dt.datetime, silent: dt.timedelta, held: set[str]) -> list[str]:
    """Decide about a hub that has fallen silent; return the hubs that one incident speaks for now, if any.

    Args:
        tx: The transaction.
        hub_id: The hub.
        last_seen_at: When it was last heard.
        silent: After how much silence a hub counts as silent.
        held: Hubs whose silence is expected: they count for nothing.
    """
    settings = tx.site.site.supervision
    window = dt.timedelta(seconds=settings.network_within_s)
    near = hubs.c.last_seen_at.between(last_seen_at - window, last_seen_at + window)
    gone = hubs.c.last_seen_at <= tx.now.utc - silent
    query = sa.select(hubs.c.hub_id, hubs.c.last_seen_at).where(near, gone)
    # Locked, by name as everywhere: of hubs that fall silent at once one after the other is decided about.
    found = tx.connection.execute(query.order_by(hubs.c.hub_id).with_for_update()).all()
    rows = sorted(found, key=lambda row: (row.last_seen_at, row.hub_id))
    together = {row.hub_id: row.last_seen_at for row in rows if row.hub_id in tx.site.hubs}
    together = {name: at for name, at in together.items() if name not in held} | {hub_id: last_seen_at}
    number = _incident_of(tx, together)
    if number is None:
        if len(together) < settings.network_hubs:
            return []
        _open(tx, together)
        return list(together)
    _join(tx, number, {name: at for name, at in together.items() if name not in _hubs_of(tx, number)})
    return list(together)


def heard(tx: Tx, hub_id: str, reason: str) -> None:
    """Take a hub off the list it is on; when it was the last, the incident clears itself."""
    row = tx.connection.execute(sa.select(outages).where(outages.c.hub_id == hub_id)).one_or_none()
    if row is None:
        return
    incident = record.get(tx, row.incident_id)
    tx.connection.execute(outages.delete().where(outages.c.hub_id == hub_id))
    if incident.state == State.CLOSED:
        return
    left = _hubs_of(tx, incident.id)
    if not left:
        desk.clear(tx, incident.need, "all of its hubs are heard again")
        return
    record.change(tx, incident.id, unprotected=" ".join(_residents(tx, left)))
    record.note(tx, incident.id, "news", _ACTOR, f"hub {hub_id}: {reason}; {len(left)} still silent")


def forget_gone(tx: Tx) -> None:
    """Take the hubs off their lists that are no longer in the site."""
    for hub_id in tx.connection.scalars(sa.select(outages.c.hub_id)).all():
        if hub_id not in tx.site.hubs:
            heard(tx, hub_id, "it is no longer in the site")


def _open(tx: Tx, together: dict[str, dt.datetime]) -> None:
    first = next(iter(together))
    residents = _residents(tx, together)
    since = min(together.values())
    number = desk.raise_incident(
        tx,
        Finding(
            incident_class="technical",
            kind=Kind.NETWORK_LOST,
            severity=Severity.CRITICAL if residents else Severity.SERIOUS,
            # With its time: the hub may have been of another outage, of which some are still away.
            need=f"technical:network:{first}:{since:%Y%m%dT%H%M%S.%fZ}",
            reason=f"{len(together)} hubs fell silent together: {', '.join(together)}",
            zone=tx.site.hubs[first].zone if first in tx.site.hubs else tx.site.site.zones[0].id,
            occurred_at=since,
            unprotected=residents,
        ),
    )
    _list(tx, number, together)


def _join(tx: Tx, number: int, more: dict[str, dt.datetime]) -> None:
    """Add hubs to an incident; when whoever took it has not seen half of them, it alerts again."""
    if not more:
        return
    before = len(_hubs_of(tx, number))
    _list(tx, number, more)
    all_of = _hubs_of(tx, number)
    incident = record.get(tx, number)
    changed: dict[str, object] = {"unprotected": " ".join(_residents(tx, all_of))}
    changed["presses"] = incident.presses + len(more)
    record.note(tx, number, Event.PRESS, _ACTOR, f"silent too: {', '.join(more)}")
    doubled = before.bit_length() != len(all_of).bit_length()
    if incident.state in TAKEN and doubled:
        changed["state"] = after(State(incident.state), Event.PRESS, incident.incident_class)
        record.change(tx, number, **changed)
        engine.past_taker(tx, record.get(tx, number), f"{len(all_of)} hubs are silent by now")
        return
    record.change(tx, number, **changed)


def _list(tx: Tx, number: int, more: dict[str, dt.datetime]) -> None:
    """Put hubs on the list; what was open for each alone is closed, as this incident speaks for it."""
    tx.connection.execute(outages.delete().where(outages.c.hub_id.in_(more)))
    rows = [{"hub_id": name, "incident_id": number, "since": at} for name, at in more.items()]
    tx.connection.execute(outages.insert(), rows)
    alone = sa.select(incidents.c.need).where(
        incidents.c.kind == Kind.HUB_LOST, incidents.c.hub_id.in_(more), incidents.c.open_key.is_not(None)
    )
    for need in tx.connection.scalars(alone).all():
        desk.clear(tx, need, f"incident {number} speaks for all of them")


def _incident_of(tx: Tx, names: Collection[str]) -> int | None:
    """Return the open incident that speaks for any of these hubs, locked: somebody may just be closing it."""
    query = (
        sa.select(outages.c.incident_id)
        .join(incidents, incidents.c.id == outages.c.incident_id)
        .where(outages.c.hub_id.in_(names), incidents.c.state != State.CLOSED)
        .order_by(outages.c.incident_id)
        .limit(1)
    )
    number: int | None = tx.connection.scalar(query)
    if number is not None and record.get(tx, number).state == State.CLOSED:
        return _incident_of(tx, names)
    return number


def _hubs_of(tx: Tx, number: int) -> list[str]:
    query = sa.select(outages.c.hub_id).where(outages.c.incident_id == number).order_by(outages.c.since)
    return list(tx.connection.scalars(query))


def _residents(tx: Tx, names: Iterable[str]) -> tuple[str, ...]:
    return by_risk(tx.site, (resident for name in names for resident in tx.site.residents_of(name)))
