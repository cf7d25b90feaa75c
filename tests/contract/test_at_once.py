"""Two transactions at once on PostgreSQL: the other one waits, and then goes by what was done."""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import psycopg
import pytest
import sqlalchemy as sa

from hub.central import clockwork, ingest, network, presence
from hub.central.api import acts
from hub.central.auditor import _resume
from hub.central.auth import Session
from hub.central.centre import Tx
from hub.central.clockwork import Due
from hub.central.escalation import engine
from hub.central.incidents import desk as incident_desk
from hub.central.incidents import record
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.ingest import Parcel
from hub.central.maintenance import service as maintenance
from hub.central.notify import outcome, receipts
from hub.central.notify.attempts import SEND
from hub.central.notify.channels.base import ReceiptStatus, Report
from hub.central.notify.ways import Ways
from hub.central.store import tables
from hub.central.store.tables import due
from hub.central.synthetic import rounds
from hub.domain.clock import UTC
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.centre import RULES, DeskCentre
from tests.fakes.postgres import Postgres
from tests.fakes.site import SITE
from tests.fakes.ward import ObedientProvider

HUBS = ["h-1", "h-2", "h-3", "h-4"]
DOCUMENT = SITE + "".join(f'\n[[hubs]]\nid = "{name}"\nzone = "nord-1"\n' for name in HUBS[1:])
SILENT = dt.timedelta(seconds=90)
_WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
_PATIENCE_S = 8.0
_LOOK_S = 0.01


class Two:
    """Two centres on one store, of which the test lets one stand still in a transaction."""

    def __init__(self, url: str) -> None:
        self.first = DeskCentre(url, owner="first", document=DOCUMENT)
        self.second = DeskCentre(url, self.first.clock, owner="second")

    @asynccontextmanager
    async def under_way(self, work: Callable[[Tx], object]) -> AsyncIterator[None]:
        """Let the first one do something, and commit it when another transaction waits for it."""
        done = threading.Event()

        def paused(tx: Tx) -> None:
            work(tx)
            done.set()
            self.until_awaited()

        held = asyncio.create_task(self.first.centre.transact(paused))
        await asyncio.to_thread(done.wait, _PATIENCE_S)
        yield
        await held

    async def attempts(self) -> list[tuple[str | None, str]]:
        """Return by which provider each attempt was made, and where it stands."""
        rows = sorted(await self.first.rows(tables.attempts), key=lambda row: row.id)
        return [(row.provider, row.state) for row in rows]

    def until_awaited(self) -> None:
        """Wait until a transaction waits for what another one does."""
        for _ in range(round(_PATIENCE_S / _LOOK_S)):
            if self.first.store.read_now(lambda connection: connection.scalar(_WAITING)):
                return
            time.sleep(_LOOK_S)
        raise AssertionError("nobody waits for it")


@pytest.fixture
async def two(postgres: Postgres) -> AsyncIterator[Two]:
    both = Two(postgres.new_database())
    yield both
    for centre in (both.first, both.second):
        centre.store.close()


def press(desk: DeskCentre, device: str = "pendant-1", kind: Kind = Kind.ALARM_PRESSED) -> Callable[[Tx], None]:
    """Return the work of keeping an observation."""
    parcel = Parcel("wt/1/h-1/up/alarm", "h-1", [desk.event(device, kind, epoch=f"of-{desk.centre.owner}")], [])
    return lambda tx: ingest.keep(tx, [parcel], RULES)


async def test_who_closes_an_incident_has_seen_what_is_being_added_to_it(two: Two) -> None:
    await two.first.centre.transact(press(two.first))
    session = Session("nurse", "", two.first.clock.at)
    ending = (Outcome.NO_HELP_NEEDED, Cause.MISTAKE)
    async with two.under_way(press(two.first)):
        with pytest.raises(acts.PressedMeanwhileError):
            await acts.act(two.second.centre, session, 1, Event.CLOSE, ending=ending, presses=1)
    (incident,) = await two.first.incidents()
    assert (incident.state, incident.presses) == ("alerting", 2)


def _report(ways: Ways) -> Callable[[Tx], None]:
    """Return the work of taking the provider's word that the first message will never arrive."""
    (provider,) = [one for one in ways if one.name == "one"]
    at = dt.datetime(2026, 1, 1, tzinfo=UTC)
    failed = Report(provider_ref="ref-1", status=ReceiptStatus.FAILED, at=at, message_id=1, reason="switched off")
    return lambda tx: receipts.reported(tx, provider, failed, ways)


async def test_a_failure_that_is_reported_while_the_sending_is_noted_lets_the_next_provider_try(two: Two) -> None:
    await two.first.centre.transact(press(two.first))
    ways = Ways([ObedientProvider(), ObedientProvider("two")])
    async with two.under_way(lambda tx: outcome.sent(tx, 1, 1, "one", "ref-1")):
        await two.second.centre.transact(_report(ways))
    assert await two.attempts() == [("one", "undeliverable"), (None, "queued")]
    assert len(await two.first.rows(due, due.c.kind == SEND)) == 1


async def test_a_failure_that_is_reported_twice_at_once_is_one(two: Two) -> None:
    await two.first.centre.transact(press(two.first))
    await two.first.centre.transact(lambda tx: outcome.sent(tx, 1, 1, "one", "ref-1"))
    ways = Ways([ObedientProvider(), ObedientProvider("two")])
    async with two.under_way(_report(ways)):
        await two.second.centre.transact(_report(ways))
    assert await two.attempts() == [("one", "undeliverable"), (None, "queued")]
    assert [row.leased_by for row in await two.first.rows(due, due.c.kind == SEND)] == ["first"]


