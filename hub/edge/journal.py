"""The journal: what was accepted stays here until the centre says that it has stored it.

Nothing in here waits or reads a clock, and one thread uses it. ``seq`` starts a leap ahead whenever a file is
opened: a card that lied about syncing may have forgotten numbers that were already sent, and a number that
is used twice would make the centre drop a new alarm as a duplicate. The leap is another one each time: a card
that forgets a whole run, or a copy that is put back, begins where that run began.
"""

import datetime as dt
import logging
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from hub.domain.codes import Lane
from hub.domain.errors import PermanentError, RefusedError, TransientError
from hub.domain.ids import new_epoch
from hub.edge.sidefiles import Mark, Reserve
from hub.edge.sqlite import Connection, is_full, prepare, transaction
from hub.wire import envelope
from hub.wire.envelope import Event
from hub.wire.receipt import Receipt

log = logging.getLogger(__name__)

# The least leap, and how much further it may go: a quarter of a million openings below 2**53.
SEQ_LEAP, _LEAP_SPREAD = 1_000_000, 1 << 36
# The clock floor is written when it moved by this much: a page less to sync in most commits.
_FLOOR_STEP = dt.timedelta(minutes=1)
# SQLite's page, and its own figure for a log that is folded in (1000 pages).
_PAGE, _LOG_PAGES_MIN, _LOG_PAGES_MAX = 4096, 16, 1000
_EVICT_SHARE = 10
_EVICT_MIN = 50

_T = TypeVar("_T")


class JournalDamagedError(PermanentError):
    """The file cannot be trusted any more."""


class JournalFullError(TransientError):
    """There is no room left, whatever was evicted."""


class Draft(NamedTuple):
    """An event without its place: ``epoch`` and ``seq`` are given by the journal."""

    lane: Lane
    event: Event


class Entry(NamedTuple):
    """An encoded event with its identity."""

    epoch: str
    seq: int
    lane: Lane
    payload: bytes


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the journal may hold.

    Attributes:
        max_readings: Readings kept; beyond, the oldest are evicted and counted. Alarms have no limit.
        reserve_bytes: Disk space held back for alarms.
    """

    max_readings: int = 200_000
    reserve_bytes: int = 1 << 20


def checksum(*parts: object) -> int:
    """Return the CRC-32 of a row's values."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part if isinstance(part, bytes) else f"{part}\0".encode(), crc)
    return crc


