"""The one list of what must happen later, and the loop that makes it happen.

Every deadline of the centre is a row of ``due``: there is no other timer, so a restart forgets nothing. A
kind of row is either *done in a transaction* (the row goes and its work is kept in one commit: nothing can be
done twice or half) or *carried out* by a task that touches the world outside; such a row is leased, and a lease
that runs out is taken over by whoever is alive.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from hub.central.centre import Centre, Effects, Tx
from hub.central.store import sql
from hub.central.store.sql import Insert
from hub.central.store.tables import due
from hub.domain.clock import Now

log = logging.getLogger(__name__)

Handler = Callable[[Tx, str], None]

# Longer than any attempt to send takes, so that no live sender is overtaken (Sender's own limit is 10 s).
LEASE = dt.timedelta(seconds=30)
# What must be left of a lease when an attempt begins: its limit, and a moment to note what came of it.
ATTEMPT = dt.timedelta(seconds=15)
# Other processes (a command, another centre) may have put a row into the list.
_LOOK_S = 1.0
_AT_ONCE = 200
_RETRY_CAP_S = 60

# Statements are made once: to make one takes longer than to ask it.
_IT = (due.c.kind == sa.bindparam("kind")) & (due.c.subject == sa.bindparam("subject"))
_FREE = sa.or_(due.c.leased_until.is_(None), due.c.leased_until <= sa.bindparam("now"))
_ANOTHERS = sa.select(due.c.id).where(_IT, due.c.leased_by != sa.bindparam("owner"), sa.not_(_FREE))
_LEASED_UNTIL = sa.select(due.c.leased_until).where(_IT, due.c.leased_by == sa.bindparam("owner"))
_AT = sa.select(due.c.at).where(_IT)
_REMOVE = due.delete().where(_IT)
_INSERT = due.insert()
_CLAIM = (
    sa.select(due.c.id, due.c.kind, due.c.subject, due.c.attempts)
    .where(due.c.at <= sa.bindparam("now"), _FREE)
    .order_by(due.c.at)
    .limit(sa.bindparam("at_once"))
    .with_for_update(skip_locked=True)
)
# By its name: SQLite gives the number of a row that is gone to the next one.
_TAKE = due.delete().where(_IT, due.c.at <= sa.bindparam("now"), due.c.attempts == sa.bindparam("attempts"))
_LEASE = due.update().where(due.c.id.in_(sa.bindparam("ids", expanding=True)))
_RELEASE = due.update().where(due.c.leased_by == sa.bindparam("owner")).values(leased_by=None, leased_until=None)
_EARLIEST = sa.select(due.c.at).where(due.c.leased_until.is_(None)).order_by(due.c.at).limit(1)


def _put(insert: Insert) -> Insert:
    moved = {name: insert.excluded[name] for name in ("at", "leased_by", "leased_until", "attempts")}
    return insert.on_conflict_do_update(index_elements=["kind", "subject"], set_=moved)


_PUT = sql.spelt(lambda insert: _put(insert(due)))


def schedule(tx: Tx, at: dt.datetime, kind: str, subject: str) -> None:
    """Put a row into the list, or move the one that there is; the loop is woken when it sleeps longer."""
    # The new row is nobody's, so the moved one is freed.
    tx.connection.execute(
        _PUT[tx.connection.dialect.name], {"at": at, "kind": kind, "subject": subject, "attempts": 0}
    )
    tx.effects.wake_at = min(at, tx.effects.wake_at or at)


def lease_new(tx: Tx, kind: str, subject: str) -> None:
    """Put a row into the list that this centre carries out at once, after the commit."""
    tx.connection.execute(
        _INSERT,
        {
            "at": tx.now.utc,
            "kind": kind,
            "subject": subject,
            "attempts": 0,
            "leased_by": tx.owner,
            "leased_until": tx.now.utc + LEASE,
        },
    )


def unschedule(tx: Tx, kind: str, subject: str) -> None:
    """Take a row out of the list, if it is there."""
    tx.connection.execute(_REMOVE, {"kind": kind, "subject": subject})


def scheduled(tx: Tx, kind: str, subject: str) -> dt.datetime | None:
    """Return when a row is due, or ``None`` when it is not in the list."""
    return tx.connection.scalar(_AT, {"kind": kind, "subject": subject})


def leased(connection: sa.Connection, owner: str, now: dt.datetime, kind: str, subject: str) -> bool:
    """Tell whether a row is leased by a centre for long enough to begin an attempt."""
    until = connection.scalar(_LEASED_UNTIL, {"kind": kind, "subject": subject, "owner": owner})
    return until is not None and until - now >= ATTEMPT


def lease_again(tx: Tx, kind: str, subject: str) -> bool:
    """Lease a row for another attempt, as if it were new when it is gone; ``False``: it is another centre's."""
    insert = sql.insert(tx.connection, due)
    lease = {"leased_by": tx.owner, "leased_until": tx.now.utc + LEASE}
    mine = sa.or_(due.c.leased_by == tx.owner, _FREE)
    leased = insert.values(at=tx.now.utc, kind=kind, subject=subject, attempts=0, **lease).on_conflict_do_update(
        index_elements=["kind", "subject"], set_=lease, where=mine
    )
    return tx.connection.scalar(leased.returning(due.c.id), {"now": tx.now.utc}) is not None