async def test_a_fault_that_comes_as_its_maintenance_ends_is_raised(two: Two) -> None:
    until = two.first.clock.at + dt.timedelta(hours=1)
    await two.first.centre.transact(
        lambda tx: maintenance.add(tx, "device", "door-1", "new battery", "user:x", until=until)
    )
    async with two.under_way(lambda tx: maintenance.end(tx, 1, "user:x")):
        await two.second.centre.transact(press(two.second, "door-1", Kind.BATTERY_LOW))
    assert [row.kind for row in await two.first.incidents()] == [Kind.BATTERY_LOW]


async def test_two_alarms_of_one_need_at_once_are_one_incident(two: Two) -> None:
    async with two.under_way(press(two.first)):
        await two.second.centre.transact(press(two.second))
    (incident,) = await two.first.incidents()
    assert (incident.presses, len(await two.first.rows(tables.incident_observations))) == (2, 2)
    assert len(await two.first.told(1)) == 1


async def test_who_takes_an_incident_as_its_next_step_is_due_has_taken_it(two: Two) -> None:
    await two.first.centre.transact(press(two.first))
    two.first.clock.go_on(180)
    locked, taken_up = threading.Event(), threading.Event()

    def step(tx: Tx, subject: str) -> None:
        taken_up.set()
        locked.wait(_PATIENCE_S)
        two.until_awaited()
        engine.step_due(tx, subject)

    def take(tx: Tx) -> None:
        record.get(tx, 1)
        locked.set()
        taken_up.wait(_PATIENCE_S)
        incident_desk.act(tx, 1, Event.ACKNOWLEDGE, "sms:nord-1-duty")

    two.first.clockwork._handlers = {engine.STEP: step}
    round_ = asyncio.create_task(two.first.clockwork._do(Due(engine.STEP, "1", 0)))
    await two.second.centre.transact(take)
    await round_
    (incident,) = await two.first.incidents()
    assert (incident.state, incident.taken_by) == ("acknowledged", "sms:nord-1-duty")
    assert (await two.first.next_action(1)).kind == engine.DEADLINE


async def test_what_was_begun_anew_has_its_effects_once(two: Two) -> None:
    tries = iter([True, True, True])
    sent: list[int] = []
    two.first.centre.follow(lambda effects: sent.extend(effects.outgoing))

    def meets(tx: Tx) -> None:
        press(two.first)(tx)
        if next(tries, False):
            raise sa.exc.OperationalError("", {}, psycopg.errors.DeadlockDetected())

    await two.first.centre.transact(meets)
    assert len(sent) == 1
    tries = iter([True] * 4)
    with pytest.raises(TransientError):
        await two.first.centre.transact(meets)


async def test_a_forgotten_incident_that_two_auditors_find_alerts_again_once(two: Two) -> None:
    await two.first.centre.transact(press(two.first))
    await two.first.centre.transact(lambda tx: clockwork.unschedule(tx, engine.STEP, "1"))
    async with two.under_way(lambda tx: _resume(tx, 1)):
        await two.second.centre.transact(lambda tx: _resume(tx, 1))
    assert (await two.first.story(1)).count("alerts_again") == 1
    assert len(await two.first.told(1)) == 2


async def last_heard(desk: DeskCentre, *names: str) -> dt.datetime:
    """Let hubs be heard now, for the last time."""
    for name in names:
        desk.presence.heard_hub(name, desk.clock.at)
    news = desk.presence.take()
    await desk.store.write(lambda connection: presence.write(connection, news))
    return desk.clock.at


async def test_a_silent_hub_joins_no_incident_that_is_being_closed(two: Two) -> None:
    at = await last_heard(two.first, *HUBS)
    two.first.clock.go_on(90)
    await two.first.centre.transact(lambda tx: network.fell_silent(tx, "h-1", at, SILENT, {"h-4"}))
    close = partial(incident_desk.act, event=Event.CLOSE, outcome=Outcome.REPAIRED, cause=Cause.TECHNICAL)
    async with two.under_way(lambda tx: close(tx, 1, actor="user:x")):
        await two.second.centre.transact(lambda tx: network.fell_silent(tx, "h-4", at, SILENT, set()))
    assert await two.second.centre.transact(lambda tx: network.spoken_for(tx, "h-4"))


async def test_a_hub_that_is_reported_alone_as_many_are_found_silent_is_one_of_them(two: Two) -> None:
    at = await last_heard(two.first, "h-1", "h-2")
    two.first.clock.go_on(0.5)
    await last_heard(two.first, "h-3")
    two.first.presence.listening_since = at
    two.first.clock.go_on(89.5)
    async with two.under_way(lambda tx: two.first.supervision.hub_due(tx, "h-1")):
        two.first.clock.go_on(0.5)
        await two.second.centre.transact(lambda tx: network.fell_silent(tx, "h-2", at, SILENT, set()))
    rows = await two.first.incidents()
    assert [(row.kind, row.state) for row in rows] == [(Kind.HUB_LOST, "closed"), (Kind.NETWORK_LOST, "alerting")]


async def test_a_test_alarm_that_comes_as_its_round_is_ended_rings_nobody(two: Two) -> None:
    number = await two.first.centre.transact(lambda tx: rounds.begin(tx, "h-1", "technician"))
    event = two.second.event("h-1", Kind.ALARM_PRESSED, test=True, value={"round": number})
    parcel = Parcel("wt/1/h-1/up/alarm", "h-1", [event], [])
    async with two.under_way(lambda tx: rounds.end(tx, number)):
        await two.second.centre.transact(lambda tx: ingest.keep(tx, [parcel], RULES))
    assert [row.kind for row in await two.first.incidents() if row.state != "closed"] == [Kind.ROUND_FAILED]
