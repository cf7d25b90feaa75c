"""The centre's ear: nothing is acknowledged before it is kept, and nothing can block a lane."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
import sqlalchemy as sa

from hub.central import commander
from hub.central.centre import Tx
from hub.central.listener import Listener
from hub.central.store.tables import commands, dead_letters, due, observations
from hub.central.supervision import DEAF
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from hub.wire import envelope, receipt
from hub.wire.logs import Masked
from hub.wire.mqtt import Incoming, MqttSettings
from tests.fakes.centre import RULES, DeskCentre

ALARM = "wt/1/h-1/up/alarm"


class Ear:
    """A listener whose links go nowhere: what it would say is noted."""

    def __init__(self, desk: DeskCentre) -> None:
        self.desk = desk
        self.listener = Listener(
            desk.centre, desk.presence, desk.supervision, RULES, MqttSettings(client_id="centre", port=1)
        )
        self.acknowledged: list[int] = []
        self.receipts: list[receipt.Receipt] = []
        self.said = asyncio.Event()
        lane = self.listener.alarms
        lane.link.ack = self._ack  # type: ignore[method-assign]  # the link's far end is this test
        lane.link.post = self._post  # type: ignore[method-assign, assignment]  # the same
        self._task = asyncio.create_task(self.listener.run(lane))

    def _ack(self, incoming: Incoming) -> None:
        self.acknowledged.append(incoming.mid)

    def _post(self, _topic: str, payload: bytes, **_more: object) -> None:
        self.receipts.append(receipt.decode(payload))
        self.said.set()

    def hear(self, payload: bytes, mid: int = 1, topic: str = ALARM) -> None:
        self.listener.alarms.waiting.put_nowait(
            Incoming(topic, payload, retain=False, mid=mid, qos=1, generation=1)
        )

    async def until_receipted(self, seqs: set[int]) -> None:
        async with asyncio.timeout(10):
            while {s for item in self.receipts for a, b in item.stored for s in range(a, b + 1)} != seqs:
                self.said.clear()
                await self.said.wait()

    async def close(self) -> None:
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task


@pytest.fixture
async def ear(desk: DeskCentre) -> AsyncIterator[Ear]:
    listening = Ear(desk)
    yield listening
    await listening.close()


def press(desk: DeskCentre, **data: object) -> envelope.Event:
    event = desk.event("pendant-1", Kind.ALARM_PRESSED)
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, **data))


def refuse(ear: Ear, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
    """Let the store fail with these errors, one after another; nothing is acknowledged meanwhile."""
    write, left = ear.desk.store.write, list(errors)

    async def failing(work: Callable[..., object], *, urgent: bool = False) -> object:
        assert not ear.acknowledged
        if left:
            raise left.pop(0)
        return await write(work, urgent=urgent)

    monkeypatch.setattr(ear.desk.store, "write", failing)


async def test_receipt_and_acknowledgement_follow_the_commit(ear: Ear) -> None:
    event = press(ear.desk)
    ear.hear(envelope.encode(event), mid=7)
    await ear.until_receipted({event.seq})
    assert ear.acknowledged == [7]
    assert len(await ear.desk.incidents()) == 1


async def test_while_the_store_cannot_take_it_nothing_is_acknowledged(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(ear, monkeypatch, TransientError("store: disk full"), TransientError("store: disk full"))
    event = press(ear.desk)
    ear.hear(envelope.encode(event))
    await ear.until_receipted({event.seq})
    monkeypatch.undo()
    assert len(await ear.desk.rows(observations)) == 1


async def test_what_the_store_will_never_take_is_set_aside_and_its_neighbours_are_kept(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, poison, after = (press(ear.desk) for _ in range(3))
    write = ear.desk.store.write

    async def picky(work: Callable[..., object], *, urgent: bool = False) -> object:
        def checked(connection: sa.Connection) -> object:
            result = work(connection)
            if connection.execute(sa.select(observations).where(observations.c.seq == poison.seq)).first():
                raise ValueError("bytes that this database\x00 refuses")
            return result

        return await write(checked, urgent=urgent)

    monkeypatch.setattr(ear.desk.store, "write", picky)
    for event in (good, poison, after):
        ear.hear(envelope.encode(event))
    await ear.until_receipted({good.seq, poison.seq, after.seq})
    monkeypatch.undo()
    assert {row.seq for row in await ear.desk.rows(observations)} == {good.seq, after.seq}
    (letter,) = await ear.desk.rows(dead_letters)
    assert "cannot be kept" in letter.reason
    assert {row.flags for row in await ear.desk.incidents()} == {"", "malformed"}


async def test_what_is_set_aside_waits_for_a_store_that_is_away_just_then(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(ear, monkeypatch, ValueError("no"), ValueError("no"), TransientError("store: disk full"))
    event = press(ear.desk)
    ear.hear(envelope.encode(event))
    await ear.until_receipted({event.seq})
    monkeypatch.undo()
    assert len(await ear.desk.rows(dead_letters)) == 1


@pytest.mark.parametrize(
    ("kind", "value", "heard"),
    [
        (Kind.DEVICE_ANSWERED, {"command": "it", "ok": False, "reason": "not connected"}, False),
        (Kind.DEVICE_ANSWERED, {"command": "it", "ok": True, "reason": ""}, True),
        (Kind.DEVICE_FAULT, {"reason": "offline"}, False),
        (Kind.DEVICE_FAULT, {"reason": "problem"}, True),
    ],
)
async def test_what_a_hub_says_of_a_device_out_of_reach_is_no_sign_of_life_of_it(
    ear: Ear, kind: Kind, value: dict[str, object], heard: bool
) -> None:
    event = ear.desk.event("dispenser-1", kind, value=value)
    ear.hear(envelope.encode(event))
    await ear.until_receipted({event.seq})
    await asyncio.sleep(0)
    assert (ear.desk.presence.heard_at("device", "dispenser-1", None) is not None) == heard


async def test_what_cannot_even_be_set_aside_holds_up_nothing_and_stays_with_its_hub(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = press(ear.desk), press(ear.desk)
    refuse(ear, monkeypatch, *[ValueError("no")] * 3)
    ear.hear(envelope.join([envelope.encode(first), envelope.encode(second)]), mid=7)
    await ear.until_receipted({second.seq})
    assert ear.acknowledged == [7]
    assert ear.listener.alarms.unkept.since() is None
    monkeypatch.undo()
    ear.hear(envelope.encode(first), mid=8)
    await ear.until_receipted({first.seq, second.seq})
    assert len(await ear.desk.rows(observations)) == 2


async def test_a_centre_that_never_reaches_its_broker_says_so(ear: Ear) -> None:
    await ear.desk.centre.transact(ear.listener.arm)
    await ear.desk.pass_time(91)
    assert [row.kind for row in await ear.desk.incidents()] == [Kind.CENTRE_DEAF]


async def test_what_the_store_refuses_is_said_without_what_it_says(
    ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    event = ear.desk.event("pendant-1", Kind.LOCATION_FIX, value={"lat": 59.911491, "lon": 10.757933})
    refusing = (
        "CREATE TRIGGER refuse BEFORE INSERT ON observations BEGIN SELECT RAISE(ABORT, 'refused'); END"
        if ear.desk.store.is_sqlite
        else "ALTER TABLE observations ADD CONSTRAINT refused CHECK (kind <> 'location.fix')"
    )
    ear.desk.store.write_now(lambda connection: connection.exec_driver_sql(refusing))
    ear.hear(envelope.encode(event))
    await ear.until_receipted({event.seq})
    (letter,) = await ear.desk.rows(dead_letters)
    written = [letter.reason, *(row.reason for row in await ear.desk.incidents())]
    written += [Masked().format(record) for record in caplog.records]
    assert any("refused" in line for line in written)
    assert any("one by one now" in line for line in written)
    for line in written:
        assert "59.911491" not in line


async def test_a_nul_is_no_trouble_for_what_came_with_it(ear: Ear, caplog: pytest.LogCaptureFixture) -> None:
    good = [press(ear.desk) for _ in range(2)]
    odd = msgspec.structs.replace(press(ear.desk), epoch="aa\x00bb", subject="odd-\x00")
    ear.hear(envelope.join([envelope.encode(event) for event in (good[0], odd, good[1])]))
    await ear.until_receipted({event.seq for event in (*good, odd)})
    assert {row.seq for row in await ear.desk.rows(observations)} == {event.seq for event in good}
    (letter,) = await ear.desk.rows(dead_letters)
    assert letter.reason.startswith("element 1: ")
    assert "one by one" not in caplog.text
    assert {row.flags for row in await ear.desk.incidents()} == {"", "malformed"}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.DEVICE_ANSWERED, {"command": "\x00", "ok": True}),
        (Kind.DEVICE_ANSWERED, {"command": "it", "ok": False, "reason": "no\x00"}),
        (Kind.ALARM_PRESSED, {"round": "\x00"}),
        (Kind.CLIMATE_READING, {"text": "\x00"}),
    ],
)
async def test_a_nul_in_a_value_is_kept(
    ear: Ear, kind: Kind, value: dict[str, str | bool], caplog: pytest.LogCaptureFixture
) -> None:
    event = ear.desk.event("h-1", kind, value=value, test=True)
    await ear.desk.centre.transact(
        lambda tx: tx.connection.execute(
            commands.insert().values(
                id="it",
                hub_id="h-1",
                device_id="h-1",
                name="x",
                arguments="{}",
                asked_by="x",
                asked_at=tx.now.utc,
                state=commander.TOLD,
                reason="",
            )
        )
    )
    ear.hear(envelope.encode(event))
    await ear.until_receipted({event.seq})
    assert [row.seq for row in await ear.desk.rows(observations)] == [event.seq]
    assert "one by one" not in caplog.text


async def test_hostile_payloads_and_topics_are_buried_and_the_lane_goes_on(ear: Ear) -> None:
    for payload in (b"", b"\x00\xff", b"[]", b'{"seq":', b"9" * 2_000_000):
        ear.hear(payload)
    ear.hear(b"{}", topic="wt/1/NO/up/alarm")
    event = press(ear.desk, raw="ff\x00", value={"text": "\x00"})
    ear.hear(envelope.encode(event))
    await ear.until_receipted({event.seq})
    assert len(await ear.desk.rows(dead_letters)) >= 5
    assert any(row.incident_class == "care" for row in await ear.desk.incidents())


@pytest.mark.parametrize("hears", [True, False])
async def test_whether_the_centre_hears_is_kept_as_it_was_last_whatever_the_store_takes_first(
    ear: Ear, monkeypatch: pytest.MonkeyPatch, hears: bool
) -> None:
    listener, centre = ear.listener, ear.desk.centre
    transact, away, owner = centre.transact, iter([True]), centre.owner
    ear.desk.presence.listening_since = ear.desk.clock.at if hears else None

    async def failing(work: Callable[[Tx], object], *, urgent: bool) -> object:
        if next(away, False):
            raise TransientError("the store is away")
        return await transact(work, urgent=urgent)

    monkeypatch.setattr(centre, "transact", failing)
    for connected in (not hears, hears):
        for lane in (listener.alarms, listener.readings):
            monkeypatch.setattr(type(lane.link), "connected", connected)
        listener._connection_changed()
    await asyncio.gather(*listener._tasks)
    assert [row.subject for row in await ear.desk.rows(due, due.c.kind == DEAF)] == ([] if hears else [owner])


async def test_a_connection_that_breaks_again_and_again_is_told_to_the_auditor(
    ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, mono = ear.listener, iter(range(0, 100_000, 40))
    monkeypatch.setattr(listener.steadiness, "_mono", lambda: next(mono))
    for _ in range(5):
        for connected in (True, False):
            monkeypatch.setattr(type(listener.alarms.link), "connected", connected)
            listener._connection_changed()
    assert listener.steadiness.breaking_s(90) is not None
    await asyncio.gather(*listener._tasks)
