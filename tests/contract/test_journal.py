"""What a journal promises, on the standard library's SQLite and on the power-cut disk."""

import datetime as dt
import itertools
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.domain.codes import Lane
from hub.domain.errors import PermanentError, RefusedError, TransientError
from hub.edge.journal import SEQ_LEAP, Journal, Limits
from hub.edge.opening import open_journal
from hub.edge.sqlite import connect
from hub.wire.receipt import Receipt, receipt
from tests.fakes.apsw_vfs import ApswConnection, Disk, PowerCutVfs
from tests.unit.edge.makers import T0, draft, event_of, reading, value_of

Open = Callable[..., Journal]
_names = itertools.count()


@pytest.fixture(params=["sqlite3", "apsw"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    if request.param == "sqlite3":
        yield lambda **given: Journal(connect(str(tmp_path / "journal.db")), **given)
        return
    name = f"disk-{next(_names)}"
    vfs = PowerCutVfs(name, Disk())
    yield lambda **given: Journal(ApswConnection("journal.db", name), **given)
    vfs.unregister()


def test_what_was_appended_is_pending_with_its_identity(reopen: Open) -> None:
    journal = reopen()
    entries = journal.append([draft(value=1), reading(2), draft(value=3)])

    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 10)] == [1, 3]
    assert [value_of(e) for e in journal.pending(Lane.READING, 0, 10)] == [2]
    assert event_of(entries[0]).epoch == journal.epoch
    assert journal.counts == {Lane.ALARM: 2, Lane.READING: 1}
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 1, 10)] == [3]
    journal.close()


def test_it_is_all_there_after_a_restart_and_no_number_comes_twice(reopen: Open) -> None:
    journal = reopen()
    journal.append([draft(value=1)], {"bthome/d-1": b"\x07"}, T0)
    journal.release(receipt(journal.epoch, [1]))
    journal.append([draft(value=2)])
    epoch = journal.epoch
    journal.close()

    again = reopen()
    assert again.epoch == epoch
    assert [value_of(e) for e in again.pending(Lane.ALARM, 0, 10)] == [2]
    assert again.state("bthome/d-1") == b"\x07"
    assert again.floor == T0
    assert again.append([draft()])[0].seq > 2 + SEQ_LEAP
    again.close()


def test_a_copy_of_the_card_that_is_put_back_gives_out_other_numbers(tmp_path: Path) -> None:
    """What was given out after the copy was made is stored under its number: a second one would be swallowed."""
    journal = open_journal(tmp_path / "card")
    journal.append([draft()])
    journal.close()
    shutil.copytree(tmp_path / "card", tmp_path / "copy")
    given = []
    for name in ("card", "copy"):
        journal = open_journal(tmp_path / name)
        assert not journal.damages
        given.append({(entry.epoch, entry.seq) for entry in journal.append([draft(value=n) for n in range(100)])})
        journal.close()
    assert not given[0] & given[1]


def test_a_receipt_frees_its_ranges_and_nothing_else(reopen: Open) -> None:
    journal = reopen()
    journal.append([draft(value=n) for n in range(1, 6)])

    assert journal.release(Receipt(journal.epoch, [(1, 2), (4, 4)])) == 3
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 10)] == [3, 5]
    assert journal.counts[Lane.ALARM] == 2
    assert journal.release(Receipt(journal.epoch, [(1, 2)])) == 0
    journal.close()


@pytest.mark.parametrize(("epoch", "last"), [("another1", 1), (None, 999)])
def test_a_doubtful_receipt_frees_nothing(reopen: Open, epoch: str | None, last: int) -> None:
    journal = reopen()
    journal.append([draft()])

    with pytest.raises(RefusedError, match="receipt: for"):
        journal.release(Receipt(epoch or journal.epoch, [(1, last)]))
    assert journal.counts[Lane.ALARM] == 1
    journal.close()


