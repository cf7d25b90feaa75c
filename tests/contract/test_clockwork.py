"""The one list of what is due: nothing twice, nothing forgotten, on both databases."""

import asyncio
import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.clockwork import LEASE, Clockwork, Due, Handler
from hub.central.notify import outbox
from hub.central.store.tables import cursors, due
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.centre import DeskCentre
from tests.fakes.postgres import Postgres

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
    await ended(loop)
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


async def test_a_row_that_fails_stops_no_other_and_is_tried_again_later_and_later(
    desk: DeskCentre, caplog: pytest.LogCaptureFixture
) -> None:
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
    for _ in range(8):
        await loop._round()
        (row,) = await desk.rows(due, due.c.kind == "bad")
        waits.append((row.at - desk.clock.at) / SECOND)
        desk.clock.go_on(waits[-1])
    assert (done, waits) == (["y"], [1, 2, 4, 8, 16, 32, 60, 60])
    assert await desk.rows(cursors) == []
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"due bad of x failed, attempt {number}" for number in range(1, 9)]


async def test_only_the_row_that_failed_is_put_off_and_not_when_somebody_has_moved_it(desk: DeskCentre) -> None:
    await put(desk, "step", "1", "2")
    await put(desk, "limit", "1")
    await desk.centre.transact(lambda tx: clockwork._postpone(tx, Due("step", "1", 0)))
    at = {(row.kind, row.subject): (row.at - desk.clock.at, row.attempts) for row in await desk.rows(due)}
    here = (dt.timedelta(0), 0)
    assert (at["step", "1"], at["step", "2"], at["limit", "1"]) == ((SECOND, 1), here, here)
    # Another centre has put it off already, and it is due again.
    desk.clock.go_on(1)
    await desk.centre.transact(lambda tx: clockwork._postpone(tx, Due("step", "1", 0)))
    # Somebody has moved it to a later time.
    await put(desk, "limit", "1", after=60 * SECOND)
    await desk.centre.transact(lambda tx: clockwork._postpone(tx, Due("limit", "1", 0)))
    at = {(row.kind, row.subject): (row.at - desk.clock.at, row.attempts) for row in await desk.rows(due)}
    assert (at["step", "1"], at["limit", "1"]) == ((dt.timedelta(0), 1), (60 * SECOND, 0))


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


async def test_a_row_is_done_at_its_instant_and_not_before(desk: DeskCentre) -> None:
    done: list[str] = []
    loop = Clockwork(desk.centre, {"work": lambda _tx, subject: done.append(subject)}, {})
    await clear(desk)
    await put(desk, "work", "x", after=SECOND)
    desk.clock.go_on(0.999)
    assert not await loop._round()
    desk.clock.go_on(0.001)
    assert await loop._round()
    assert (done, await desk.rows(due)) == (["x"], [])


async def test_the_earliest_goes_first_and_one_look_takes_no_more_than_it_can_do(
    desk: DeskCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clockwork, "_AT_ONCE", 3)
    done: list[str] = []
    loop = Clockwork(desk.centre, {"work": lambda _tx, subject: done.append(subject)}, {})
    await clear(desk)
    for number in range(4):
        await put(desk, "work", str(number), after=-number * SECOND)
    await loop._round()
    assert done == ["3", "2", "1"]
    await loop._round()
    assert done == ["3", "2", "1", "0"]


@pytest.mark.parametrize("meanwhile", ["moved", "failed elsewhere"])
async def test_a_row_that_is_no_longer_what_was_found_is_left_alone(desk: DeskCentre, meanwhile: str) -> None:
    done: list[str] = []
    loop = Clockwork(desk.centre, {"work": lambda _tx, subject: done.append(subject)}, {})
    await clear(desk)
    await put(desk, "work", "x")
    (found,) = await desk.centre.transact(loop._claim)
    if meanwhile == "moved":
        await put(desk, "work", "x", after=SECOND)
    else:
        await desk.centre.transact(lambda tx: clockwork._postpone(tx, found))
        desk.clock.go_on(1)
    await loop._do(found)
    assert (done, len(await desk.rows(due))) == ([], 1)


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        ([], 1),
        ([0.25], 0.25),
        ([0.75, 0.25, 0.5], 0.25),
        ([5], 1),
        ([-5], 0.001),
    ],
)
async def test_the_loop_sleeps_until_the_next_row_and_looks_every_second(
    desk: DeskCentre, ahead: list[float], expected: float
) -> None:
    loop = Clockwork(desk.centre, {}, {})
    await clear(desk)
    await desk.centre.transact(lambda tx: clockwork.lease_new(tx, "leased", "x"))  # another one's business
    for number, seconds in enumerate(ahead):
        await put(desk, "work", str(number), after=seconds * SECOND)
    loop._woken.set()  # it would sleep, and is woken
    await loop._wait()
    assert loop._asleep_until == desk.clock.at + expected * SECOND


