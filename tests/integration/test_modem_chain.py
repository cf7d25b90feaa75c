"""The centre's own modem against the simulated one on a real pseudo-terminal."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import sqlalchemy as sa

from drivers.gsm.parts import Text as Came
from firmware_sim.clock import FixedClock
from firmware_sim.devices.gsm.modem import GsmModem as Simulated
from firmware_sim.home import Home, specs_of
from hub.central.centre import Centre, Tx
from hub.central.listening import listen_to
from hub.central.notify.channels import http, kinds, modem
from hub.central.notify.channels.base import Listening, Outgoing
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.store.tables import attempts, incidents, messages, replies
from hub.domain.errors import PermanentError, RefusedError, TransientError
from tests.fakes.mortal import Hasty
from tests.fakes.ward import DUTY, LEADER, START, STRANGER, HandClock, ObedientProvider, open_centre, raised

SPECS = {"device": [{"name": "modem", "kind": "gsm.modem", "port": "gsm"}]}


class Chain:
    """A centre whose first provider is a modem."""

    def __init__(self, folder: Path) -> None:
        self.clock = Hasty()
        self.centre: Centre = open_centre(folder, self.clock)
        self.network_clock = FixedClock(START.timestamp())
        self.home = Home(specs_of(SPECS), folder, self.network_clock)
        self.modem = modem.make(modem.Settings(port=str(folder / "gsm")), "")
        self.other = ObedientProvider("other")
        self.ways = Ways([self.modem, self.other])
        self.sender = Sender(self.centre, self.ways, lambda name: f"https://centre.example/{name}")
        self._changed = asyncio.Event()
        self.centre.follow(lambda _effects: self._changed.set())
        self.tasks: list[asyncio.Task[None]] = []

    def listen(self) -> None:
        loops = listen_to(self.centre, self.ways)
        assert list(loops) == ["provider modem"]
        self.tasks = [asyncio.ensure_future(loop()) for loop in loops.values()]

    async def deaf(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def far(self) -> Simulated:
        found = self.home.devices["modem"]
        assert isinstance(found, Simulated)
        return found

    async def until(self, holds: Callable[[sa.Connection], bool]) -> None:
        """Wait for the commit after which something holds."""
        async with asyncio.timeout(8):
            while True:
                self._changed.clear()
                if await self.centre.store.read(holds):
                    return
                await self._changed.wait()

    async def until_states(self, *states: tuple[str, str]) -> None:
        query = sa.select(messages.c.number, messages.c.state).order_by(messages.c.id)
        await self.until(lambda c: [(row.number, row.state) for row in c.execute(query)] == list(states))

    async def until_attempts(self, *made: tuple[str, str]) -> None:
        query = sa.select(attempts.c.provider, attempts.c.state).order_by(attempts.c.id)
        await self.until(lambda c: [(row.provider, row.state) for row in c.execute(query)] == list(made))

    async def text(self, text: str, sender: str = DUTY) -> None:
        await self.home.do("modem", "text", {"sender": sender, "text": text})

    async def until_heard(self, count: int) -> list[sa.Row[tuple[object, ...]]]:
        query = sa.select(replies).order_by(replies.c.id)
        await self.until(lambda c: len(c.execute(query).all()) == count)
        return list(await self.centre.store.read(lambda c: c.execute(query).all()))

    async def until_sent(self, count: int) -> list[str]:
        """Wait for so many texts at the network."""
        async with asyncio.timeout(8):
            while len(self.far.network.sent) < count:  # noqa: ASYNC110 - the simulator tells nobody
                await asyncio.sleep(0.01)
        return [message.text for message in self.far.network.sent]

    async def close(self) -> None:
        await self.sender.close(0.1)
        await self.deaf()
        await self.home.stop()
        self.centre.store.close()


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    chain = Chain(tmp_path)
    await chain.home.start()
    chain.listen()
    async with asyncio.timeout(5):
        while not chain.modem._modem._ready:  # noqa: ASYNC110 - nothing outside tells it
            await asyncio.sleep(0.01)
    yield chain
    await chain.close()


async def state_of(chain: Chain, number: int) -> str:
    query = sa.select(incidents.c.state).where(incidents.c.id == number)
    return str(await chain.centre.store.read(lambda c: c.scalar(query)))


async def test_an_alarm_is_delivered_and_taken_by_the_answer(chain: Chain) -> None:
    number = await raised(chain.centre)
    await chain.until_states((DUTY, "delivered"))
    (text,) = await chain.until_sent(1)
    assert text.startswith(f"{number} ")
    chain.clock.move(5)
    chain.network_clock.at_s += 5
    await chain.text(f"OK {number}")
    (reply,) = await chain.until_heard(1)
    assert reply.incident_id == number
    assert await state_of(chain, number) == "acknowledged"
    assert (await chain.until_sent(2))[1] == reply.answer


async def test_what_the_network_took_is_not_delivered(chain: Chain) -> None:
    await chain.home.do("modem", "reports", {"mode": "late"})
    await raised(chain.centre)
    await chain.until_states((DUTY, "sent"))
    await chain.home.do("modem", "late_reports", {})
    await chain.until_states((DUTY, "delivered"))


async def test_a_report_of_failure_brings_the_next_provider(chain: Chain) -> None:
    await chain.home.do("modem", "reports", {"mode": "permanent"})
    await raised(chain.centre)
    await chain.until_attempts(("modem", "undeliverable"), ("other", "sent"))


async def test_a_refused_number_and_a_network_that_is_busy(chain: Chain) -> None:
    chain.far.refusals = [1]
    with pytest.raises(RefusedError, match=r"CMS 1 \(unassigned number\)"):
        await chain.modem.send(outgoing())
    chain.far.refusals = [42]
    assert (await chain.modem.send(outgoing())).provider_ref.startswith("7.")
    chain.far.refusals = [42] * 9
    with pytest.raises(TransientError, match="not sent in time"):
        await chain.modem.send(outgoing())
    chain.far.refusals = []


async def test_a_port_that_vanishes_is_no_way_out_and_is_used_when_it_is_back(chain: Chain) -> None:
    chain.far.prompt_s = 60
    under_way = asyncio.ensure_future(chain.modem.send(outgoing()))
    await asyncio.sleep(0)
    await chain.home.do("modem", "vanish", {})
    with pytest.raises(TransientError, match="port"):
        await under_way
    await raised(chain.centre)
    await chain.until_attempts(("modem", "undeliverable"), ("other", "sent"))
    chain.far.prompt_s = 0
    await chain.home.do("modem", "return", {})
    async with asyncio.timeout(8):
        while True:
            try:
                await chain.modem.send(outgoing())
            except TransientError:
                await asyncio.sleep(0.05)
            else:
                break
    assert len(chain.far.network.sent) >= 1


async def test_an_answer_is_deleted_from_the_modem_only_when_it_is_kept(chain: Chain) -> None:
    stored, transact = asyncio.Event(), chain.centre.transact
    tries: list[int] = []

    async def closed(work: Callable[[Tx], str], *, urgent: bool = False) -> str:
        tries.append(len(chain.far._memory))
        if len(tries) < 3:
            raise TransientError("the disk is full")
        stored.set()
        return await transact(work, urgent=urgent)

    chain.centre.transact = closed  # type: ignore[method-assign,assignment] # the store is full
    await chain.text("OK", STRANGER)
    async with asyncio.timeout(8):
        await stored.wait()
    await chain.until_heard(1)
    assert tries[:3] == [1, 1, 1]  # what comes behind is the answer on its way
    async with asyncio.timeout(8):
        while chain.far._memory:  # noqa: ASYNC110 - the simulator tells nobody
            await asyncio.sleep(0.01)


async def test_a_text_that_is_read_again_after_a_crash_is_one(chain: Chain) -> None:
    await chain.text("hva?")
    (reply,) = await chain.until_heard(1)
    await chain.until_sent(1)
    await chain.deaf()
    # The crash came before it was deleted: the new centre finds it in the modem.
    chain.modem = modem.make(chain.modem._settings, "")
    chain.ways = Ways([chain.modem])
    chain.far.network._reference -= 1
    await chain.text("hva?")
    deleted = len(chain.far._memory)
    chain.listen()
    async with asyncio.timeout(8):
        while len(chain.far._memory) >= deleted:  # noqa: ASYNC110 - the simulator tells nobody
            await asyncio.sleep(0.01)
    (again,) = await chain.until_heard(1)
    assert again == reply
    assert [message.text for message in chain.far.network.sent] == [
        reply.answer
    ]  # kept with it, so it leaves once


async def test_an_answer_that_lacks_a_part_takes_nothing(chain: Chain) -> None:
    number = await raised(chain.centre)
    await chain.until_states((DUTY, "delivered"))
    long = "Kan noen andre dra, jeg er hos en annen og kommer ikke fra. " * 3
    first, last = long[:153], f"OK {number}".rjust(10)
    await chain.home.do("modem", "text", {"sender": DUTY, "text": first + last, "without": 1})
    (reply,) = await chain.until_heard(1)
    assert reply.text == f"[?]{last}"
    assert await state_of(chain, number) == "alerting"


async def test_an_answer_that_had_not_left_when_the_centre_died_leaves_all_the_same(chain: Chain) -> None:
    dead = asyncio.Event()

    def dies(_message_id: int, _lane: object) -> None:
        dead.set()

    chain.sender._begin = dies  # type: ignore[method-assign,assignment] # killed right after the commit
    await chain.text("hva?")
    (reply,) = await chain.until_heard(1)
    await dead.wait()
    heir = Sender(chain.centre, chain.ways, lambda _name: "")
    waiting = await chain.centre.store.read(lambda c: c.scalars(sa.select(messages.c.id)).all())
    await heir.send(*waiting)
    assert await chain.until_sent(1) == [reply.answer]
    await heir.close()


async def test_a_stamp_of_tomorrow_is_now_and_yesterdays_stays() -> None:
    came = Came(DUTY, START + dt.timedelta(days=1), "OK")
    now = HandClock().now()
    assert modem._inbound(came, now).at == START
    assert modem._inbound(came._replace(time=START - dt.timedelta(days=1)), now).at < START
    assert modem._inbound(came._replace(time=None), now).at == START


async def test_without_a_port_or_a_sim_the_next_provider_has_its_turn_at_once(tmp_path: Path) -> None:
    nowhere = modem.make(modem.Settings(port=str(tmp_path / "none")), "")
    with pytest.raises(TransientError, match="not opened yet"):
        await nowhere.send(outgoing())
    nowhere._closed = None
    nowhere._troubles["sim_missing"] = "SIM not inserted"
    with pytest.raises(TransientError, match="sim_missing SIM not inserted"):
        await nowhere.send(outgoing())


@pytest.mark.parametrize(
    ("place", "limit", "limit_s", "taking_s"),
    [
        (http, "TOTAL_S", 0.05, 0.2),
        (modem, "_LEAVES_WITHIN_S", 20.0, 1.5),  # twenty of the clock's seconds are one
    ],
)
async def test_a_text_that_took_too_long_and_arrives_is_delivered_all_the_same(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, place: ModuleType, limit: str, limit_s: float, taking_s: float
) -> None:
    monkeypatch.setattr(place, limit, limit_s)
    chain.far.taking_s = taking_s
    await raised(chain.centre)
    await chain.until_attempts(("modem", "delivered"), ("other", "sent"))
    await chain.until_states((DUTY, "delivered"))


async def test_what_it_needs_is_said_when_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (account,) = msgspec.convert([{"kind": "modem", "port": str(tmp_path / "gsm")}], tuple[kinds.Account])
    assert isinstance(kinds.make(account, ""), Listening)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(PermanentError, match=r"welfare-hub\[modem\]"):
        kinds.make(account, "")


def outgoing(number: str = LEADER) -> Outgoing:
    return Outgoing(message_id=7, number=number, text="47 Trygghetsalarm", key="message-7", receipt_url="")
