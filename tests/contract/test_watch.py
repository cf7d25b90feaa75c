"""The auditor: what it sees, what it says, and that what it watches cannot silence it. On both databases."""

import asyncio
import datetime as dt
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.central import clockwork
from hub.central.auditor import ASLEEP_S, ROUND_S, Auditor
from hub.central.centre import Tx
from hub.central.escalation import engine
from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Event, State
from hub.central.notify import attempts as attempts_of
from hub.central.notify import outbox, outcome
from hub.central.notify.ways import Ways
from hub.central.store.engine import Store
from hub.central.store.tables import attempts, due, incidents, messages
from hub.central.watch.steadiness import Steadiness
from hub.central.watch.troubles import ALARM, FAILURES, HISTORY, OVERDUE_S, QUEUE_S, WRITER
from hub.domain.clock import SteadyClock
from hub.domain.codes import Kind, Severity
from hub.domain.errors import TransientError
from tests.fakes.centre import DeskCentre
from tests.fakes.site import TECHNICIAN
from tests.fakes.ward import ObedientProvider
from tests.fakes.watch import Watch


@pytest.fixture
async def watch(desk: DeskCentre, store_url: str) -> AsyncIterator[Watch]:
    watch = Watch(desk, store_url)
    await desk.centre.transact(lambda tx: tx.connection.execute(due.delete()))  # the site's own
    yield watch
    watch.store.close()


async def test_all_is_well_and_nothing_is_said(watch: Watch) -> None:
    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    await watch.desk.centre.transact(lambda tx: clockwork.unschedule(tx, "message.send", "1"))
    assert await watch.look(after_s=25) == []
    assert await watch.told() == []
    assert watch.auditor.unfit() is None


async def test_a_forgotten_incident_alerts_again_and_the_technician_is_told(watch: Watch) -> None:
    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    await watch.desk.centre.transact(lambda tx: clockwork.unschedule(tx, engine.STEP, "1"))
    heard: list[int] = []
    watch.desk.centre.follow(lambda effects: heard.extend(effects.outgoing))
    await watch.look()
    assert await watch.desk.next_action(1) is not None
    forgotten = next(row for row in await watch.desk.incidents() if row.kind == Kind.INCIDENT_UNATTENDED)
    assert await watch.desk.told(forgotten.id) == [TECHNICIAN]
    await asyncio.sleep(0)  # what the thread has handed to the loop
    assert len(heard) == 2, "the messages leave at once, without waiting for a lease"


async def test_a_taken_incident_that_is_forgotten_alerts_again(watch: Watch) -> None:
    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    await watch.desk.centre.transact(lambda tx: desk.act(tx, 1, Event.ARRIVE, "user:x"))
    await watch.desk.centre.transact(lambda tx: clockwork.unschedule(tx, engine.DEADLINE, "1"))
    await watch.look()
    (care,) = await watch.desk.rows(incidents, incidents.c.id == 1)
    assert (care.state, care.plan_round, care.plan_step) == (State.ALERTING, 1, 0)
    assert await watch.desk.next_action(1) is not None


@pytest.mark.parametrize(
    ("taken", "right", "wrong"), [(False, engine.STEP, engine.DEADLINE), (True, engine.DEADLINE, engine.STEP)]
)
async def test_the_next_action_of_another_state_is_none(watch: Watch, taken: bool, right: str, wrong: str) -> None:
    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    if taken:
        await watch.desk.centre.transact(lambda tx: desk.act(tx, 1, Event.ARRIVE, "user:x"))

    def mistake(tx: Tx) -> None:
        tx.connection.execute(due.update().where(due.c.kind == right).values(kind=wrong))

    await watch.desk.centre.transact(mistake)
    await watch.look()
    (care,) = await watch.desk.rows(incidents, incidents.c.id == 1)
    assert (care.state, care.plan_round, care.plan_step) == (State.ALERTING, 1, 0)
    assert await watch.desk.rows(due, due.c.kind == engine.STEP, due.c.subject == "1")


async def test_a_row_that_nobody_does_is_told_after_a_minute_and_cleared_when_it_is_done(watch: Watch) -> None:
    def forget(tx: Tx) -> None:
        clockwork.schedule(tx, tx.now.utc, "dose.window", "dispenser-1")
        tx.connection.execute(
            due.update().values(leased_by="dead", leased_until=tx.now.utc + dt.timedelta(days=1))
        )

    await watch.desk.centre.transact(forget)
    assert await watch.look(after_s=OVERDUE_S) == []
    assert await watch.look(after_s=1) == ["overdue"]
    (incident,) = await watch.told()
    assert incident.reason == "What was due has not been done. It is dose.window of dispenser-1."
    await watch.look(after_s=50)
    needs = [row.need for row in await watch.told()]
    assert needs.count("technical:centre:stuck:overdue") == 1, "one incident, however long it lasts"
    await watch.desk.centre.transact(lambda tx: clockwork.unschedule(tx, "dose.window", "dispenser-1"))
    await watch.look(after_s=1)
    assert "technical:centre:stuck:overdue" not in [row.need for row in await watch.told()]


