"""A round: asked of a hub, raised, told to the test phone, ended, and told outside only when it was complete."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from hub.central import commander
from hub.central.centre import Tx
from hub.central.notify.breaker import OPENS_AFTER
from hub.central.notify.ways import Ways
from hub.central.store import tables
from hub.central.synthetic import rounds, runner
from hub.central.synthetic.fit import unfit
from hub.central.synthetic.ping import Switch
from hub.central.synthetic.runner import Runner
from hub.central.watch.settings import Watch
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from hub.wire.envelope import Event
from tests.fakes.centre import DeskCentre
from tests.fakes.deadman import DeadMan, dead_man
from tests.fakes.site import TECHNICIAN
from tests.fakes.ward import ObedientProvider

WATCH = Watch(probe_hub="h-1", phone="technician", every_s=3600)


class Chain:
    """Edge, provider and phone, as a test lets them do their part."""

    def __init__(self, desk: DeskCentre, outside: DeadMan) -> None:
        self.desk = desk
        self.outside = outside
        self.unfit: str | None = None
        self.runner = Runner(desk.centre, WATCH, Switch(outside.url, waits_s=()), lambda: self.unfit)

    async def round(self) -> Any:
        (row,) = await self.desk.rows(tables.rounds, tables.rounds.c.ended_at.is_(None))
        return row

    async def asked(self) -> str:
        """Wait until a round has begun; return its id."""
        await self.outside.until("start")
        return str((await self.round()).id)

    def probe(self, number: str, **more: Any) -> Event:
        event = self.desk.event(more.pop("device", "h-1"), Kind.ALARM_PRESSED, value={"round": number}, test=True)
        return msgspec.structs.replace(event, **more)

    async def deliver(self) -> None:
        """The provider takes every text and reports it delivered."""
        now = self.desk.clock.at
        await self.desk.centre.transact(
            lambda tx: tx.connection.execute(
                tables.messages.update().values(state="delivered", sent_at=now, delivered_at=now)
            )
        )


@pytest.fixture
async def chain(desk: DeskCentre, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chain]:
    monkeypatch.setattr(runner, "_LOOK_S", 0.01)
    async with dead_man() as outside:
        chain = Chain(desk, outside)
        yield chain
        assert chain.runner._switch is not None
        await chain.runner._switch.close()


async def test_a_whole_round_rings_the_test_phone_alone_and_is_told_outside(chain: Chain) -> None:
    making = asyncio.create_task(chain.runner.make())
    number = await chain.asked()
    await chain.desk.keep(chain.probe(number))
    (incident,) = await chain.desk.incidents()
    assert (incident.test, incident.incident_class, incident.resident_id) == (True, "technical", None)
    assert await chain.desk.told(incident.id) == [TECHNICIAN]
    assert chain.outside.signals() == ["start"], "nothing is told before the text has arrived"
    chain.desk.clock.go_on(2)
    await chain.deliver()
    assert await asyncio.wait_for(making, 10)
    assert chain.outside.signals() == ["start", "success"]
    assert chain.outside.pings[1].body.splitlines()[3].startswith("delivered_at ")
    (row,) = await chain.desk.rows(tables.rounds)
    assert (row.outcome, row.incident_id) == (rounds.COMPLETE, incident.id)
    assert None not in {row.observed_at, row.received_at, row.sent_at, row.delivered_at, row.pinged_at}
    (incident,) = await chain.desk.incidents()
    assert incident.state == "closed"
    assert await chain.desk.next_action(incident.id) is None


@pytest.mark.parametrize(
    "until", ["the edge", "the way from edge", "the way from centre", "the way from provider"]
)
async def test_a_round_that_stops_is_told_as_failed_and_raises(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, until: str
) -> None:
    monkeypatch.setattr(runner, "WITHIN_S", 1.5)
    making = asyncio.create_task(chain.runner.make())
    number = await chain.asked()
    if until != "the edge":
        await chain.desk.keep(chain.probe(number))
    if until == "the way from provider":
        now = chain.desk.clock.at
        await chain.desk.centre.transact(
            lambda tx: tx.connection.execute(tables.messages.update().values(state="sent", sent_at=now))
        )
    assert not await asyncio.wait_for(making, 20)
    assert chain.outside.signals() == ["start", "fail"]
    (row,) = await chain.desk.rows(tables.rounds)
    expected = "the edge" if until == "the way from edge" else until
    if until == "the way from edge":
        expected = "the way from centre"
    assert row.outcome == rounds.FAILED
    assert expected in row.reason
    raised = [row for row in await chain.desk.incidents() if row.kind == Kind.ROUND_FAILED]
    assert [row.state for row in raised] == ["alerting"]
    (test,) = [row for row in await chain.desk.incidents() if row.test] or [None]
    assert test is None or test.state == "closed"


async def test_a_hub_that_refuses_ends_the_round_at_once(chain: Chain) -> None:
    making = asyncio.create_task(chain.runner.make())
    number = await chain.asked()
    value = {"command": number, "name": "probe", "ok": False, "reason": "this hub has none of this name"}
    await chain.desk.keep(chain.desk.event("h-1", Kind.DEVICE_ANSWERED, value=value))
    assert not await asyncio.wait_for(making, 10)
    assert "this hub has none of this name" in chain.outside.pings[-1].body


async def test_the_next_complete_round_clears_the_failure(chain: Chain) -> None:
    begun = await chain.desk.centre.transact(lambda tx: rounds.begin(tx, "h-1", "technician"))
    await chain.desk.centre.transact(lambda tx: rounds.end(tx, begun))
    making = asyncio.create_task(chain.runner.make())
    number = await chain.asked()
    await chain.desk.keep(chain.probe(number))
    await chain.deliver()
    assert await asyncio.wait_for(making, 10)
    assert {row.state for row in await chain.desk.incidents()} == {"closed"}


async def test_an_auditor_that_is_unfit_withholds_the_ping(chain: Chain) -> None:
    chain.unfit = "cannot write: store: disk I/O error"
    making = asyncio.create_task(chain.runner.make())
    number = await chain.asked()
    await chain.desk.keep(chain.probe(number))
    await chain.deliver()
    await asyncio.wait_for(making, 10)
    assert chain.outside.signals() == ["start", "fail"]
    (row,) = await chain.desk.rows(tables.rounds)
    assert row.pinged_at is None


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("", None),
        ("deaf", "it does not hear its broker"),
        ("unheard", "it has not heard hub h-1 itself for 91 s"),
        ("dumb", "none of its providers of texts answers"),
    ],
)
async def test_a_centre_whose_round_another_made_answers_for_itself(
    store_url: str, monkeypatch: pytest.MonkeyPatch, trouble: str, said: str | None
) -> None:
    monkeypatch.setattr(runner, "_LOOK_S", 0.01)
    first = DeskCentre(store_url, owner="first")
    second = DeskCentre(store_url, first.clock, owner="second")
    ways = Ways([ObedientProvider("one"), ObedientProvider("two")])
    async with dead_man() as outside:
        chain = Chain(first, outside)
        chain.runner._unfit = lambda: unfit(first.centre, first.presence, ways, WATCH.probe_hub)
        making = asyncio.create_task(chain.runner.make())
        number = await chain.asked()
        if trouble == "deaf":
            first.presence.listening_since = None
        if trouble == "unheard":
            first.clock.go_on(91)
        else:
            first.clock.go_on(80)
            first.presence.heard_hub("h-1", first.clock.now().utc)
            first.clock.go_on(80)
        if trouble == "dumb":
            for name in ("one", "two"):
                for _ in range(OPENS_AFTER):
                    ways.breaker(name).failed(first.clock.now().utc)
        # The other one tells the hub, hears it and tells the phone.
        await second.clockwork._round()
        assert second.commands_told == [number]
        await second.keep(chain.probe(number))
        await chain.deliver()
        assert await asyncio.wait_for(making, 10)
        assert outside.signals() == ["start", "success" if said is None else "fail"]
        if said is not None:
            assert outside.pings[-1].body == f"The round was complete, but this centre is unfit: {said}."
        (row,) = await first.rows(tables.rounds)
        assert (row.outcome, row.pinged_at is None) == (rounds.COMPLETE, said is not None)
        assert chain.runner._switch is not None
        await chain.runner._switch.close()
    for desk in (first, second):
        desk.store.close()


async def test_a_store_that_cannot_be_written_tells_nothing(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    making = asyncio.create_task(chain.runner.make())
    number = await chain.asked()
    await chain.desk.keep(chain.probe(number))

    async def full(*_: object, **__: object) -> None:
        raise TransientError("store: database or disk is full")

    await chain.deliver()
    monkeypatch.setattr(chain.desk.centre, "transact", full)
    with pytest.raises(TransientError):
        await asyncio.wait_for(making, 10)
    assert chain.outside.signals() == ["start"]


async def test_what_comes_twice_late_or_from_another_hub_rings_no_phone(chain: Chain) -> None:
    begun = await chain.desk.centre.transact(lambda tx: rounds.begin(tx, "h-1", "technician"))
    await chain.desk.keep(chain.probe("another round"))
    await chain.desk.keep(chain.probe(begun, source="urn:hub:h-9", subject="h-9"), topic="wt/1/h-9/up/alarm")
    assert [row for row in await chain.desk.incidents() if row.test and row.test_phone] == []
    probe = chain.probe(begun)
    await chain.desk.keep(probe)
    await chain.desk.keep(probe)
    (incident,) = [row for row in await chain.desk.incidents() if row.test_phone]
    assert await chain.desk.told(incident.id) == [TECHNICIAN]
    await chain.desk.centre.transact(lambda tx: rounds.end(tx, begun))
    await chain.desk.keep(chain.probe(begun))
    assert len([row for row in await chain.desk.incidents() if row.test_phone]) == 1


async def test_without_its_test_phone_a_round_rings_nobody_else_and_fails(chain: Chain) -> None:
    begun = await chain.desk.centre.transact(lambda tx: rounds.begin(tx, "h-1", "a phone that has left"))
    await chain.desk.keep(chain.probe(begun))
    assert await chain.desk.incidents() == []
    await chain.desk.centre.transact(lambda tx: rounds.end(tx, begun))
    (row,) = await chain.desk.rows(tables.rounds)
    assert (row.outcome, row.reason) == (rounds.FAILED, "It did not pass the way from centre to provider.")


async def test_a_pendant_cannot_pass_for_a_round(chain: Chain) -> None:
    begun = await chain.desk.centre.transact(lambda tx: rounds.begin(tx, "h-1", "technician"))
    await chain.desk.keep(chain.probe(begun, device="pendant-1"))
    (incident,) = await chain.desk.incidents()
    assert (incident.incident_class, incident.resident_id) == ("care", "r-1017")


async def test_a_restart_ends_what_was_under_way_and_keeps_the_hour(chain: Chain) -> None:
    begun = await chain.desk.centre.transact(lambda tx: rounds.begin(tx, "h-1", "technician"))
    await chain.desk.keep(chain.probe(begun))
    await chain.desk.centre.transact(rounds.abandon)
    (row,) = await chain.desk.rows(tables.rounds)
    assert (row.outcome, row.reason) == (rounds.FAILED, "The centre was started anew.")
    assert [row.state for row in await chain.desk.incidents()] == ["closed"]
    chain.desk.clock.go_on(600)
    assert await chain.runner._until_next_s() == pytest.approx(3000)
    chain.desk.clock.go_on(dt.timedelta(days=1).total_seconds())
    assert await chain.runner._until_next_s() == 0


async def test_the_hub_is_asked_by_a_command_that_expires(chain: Chain) -> None:
    def begin(tx: Tx) -> str:
        return rounds.begin(tx, "h-1", "technician")

    begun = await chain.desk.centre.transact(begin)
    (row,) = await chain.desk.rows(tables.commands)
    assert (row.id, row.device_id, row.name, row.state) == (begun, "h-1", "probe", commander.WAITING)
    await chain.desk.clockwork._round()
    assert chain.desk.commands_told == [begun]
