"""The disk is full: readings go, the oldest first; an alarm still fits."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.domain.codes import Lane
from hub.edge.journal import Journal, JournalFullError, Limits
from hub.edge.opening import open_journal
from hub.wire.receipt import receipt
from tests.unit.edge.makers import draft, reading, value_of

_LIMITS = Limits(reserve_bytes=192 * 1024)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def _flood(journal: Journal, count: int) -> None:
    for start in range(0, count, 50):
        journal.append([reading(start + n) for n in range(50)])


def test_readings_fill_the_disk_and_alarms_still_fit(small: Path) -> None:
    journal = open_journal(small, limits=_LIMITS)
    _flood(journal, 6000)
    assert journal.evicted > 1000
    assert 100 < journal.counts[Lane.READING] < 6000
    newest = journal.pending(Lane.READING, 0, 10_000)[-1]
    assert value_of(newest) == 5999

    for n in range(100):
        journal.append([draft(value=n)], {"s": b"x" * 50})
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 200)] == list(range(100))
    journal.close()
    again = open_journal(small, limits=_LIMITS)
    assert not again.damages
    assert again.counts[Lane.ALARM] == 100
    again.close()


def test_a_foreign_file_fills_the_disk_and_the_reserve_takes_the_alarms(small: Path) -> None:
    journal = open_journal(small, limits=_LIMITS)
    _flood(journal, 200)
    _fill(small / "foreign")

    for n in range(100):
        journal.append([reading(n)])  # in what little room there is, the newest push out the oldest
    assert journal.evicted >= 50
    assert journal._reserve is not None
    assert journal._reserve.held
    for n in range(20):
        journal.append([draft(value=n)])
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 200)] == list(range(20))
    with pytest.raises(JournalFullError):
        _alarms_for_ever(journal)

    (small / "foreign").unlink()
    assert journal.release(receipt(journal.epoch, [e.seq for e in journal.pending(Lane.ALARM, 0, 10)])) == 10
    journal.append([reading(1)])
    assert (small / "journal.reserve").stat().st_size == _LIMITS.reserve_bytes
    journal.close()


def test_a_full_disk_at_the_start_is_no_reason_not_to_start(small: Path) -> None:
    journal = open_journal(small, limits=_LIMITS)
    journal.append([draft(value=1)])
    journal.close()
    _fill(small / "foreign")

    journal = open_journal(small, limits=_LIMITS)
    journal.append([draft(value=2)])
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 200)] == [1, 2]
    assert not journal.volatile
    journal.close()


@pytest.mark.parametrize("room", range(8, 320, 24))
def test_a_damaged_file_on_a_disk_with_little_room_loses_no_alarm(small: Path, room: int) -> None:
    journal = open_journal(small, limits=_LIMITS)
    journal.append([draft(value=n) for n in range(300)])
    (root,) = journal._db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries_by_lane'").fetchone()
    journal.close()
    path = small / "journal.db"
    data = bytearray(path.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = bytes(4096)
    path.write_bytes(bytes(data))
    _fill(small / "foreign")
    os.truncate(small / "foreign", (small / "foreign").stat().st_size - room * 1024)

    journal = open_journal(small, limits=_LIMITS)
    assert journal.damages
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 1000)] == list(range(300))
    journal.close()
    (small / "foreign").unlink()
    journal = open_journal(small, limits=_LIMITS)
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 1000)] == list(range(300))
    journal.close()


def test_a_damaged_row_on_a_full_disk_does_not_hide_those_behind_it(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(small, limits=_LIMITS)
    _flood(journal, 300)
    journal.append([draft(value=n) for n in range(100)])
    hit = journal.pending(Lane.ALARM, 0, 3)
    journal._db.execute("UPDATE entries SET crc = 0 WHERE seq = ?", (hit[1].seq,))
    journal._checkpoint()
    _fill(small / "foreign")
    assert len(journal.pending(Lane.ALARM, 0, 200)) == 99
    assert journal.counts[Lane.ALARM] == 99

    def full(_work: object) -> None:
        raise JournalFullError("journal: the disk is full")

    journal._db.execute("UPDATE entries SET crc = 0 WHERE seq = ?", (hit[2].seq,))
    monkeypatch.setattr(journal, "_with_room", full)
    assert len(journal.pending(Lane.ALARM, 0, 200)) == 98  # passed over where it is
    assert journal.counts[Lane.ALARM] == 99
    journal.close()


def _alarms_for_ever(journal: Journal) -> None:
    for n in range(5000):
        journal.append([draft(value=n)])


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