class Journal:
    """One journal file, open.

    Attributes:
        epoch: Name of this life of the journal.
        last_seq: The last number given out.
        counts: Entries waiting for their receipt, by lane.
        evicted: Readings given up for want of room, since the file began.
        floor: An instant that has certainly passed, or ``None``.
        damages: What was found damaged and not reported yet.
        volatile: It is in memory only: nothing can be promised for it.

    Raises:
        JournalDamagedError: What the file says of itself cannot be trusted.
        sqlite3.Error: It cannot be opened.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        limits: Limits | None = None,
        reserve: Reserve | None = None,
        mark: Mark | None = None,
        volatile: bool = False,
    ) -> None:
        self._db = connection
        self._limits = limits or Limits()
        self._reserve = reserve
        self._mark = mark
        self.volatile = volatile
        self.damages: list[str] = []
        prepare(connection, durable=not volatile)
        # The log must fit into the reserve twice: folding it into the file is how room is made.
        pages = max(_LOG_PAGES_MIN, self._limits.reserve_bytes // _PAGE // 2)
        self._db.execute(f"PRAGMA wal_autocheckpoint={min(_LOG_PAGES_MAX, pages)}").fetchall()
        self._load()

    def _load(self) -> None:
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
        stored_seq = row[0] if row else 0
        counts = dict(self._db.execute("SELECT lane, count(*) FROM entries GROUP BY lane").fetchall())
        self.counts = {lane: counts.get(lane.value, 0) for lane in Lane}
        epoch = self.meta("epoch")
        if epoch is None and (stored_seq or self.damages):
            raise JournalDamagedError("its epoch cannot be read")
        self.epoch = epoch.decode("ascii", "replace") if epoch else new_epoch()
        mark = self._mark.read() if self._mark else None
        if mark and mark[0] == self.epoch and mark[1] > stored_seq:
            raise JournalDamagedError(f"it ends at {stored_seq}, but {mark[1]} was given out")
        if epoch is None:
            self._put("meta", "epoch", self.epoch.encode())
            self.last_seq = 0
        else:
            self.last_seq = stored_seq + SEQ_LEAP + secrets.randbelow(_LEAP_SPREAD)
        floor = self.meta("floor")
        self.floor = dt.datetime.fromisoformat(floor.decode()) if floor else None
        self.evicted = int(self.meta("evicted") or 0)
        if self._reserve:
            self._reserve.make()

    def close(self) -> None:
        """Close the file; everything in it is committed already."""
        self._db.close()
        if self._mark:
            self._mark.close()

    def append(
        self, drafts: Sequence[Draft], states: Mapping[str, bytes] | None = None, at: dt.datetime | None = None
    ) -> list[Entry]:
        """Accept events and what the drivers must remember, in one transaction on the disk.

        Args:
            drafts: Events, in order.
            states: Driver states by name.
            at: This instant where the clock is synchronised; it becomes the clock floor.

        Raises:
            JournalFullError: There is no room, even after readings were evicted; readings alone are refused
                as long as the reserve for alarms cannot be held.
        """
        urgent = any(draft.lane is Lane.ALARM for draft in drafts)
        if drafts and not urgent and self._reserve and not self._reserve.make():
            self._give_room_back()
            if not self._reserve.held:
                raise JournalFullError("journal: what room there is, is held for alarms")
        return self._with_room(lambda: self._commit(drafts, states or {}, at))

    def _commit(self, drafts: Sequence[Draft], states: Mapping[str, bytes], at: dt.datetime | None) -> list[Entry]:
        entries = [
            Entry(self.epoch, seq, draft.lane, _place(draft.event, self.epoch, seq))
            for seq, draft in enumerate(drafts, self.last_seq + 1)
        ]
        added = {lane: sum(entry.lane is lane for entry in entries) for lane in Lane}
        over = self.counts[Lane.READING] + added[Lane.READING] - self._limits.max_readings
        floor = at if at and (self.floor is None or at - self.floor >= _FLOOR_STEP) else None
        with transaction(self._db):
            self._db.executemany(
                "INSERT INTO entries (seq, lane, payload, crc) VALUES (?, ?, ?, ?)",
                [(e.seq, e.lane.value, e.payload, checksum(e.seq, e.lane.value, e.payload)) for e in entries],
            )
            for name, value in states.items():
                self._put("state", name, value)
            if floor:
                self._put("meta", "floor", floor.isoformat().encode())
            gone = self._evict(over) if over > 0 else 0
        self.last_seq += len(entries)
        self.floor = floor or self.floor
        for lane, count in added.items():
            self.counts[lane] += count
        self._count_evicted(gone)
        if self._mark and entries:
            self._mark.write(self.epoch, self.last_seq)
        return entries

    def pending(self, lane: Lane, after_seq: int, limit: int) -> list[Entry]:
        """Return entries that wait for their receipt, oldest first; damaged ones are set aside."""
        rows = self._db.execute(
            "SELECT seq, payload, crc FROM entries WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?",
            (lane.value, after_seq, limit),
        ).fetchall()
        good = []
        for seq, payload, crc in rows:
            if isinstance(payload, bytes) and crc == checksum(seq, lane.value, payload):
                good.append(Entry(self.epoch, seq, lane, payload))
            else:
                self._set_aside(seq, lane)
        # A page of nothing but damaged rows must not look like the end.
        return good if good or not rows else self.pending(lane, rows[-1][0], limit)

    def release(self, receipt: Receipt) -> int:
        """Free what the centre has stored; return how many entries that were.

        Raises:
            RefusedError: The receipt is for another journal, or for numbers that were never given out.
        """
        if receipt.epoch != self.epoch:
            raise RefusedError(f"receipt: for epoch {receipt.epoch!r}, this journal is {self.epoch!r}")
        last = max((last for _, last in receipt.stored), default=0)
        if last > self.last_seq:
            raise RefusedError(f"receipt: for entry {last}, the last one is {self.last_seq}")
        gone = self._with_room(lambda: self._release(receipt.stored))
        for lane, count in gone.items():
            self.counts[lane] -= count
        return sum(gone.values())

    def _release(self, ranges: Iterable[tuple[int, int]]) -> dict[Lane, int]:
        gone = dict.fromkeys(Lane, 0)
        with transaction(self._db):
            for first, last in ranges:
                for lane in Lane:
                    self._db.execute(
                        "DELETE FROM entries WHERE lane = ? AND seq BETWEEN ? AND ?", (lane.value, first, last)
                    )
                    gone[lane] += self._changes()
        return gone

    def states(self) -> dict[str, bytes]:
        """Return what the drivers must remember; a damaged state is forgotten and reported."""
        names = [name for (name,) in self._db.execute("SELECT name FROM state").fetchall()]
        found = {name: self._get("state", name) for name in names}
        return {name: value for name, value in found.items() if value is not None}

    def state(self, name: str) -> bytes:
        """Return what one driver must remember, or empty."""
        return self._get("state", name) or b""

    def meta(self, name: str) -> bytes | None:
        """Return a value kept about the hub itself."""
        return self._get("meta", name)

    def keep(self, name: str, value: bytes) -> None:
        """Keep a value about the hub itself."""
        self._with_room(lambda: self._put("meta", name, value))

    def _get(self, table: str, name: str) -> bytes | None:
        row = self._db.execute(f"SELECT value, crc FROM {table} WHERE name = ?", (name,)).fetchone()  # noqa: S608 -- one of two constants
        if row is None:
            return None
        if not isinstance(row[0], bytes) or row[1] != checksum(name, row[0]):
            self.damages.append(f"{table} {name!r}: bad checksum, forgotten")
            return None
        return row[0]

    def _put(self, table: str, name: str, value: bytes) -> None:
        self._db.execute(
            f"INSERT OR REPLACE INTO {table} (name, value, crc) VALUES (?, ?, ?)",  # noqa: S608 -- one of two constants
            (name, value, checksum(name, value)),
        )

    def _set_aside(self, seq: int, lane: Lane) -> None:
        try:
            self._with_room(lambda: self._move_aside(seq))
        except JournalFullError as error:
            # It is passed over where it is: those behind it must not wait for room.
            log.error("journal: entry %d (%s): bad checksum: %s", seq, lane, error)  # noqa: TRY400 -- one line
            return
        log.error("journal: entry %d (%s): bad checksum, set aside", seq, lane)
        self.damages.append(f"entry {seq} ({lane}): bad checksum, set aside")
        self.counts[lane] -= 1

    def _move_aside(self, seq: int) -> None:
        with transaction(self._db):
            self._db.execute("INSERT INTO set_aside SELECT * FROM entries WHERE seq = ?", (seq,))
            self._db.execute("DELETE FROM entries WHERE seq = ?", (seq,))

    def _changes(self) -> int:
        (count,) = self._db.execute("SELECT changes()").fetchone()
        return int(count)

    # A full disk: first the log is folded into the file, then readings go, the oldest first. The reserve is
    # freed meanwhile, since even a deletion needs room in the log, and is made again before all else.

    def _with_room(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
        log.warning("journal: the disk is full")
        if self._reserve:
            self._reserve.free()
        while True:
            shrunk = self._shrink()
            try:
                done = work()
            except sqlite3.OperationalError as error:
                if not is_full(error):
                    raise
                if not shrunk:
                    raise JournalFullError("journal: the disk is full, with no reading left to evict") from error
            else:
                self._give_room_back()
                return done

    def _give_room_back(self) -> None:
        """Make the reserve again, at the readings' cost."""
        while self._reserve and not self._reserve.make():
            if not self._shrink():
                return

    def _shrink(self) -> bool:
        """Evict a share of the readings and give the space to the disk; tell whether any were left."""
        count = max(_EVICT_MIN, self.counts[Lane.READING] // _EVICT_SHARE)
        gone = 0
        try:
            self._checkpoint()
            if self.counts[Lane.READING]:
                with transaction(self._db):
                    gone = self._evict(count)
                self._count_evicted(gone)
                self._db.execute("PRAGMA incremental_vacuum").fetchall()
                self._checkpoint()
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            log.warning("journal: no room to make room")
        return gone > 0

    def _checkpoint(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _evict(self, count: int) -> int:
        self._db.execute(
            "DELETE FROM entries WHERE seq IN (SELECT seq FROM entries WHERE lane = ? ORDER BY seq LIMIT ?)",
            (Lane.READING.value, count),
        )
        gone = self._changes()
        self._put("meta", "evicted", str(self.evicted + gone).encode())
        return gone

    def _count_evicted(self, gone: int) -> None:
        if gone:
            self.evicted += gone
            self.counts[Lane.READING] -= gone
            log.warning("journal: %d readings evicted, %d in all", gone, self.evicted)


def _place(event: Event, epoch: str, seq: int) -> bytes:
    return envelope.encode(msgspec.structs.replace(event, epoch=epoch, seq=seq))
