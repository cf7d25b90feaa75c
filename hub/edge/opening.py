"""Opening the journal, whatever state it is in: the hub must take the next alarm.

A damaged file is kept aside under ``journal.damaged-<n>``, and what can still be read of it goes into a new
journal under a new epoch, with the events' own ids. The new file takes the old one's place only when it is
complete, so a power cut in the middle of the rescue loses nothing either. Where no file can be opened at
all, a journal in memory takes its place: its alarms are sent, and flagged.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec

from hub.domain.codes import Lane
from hub.domain.errors import PermanentError, TransientError
from hub.edge.journal import Draft, Journal, JournalDamagedError, JournalFullError, Limits, checksum
from hub.edge.sidefiles import Mark, Reserve
from hub.edge.sqlite import Connect, Connection, connect, is_busy, is_full
from hub.wire.envelope import Event

log = logging.getLogger(__name__)

_KEPT_META = ("config", "floor", "evicted")
_ENTRIES = "SELECT seq, lane, payload, crc FROM entries ORDER BY seq"
_event = msgspec.json.Decoder(Event)


def open_journal(folder: Path, *, limits: Limits | None = None, connector: Connect = connect) -> Journal:
    """Open the journal of a hub.

    Args:
        folder: The hub's data folder; made when missing.
        limits: How much it may hold.
        connector: Opens a database.

    Returns:
        The journal; its ``damages`` tell what was found.

    Raises:
        TransientError: Another process has it open.
    """
    limits = limits or Limits()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _take_over(folder)
        try:
            return _open(folder, "journal", limits, connector)
        except (sqlite3.DatabaseError, JournalDamagedError, ValueError) as error:
            log.error("journal: damaged: %s", error)  # noqa: TRY400 -- the sentence says it all
            return _rescue(folder, limits, connector, str(error))
    except (OSError, sqlite3.Error, PermanentError, JournalFullError) as error:
        log.critical("journal: cannot be opened, alarms are kept in memory only: %s", error)
        journal = Journal(connector(":memory:"), limits=limits, volatile=True)
        with suppress(sqlite3.Error, PermanentError):
            # A card that has become read-only may still be read.
            _salvage(connector(str(folder / "journal.db")), journal)
        journal.damages.append(f"cannot be opened, in memory only: {error}")
        return journal


def _open(folder: Path, stem: str, limits: Limits, connector: Connect) -> Journal:
    reserve = Reserve(folder / "journal.reserve", limits.reserve_bytes)
    try:
        return _open_once(folder, stem, limits, connector, reserve)
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise TransientError("journal: another process has it open; run one edge only") from error
        if not is_full(error):
            raise
    # Even opening takes a page; the journal makes the reserve again when there is room.
    reserve.free()
    return _open_once(folder, stem, limits, connector, reserve)


def _open_once(folder: Path, stem: str, limits: Limits, connector: Connect, reserve: Reserve) -> Journal:
    connection = connector(str(folder / f"{stem}.db"))
    try:
        mark = Mark(folder / "journal.mark")
        journal = Journal(connection, limits=limits, reserve=reserve, mark=mark)
        _check(connection)
    except BaseException:
        connection.close()
        raise
    return journal


def _check(connection: Connection) -> None:
    # Not quick_check, which leaves indexes out: what an index does not show is never sent.
    rows = [row for (row,) in connection.execute("PRAGMA integrity_check(3)").fetchall()]
    if rows != ["ok"]:
        raise JournalDamagedError("; ".join(str(row) for row in rows))


def _rescue(folder: Path, limits: Limits, connector: Connect, reason: str) -> Journal:
    old, new, ready = (folder / f"journal.{end}" for end in ("db", "new.db", "ready"))
    aside = _keep_aside(folder, old)
    _remove(new)
    fresh = _open(folder, "journal.new", limits, connector)
    try:
        count = _salvage(connector(str(old)), fresh)
    finally:
        fresh.close()
    _fold_in(folder, new, limits, connector)
    new.rename(ready)
    _take_over(folder)
    journal = _open(folder, "journal", limits, connector)
    log.error("journal: %d entries saved, new epoch %s, the old file is %s", count, journal.epoch, aside)
    journal.damages.append(f"file damaged ({reason}); {count} entries saved; old file {aside}")
    return journal


def _fold_in(folder: Path, new: Path, limits: Limits, connector: Connect) -> None:
    """Make sure that all of a new journal is in its file, for its log stays behind.

    Raises:
        JournalFullError: There is no room to fold the log in, even without the reserve.
    """
    if _log_of(new).exists():
        Reserve(folder / "journal.reserve", limits.reserve_bytes).free()
        with closing(connector(str(new))) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    if _log_of(new).exists():
        raise JournalFullError("journal: no room for what was saved of a damaged file")


def _take_over(folder: Path) -> None:
    """Put a completed new journal in the old one's place; the old one's log must not meet the new file."""
    ready, path = folder / "journal.ready", folder / "journal.db"
    if ready.exists():
        _log_of(path).unlink(missing_ok=True)
        ready.replace(path)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _keep_aside(folder: Path, path: Path) -> str:
    number = sum(1 for _ in folder.glob("journal.damaged-*[0-9]")) + 1
    aside = folder / f"journal.damaged-{number}"
    try:
        aside.hardlink_to(path)
        if _log_of(path).exists():
            _log_of(aside).hardlink_to(_log_of(path))
    except OSError as error:
        log.error("journal: the damaged file cannot be kept aside: %s", error)  # noqa: TRY400 -- not fatal
        return "not kept"
    return aside.name


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _log_of(path).unlink(missing_ok=True)


def _salvage(damaged: Connection, fresh: Journal) -> int:
    """Copy every whole row; return the number of entries."""
    drafts: dict[int, Draft] = {}
    try:
        damaged.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        for order in ("ASC", "DESC"):
            # From both ends: a torn page hides what is behind it, in one direction.
            for seq, lane, payload, crc in _readable(damaged, f"{_ENTRIES} {order}"):
                if isinstance(payload, bytes) and crc == checksum(seq, lane, payload):
                    with suppress(msgspec.DecodeError, ValueError):
                        drafts[seq] = Draft(Lane(lane), _event.decode(payload))
        states = _whole(damaged, "SELECT name, value, crc FROM state")
        meta = _whole(damaged, "SELECT name, value, crc FROM meta")
    finally:
        damaged.close()
    if drafts or states:
        fresh.append([drafts[seq] for seq in sorted(drafts)], states)
    for name in _KEPT_META:
        if name in meta:
            fresh.keep(name, meta[name])
    return len(drafts)


def _whole(damaged: Connection, sql: str) -> dict[str, bytes]:
    return {
        name: value
        for name, value, crc in _readable(damaged, sql)
        if isinstance(value, bytes) and crc == checksum(name, value)
    }


def _readable(damaged: Connection, sql: str) -> Iterator[Any]:
    """Give the rows up to the first that cannot be read."""
    try:
        yield from damaged.execute(sql)
    except sqlite3.Error as error:
        log.warning("journal: %s", error)
