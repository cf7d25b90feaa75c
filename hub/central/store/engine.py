"""The door to the SQL store: transactions in worker threads, alarms ahead of everything that waits."""

import asyncio
import contextlib
import itertools
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from hub.central.store import mark
from hub.central.store.clock import DatabaseClock
from hub.central.store.migrate import upgrade
from hub.central.watch.waiting import Waiting
from hub.domain.clock import SteadyClock
from hub.domain.errors import PermanentError, TransientError

log = logging.getLogger(__name__)
T = TypeVar("T")

_BUSY_MS = 10_000
_READERS = 4
_POSTGRESQL_WRITERS = 4
_FULL = 2
_STOOD_STILL = "25P03"
_DEADLOCK = "40P01"
# Each try that meets another one costs the second after which PostgreSQL looks for it.
_TRIES = 4


class Store:
    """One database, opened and brought to the newest schema.

    SQLite has one writer and needs no more; PostgreSQL has several, and rows that two may want are locked.

    Args:
        url: SQLAlchemy URL: ``sqlite:////var/lib/hub/central.db`` or ``postgresql+psycopg://…``.

    Attributes:
        clock: The time that its rows go by: this machine's for SQLite; PostgreSQL's own, for several centres have
            several clocks.
        waiting: Transactions that have not ended yet, for the auditor.

    Raises:
        PermanentError: The database cannot be opened.
    """

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._database_clock = None if self.is_sqlite else DatabaseClock()
        try:
            self._engine, self._reports = _sqlite(parsed) if self.is_sqlite else _postgresql(parsed)
            self.clock: SteadyClock | DatabaseClock = self._database_clock or self.read_now(mark.begin)
            self.read_now(lambda _connection: None)  # the database's clock is asked
        except (sa.exc.OperationalError, TransientError, OSError) as error:
            raise PermanentError(f"store {parsed!r} cannot be opened: {error}") from error
        self._writers = _Writers(1 if self.is_sqlite else _POSTGRESQL_WRITERS)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self.waiting = self._writers.waiting

    async def write(self, work: Callable[[sa.Connection], T], *, urgent: bool = False) -> T:
        """Run ``work`` in one transaction and return what it returned once that is committed.

        Args:
            work: What to do; it may be begun anew.
            urgent: It goes before what is not.

        Raises:
            TransientError: The database could not be reached or had no room; nothing was kept.
        """
        return await asyncio.wrap_future(self._writers.submit(lambda: self.write_now(work), urgent=urgent))

    async def read(self, work: Callable[[sa.Connection], T], *, report: bool = False) -> T:
        """Run ``work`` on one consistent state of the database.

        Args:
            work: What to do.
            report: It looks through a year or more, and each of its statements may take a minute.

        Raises:
            TransientError: The database could not be reached, or took too long.
        """
        return await asyncio.wrap_future(self._readers.submit(self.read_now, work, report=report))

    def write_now(self, work: Callable[[sa.Connection], T]) -> T:
        """Do :meth:`write` in the calling thread, for commands.

        Of two that wait for each other PostgreSQL ends one. That one has kept nothing, and is begun anew.
        """
        with transient():
            for _ in range(_TRIES - 1):
                try:
                    return self._write(work)
                except sa.exc.OperationalError as error:
                    if getattr(error.orig, "sqlstate", "") != _DEADLOCK:
                        raise
                    log.warning("store: a transaction gave way to another one and is begun anew")
            return self._write(work)

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        with self._engine.connect() as connection:
            self._begin(connection, "BEGIN IMMEDIATE")
            result = work(connection)
            connection.commit()
            return result

    def read_now(self, work: Callable[[sa.Connection], T], *, report: bool = False) -> T:
        """Do :meth:`read` in the calling thread, for commands."""
        with transient(), (self._reports if report else self._engine).connect() as connection:
            self._begin(connection, "BEGIN")
            return work(connection)

    def connect(self) -> sa.Connection:
        """Return a connection outside any transaction, for what lasts as long as it; whoever asked closes it."""
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _begin(self, connection: sa.Connection, sqlite: str) -> None:
        if self._database_clock is None:
            connection.exec_driver_sql(sqlite)
        else:
            self._database_clock.ask(connection)

    def close(self) -> None:
        """Finish what was begun and let go of the database."""
        self._writers.close()
        self._readers.shutdown()
        self._engine.dispose()
        self._reports.dispose()


@contextlib.contextmanager
def transient() -> Iterator[None]:
    """Turn what a database says that is away, busy or full into what is tried again."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        raise TransientError(f"store: {error.orig}") from error
    except sa.exc.InternalError as error:
        # PostgreSQL ended a transaction that stood still (idle_in_transaction_session_timeout).
        if not error.connection_invalidated and getattr(error.orig, "sqlstate", "") != _STOOD_STILL:
            raise
        raise TransientError(f"store: {error.orig}") from error


class _Writers:
    """Threads that work off one queue, what is urgent first."""

    def __init__(self, threads: int) -> None:
        self._queue: queue.PriorityQueue[tuple[int, int, Callable[[], None] | None]] = queue.PriorityQueue()
        self._count = itertools.count()
        self.waiting = Waiting()
        self._threads = [
            threading.Thread(target=self._run, name=f"store-write-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], T], *, urgent: bool) -> "Future[T]":
        future: Future[T] = Future()
        number = next(self._count)
        self.waiting.begin(number)
        future.add_done_callback(lambda _: self.waiting.end(number))

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - a thread's boundary: the waiting task gets it
                future.set_exception(error)
            else:
                future.set_result(result)

        self._queue.put((0 if urgent else 1, number, job))
        return future

    def _run(self) -> None:
        while True:
            _, _, job = self._queue.get()
            if job is None:
                return
            job()

    def close(self) -> None:
        for _ in self._threads:
            self._queue.put((2, next(self._count), None))
        for thread in self._threads:
            thread.join()


def _postgresql(url: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    """Bring a database to the newest schema; return who does every day's work on it, and who makes reports."""
    from hub.central.store import postgresql  # noqa: PLC0415 - it takes long to import, and SQLite does without

    unlimited = postgresql.engine(url, 1, None)
    upgrade(unlimited)
    unlimited.dispose()
    return (
        postgresql.engine(url, _READERS + _POSTGRESQL_WRITERS, postgresql.STATEMENT_S),
        postgresql.engine(url, _READERS, postgresql.REPORT_S),
    )


def _sqlite(url: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # The driver must not begin transactions by itself: BEGIN IMMEDIATE is ours to say.
    engine = sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False},
        poolclass=sa.pool.QueuePool,
        pool_size=_READERS + 2,
        # What an error quotes of its parameters would put residents into the log.
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    upgrade(engine)
    return engine, engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    level = cursor.execute("PRAGMA synchronous").fetchone()[0]
    if level != _FULL:
        raise PermanentError(f"store: SQLite runs with synchronous={level}, a power cut would lose commits")
    cursor.close()
