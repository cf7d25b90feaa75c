"""The centre's real schema and real statements on one SQLite connection in memory: begun anew for every seed."""

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import sqlalchemy as sa

from hub.central.store.migrate import upgrade
from hub.central.watch.waiting import Waiting
from tests.simulation import direct

T = TypeVar("T")


class Watch(Protocol):
    """Who is asked around every transaction of a centre."""

    async def before(self) -> None:
        """A transaction is about to begin: the moment to be slow, to fail or to be killed."""

    def committed(self) -> None:
        """A transaction that changed something was committed: the moment to look at what holds."""

    async def after(self) -> None:
        """It was committed, or read, and whoever asked does not know it yet."""


class Database:
    """One database in memory; :meth:`begin_anew` brings it back to an empty one of the newest schema.

    Attributes:
        raw: SQLite's own connection.
        whole: SQLAlchemy's, which production has.
        connection: What stands for that one here, to be quicker.
    """

    def __init__(self) -> None:
        self.raw = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        engine = sa.create_engine(
            "sqlite://", creator=lambda: self.raw, poolclass=sa.pool.StaticPool, isolation_level="AUTOCOMMIT"
        )
        upgrade(engine)
        self._empty = self.raw.serialize()
        self.raw.execute("PRAGMA foreign_keys=ON")
        self.whole = engine.connect()
        self.connection = cast("sa.Connection", direct.Connection(self.whole, self.raw))

    def begin_anew(self) -> None:
        """Forget everything."""
        self.raw.deserialize(self._empty)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Look at what is stored, past the centres."""
        return self.raw.execute(query, values).fetchall()


class Door:
    """One centre's door to the database: :class:`hub.central.store.engine.Store` without threads."""

    is_sqlite = True

    def __init__(self, database: Database, watch: Watch) -> None:
        self._database = database
        self._watch = watch
        self.waiting = Waiting()

    async def write(self, work: Callable[[sa.Connection], T], *, urgent: bool = False) -> T:
        """Run ``work`` in one transaction."""
        del urgent
        await self._watch.before()
        raw = self._database.raw
        raw.execute("BEGIN IMMEDIATE")
        before = raw.total_changes
        try:
            result = work(self._database.connection)
        except BaseException:
            raw.execute("ROLLBACK")
            raise
        raw.execute("COMMIT")
        if raw.total_changes != before:
            self._watch.committed()
        await self._watch.after()
        return result

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` on the database as it is."""
        await self._watch.before()
        result = work(self._database.connection)
        await self._watch.after()
        return result