async def test_a_row_that_fails_and_fails_is_told_although_it_is_put_off_each_time(watch: Watch) -> None:
    def failing(tx: Tx) -> None:
        clockwork.schedule(tx, tx.now.utc + dt.timedelta(seconds=60), "site.changed", "1")
        tx.connection.execute(due.update().values(attempts=FAILURES))

    await watch.desk.centre.transact(failing)
    assert await watch.look() == ["failing"]


async def test_an_alarm_that_nobody_takes_up_is_told_after_half_a_minute(watch: Watch) -> None:
    watch.alarms.begin("a message")
    assert await watch.look(after_s=QUEUE_S) == []
    assert await watch.look(after_s=1) == [ALARM]
    (incident,) = await watch.told()
    assert incident.need == "technical:centre:stuck:alarm"
    watch.alarms.end("a message")
    assert await watch.look() == []


async def test_a_history_server_that_is_silent_is_told_and_wakes_nobody(watch: Watch) -> None:
    watch.history.begin("batch")
    assert await watch.look(after_s=QUEUE_S) == []
    assert await watch.look(after_s=1) == [HISTORY]
    (incident,) = await watch.told()
    assert (incident.kind, incident.severity) == (Kind.CENTRE_BEHIND, Severity.NORMAL)
    watch.history.end("batch")
    assert await watch.look() == []
    assert await watch.told() == []


@pytest.mark.slow
async def test_a_writer_that_is_stuck_does_not_silence_it(watch: Watch) -> None:
    watch.desk.store._writers.waiting._mono = lambda: watch.desk.clock.mono
    free, writers = threading.Event(), 4
    stuck = [
        asyncio.ensure_future(watch.desk.store.write(lambda _: free.wait(20), urgent=True)) for _ in range(writers)
    ]
    if watch.desk.store.is_sqlite:  # its one writer holds the lock: a store that takes nothing
        await asyncio.sleep(0)
        assert await watch.look(after_s=QUEUE_S + 1) == [WRITER]
        assert "cannot write" in (watch.auditor.unfit() or "")
        free.set()
        await asyncio.gather(*stuck)
        assert await watch.look() == []
        assert watch.auditor.unfit() is None
        return
    await watch.look(after_s=QUEUE_S + 1)
    assert [row.need for row in await watch.told()] == ["technical:centre:stuck:writer"]
    free.set()
    await asyncio.gather(*stuck)


async def test_a_loop_that_is_stuck_is_told(watch: Watch) -> None:
    await watch.look()  # a ball is thrown and comes back
    await asyncio.sleep(0)

    def stuck() -> list[str]:
        found: list[str] = []
        for _ in range(int(QUEUE_S / ROUND_S) + 2):
            found = [trouble.name for trouble in watch.auditor.look()]
            watch.desk.clock.go_on(ROUND_S)
        return found

    thread_found: list[list[str]] = []
    thread = threading.Thread(target=lambda: thread_found.append(stuck()))
    thread.start()
    thread.join(20)  # the loop does nothing meanwhile
    assert thread_found == [["loop"]]
    assert [row.need for row in await watch.told()] == ["technical:centre:stuck:loop"]


async def test_a_machine_that_slept_has_not_kept_anybody_waiting(watch: Watch) -> None:
    await watch.desk.centre.transact(lambda tx: clockwork.schedule(tx, tx.now.utc, "dose.window", "dispenser-1"))
    watch.alarms.begin("a message")
    await watch.look()
    watch.desk.clock.go_on(ASLEEP_S * 10)
    assert "no look" in (watch.auditor.unfit() or "")
    assert await watch.look() == []
    assert watch.auditor.unfit() is None
    assert sorted(await watch.look(after_s=QUEUE_S + 1)) == [ALARM, "due"]


async def test_a_text_that_finds_no_provider_is_told(watch: Watch) -> None:
    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    await watch.desk.centre.transact(
        lambda tx: clockwork.schedule(tx, tx.now.utc + dt.timedelta(days=1), "message.send", "1")
    )
    assert await watch.look(after_s=QUEUE_S + 1) == ["message"]


