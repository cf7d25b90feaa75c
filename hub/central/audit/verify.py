"""Walks the audit trail in the store and finds the first row that is not what it was."""

import datetime as dt
from collections.abc import Generator
from contextlib import closing
from typing import Any, NamedTuple

import sqlalchemy as sa

from hub.central.audit import anchor, chain
from hub.central.audit.chain import GENESIS, Break, Entry, Head, Link
from hub.central.auth.audit import CHAIN
from hub.central.store.tables import audit, audit_head

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
    """

    rows: int
    since: int
    row: int
    hash: str
    anchored: int
    broken: Break | None
    written: int | None = None


def verify(connection: sa.Connection, since: dt.datetime | None = None, written: str | None = None) -> Verdict:
    """Walk the trail, and hold the incidents' history against its anchors.

    Args:
        connection: A connection to the store.
        since: Take the rows before this instant as they are.
        written: A hash that was written down elsewhere: some row must bear it.
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
    anchored = 0
    if broken is None:
        anchored, broken = _anchored(connection, start.row)
    return Verdict(walked.rows, walked.rows - start.rows, walked.row, walked.hash, anchored, broken, found)


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


def _anchored(connection: sa.Connection, after: int) -> tuple[int, Break | None]:
    held = 0
    for row, said in list(anchor.anchors(connection)):
        if row <= after:
            continue
        if not anchor.holds(connection, said):
            rows = f"one of the rows {said.first} to {said.last} of incident_events"
            return held, Break("altered", f"{rows}: they are not what row {row} of the trail says")
        held += said.rows
    return held, None