def overtaken(tx: Tx, kind: str, subject: str) -> bool:
    """Tell whether another centre carries a row out now."""
    who = {"kind": kind, "subject": subject, "owner": tx.owner, "now": tx.now.utc}
    return tx.connection.scalar(_ANOTHERS, who) is not None


class Due(NamedTuple):
    """A row of the list that is due."""

    kind: str
    subject: str
    attempts: int


class Clockwork:
    """The loop over the list.

    Args:
        centre: Whose list it is.
        handlers: What is done in a transaction, by kind.
        carriers: What is carried out by a task, by kind: told the subject, returns at once.
    """

    def __init__(
        self, centre: Centre, handlers: Mapping[str, Handler], carriers: Mapping[str, Callable[[str], None]]
    ) -> None:
        self._centre = centre
        self._handlers = handlers
        self._carriers = carriers
        self._woken = asyncio.Event()
        self._asleep_until: dt.datetime | None = None
        self._resumed = False
        centre.follow(self._follow)

    def _follow(self, effects: Effects) -> None:
        # Most of what is put into the list is for later: an alarm does not wait for a look at it.
        at = effects.wake_at
        if at is not None and (self._asleep_until is None or at < self._asleep_until):
            self._woken.set()

    async def run(self) -> None:
        """Work off what is due, until cancelled."""
        if not self._resumed:  # a loop that was begun anew still has its senders under way
            await self._centre.transact(_release_own)
            self._resumed = True
        while True:
            self._woken.clear()
            self._asleep_until = None
            if not await self._round():
                await self._wait()

    async def _round(self) -> bool:
        """Do what is due now; tell whether there was anything."""
        claimed = await self._centre.transact(self._claim, urgent=True)
        # What is leased is nobody else's meanwhile: it does not stand behind what may wait for another centre.
        for row in claimed:
            if row.kind in self._carriers:
                self._carriers[row.kind](row.subject)
        for row in claimed:
            if row.kind not in self._carriers:
                await self._do(row)
        return bool(claimed)

    def _claim(self, tx: Tx) -> list[Due]:
        """Find what is due, and lease what will be carried out."""
        rows = tx.connection.execute(_CLAIM, {"now": tx.now.utc, "at_once": _AT_ONCE}).all()
        outside = [row.id for row in rows if row.kind in self._carriers]
        if outside:
            lease = {"leased_by": tx.owner, "leased_until": tx.now.utc + LEASE}
            tx.connection.execute(_LEASE, {"ids": outside, **lease})
        return [Due(row.kind, row.subject, row.attempts) for row in rows]

    async def _do(self, row: Due) -> None:
        def work(tx: Tx) -> None:
            gone = tx.connection.execute(_TAKE, {**row._asdict(), "now": tx.now.utc})
            if gone.rowcount:  # else another centre did it, or it was moved
                self._handlers[row.kind](tx, row.subject)

        try:
            await self._centre.transact(work, urgent=True)
        except Exception:  # the task boundary: one row that fails must not stop the others
            log.exception("due %s of %s failed, attempt %d", row.kind, row.subject, row.attempts + 1)
            await self._centre.transact(lambda tx: _postpone(tx, row))

    async def _wait(self) -> None:
        """Sleep until the next row is due, the loop is woken, or somebody else may have added one."""
        earliest = await self._centre.store.read(_earliest)
        now: Now = self._centre.clock.now()
        seconds = _LOOK_S if earliest is None else (earliest - now.utc).total_seconds()
        seconds = min(max(seconds, 0.001), _LOOK_S)
        self._asleep_until = now.utc + dt.timedelta(seconds=seconds)
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return


def _earliest(connection: sa.Connection) -> dt.datetime | None:
    earliest: dt.datetime | None = connection.scalar(_EARLIEST)
    return earliest


def _postpone(tx: Tx, row: Due) -> None:
    wait = dt.timedelta(seconds=min(2**row.attempts, _RETRY_CAP_S))
    it = (due.c.kind == row.kind) & (due.c.subject == row.subject)
    tx.connection.execute(
        due.update()
        .where(it, due.c.at <= tx.now.utc, due.c.attempts == row.attempts)
        .values(at=tx.now.utc + wait, attempts=row.attempts + 1)
    )


def _release_own(tx: Tx) -> None:
    """Take up again what this centre had leased before it was stopped."""
    tx.connection.execute(_RELEASE, {"owner": tx.owner})
