"""A centre that begins while its clock shows less than its store has seen: which of the two is wrong?

Without a time daemon that vouches for the clock, the clock is: it was set back, or its battery is empty. Time goes
on from the mark (:mod:`hub.central.store.mark`), and the auditor's incident says that the clock was set.

With one, it was wrong before: ahead, perhaps by years. Then the clock is believed, and the store is brought back
to it in one transaction. What waits keeps its distance, what has happened is not in the future, and what a person
or a plan has named in local time stays where it is.
"""

import datetime as dt
import logging

import sqlalchemy as sa

from hub.central import dose
from hub.central.centre import Centre, Tx
from hub.central.incidents import record
from hub.central.incidents.desk import CENTRE, Finding, raise_incident
from hub.central.maintenance import holding
from hub.central.store import mark, tables
from hub.domain.clock import SteadyClock
from hub.domain.codes import Kind, Severity

log = logging.getLogger(__name__)

# These are due at an instant that a person or a plan has named.
_NAMED = (dose.WINDOW, holding.END)
# What the centre counts from. Trail, histories and what devices say of their own time stay as they were written.
_HAPPENED: dict[sa.Table, tuple[str, ...]] = {
    tables.hubs: ("assigned_at", "last_seen_at", "heard_since"),
    tables.devices: ("assigned_at", "last_seen_at"),
    tables.incidents: ("opened_at", "taken_at", "closed_at"),
    tables.messages: ("created_at", "sent_at", "delivered_at"),
    tables.attempts: ("created_at", "sent_at", "delivered_at", "read_at", "ended_at"),
    tables.replies: ("received_at",),
    tables.shifts: ("asked_at",),
    tables.outages: ("since",),
    tables.commands: ("asked_at",),
    tables.rounds: ("started_at",),
    tables.push_subscriptions: ("created_at",),
}


async def settle(centre: Centre) -> None:
    """Decide before anything else runs. A database's clock is its own matter."""
    clock = centre.clock
    if not isinstance(clock, SteadyClock):
        return
    by_s = clock.ahead_s
    if by_s:
        await centre.transact(lambda tx: bring_back(tx, dt.timedelta(seconds=by_s)))
        clock.believe()
    elif clock.jump_s:
        log.error("the clock shows %.0f s less than the store has seen: time goes on from there", -clock.jump_s)


def bring_back(tx: Tx, by: dt.timedelta) -> None:
    """Bring a store whose time was ahead to the right time, and say so."""
    tx.now = tx.now._replace(utc=tx.now.utc - by)
    reason = f"the centre's clock had been ahead by {by.total_seconds():.0f} s; what waits was moved with it"
    log.error(reason)
    due = tables.due
    for row in tx.connection.execute(sa.select(due.c.id, due.c.at).where(due.c.kind.not_in(_NAMED))).all():
        moved = {"at": row.at - by, "leased_by": None, "leased_until": None}
        tx.connection.execute(due.update().where(due.c.id == row.id).values(**moved))
    _note(tx)
    for table, names in _HAPPENED.items():
        for name in names:
            column = table.c[name]
            tx.connection.execute(table.update().where(column > tx.now.utc).values({name: tx.now.utc}))
    mark.keep(tx.connection, tx.owner, tx.now)
    raise_incident(
        tx,
        Finding(
            incident_class="technical",
            kind=Kind.CENTRE_CLOCK_JUMPED,
            severity=Severity.MODERATE,
            need=f"technical:{tx.owner}:clock:ahead",
            reason=reason,
            zone=tx.site.site.zones[0].id,
            occurred_at=tx.now.utc,
        ),
    )


def _note(tx: Tx) -> None:
    """Note in the history of each incident of which something lies ahead that it was brought back."""
    lines = tables.incident_events.c
    ahead = sa.select(lines.incident_id).where(lines.at > tx.now.utc).distinct()
    for number in sorted(tx.connection.scalars(ahead)):
        record.note(tx, number, "brought_back", CENTRE)
