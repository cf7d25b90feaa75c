"""The one list of what is due: nothing twice, nothing forgotten, on both databases."""

import asyncio
import datetime as dt
from collections import Counter

import pytest

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.clockwork import LEASE, Clockwork, Handler
from hub.central.notify import outbox
from hub.central.store.tables import cursors, due
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.centre import DeskCentre

SECOND = dt.timedelta(seconds=1)


async def put(desk: DeskCentre, kind: str, *subjects: str, after: dt.timedelta = dt.timedelta(0)) -> None:
    def work(tx: Tx) -> None:
        for subject in subjects:
            clockwork.schedule(tx, tx.now.utc + after, kind, subject)

    await desk.centre.transact(work)


async def test_a_leased_message_is_taken_over_when_its_centre_is_silent_and_not_before(store_url: str) -> None:
    first = DeskCentre(store_url, owner="first")
    await first.keep(first.event("pendant-1", Kind.ALARM_PRESSED))
    second = DeskCentre(store_url, first.clock, owner="second")
    await second.clockwork._round()
    assert second.carried == []
    first.clock.go_on(LEASE.total_seconds() - 1)
    await second.clockwork._round()
    assert second.carried == []
    first.clock.go_on(1)
    await second.clockwork._round()
    await first.clockwork._round()
    assert (first.carried, second.carried) == ([], [1])
    for centre in (first, second):
        centre.store.close()


async def test_a_centre_that_restarts_takes_up_its_own_leases_at_once(store_url: str) -> None:
    before = DeskCentre(store_url, owner="centre")
    await before.keep(before.event("pendant-1", Kind.ALARM_PRESSED))
    before.store.close()
    after = DeskCentre(store_url, before.clock, owner="centre")
    carried: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    carriers = {outbox.SEND: carried.set_result}
    loop = asyncio.create_task(Clockwork(after.centre, {"site.changed": _nothing}, carriers).run())
    assert await asyncio.wait_for(carried, 10) == "1"
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    after.store.close()


async def test_two_centres_do_each_row_once(store_url: str) -> None:
    done: Counter[str] = Counter()
    centres = [DeskCentre(store_url, owner=name) for name in ("first", "second")]
    loops = [
        Clockwork(
            centre.centre, {"work": lambda _tx, subject: done.update([subject]), "site.changed": _nothing}, {}
        )
        for centre in centres
    ]
    subjects = [f"row-{number}" for number in range(60)]
    await put(centres[0], "work", *subjects)
    while await centres[0].rows(due, due.c.kind == "work"):
        await asyncio.gather(*(loop._round() for loop in loops))
    assert done == Counter(subjects)
    for centre in centres:
        centre.store.close()


async def test_a_row_that_fails_stops_no_other_and_is_tried_again_later_and_later(desk: DeskCentre) -> None:
    done: list[str] = []

    def fail(tx: Tx, _subject: str) -> None:
        tx.connection.execute(cursors.insert().values(name="half", position=1))
        raise ValueError("a defect")

    loop = Clockwork(
        desk.centre,
        {"bad": fail, "good": lambda _tx, subject: done.append(subject), "site.changed": _nothing},
        {},
    )
    await put(desk, "bad", "x")
    await put(desk, "good", "y")
    waits = []
    for _ in range(4):
        await loop._round()
        (row,) = await desk.rows(due, due.c.kind == "bad")
        waits.append((row.at - desk.clock.at) / SECOND)
        desk.clock.go_on(waits[-1])
    assert (done, waits) == (["y"], [1, 2, 4, 8])
    assert await desk.rows(cursors) == []


async def test_a_row_with_the_number_of_one_that_is_gone_is_not_taken_for_it(desk: DeskCentre) -> None:
    done: list[str] = []

    def first(tx: Tx, subject: str) -> None:
        done.append("first")
        clockwork.unschedule(tx, "second", subject)
        for kind in ("third", "fourth"):  # SQLite gives them the numbers of the two rows that are gone
            clockwork.schedule(tx, tx.now.utc, kind, subject)

    def noting(kind: str) -> Handler:
        return lambda _tx, _subject: done.append(kind)

    others = {kind: noting(kind) for kind in ("second", "third", "fourth")}
    loop = Clockwork(desk.centre, {"first": first, "site.changed": _nothing, **others}, {})
    await put(desk, "first", "x", after=-SECOND)
    await put(desk, "second", "x")
    await loop._round()
    await loop._round()
    assert done[0] == "first"
    assert sorted(done[1:]) == ["fourth", "third"]


async def test_the_store_being_away_ends_nothing(desk: DeskCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    done = asyncio.Event()
    loop = Clockwork(desk.centre, {"work": lambda _tx, _subject: done.set(), "site.changed": _nothing}, {})
    await put(desk, "work", "x")

    async def away(*_args: object, **_more: object) -> None:
        raise TransientError("store: gone")

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "write", away)
        with pytest.raises(TransientError):
            await loop._round()
    await loop._round()
    assert done.is_set()


async def test_scheduling_again_moves_the_row_and_frees_its_lease(desk: DeskCentre) -> None:
    await put(desk, "work", "x")
    await put(desk, "work", "x", after=60 * SECOND)
    (row,) = await desk.rows(due, due.c.kind == "work")
    assert (row.at - desk.clock.at, row.leased_by) == (60 * SECOND, None)


def _nothing(_tx: Tx, _subject: str) -> None:
    """The site that was applied needs nothing here."""