async def test_a_text_that_one_provider_has_is_not_without_one_while_the_next_tries(watch: Watch) -> None:
    ways = Ways([ObedientProvider("one"), ObedientProvider("two")])
    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    await watch.desk.centre.transact(lambda tx: outcome.sent(tx, 1, 1, "one", "ref-1"))
    await watch.desk.centre.transact(lambda tx: clockwork.unschedule(tx, "message.receipt", "1"))
    await watch.look(after_s=60)
    await watch.desk.centre.transact(lambda tx: outcome.no_receipt(tx, 1, ways))
    await watch.desk.centre.transact(lambda tx: clockwork.unschedule(tx, "message.send", "2"))  # the leader's
    assert [row.state for row in await watch.desk.rows(attempts, attempts.c.message_id == 1)] == ["sent", "queued"]
    assert await watch.look() == []
    assert "message" not in await watch.look(after_s=QUEUE_S + 1)


async def test_a_text_that_its_provider_lost_waits_from_then_on(watch: Watch) -> None:
    ways = Ways([ObedientProvider("one"), ObedientProvider("two")])

    def lost(tx: Tx) -> None:
        row, attempt = outcome.find(tx, 1), attempts_of.get(tx, 1)
        assert row is not None
        assert attempt is not None
        outcome.not_delivered(tx, row, attempt, "no route", ways)
        clockwork.schedule(tx, tx.now.utc + dt.timedelta(days=1), "message.send", "1")  # nobody comes to it

    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    await watch.desk.centre.transact(lambda tx: outcome.sent(tx, 1, 1, "one", "ref-1"))
    await watch.look(after_s=50)
    await watch.desk.centre.transact(lost)
    assert await watch.look(after_s=QUEUE_S) == []
    assert await watch.look(after_s=1) == ["message"]


async def test_a_text_that_is_refused_again_and_again_waits_from_its_first_attempt(watch: Watch) -> None:
    ways = Ways([ObedientProvider("one")])
    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    for seconds in (0, 10, 20):
        await watch.look(after_s=seconds and 10)
        queued = max(row.id for row in await watch.desk.rows(attempts))
        fault = outcome.Fault("one", "down", final=False)
        await watch.desk.centre.transact(lambda tx, at=queued, why=fault: outcome.failed(tx, 1, at, why, ways))  # type: ignore[misc] # default arguments
    assert await watch.look(after_s=10) == []
    assert await watch.look(after_s=1) == ["message"]


async def test_who_wants_to_know_and_is_told_nothing_is_one_trouble_until_they_are(watch: Watch) -> None:
    ways = Ways([ObedientProvider("apprise", "fyi")])

    async def inform(name: str) -> int:
        return await watch.desk.centre.transact(lambda tx: outbox.inform(tx, 1, "nord-1", name, "a text"))

    async def accepted(number: int) -> None:
        await watch.desk.centre.transact(lambda tx: outcome.sent(tx, number, queued(tx, number), "apprise", "1"))

    async def told() -> list[tuple[str, int]]:
        return [(row.kind, row.severity) for row in await watch.told() if row.need.endswith(":fyi")]

    def queued(tx: Tx, number: int) -> int:
        return int(attempts_of.of(tx.connection, number)[-1].id)

    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    await watch.desk.centre.transact(lambda tx: outcome.sent(tx, 1, 1, "one", "ref-1"))
    await accepted(await inform("office"))
    lost = await inform("office")
    assert await watch.look(after_s=QUEUE_S) == []
    assert "fyi" in await watch.look(after_s=1)
    fault = outcome.Fault("apprise", "down", final=False)
    for _ in range(outcome.FLEETING_ATTEMPTS):
        await watch.desk.centre.transact(lambda tx: outcome.failed(tx, lost, queued(tx, lost), fault, ways))
    assert [row.state for row in await watch.desk.rows(messages, messages.c.id == lost)] == ["undeliverable"]
    await accepted(await inform("workshop"))
    await watch.look()
    assert await told() == [(Kind.CENTRE_BEHIND, Severity.NORMAL)]
    await accepted(await inform("office"))
    await watch.look()
    assert await told() == []


async def test_what_was_refused_for_information_is_no_trouble(watch: Watch) -> None:
    ways = Ways([ObedientProvider("apprise", "fyi")])
    await watch.desk.keep(watch.desk.event("pendant-1", Kind.ALARM_PRESSED))
    await watch.desk.centre.transact(lambda tx: outcome.sent(tx, 1, 1, "one", "ref-1"))
    number = await watch.desk.centre.transact(lambda tx: outbox.inform(tx, 1, "nord-1", "office", "a text"))
    fault = outcome.Fault("apprise", "no such address", final=True)
    await watch.desk.centre.transact(lambda tx: outcome.failed(tx, number, 2, fault, ways))
    assert await watch.look(after_s=QUEUE_S + 1) == []


