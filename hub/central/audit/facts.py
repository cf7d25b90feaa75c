"""What a report reads of an incident, as an anchor keeps it, and what of that may change, and after what.

A row of the incidents is changed while people work on it, so no trigger can keep it. But whatever changes in it is
noted in its history, which nobody can change: two states of it differ only in what was noted between them.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from hub.central.audit.chain import Break
from hub.central.incidents.lifecycle import Event
from hub.central.notify.message import FYI
from hub.central.store.tables import incident_events, incidents, messages

OPENED, CLOSED, BROUGHT_BACK = "opened", "closed", "brought_back"
# Lines of the history after which a column may be another one; without an entry it never may.
_AFTER: Mapping[str, frozenset[str]] = {
    "opened_at": frozenset({BROUGHT_BACK}),
    "kind": frozenset({"alerts_again"}),
    "severity": frozenset({"alerts_again"}),
    "also": frozenset({"alerts_again"}),
    "presses": frozenset({Event.PRESS}),
    "closed_at": frozenset({CLOSED, BROUGHT_BACK}),
    **dict.fromkeys(("closed_by", "outcome", "cause"), frozenset({CLOSED})),
    **dict.fromkeys(("sent_at", "delivered_at"), frozenset({"sent", "delivered", BROUGHT_BACK})),
}
LINES = frozenset({OPENED}).union(*_AFTER.values())


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """An incident as a report reads it; instants are microseconds since 1970.

    ``sent_at`` and ``delivered_at`` are those of its first message, and of the first that was delivered. Whatever
    is added later goes to the end and has a default: the trail keeps what was written before. There ``also``,
    what else was reported, is ``None``: nothing is said of it.
    """

    id: int
    incident_class: str
    kind: str
    severity: int
    zone: str
    resident_id: str | None
    device_id: str | None
    test: bool
    opened_at: int
    presses: int
    closed_at: int | None
    closed_by: str | None
    outcome: str | None
    cause: str | None
    sent_at: int | None
    delivered_at: int | None
    also: str | None = None


class Line(NamedTuple):
    """A line of an incident's history of :data:`LINES`; ``at`` is microseconds since 1970."""

    id: int
    at: int
    event: str
    actor: str
    detail: str


def read(connection: sa.Connection, numbers: Collection[int]) -> tuple[Facts, ...]:
    """Return the facts of some incidents, those that there are."""
    rows = connection.execute(sa.select(*_columns()).where(incidents.c.id.in_(numbers)).order_by(incidents.c.id))
    return tuple(Facts(*row) for row in rows)


def with_lines(connection: sa.Connection, after: int, limit: int) -> Iterator[tuple[Facts, list[Line]]]:
    """Yield the incidents after a number with their history.

    Both come in one statement, so that they belong together while people go on working.
    """
    page = sa.select(*_columns()).where(incidents.c.id > after).order_by(incidents.c.id).limit(limit).subquery()
    lines = incident_events.c
    at = sa.type_coerce(lines.at, sa.BigInteger)
    of_it = sa.and_(lines.incident_id == page.c.id, lines.event.in_(sorted(LINES)))
    query = (
        sa.select(*page.c, lines.id, at, lines.event, lines.actor, lines.detail)
        .select_from(page.outerjoin(incident_events, of_it))
        .order_by(page.c.id, lines.id)
    )
    here: tuple[Facts, list[Line]] | None = None
    width = len(Facts.__struct_fields__)
    row: Any
    for row in connection.execute(query):
        if here is None or here[0].id != row[0]:
            if here is not None:
                yield here
            here = (Facts(*row[:width]), [])
        if row[width] is not None:
            here[1].append(Line(*row[width:]))
    if here is not None:
        yield here


def story(facts: Facts, lines: list[Line]) -> Break | None:
    """Compare an incident with what its own history says of it, and tell what is otherwise."""
    opened = [line for line in lines if line.event == OPENED]
    closed = [line for line in lines if line.event == CLOSED]
    if len(opened) != 1 or len(closed) > 1:
        times = f"opens it {len(opened)} times" if len(opened) != 1 else f"closes it {len(closed)} times"
        return Break("inserted", f"incident {facts.id}: its history {times}")
    # Whatever was ahead of the right time was brought back to it, and nothing else.
    begun = min(line.at for line in lines if line.event in {OPENED, BROUGHT_BACK})
    ended: tuple[object, ...] = (None, None, None, None)
    if closed:
        outcome, cause = (*closed[0].detail.split(), "", "")[:2]
        back = [line.at for line in lines if line.event == BROUGHT_BACK and line.id > closed[0].id]
        # An older version brought the closing back in no store: then it is what it was.
        at = facts.closed_at if facts.closed_at in back else closed[0].at
        ended = (at, closed[0].actor, outcome, cause)
    told = dict(zip(("opened_at", "closed_at", "closed_by", "outcome", "cause"), (begun, *ended), strict=True))
    return _break(facts.id, [name for name, value in told.items() if getattr(facts, name) != value], "its history")


def drift(before: Facts, after: Facts, events: Collection[str], row: int) -> Break | None:
    """Compare two states of an incident, and tell what changed although nothing was noted after which it may.

    Args:
        before: What the trail says.
        after: What it says later, or what the incident is now.
        events: What was noted about the incident since ``before``.
        row: The row of the trail that says it.
    """
    changed = [name for name in Facts.__struct_fields__ if getattr(before, name) != getattr(after, name)]
    if None in {before.also, after.also} and "also" in changed:
        changed.remove("also")
    odd = [name for name in changed if _AFTER.get(name, frozenset()).isdisjoint(events)]
    if before.incident_class == "technical" and before.closed_at is None and after.presses > before.presses:
        # A technical fault may repeat a thousand times an hour: each is counted, few are noted.
        odd = [name for name in odd if name != "presses"]
    return _break(before.id, odd, f"row {row} of the trail")


def _break(number: int, names: list[str], source: str) -> Break | None:
    return Break("altered", f"incident {number}: {', '.join(names)}: not what {source} says") if names else None


def _columns() -> list[sa.ColumnElement[Any]]:
    of_it = sa.and_(messages.c.incident_id == incidents.c.id, messages.c.channel != FYI)
    told = {
        name: sa.select(sa.func.min(_plain(messages.c[name]))).where(of_it).scalar_subquery().label(name)
        for name in ("sent_at", "delivered_at")
    }
    return [told.get(name, _plain(incidents.c.get(name))) for name in Facts.__struct_fields__]


def _plain(column: Any) -> Any:  # noqa: ANN401 - a column of any type, or none
    """Return instants as the integers they are kept as."""
    if column is not None and column.name.endswith("_at"):
        return sa.type_coerce(column, sa.BigInteger).label(column.name)
    return column
