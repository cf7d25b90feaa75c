"""A disk in memory that keeps, when the power is cut, only what was synced; as an SQLite VFS."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw


class DiskFile:
    """The bytes of one file: what programs see, and what has reached the medium."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.synced = bytearray()
        self.unsynced: list[tuple[int, bytes | None]] = []

    def write(self, offset: int, data: bytes) -> None:
        _put(self.seen, offset, data)
        self.unsynced.append((offset, data))

    def truncate(self, size: int) -> None:
        del self.seen[size:]
        self.unsynced.append((size, None))

    def sync(self) -> None:
        for offset, data in self.unsynced:
            if data is None:
                del self.synced[offset:]
            else:
                _put(self.synced, offset, data)
        self.unsynced.clear()

    def cut(self) -> None:
        self.seen = bytearray(self.synced)
        self.unsynced.clear()


def _put(buffer: bytearray, offset: int, data: bytes) -> None:
    if len(buffer) < offset:
        buffer.extend(bytes(offset - len(buffer)))
    buffer[offset : offset + len(data)] = data


class Disk:
    """Files by name; ``operations`` counts writes, syncs and truncations."""

    def __init__(self) -> None:
        self.files: dict[str, DiskFile] = {}
        self.operations = 0
        self.syncs = 0
        self.dies_at: int | None = None

    def operate(self) -> None:
        self.operations += 1
        if self.dies_at is not None and self.operations >= self.dies_at:
            raise apsw.IOError("the power is gone")

    def cut(self) -> None:
        """Lose everything that was not synced, and switch on again."""
        self.dies_at = None
        for file in self.files.values():
            file.cut()


class _File:
    def __init__(self, disk: Disk, file: DiskFile) -> None:
        self._disk, self._file = disk, file

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 -- SQLite's name
        return bytes(self._file.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 -- SQLite's name
        self._disk.operate()
        self._file.write(offset, bytes(data))

    def xTruncate(self, size: int) -> None:  # noqa: N802 -- SQLite's name
        self._disk.operate()
        self._file.truncate(size)

    def xSync(self, _flags: int) -> None:  # noqa: N802 -- SQLite's name
        self._disk.operate()
        self._disk.syncs += 1
        self._file.sync()

    def xFileSize(self) -> int:  # noqa: N802 -- SQLite's name
        return len(self._file.seen)

    def xLock(self, _level: int) -> None: ...  # noqa: N802 -- SQLite's name
    def xUnlock(self, _level: int) -> None: ...  # noqa: N802 -- SQLite's name
    def xClose(self) -> None: ...  # noqa: N802 -- SQLite's name

    def xCheckReservedLock(self) -> bool:  # noqa: N802 -- SQLite's name
        return False

    def xFileControl(self, _op: int, _pointer: int) -> bool:  # noqa: N802 -- SQLite's name
        return False

    def xSectorSize(self) -> int:  # noqa: N802 -- SQLite's name
        return 4096

    def xDeviceCharacteristics(self) -> int:  # noqa: N802 -- SQLite's name
        return 0


class PowerCutVfs(apsw.VFS):
    """Registers a :class:`Disk` under a name."""

    def __init__(self, name: str, disk: Disk) -> None:
        super().__init__(name, "")
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 -- SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or "temporary"
        flags[1] = flags[0]
        return _File(self._disk, self._disk.files.setdefault(path, DiskFile()))

    def xAccess(self, path: str, _flags: int) -> bool:  # noqa: N802 -- SQLite's name
        return path in self._disk.files

    def xDelete(self, path: str, _sync_directory: bool) -> None:  # noqa: N802 -- SQLite's name
        self._disk.operate()
        self._disk.files.pop(path, None)

    def xFullPathname(self, name: str) -> str:  # noqa: N802 -- SQLite's name
        return name


class _Cursor:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def fetchone(self) -> Any:
        return _translated(self._cursor.fetchone)

    def fetchall(self) -> list[Any]:
        return list(_translated(self._cursor.fetchall))

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row


class ApswConnection:
    """An apsw connection with the face of ``sqlite3``.

    Args:
        path: The file.
        vfs: Name of a registered VFS, or ``None`` for the system's.
        synchronous: What ``PRAGMA synchronous=FULL`` is turned into: a connection that lies about it.
    """

    def __init__(self, path: str, vfs: str | None = None, synchronous: str = "FULL") -> None:
        self._synchronous = synchronous
        self._db = _translated(lambda: apsw.Connection(path, vfs=vfs))

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> _Cursor:
        if self._synchronous != "FULL":
            if sql == "PRAGMA synchronous":
                sql = "SELECT 2"
            sql = sql.replace("synchronous=FULL", f"synchronous={self._synchronous}")
        return _Cursor(_translated(lambda: self._db.cursor().execute(sql, parameters)))

    def executemany(self, sql: str, parameters: Any, /) -> _Cursor:
        return _Cursor(_translated(lambda: self._db.cursor().executemany(sql, parameters)))

    def close(self) -> None:
        _translated(lambda: self._db.close(force=True))


def _translated(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except apsw.Error as error:
        damaged = isinstance(error, apsw.CorruptError | apsw.NotADBError)
        kind = sqlite3.DatabaseError if damaged else sqlite3.OperationalError
        translated = kind(str(error))
        translated.sqlite_errorcode = getattr(error, "extendedresult", 0)
        raise translated from error