async def test_a_store_that_fails_makes_it_unfit_and_nothing_ends_it(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_work: object) -> None:
        raise TransientError("store: database or disk is full")

    def odd(_work: object) -> None:
        raise ZeroDivisionError("a fault of the code")

    with monkeypatch.context() as patch:
        patch.setattr(watch.store, "write_now", full)
        await watch.look()
        assert watch.auditor.unfit() == "cannot write: store: database or disk is full"
        patch.setattr(watch.store, "read_now", odd)
        await watch.look()
        assert watch.auditor.unfit() == "cannot look: a fault of the code"
    assert "the auditor cannot write" in caplog.text
    await watch.look()
    assert watch.auditor.unfit() is None


async def test_what_it_cannot_see_is_not_said_to_work_again(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_work: object) -> None:
        raise TransientError("store: canceling statement due to statement timeout")

    def forget(tx: Tx) -> None:
        clockwork.schedule(tx, tx.now.utc, "dose.window", "dispenser-1")
        tx.connection.execute(
            due.update().values(leased_by="dead", leased_until=tx.now.utc + dt.timedelta(days=1))
        )

    await watch.desk.centre.transact(forget)
    assert await watch.look(after_s=OVERDUE_S + 1) == ["overdue"]
    with monkeypatch.context() as patch:
        patch.setattr(watch.store, "read_now", slow)
        assert await watch.look() == []
    assert [row.need for row in await watch.told()] == ["technical:centre:stuck:overdue"]
    await watch.desk.centre.transact(lambda tx: clockwork.unschedule(tx, "dose.window", "dispenser-1"))
    await watch.look()
    assert "technical:centre:stuck:overdue" not in [row.need for row in await watch.told()]


@pytest.mark.parametrize(("apart_s", "breaks"), [(10, True), (80, True), (91, False)])
async def test_a_connection_that_breaks_again_and_again_is_told_and_cleared_when_it_holds(
    watch: Watch, apart_s: float, breaks: bool
) -> None:
    # Each break puts off by 90 s when a silent hub is missed.
    for _ in range(20):
        watch.broker.opened()
        watch.desk.clock.go_on(apart_s)
        watch.broker.broke(90)
    watch.broker.opened()
    need = "technical:centre:stuck:broker"
    assert ("broker" in await watch.look()) == breaks
    assert (need in [row.need for row in await watch.told()]) == breaks
    assert ("broker" in await watch.look(after_s=80)) == breaks
    assert "broker" not in await watch.look(after_s=10)
    assert need not in [row.need for row in await watch.told()]


async def test_a_broker_that_was_away_for_long_and_then_stumbles_is_no_connection_that_breaks(
    watch: Watch,
) -> None:
    watch.broker.opened()
    watch.desk.clock.go_on(3600)
    watch.broker.broke(90)
    watch.desk.clock.go_on(3600)
    watch.broker.opened()
    watch.desk.clock.go_on(1)
    watch.broker.broke(90)
    watch.broker.opened()
    assert await watch.look() == []


async def test_its_thread_looks_by_itself_and_ends(
    desk: DeskCentre, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()
    auditor = Auditor(desk.centre, Store(store_url), SteadyClock(), {}, Steadiness(), loop)
    monkeypatch.setattr("hub.central.auditor.ROUND_S", 0.01)
    original = auditor.look

    def look() -> Any:
        found = original()
        loop.call_soon_threadsafe(looked.set)
        return found

    monkeypatch.setattr(auditor, "look", look)
    auditor.start()
    async with asyncio.timeout(10):
        await looked.wait()
    auditor.close()
    assert not auditor._thread.is_alive()


async def test_a_clock_that_was_set_is_told_once_and_cleared(watch: Watch) -> None:
    watch.desk.clock.at += dt.timedelta(hours=1)
    for _ in range(2):
        await watch.look()
    rows = await watch.desk.rows(incidents, incidents.c.kind == Kind.CENTRE_CLOCK_JUMPED)
    assert [row.state for row in rows] == ["alerting"]
    watch.desk.clock.at -= dt.timedelta(hours=1)
    await watch.look()
    rows = await watch.desk.rows(incidents, incidents.c.kind == Kind.CENTRE_CLOCK_JUMPED)
    assert [row.state for row in rows] == ["closed"]
