"""The site's own limits for an incident: first acknowledged, arrived and closed within so many seconds.

Passing one changes nothing about who is told: it is an event of its own (``breach``) in the incident's story,
at the moment it happens, and what comes too late after all says by how much (``late``). All count from when the
incident was opened, by the centre's own time.
"""

import datetime as dt
from collections.abc import Iterator

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation import plan
from hub.central.incidents import record
from hub.central.incidents.lifecycle import OPEN, Event, State
from hub.central.notify import fyi
from hub.central.store.tables import incident_events, incidents

LIMIT = "incident.limit"
_ACTOR = "limits"

# What reaches each limit, in the order in which they are passed at the earliest.
_REACHED: dict[str, frozenset[str]] = {
    "acknowledge": frozenset({Event.ACKNOWLEDGE, Event.DEPART, Event.ARRIVE, "closed"}),
    "arrive": frozenset({Event.ARRIVE, "closed"}),
    "close": frozenset({"closed"}),
}


def begin(tx: Tx, incident: record.Incident) -> None:
    """Put the first limit of a new incident into the list of what is due; a test has none."""
    if incident.test_phone is None:
        _schedule(tx, incident, set())


def renew(tx: Tx, incident: record.Incident) -> None:
    """Set the next limit anew: the incident has become more severe, or the site's limits are others now."""
    if incident.test_phone is None:
        _schedule(tx, incident, _settled(tx, incident.id))


def arm(tx: Tx) -> None:
    """Give every open incident the limits of the site as it is now."""
    still_open = sa.select(incidents).where(incidents.c.state.in_(OPEN)).order_by(incidents.c.id)
    for incident in tx.connection.execute(still_open.with_for_update()).all():
        renew(tx, incident)


def passed(tx: Tx, subject: str) -> None:
    """Note each limit that has passed unreached, and wait for the next one; the work of a due row."""
    incident = record.get(tx, int(subject))
    if incident.state == State.CLOSED:
        return
    done = _settled(tx, incident.id)
    for name, seconds in _limits(tx, incident):
        if name not in done and incident.opened_at + dt.timedelta(seconds=seconds) <= tx.now.utc:
            _breach(tx, incident, name, seconds)
            done.add(name)
    _schedule(tx, incident, done)


def reached(tx: Tx, incident: record.Incident, event: str) -> None:
    """Note by how much what a person did now comes too late. ``incident`` is the row from before it."""
    if incident.test_phone is not None:
        return
    for name, seconds in _limits(tx, incident):
        late = tx.now.utc - incident.opened_at - dt.timedelta(seconds=seconds)
        if event in _REACHED[name] and late > dt.timedelta(0) and not _happened(tx, incident.id, _REACHED[name]):
            if name not in _settled(tx, incident.id):
                _breach(tx, incident, name, seconds)
            record.note(tx, incident.id, "late", _ACTOR, f"{name}: {late.total_seconds():.0f} s late")
    if event == "closed":
        clockwork.unschedule(tx, LIMIT, str(incident.id))


def _limits(tx: Tx, incident: record.Incident) -> Iterator[tuple[str, int]]:
    chosen = plan.choose(tx.site.site, incident.zone, incident.incident_class, incident.severity)
    for name in _REACHED:
        seconds: int | None = getattr(chosen, f"{name}_s")
        if seconds is not None:
            yield name, seconds


def _breach(tx: Tx, incident: record.Incident, name: str, seconds: int) -> None:
    record.note(tx, incident.id, "breach", _ACTOR, f"{name}: {seconds} s passed")
    fyi.tell(tx, incident, "breached")


def _schedule(tx: Tx, incident: record.Incident, done: set[str]) -> None:
    ahead = [seconds for name, seconds in _limits(tx, incident) if name not in done]
    if ahead:
        at = incident.opened_at + dt.timedelta(seconds=min(ahead))
        clockwork.schedule(tx, at, LIMIT, str(incident.id))


def _settled(tx: Tx, number: int) -> set[str]:
    """Return the limits that were reached, or are already noted as passed."""
    query = sa.select(incident_events.c.event, incident_events.c.detail).where(
        incident_events.c.incident_id == number
    )
    found: set[str] = set()
    for event, detail in tx.connection.execute(query):
        if event == "breach":
            found.add(detail.partition(":")[0])
        found |= {name for name, events in _REACHED.items() if event in events}
    return found


def _happened(tx: Tx, number: int, events: frozenset[str]) -> bool:
    query = sa.select(incident_events.c.id).where(
        incident_events.c.incident_id == number, incident_events.c.event.in_(events)
    )
    return tx.connection.execute(query.limit(1)).first() is not None
