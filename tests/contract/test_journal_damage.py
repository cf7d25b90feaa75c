"""The file is damaged, or the process is killed: the hub takes the next alarm, and keeps what can be read."""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hub.domain.codes import Lane
from hub.edge.journal import Journal
from hub.edge.opening import open_journal
from tests.unit.edge.makers import draft, event_of, reading, value_of

_ROWS = 300


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A journal with much in it, its log folded in, as after an orderly stop."""
    folder = tmp_path / "data"
    journal = open_journal(folder)
    journal.append([draft(value=n) for n in range(_ROWS)], {"s": b"kept"})
    journal.append([reading(n) for n in range(_ROWS)])
    journal.keep("config", b"{}")
    journal.close()
    return folder


def _next_alarm(journal: Journal) -> None:
    (entry,) = journal.append([draft(value=-1)])
    assert entry in journal.pending(Lane.ALARM, entry.seq - 1, 1)


def test_flipped_bytes_in_the_middle_cost_only_what_they_hit(filled: Path) -> None:
    path = filled / "journal.db"
    before = open_journal(filled)
    ids = {event_of(e).id for e in before.pending(Lane.ALARM, 0, 1000)}
    epoch = before.epoch
    before.close()
    data = bytearray(path.read_bytes())
    place = data.find(b'"value":7,')
    for offset in range(place, place + 40):
        data[offset] ^= 0xFF
    path.write_bytes(bytes(data))

    journal = open_journal(filled)
    _next_alarm(journal)
    alarms = journal.pending(Lane.ALARM, 0, 1000)
    assert {event_of(e).id for e in alarms if value_of(e) != -1} <= ids
    assert len(alarms) == _ROWS  # one was hit, one is new
    assert journal.damages
    assert journal.epoch == epoch  # rows are checked one by one; the file itself is whole
    journal.close()


def test_a_flipped_bit_in_the_index_hides_no_alarm(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.append([draft(value=n) for n in range(5)])
    (root,) = journal._db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries_by_lane'").fetchone()
    journal.close()
    path = tmp_path / "journal.db"
    data = bytearray(path.read_bytes())
    data[data.find(b"alarm", (root - 1) * 4096, root * 4096)] ^= 0x10
    path.write_bytes(bytes(data))

    journal = open_journal(tmp_path)
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 100)] == list(range(5))
    assert journal.counts[Lane.ALARM] == 5
    journal.close()


@pytest.mark.parametrize("seed", range(12))
def test_a_page_of_rubbish_anywhere_starts_a_new_epoch_and_saves_the_rest(filled: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = filled / "journal.db"
    data = bytearray(path.read_bytes())
    page = rng.randrange(1, len(data) // 4096)
    data[page * 4096 : (page + 1) * 4096] = rng.randbytes(4096)
    path.write_bytes(bytes(data))

    journal = open_journal(filled)
    _next_alarm(journal)
    alarms = journal.pending(Lane.ALARM, 0, 1000)
    if journal.damages:
        assert not journal.volatile
        assert len(alarms) > _ROWS // 4
        assert {event_of(e).epoch for e in alarms} == {journal.epoch}
        assert (filled / "journal.damaged-1").exists()
    else:
        assert len(alarms) == _ROWS + 1  # a page that nothing uses
    journal.close()
    assert not open_journal(filled).damages


@pytest.mark.parametrize("rubbish", [b"", b"SQLite format 3\0" + b"\xff" * 200, b"x" * 5000])
def test_a_file_that_is_no_database_is_kept_aside(filled: Path, rubbish: bytes) -> None:
    path = filled / "journal.db"
    path.write_bytes(rubbish)
    journal = open_journal(filled)
    _next_alarm(journal)
    assert not journal.volatile
    if rubbish:
        assert "file damaged" in journal.damages[0]
        assert (filled / "journal.damaged-1").read_bytes() == rubbish
    journal.close()


def test_a_log_that_lost_commits_is_noticed(tmp_path: Path) -> None:
    """A card that lied: the log ends early, and SQLite takes that for an ordinary end."""
    folder = tmp_path / "data"
    journal = open_journal(folder)
    for n in range(20):
        journal.append([draft(value=n)])
    epoch, last = journal.epoch, journal.last_seq
    image = tmp_path / "image"
    shutil.copytree(folder, image)  # as the disk is now, without the end that closing makes
    journal.close()
    log = image / "journal.db-wal"
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])

    journal = open_journal(image)
    assert journal.epoch != epoch
    assert f"{last} was given out" in journal.damages[0]
    _next_alarm(journal)
    values = [value_of(e) for e in journal.pending(Lane.ALARM, 0, 100)]
    assert values[:-1] == list(range(len(values) - 1))
    assert len(values) > 5
    journal.close()


def test_a_rescue_that_is_cut_short_is_done_again(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled / "journal.db"
    data = bytearray(path.read_bytes())
    data[14 * 4096 : 15 * 4096] = bytes(4096)
    path.write_bytes(bytes(data))
    real = Path.rename
    monkeypatch.setattr(Path, "rename", _die)
    with pytest.raises(KeyboardInterrupt):
        open_journal(filled)
    monkeypatch.setattr(Path, "rename", real)

    journal = open_journal(filled)
    assert "file damaged" in journal.damages[0]
    assert journal.counts[Lane.ALARM] > _ROWS // 4
    assert journal.state("s") == b"kept"
    assert journal.meta("config") == b"{}"
    journal.close()


def test_a_rescue_that_is_cut_short_at_its_end_is_finished(filled: Path, tmp_path: Path) -> None:
    other = open_journal(tmp_path / "other")
    other.append([draft(value=77)])
    other.close()
    shutil.copy(tmp_path / "other" / "journal.db", filled / "journal.ready")
    (filled / "journal.db-wal").write_bytes(b"the old log must not meet the new file")

    journal = open_journal(filled)
    assert [value_of(e) for e in journal.pending(Lane.ALARM, 0, 10)] == [77]
    journal.close()


def _die(*_: object) -> None:
    raise KeyboardInterrupt


_PROGRAM = """
import os, sys
from pathlib import Path
from hub.edge.opening import open_journal
from tests.unit.edge.makers import draft, reading
journal = open_journal(Path(sys.argv[1]))
n = 0
while True:
    n += 1
    journal.append([draft(value=n)])
    os.write(1, b"%d\\n" % n)
    journal.append([reading(n)] * 5)
"""


@pytest.mark.parametrize("run", range(3))
def test_kill_9_loses_nothing_accepted(tmp_path: Path, run: int) -> None:
    folder = tmp_path / "data"
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(folder)], stdout=subprocess.PIPE, cwd=Path.cwd(), bufsize=0
    )
    assert program.stdout is not None
    told = b""
    while told.count(b"\n") < 40 + 37 * run:
        told += program.stdout.read(64)
    os.kill(program.pid, signal.SIGKILL)
    told += program.stdout.read()
    program.stdout.close()
    program.wait()
    accepted = [int(line) for line in told.split(b"\n")[:-1]]

    journal = open_journal(folder)
    assert not journal.damages
    kept = [value_of(e) for e in journal.pending(Lane.ALARM, 0, 100_000)]
    assert kept[: len(accepted)] == accepted
    assert len(kept) - len(accepted) <= 1
    journal.close()
