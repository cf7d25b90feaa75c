"""SQLite as the journal needs it: one writer, write-ahead log, every commit on the disk before it returns."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from typing import Any, Protocol

from hub.domain.errors import PermanentError

BUSY_TIMEOUT_MS = 5000
_SYNCHRONOUS_FULL = 2
_AUTO_VACUUM_INCREMENTAL = 2

# Primary result codes (sqlite.org/rescode.html); the low byte of an extended code.
_PRIMARY = 0xFF
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# Where the file system has no room for the shared-memory or a synced page, SQLite answers with these.
_FULL_EXTENDED = {sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE}


class Cursor(Protocol):
    """The rows of an answer."""

    def fetchone(self) -> Any: ...  # noqa: ANN401, D102 -- rows have the types of the query
    def fetchall(self) -> list[Any]: ...  # noqa: D102 -- as in DB-API 2.0
    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What the journal uses of a connection; ``sqlite3`` has it, and the tests' power-cut disk."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor: ...  # noqa: D102 -- DB-API 2.0
    def executemany(self, sql: str, parameters: Any, /) -> Cursor: ...  # noqa: ANN401, D102 -- DB-API 2.0
    def close(self) -> None: ...  # noqa: D102 -- DB-API 2.0


class Connect(Protocol):
    """Opens a file as a database in autocommit mode."""

    def __call__(self, path: str, /) -> Connection:
        """Return the connection."""
        ...


def connect(path: str) -> sqlite3.Connection:
    """Open a file with the standard library."""
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False)


def prepare(connection: Connection, *, durable: bool = True) -> None:
    """Set a connection up, and make sure that it took.

    The lock is exclusive: there is one writer, a second process is refused at once instead of in the middle
    of an alarm, and the log needs no shared memory, whose growth cannot be refused in order on a full disk.

    Args:
        connection: Fresh, in autocommit mode.
        durable: ``False`` for a database in memory, which has no log.

    Raises:
        PermanentError: The connection does not keep its commits.
        sqlite3.Error: The file cannot be used; busy where another process has it.
    """
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}").fetchall()
    connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
    connection.execute(f"PRAGMA auto_vacuum={_AUTO_VACUUM_INCREMENTAL}").fetchall()
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    connection.execute("PRAGMA synchronous=FULL").fetchall()
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    if durable and (mode, synchronous) != ("wal", _SYNCHRONOUS_FULL):
        raise PermanentError(f"journal: commits would not be kept: mode {mode}, synchronous {synchronous}")
    for statement in resources.files("hub.edge").joinpath("journal.sql").read_text("utf-8").split(";"):
        connection.execute(statement)


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit all of the body, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself where the disk was full; then this one has nothing to do.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def is_full(error: sqlite3.Error) -> bool:
    """Tell whether the disk had no room."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & _PRIMARY == sqlite3.SQLITE_FULL or code in _FULL_EXTENDED


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another process holds the file."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & _PRIMARY in _BUSY