def test_a_row_with_a_bad_checksum_is_set_aside_and_does_not_stop_the_others(reopen: Open) -> None:
    journal = reopen()
    journal.append([draft(value=n) for n in range(1, 5)], {"s": b"state"})
    journal._db.execute("UPDATE entries SET payload = CAST('lies' AS BLOB) WHERE seq IN (1, 3)")
    journal._db.execute("UPDATE state SET value = CAST('lies' AS BLOB)")

    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 1)] == [2]
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 2, 10)] == [4]
    assert journal.state("s") == b""
    assert len(journal.damages) == 3
    assert journal.counts[Lane.ALARM] == 2
    (kept,) = journal._db.execute("SELECT count(*) FROM set_aside").fetchone()
    assert kept == 2
    journal.close()


def test_too_many_readings_evict_the_oldest_readings_and_never_alarms(reopen: Open) -> None:
    journal = reopen(limits=Limits(max_readings=10))
    journal.append([draft(value=n) for n in range(20)])
    for n in range(25):
        journal.append([reading(n)])

    assert [value_of(e) for e in journal.pending(Lane.READING, 0, 100)] == list(range(15, 25))
    assert journal.counts == {Lane.ALARM: 20, Lane.READING: 10}
    assert journal.evicted == 15
    journal.close()
    again = reopen()
    assert again.evicted == 15
    again.close()


def test_state_and_observation_are_one_transaction(reopen: Open) -> None:
    journal = reopen()
    poison = draft()
    poison = poison._replace(event=None)  # type: ignore[arg-type] # what a bug might hand over
    with pytest.raises(TypeError):
        journal.append([draft(), poison], {"s": b"new"})
    assert journal.counts[Lane.ALARM] == 0
    assert journal.state("s") == b""
    assert journal.append([draft()])[0].seq == 1
    journal.close()


def test_the_floor_moves_with_synchronised_time_only_forward(reopen: Open) -> None:
    journal = reopen()
    journal.append([draft()], at=T0)
    journal.append([draft()], at=T0 - dt.timedelta(days=400))
    assert journal.floor == T0
    journal.append([draft()], at=T0 + dt.timedelta(minutes=2))
    assert journal.floor == T0 + dt.timedelta(minutes=2)
    journal.close()


def test_commits_are_synced_and_a_connection_that_would_not_is_refused() -> None:
    disk = Disk()
    vfs = PowerCutVfs("asserting", disk)

    class Careless(ApswConnection):
        def execute(self, sql: str, parameters: object = (), /) -> object:  # type: ignore[override] # a fake
            return super().execute(sql.replace("synchronous=FULL", "synchronous=NORMAL"), parameters)  # type: ignore[arg-type] # a fake

    with pytest.raises(PermanentError, match="would not be kept"):
        Journal(Careless("a.db", "asserting"))  # type: ignore[arg-type] # a fake
    journal = Journal(ApswConnection("b.db", "asserting"))
    before = disk.syncs
    journal.append([draft()])
    assert disk.syncs == before + 1
    journal.close()
    del vfs


def test_a_second_process_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.edge.sqlite.BUSY_TIMEOUT_MS", 50)
    first = open_journal(tmp_path)
    first.append([draft()])
    with pytest.raises(TransientError, match="another process has it open"):
        open_journal(tmp_path)
    program = (
        "import sys, hub.edge.sqlite as s; s.BUSY_TIMEOUT_MS = 50\n"
        "from pathlib import Path; from hub.edge.opening import open_journal\n"
        "open_journal(Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, check=False)
    assert b"another process has it open" in done.stderr
    first.append([draft()])
    first.close()


def test_a_folder_that_cannot_be_used_leaves_a_journal_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    journal = open_journal(tmp_path / "file" / "data")
    assert journal.volatile
    assert "in memory only" in journal.damages[0]
    assert journal.append([draft(value=1)])[0].seq == 1
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 1)] == [1]
    journal.close()


def test_sqlite_is_new_enough() -> None:
    assert sqlite3.sqlite_version_info >= (3, 35)
