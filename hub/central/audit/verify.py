"""Walks the audit trail in the store, and finds what is not what it was: there, and in what reports read."""

import datetime as dt
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import sqlalchemy as sa

from hub.central.audit import anchor, chain
from hub.central.audit.chain import GENESIS, Break, Entry, Head, Link
from hub.central.audit.incidents import Compared, Said, altered_sites, compare
from hub.central.auth.audit import CHAIN
from hub.central.store.tables import audit, audit_head, incident_events
from hub.domain.clock import UTC

_PAGE = 2000
_START = Head(0, 0, GENESIS)


class Verdict(NamedTuple):
    """What a walk came to.

    Attributes:
        rows: Rows that hold, from the first of the trail on, those before ``since`` taken as they are.
        since: Rows of these that were walked.
        row: Number of the last of them.
        hash: Its hash; the head's, when nothing is broken.
        anchored: Rows of the incidents' history that an anchor holds fast.
        broken: The first break, or ``None``.
        written: Number of the row that bears the hash that was asked for, or ``None``.
        incidents: Incidents that were compared with what was noted of them; none when the trail itself is broken.
        bare: Those whose history was anchored by an older version: only that history speaks of them.
        altered: Every incident and version of the site that is not what was noted.
    """

    rows: int
    since: int
    row: int
    hash: str
    anchored: int
    broken: Break | None
    written: int | None = None
    incidents: int = 0
    bare: int = 0
    altered: tuple[Break, ...] = ()


class _Anchored(NamedTuple):
    """What the anchors say: rows held, incidents as they were, lines before the walk and up to the last anchor."""

    held: int = 0
    said: Mapping[int, list[Said]] = {}
    begin: int = 0
    reach: int = 0


def verify(
    connection: sa.Connection,
    since: dt.datetime | None = None,
    written: str | None = None,
    now: dt.datetime | None = None,
) -> Verdict:
    """Walk the trail, hold the incidents' history against its anchors, and the incidents against both.

    Args:
        connection: A connection to the store.
        since: Take the rows before this instant as they are.
        written: A hash that was written down elsewhere: some row must bear it.
        now: This moment, for lines of the history that should have been anchored by now; ``None``: they may wait.
    """
    start = _start(connection, since)
    heads: list[Head] = []
    with closing(_links(connection, start.row, heads)) as links:
        walked = chain.walk(links, start)
    head = heads[0] if heads else _head(connection)
    broken = walked.broken or chain.ends(walked, head)
    found = None
    if written is not None:
        found = connection.scalar(sa.select(audit.c.id).where(audit.c.hash == written))
        if found is None and broken is None:
            broken = Break("missing", f"the row with the hash {written}")
    anchored, compared = _Anchored(), Compared(0, 0, ())
    if broken is None:
        anchored, broken = _anchored(connection, start.row)
    if broken is None:
        compared = compare(connection, anchored.said, anchored.begin, anchored.reach)
        altered = (*compared.altered, *altered_sites(connection, start.row))
        compared = compared._replace(altered=altered)
        broken = altered[0] if altered else _waiting(connection, anchored.reach, now)
    rows = (walked.rows, walked.rows - start.rows, walked.row, walked.hash, anchored.held)
    return Verdict(*rows, broken, found, *compared)


def _start(connection: sa.Connection, since: dt.datetime | None) -> Head:
    if since is None:
        return _START
    first = sa.select(sa.func.min(audit.c.id)).where(audit.c.at >= since).scalar_subquery()
    before = sa.select(audit.c.id, audit.c.hash).where(audit.c.id < sa.func.coalesce(first, 2**62))
    row = connection.execute(before.order_by(audit.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return _START
    rows = connection.scalar(sa.select(sa.func.count()).where(audit.c.id <= row.id)) or 0
    return Head(rows, row.id, row.hash or "")


def _links(connection: sa.Connection, after: int, heads: list[Head]) -> Generator[Link, None, None]:
    """Yield the rows after a number; the head comes in the same statement, so that it belongs to the last one."""
    at = sa.type_coerce(audit.c.at, sa.BigInteger)
    query = (
        sa.select(audit.c.id, at, audit.c.actor, audit.c.action, audit.c.subject, audit.c.detail)
        .add_columns(audit.c.previous, audit.c.hash)
        .add_columns(audit_head.c.length, audit_head.c.last_id, audit_head.c.hash)
        .join(audit_head, audit_head.c.name == CHAIN, isouter=True)
        .where(audit.c.id > after)
        .order_by(audit.c.id)
    )
    row: Any
    with connection.execute(query, execution_options={"yield_per": _PAGE}) as found:
        for row in found:
            if not heads:
                heads.append(Head(row[8] or 0, row[9] or 0, row[10] or GENESIS))
            yield Link(row[0], Entry(*row[1:6]), row[6], row[7])


def _head(connection: sa.Connection) -> Head:
    query = sa.select(audit_head.c.length, audit_head.c.last_id, audit_head.c.hash).where(
        audit_head.c.name == CHAIN
    )
    row = connection.execute(query).one_or_none()
    return _START if row is None else Head(*row)


def _anchored(connection: sa.Connection, after: int) -> tuple[_Anchored, Break | None]:
    held = begin = reach = 0
    said: dict[int, list[Said]] = {}
    for row, anchored in anchor.anchors(connection):
        reach = anchored.last
        if row <= after:
            begin = reach
            continue
        if not anchor.holds(connection, anchored):
            rows = f"one of the rows {anchored.first} to {anchored.last} of incident_events"
            broken = Break("altered", f"{rows}: they are not what row {row} of the trail says")
            return _Anchored(held), broken
        held += anchored.rows
        for facts in anchored.facts:
            said.setdefault(facts.id, []).append(Said(row, anchored.last, facts))
    return _Anchored(held, said, begin, reach), None


def _waiting(connection: sa.Connection, reach: int, now: dt.datetime | None) -> Break | None:
    """Find the lines of the history that should have been anchored."""
    if now is None:
        return None
    lines = incident_events.c
    late = sa.and_(lines.id > reach, lines.at <= now - anchor.DELAY)
    first, last, at = connection.execute(
        sa.select(sa.func.min(lines.id), sa.func.max(lines.id), sa.func.min(lines.at)).where(late)
    ).one()
    if first is None:
        return None
    rows = f"rows {first} to {last} of incident_events, since {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return Break("unanchored", f"{rows}: a running centre anchors them within ten minutes; ask again then")
