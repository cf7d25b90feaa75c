"""Anchors: the incidents' history is hashed into the audit trail every few minutes.

A chain of its own would let every alarm of every centre wait for one lock. So what was noted about incidents is
kept as it is, no row of it can be changed, and a row of the trail tells which rows there were and their hash. It
also tells what each incident was that these rows are about: an incident itself is changed again and again.
"""

import asyncio
import datetime as dt
import hashlib
import json
import logging
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from hub.central.audit import facts
from hub.central.audit.facts import Facts
from hub.central.auth import audit as trail
from hub.central.centre import Centre, Tx
from hub.central.store.tables import audit, incident_events, microseconds
from hub.domain.clock import Now
from hub.domain.errors import TransientError

log = logging.getLogger(__name__)

ACTOR, ACTION, SUBJECT = "centre", "incidents.anchored", "incident_events"
PERIOD = dt.timedelta(minutes=5)
# What is older than this and not anchored was left out: two periods, and one more for a centre that took over.
DELAY = 3 * PERIOD
# Rows in one anchor: few enough to look through when one of them was altered.
ROWS = 1000
_AT_ONCE = 20

_COLUMNS = (
    incident_events.c.id,
    incident_events.c.incident_id,
    sa.type_coerce(incident_events.c.at, sa.BigInteger),
    incident_events.c.event,
    incident_events.c.actor,
    incident_events.c.detail,
)


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """What the trail says of the incidents' history.

    Attributes:
        first: Number of the first row that it holds fast.
        last: Number of the last one.
        rows: How many there were; a transaction that was given up leaves a number unused.
        sha256: Hash of them all.
        seen: The highest number at this moment. Lower ones may still be under way in another centre: it is what
            the next anchors reach to, after :data:`PERIOD`.
        seen_at: This moment, in microseconds.
        facts: What the incidents of these rows were at this moment; older versions did not tell.
    """

    first: int
    last: int
    rows: int
    sha256: str
    seen: int
    seen_at: int
    facts: tuple[Facts, ...] = ()


class Anchors:
    """Drops an anchor every few minutes, while there is news. Several centres share the work.

    Args:
        centre: Whose incidents.
    """

    def __init__(self, centre: Centre) -> None:
        self._centre = centre

    async def run(self) -> None:
        """Do so until cancelled."""
        while True:
            try:
                await self.round()
            except TransientError as error:
                log.warning("the incidents' history is anchored later: %s", error)
            await asyncio.sleep(PERIOD.total_seconds())

    async def round(self) -> int:
        """Anchor what has come to rest; return how many anchors that took."""
        for count in range(_AT_ONCE):
            now = self._centre.clock.now()
            known, following = await self._centre.store.read(lambda connection: _next(connection, now))  # noqa: B023 - awaited here
            if following is None or not await self._centre.transact(lambda tx: _drop(tx, known, following)):  # noqa: B023 - the same
                return count
        return _AT_ONCE


def anchors(connection: sa.Connection) -> Iterable[tuple[int, Anchor]]:
    """Yield the anchors, the oldest first, with their row of the trail."""
    query = sa.select(audit.c.id, audit.c.detail).where(audit.c.subject == SUBJECT, audit.c.action == ACTION)
    for row in connection.execute(query.order_by(audit.c.id)):
        yield row.id, msgspec.json.decode(row.detail, type=Anchor)


def holds(connection: sa.Connection, anchor: Anchor) -> bool:
    """Tell whether the incidents' history is still what an anchor says."""
    between = incident_events.c.id.between(anchor.first, anchor.last)
    rows = connection.execute(sa.select(*_COLUMNS).where(between).order_by(incident_events.c.id)).all()
    return (len(rows), _hash(rows)) == (anchor.rows, anchor.sha256)


def _next(connection: sa.Connection, now: Now) -> tuple[int, Anchor | None]:
    """Return the row of the last anchor and what the next one says, ``None`` when it is not time for one."""
    newest = connection.scalar(sa.select(sa.func.max(incident_events.c.id))) or 0
    row, last = _last(connection)
    this_moment, period = microseconds(now.utc), PERIOD // dt.timedelta(microseconds=1)
    if last is None or last.seen_at > this_moment + period:  # by a clock that was ahead: it waits anew
        done = 0 if last is None else last.last
        return row, Anchor(first=done + 1, last=done, rows=0, sha256=_hash(()), seen=newest, seen_at=this_moment)
    if last.seen_at + period > this_moment or last.last == newest:
        return row, None
    reach = incident_events.c.id.between(last.last + 1, last.seen)
    rows = connection.execute(sa.select(*_COLUMNS).where(reach).order_by(incident_events.c.id).limit(ROWS)).all()
    more = len(rows) == ROWS
    return row, Anchor(
        first=last.last + 1,
        last=rows[-1].id if more else last.seen,
        rows=len(rows),
        sha256=_hash(rows),
        seen=last.seen if more else newest,
        seen_at=last.seen_at if more else this_moment,
        facts=facts.read(connection, {row.incident_id for row in rows}),
    )


def _drop(tx: Tx, known: int, anchor: Anchor) -> bool:
    """Write an anchor, unless another centre was faster."""
    trail.lock(tx.connection)
    if _last(tx.connection)[0] != known:
        return False
    detail = msgspec.json.encode(anchor).decode()
    trail.note(tx.connection, tx.now, ACTOR, ACTION, SUBJECT, detail)
    return True


def _last(connection: sa.Connection) -> tuple[int, Anchor | None]:
    query = sa.select(audit.c.id, audit.c.detail).where(audit.c.subject == SUBJECT, audit.c.action == ACTION)
    row = connection.execute(query.order_by(audit.c.id.desc()).limit(1)).one_or_none()
    return (0, None) if row is None else (row.id, msgspec.json.decode(row.detail, type=Anchor))


def _hash(rows: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps([*row], ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n")
    return digest.hexdigest()
