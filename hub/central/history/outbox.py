"""The outbox to the long history: a cursor over the stored observations that moves after the server's 204.

What is between the cursor and the newest observation waits in SQL, however long the server is away. A crash after
the 204 and before the cursor moved writes the same points again, which changes nothing.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import sqlalchemy as sa

from hub.central.history.points import lines
from hub.central.store.engine import Store
from hub.central.store.sql import insert
from hub.central.store.tables import cursors, history_rejects, observations
from hub.central.watch import waiting
from hub.domain.clock import Clock
from hub.domain.errors import RefusedError, TransientError

log = logging.getLogger(__name__)

CURSOR = "history"
# InfluxDB's own advice is 5,000 to 10,000 lines; ours are long, and a smaller batch is a shorter turn of a thread.
BATCH = 2000
IDLE_S = 1.0
# A number is drawn and used in one statement, microseconds apart; a machine that stands still takes longer.
SETTLE_S = 1.0
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 30.0


class Writer(Protocol):
    """Whoever takes points."""

    async def write(self, lines: Sequence[str]) -> None:
        """Write points, all of them or an error."""
        ...

    async def accepts_others(self) -> bool:
        """Tell whether a point that is certainly right would be taken."""
        ...


class Waiting(NamedTuple):
    """An observation that is not in the history yet."""

    id: int
    line: str


class Horizon(NamedTuple):
    """PostgreSQL: once every transaction before ``xmax`` is over, no row up to ``last_id`` can still appear.

    ``xmax`` is taken ``SETTLE_S`` after ``last_id``: whoever had drawn a smaller number has an id by then.
    """

    last_id: int
    mono: float
    xmax: int | None = None


class Outbox:
    """Feeds a history server for ever.

    Args:
        store: Where the observations and the cursor are.
        writer: The history server.
        clock: For the time at which a rejected point is noted, and for how long a number has been seen.

    Attributes:
        unwritten: The batch that has not gone through yet, for the auditor.
    """

    def __init__(self, store: Store, writer: Writer, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self.unwritten = waiting.Waiting()
        self._horizon: Horizon | None = None
        self._settled_id = 0

    async def run(self) -> None:
        """Bring over what waits; on trouble wait and try again, until cancelled."""
        pause_s = RETRY_FIRST_S
        trouble = ""
        while True:
            try:
                moved = await self.step()
            except TransientError as error:
                if str(error) != trouble:
                    log.warning("history waits in the store: %s", error)
                trouble = str(error)
                await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311, no secret
                pause_s = min(pause_s * 2, RETRY_MAX_S)
                continue
            if trouble:
                log.info("history is being written again")
            trouble, pause_s = "", RETRY_FIRST_S
            if not moved:
                await asyncio.sleep(IDLE_S)

    async def step(self) -> int:
        """Bring one batch over; return how many observations the cursor passed.

        Raises:
            TransientError: The server or the store is away; nothing moved.
        """
        self.unwritten.begin("batch")
        found = await self._store.read(self._waiting)
        if found:
            rejects: dict[int, str] = {}
            await self._deliver(found, rejects)
            await self._store.write(lambda connection: self._pass(connection, found[-1].id, rejects))
        self.unwritten.end("batch")
        return len(found)

    async def _deliver(self, waiting: Sequence[Waiting], rejects: dict[int, str]) -> None:
        """Write a batch; halve one that is refused until the point that is to blame stands alone."""
        try:
            await self._writer.write([item.line for item in waiting])
        except RefusedError as error:
            if len(waiting) > 1:
                middle = len(waiting) // 2
                await self._deliver(waiting[:middle], rejects)
                await self._deliver(waiting[middle:], rejects)
            elif await self._writer.accepts_others():
                log.error("history: observation %d is rejected for good: %s", waiting[0].id, error)  # noqa: TRY400, expected
                rejects[waiting[0].id] = str(error)
            else:
                # A wrong setting must not pass for ten thousand wrong points.
                raise TransientError(f"history server refuses every point: {error}") from error

    def _waiting(self, connection: sa.Connection) -> list[Waiting]:
        position = connection.scalar(sa.select(cursors.c.position).where(cursors.c.name == CURSOR)) or 0
        rows = sa.select(observations).where(observations.c.id > position)
        if connection.dialect.name == "postgresql":
            rows = rows.where(observations.c.id <= self._settled(connection))
        found = connection.execute(rows.order_by(observations.c.id).limit(BATCH)).mappings().all()
        return [Waiting(row["id"], line) for row, line in zip(found, lines(connection, found), strict=True)]

    def _settled(self, connection: sa.Connection) -> int:
        """Return the last id that no transaction under way can still undercut.

        Numbers are given out before they are committed: a row may appear below one that is already there.
        """
        xmin, xmax, last_id = connection.execute(
            sa.text(
                "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint,"
                " (SELECT coalesce(max(id), 0) FROM observations) FROM pg_current_snapshot() AS s"
            )
        ).one()
        mono = self._clock.now().mono
        horizon = self._horizon
        if horizon is not None and horizon.xmax is None and mono - horizon.mono >= SETTLE_S:
            self._horizon = horizon._replace(xmax=xmax)
        elif horizon is not None and horizon.xmax is not None and xmin >= horizon.xmax:
            self._settled_id, self._horizon = horizon.last_id, None
        if self._horizon is None:
            self._horizon = Horizon(last_id, mono)
        return self._settled_id

    def _pass(self, connection: sa.Connection, position: int, rejects: dict[int, str]) -> None:
        """Move the cursor and note what was rejected, in one transaction."""
        at = self._clock.now().utc
        for observation_id, reason in rejects.items():
            connection.execute(
                insert(connection, history_rejects)
                .values(observation_id=observation_id, reason=reason, at=at)
                .on_conflict_do_nothing()
            )
        row = insert(connection, cursors).values(name=CURSOR, position=position)
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"position": position}))