async def test_a_sleeping_loop_is_woken_by_what_is_due_before_it_would_wake(desk: DeskCentre) -> None:
    loop = Clockwork(desk.centre, {}, {})
    loop._asleep_until = desk.clock.at + SECOND
    await desk.centre.transact(lambda _tx: None)
    await put(desk, "work", "later", after=2 * SECOND)
    assert not loop._woken.is_set()

    def several(tx: Tx) -> None:
        for seconds in (2, 0.5, 3):
            clockwork.schedule(tx, tx.now.utc + seconds * SECOND, "work", str(seconds))

    await desk.centre.transact(several)
    assert loop._woken.is_set()


async def test_what_is_put_into_the_list_while_the_loop_works_lets_it_look_again(desk: DeskCentre) -> None:
    loop = Clockwork(desk.centre, {}, {})
    await put(desk, "work", "x", after=2 * SECOND)
    assert loop._woken.is_set()


async def test_the_loop_rests_when_there_is_nothing_more_to_do_and_not_before(
    desk: DeskCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    loop = Clockwork(desk.centre, {"work": lambda _tx, subject: done.append(subject)}, {})
    rests = asyncio.Event()

    async def rest() -> None:
        rests.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(clockwork, "_AT_ONCE", 1)
    monkeypatch.setattr(loop, "_wait", rest)
    await clear(desk)
    await put(desk, "work", "1", "2")
    running = asyncio.create_task(loop.run())
    await asyncio.wait_for(rests.wait(), 10)
    assert sorted(done) == ["1", "2"]
    await ended(running)


async def test_what_another_process_puts_into_the_list_is_found_without_a_word(
    desk: DeskCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clockwork, "_LOOK_S", 0.02)
    carried: asyncio.Queue[str] = asyncio.Queue()
    loop = Clockwork(desk.centre, {}, {"send": carried.put_nowait})
    await clear(desk)
    await put(desk, "send", "first")
    running = asyncio.create_task(loop.run())
    assert await asyncio.wait_for(carried.get(), 10) == "first"
    row = {"at": desk.clock.at, "kind": "send", "subject": "theirs", "attempts": 0}
    await desk.store.write(lambda connection: connection.execute(due.insert(), row))
    assert await asyncio.wait_for(carried.get(), 10) == "theirs"
    await ended(running)


async def test_what_is_due_goes_ahead_of_readings(desk: DeskCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Clockwork(desk.centre, {"work": _nothing}, {})
    await clear(desk)
    await put(desk, "work", "x")
    asked: list[bool] = []
    write = desk.store.write

    async def noting(work: Callable[[sa.Connection], object], *, urgent: bool = False) -> object:
        asked.append(urgent)
        return await write(work, urgent=urgent)

    monkeypatch.setattr(desk.store, "write", noting)
    assert await loop._round()
    assert asked == [True, True]


async def test_what_is_carried_out_is_leased_by_who_carries_it(desk: DeskCentre) -> None:
    loop = Clockwork(desk.centre, {}, {"send": lambda _subject: None})
    await clear(desk)
    await put(desk, "send", "x")
    assert await loop._round()
    (row,) = await desk.rows(due)
    assert (row.leased_by, row.leased_until) == ("centre", desk.clock.at + LEASE)


async def test_on_postgresql_a_row_that_another_centre_is_busy_with_holds_up_no_other(postgres: Postgres) -> None:
    url = postgres.new_database()
    desk, other = DeskCentre(url), DeskCentre(url, owner="other")
    await clear(desk)
    await put(desk, "work", "held", "free")
    held, enough = threading.Event(), threading.Event()

    def hold(connection: sa.Connection) -> None:
        connection.execute(sa.select(due.c.id).where(due.c.subject == "held").with_for_update())
        held.set()
        enough.wait(20)

    holding = asyncio.create_task(other.store.write(hold))
    await asyncio.to_thread(held.wait, 10)
    try:
        found = await desk.centre.transact(Clockwork(desk.centre, {"work": _nothing}, {})._claim)
    finally:
        enough.set()
        await holding
    assert [row.subject for row in found] == ["free"]
    for centre in (desk, other):
        centre.store.close()


async def test_a_loop_that_is_begun_anew_leaves_its_senders_what_they_have(desk: DeskCentre) -> None:
    carried: asyncio.Queue[str] = asyncio.Queue()
    loop = Clockwork(desk.centre, {}, {"send": carried.put_nowait})
    await clear(desk)
    for begun in ("first", "again"):
        await put(desk, "send", begun)
        running = asyncio.create_task(loop.run())
        assert await asyncio.wait_for(carried.get(), 10) == begun
        await ended(running)
    assert carried.empty()


async def ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def clear(desk: DeskCentre) -> None:
    """Take out what a new site has put into the list."""
    await desk.centre.transact(lambda tx: tx.connection.execute(due.delete()))


def _nothing(_tx: Tx, _subject: str) -> None:
    """The site that was applied needs nothing here."""


async def test_what_is_leased_is_begun_before_what_may_wait_for_another_centre(desk: DeskCentre) -> None:
    carried: list[str] = []
    begun: list[list[str]] = []
    loop = Clockwork(
        desk.centre,
        {"site.changed": lambda _tx, _subject: begun.append(list(carried))},
        {outbox.SEND: carried.append},
    )
    await put(desk, "site.changed", "site")
    desk.clock.go_on(1)
    await put(desk, outbox.SEND, "1")
    await loop._round()
    assert begun == [["1"]]
