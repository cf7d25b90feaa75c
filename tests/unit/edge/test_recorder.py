"""The recorder: alarms first, readings in groups, and nothing that the disk does can stop an alarm."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from drivers.base import Heard
from hub.domain.clock import SystemClock, TimeQuality
from hub.domain.codes import Kind, Lane
from hub.domain.errors import TransientError
from hub.domain.observation import Observation
from hub.edge import recorder as module
from hub.edge.journal import Draft, Entry, Journal, JournalFullError, Limits
from hub.edge.opening import open_journal
from hub.edge.recorder import UNJOURNALLED, Recorder
from hub.wire.receipt import receipt
from tests.unit.edge.makers import HUB, T0, StandingClock, event_of, heard, until, value_of

_LIMITS = Limits(reserve_bytes=4096)


class Watched(Journal):
    """Notes what was committed together, and can be held up or broken."""

    def watch(self) -> None:
        self.commits: list[list[object]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.fault: Exception | None = None

    def append(self, drafts: Sequence[Draft], *args: object, **given: object) -> list[Entry]:
        self.gate.wait(5)
        if self.fault:
            raise self.fault
        self.commits.append([draft.event.data.value for draft in drafts])
        return super().append(drafts, *args, **given)  # type: ignore[arg-type] # handed on as it came


@pytest.fixture
def journal(tmp_path: Path) -> Watched:
    made = open_journal(tmp_path, limits=_LIMITS)
    made.__class__ = Watched
    assert isinstance(made, Watched)
    made.watch()
    return made


@pytest.fixture
async def recorder(journal: Watched, tmp_path: Path) -> AsyncIterator[Recorder]:
    def reopen() -> Journal:
        return open_journal(tmp_path, limits=_LIMITS)

    made = Recorder(journal, reopen=reopen, hub_id=HUB, clock=SystemClock())
    made.start()
    yield made
    journal.gate.set()
    await made.close()


async def test_readings_share_a_commit_and_an_alarm_overtakes_them(recorder: Recorder, journal: Watched) -> None:
    now = SystemClock().now()
    waiting = [recorder.submit([heard(Kind.MOTION_DETECTED, n)], now) for n in range(5)]
    assert await recorder.record([heard(value=99)])
    assert not any(item.done() for item in waiting)
    assert await asyncio.gather(*waiting) == [True] * 5
    assert journal.commits == [[99], [0, 1, 2, 3, 4]]


async def test_critical_devices_take_the_alarm_lane(recorder: Recorder) -> None:
    await recorder.record([heard(Kind.DOOR_OPENED, 1, "d-door"), heard(Kind.DOOR_OPENED, 2)], critical={"d-door"})
    assert [value_of(e) for e in await recorder.pending(Lane.ALARM, 0, 9)] == [1]
    assert [value_of(e) for e in await recorder.pending(Lane.READING, 0, 9)] == [2]


async def test_an_older_state_never_comes_back_over_a_newer_one(recorder: Recorder, journal: Watched) -> None:
    now = SystemClock().now()
    old = recorder.submit([heard(Kind.MOTION_DETECTED)], now, states={"s": b"old"})
    await recorder.record([heard()], states={"s": b"new"})
    await old
    assert len(journal.commits) == 2
    assert await recorder.state("s") == b"new"


async def test_what_is_accepted_is_announced_with_its_place(recorder: Recorder) -> None:
    announced: list[Entry] = []
    recorder.on_accepted = announced.extend
    await recorder.record([heard(value=5)])
    await asyncio.sleep(0)
    (entry,) = announced
    event = event_of(entry)
    assert (event.hub_id, event.subject, event.seq) == (HUB, "d-pendant-1", entry.seq)
    assert entry.epoch == recorder.summary().epoch == event.epoch


async def test_an_alarm_that_cannot_be_journalled_is_sent_and_flagged(
    recorder: Recorder, journal: Watched
) -> None:
    announced: list[Entry] = []
    recorder.on_accepted = announced.extend
    journal.fault = JournalFullError("full to the brim")
    assert await recorder.record([heard(value=1)]) is False
    assert await recorder.record([heard(value=2)]) is False
    with pytest.raises(TransientError, match="refused"):
        await recorder.record([heard(Kind.MOTION_DETECTED)])
    journal.fault = None
    await asyncio.sleep(0)
    assert [value_of(e) for e in announced] == [1, 2]
    assert all(UNJOURNALLED in event_of(e).data.flags for e in announced)
    assert announced[0].epoch != recorder.summary().epoch
    assert await recorder.release(receipt(announced[0].epoch, [1])) == 0
    assert await recorder.record([heard(value=3)]) is True


async def test_a_journal_that_breaks_while_running_is_opened_anew(recorder: Recorder, journal: Watched) -> None:
    await recorder.record([heard(value=1)])
    broken = sqlite3.DatabaseError("database disk image is malformed")
    journal.fault = broken
    assert await recorder.record([heard(value=2)]) is True
    await until(lambda: recorder.summary().pending.reading)
    (damage,) = await recorder.pending(Lane.READING, 0, 9)
    assert event_of(damage).data.kind is Kind.HUB_JOURNAL_DAMAGED
    assert "malformed" in str(value_of(damage))
    assert [value_of(e) for e in await recorder.pending(Lane.ALARM, 0, 9)] == [1, 2]


async def test_one_observation_that_cannot_be_encoded_does_not_take_its_neighbours(recorder: Recorder) -> None:
    now = SystemClock().now()
    poison = Heard("d-x", Observation(kind=Kind.MOTION_DETECTED, time=T0, value={"x": object()}))
    good = [recorder.submit([heard(Kind.MOTION_DETECTED, n)], now) for n in range(2)]
    bad = recorder.submit([poison], now)
    assert await asyncio.gather(*good) == [True, True]
    with pytest.raises(TransientError):
        await bad
    alarm = Heard("d-x", Observation(kind=Kind.ALARM_PRESSED, time=T0, value={"x": object()}))
    announced: list[Entry] = []
    recorder.on_accepted = announced.extend
    assert await recorder.record([alarm]) is False
    await asyncio.sleep(0)
    assert event_of(announced[0]).data.flags == ("value_lost",)


async def test_a_caller_that_gave_up_does_not_stop_the_writer(recorder: Recorder, journal: Watched) -> None:
    journal.gate.clear()
    first = asyncio.create_task(recorder.record([heard(value=1)]))
    second = asyncio.create_task(recorder.record([heard(value=2)]))
    await asyncio.sleep(0.02)
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    journal.gate.set()
    assert await recorder.record([heard(value=3)])
    assert [value_of(e) for e in await recorder.pending(Lane.ALARM, 0, 9)] == [1, 2, 3]


async def test_closing_commits_what_waits(tmp_path: Path) -> None:
    clock = StandingClock()
    clock.quality = TimeQuality.UNKNOWN
    made = Recorder(open_journal(tmp_path), reopen=lambda: open_journal(tmp_path), hub_id=HUB, clock=clock)
    made.start()
    waiting = made.submit([heard(Kind.MOTION_DETECTED)], SystemClock().now())
    await made.close()
    assert await waiting
    with pytest.raises(TransientError, match="closing"):
        await made.record([heard()])
    again = open_journal(tmp_path)
    assert again.counts[Lane.READING] == 1
    again.close()


async def test_a_writer_that_hangs_in_the_disk_counts_as_stopped(
    recorder: Recorder, journal: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worn card may take minutes over one sync: no alarm is taken, and the heartbeat says that all is well."""
    monkeypatch.setattr(module, "STUCK_S", 0.2)
    await asyncio.sleep(0.3)
    assert recorder.alive  # nothing to do
    journal.gate.clear()
    alarm = asyncio.ensure_future(recorder.record([heard()]))
    await until(lambda: not recorder.alive, within_s=2)
    journal.gate.set()
    assert await alarm
    await until(lambda: recorder.alive)
