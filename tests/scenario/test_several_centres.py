"""Two centres on one PostgreSQL, both with wrong clocks: frozen while they listen or send, later one is killed.

Frozen means SIGSTOP for longer than its lease. Nothing may wait for it but what it holds, and that no longer than
the lease; waking, it sends nothing.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest
import pytest_asyncio
import sqlalchemy as sa

from firmware_sim.clock import SystemClock
from firmware_sim.process import free_port
from firmware_sim.stage.child import Child
from firmware_sim.stage.console import Console
from firmware_sim.stage.stage import USER
from hub.central.clockwork import LEASE
from hub.wire.config import Intervals
from tests.fakes.postgres import Postgres
from tests.scenario import layout
from tests.scenario.chain import Chain, asks_about
from tests.scenario.layout import DUTY, HUB, LEADER

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
WAIT_S = 4
# A broker takes a frozen client for lost after one and a half of these.
KEEPALIVE_S = 5
LOST_AFTER_S = 1.5 * KEEPALIVE_S
# So long the edge waits for its receipt before it sends an alarm again.
RESEND_S = Intervals().alarm_resend_s
# What is due is looked for each second; the rest is a busy machine's.
PATIENCE_S = 8
FROZEN_S = 120
_HOUR = 3600
_SHARED = 'owner = "{owner}"\nshare = "centres"'


class TwoCentres(Chain):
    """A chain with a second centre beside the first.

    Attributes:
        centres: Both, by name.
        desks: A session at the console of each.
    """

    def __init__(self, folder: Path, database: str, **layout: Any) -> None:
        self._database = database
        super().__init__(folder, **layout)
        self.keepalive_s = KEEPALIVE_S
        self.second_port = free_port()
        second = Child("second", [*self.centre._command[:-1], str(folder / "second.toml")], folder)
        self.centres = {"first": self.centre, "second": second}
        self.extra.append(second)
        self.desks: dict[str, Console] = {}
        self._engine = sa.create_engine(database)

    @property
    def store(self) -> str:
        return self._database

    def _prepare_centre(self) -> None:
        super()._prepare_centre()
        path = self.folder / "centre.toml"
        text = path.read_text().replace('owner = "centre"', _SHARED.format(owner="first"))
        path.write_text(text)
        for ours, its in (
            ('owner = "first"', 'owner = "second"'),
            ('client_id = "centre"', 'client_id = "second"'),
            # Its console, and where the provider reports what became of its texts.
            (str(self.http_port), str(self.second_port)),
        ):
            assert ours in text
            text = text.replace(ours, its)
        (self.folder / "second.toml").write_text(text)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.centres["second"].start()
        self.desks = {"first": self.desk, "second": Console(f"http://127.0.0.1:{self.second_port}")}

        async def signed_in() -> bool:
            await self.desks["second"].sign_in(USER, self.password)
            return True

        try:
            await self.until(signed_in, 60, "the second centre serves")
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        for centre in self.centres.values():
            centre.signal(signal.SIGCONT)
        await self.desks["second"].close()
        self._engine.dispose()
        await super().__aexit__(*error)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query.replace("?", "%s"), values)]

    async def holder(self, number: int) -> str:
        """Wait until a centre has the first text about an incident at the provider, and return which."""
        query = (
            "select leased_by from due join messages m on subject = cast(m.id as text)"
            " where kind = 'message.send' and m.incident_id = ?"
        )

        async def look() -> str | None:
            leased = self.rows(query, number)
            return str(leased[0][0]) if leased and await self.told(number) else None

        return await self.until(look, 15, "a message is leased, and the provider has it")

    async def provider_is(self, manner: str) -> None:
        """Let the provider behave otherwise; empty: well."""
        answer = await self._phones_client.post("/providers/46elks/behaviour", json={"always": manner})
        answer.raise_for_status()

    async def number(self, device: str) -> int:
        """Wait for the incident of a press, and return its number."""

        async def look() -> list[int]:
            return self.numbers("alarm.pressed", device_id=device)

        found = await self.until(look, 15, f"the incident of {device}")
        assert len(found) == 1
        return found[0]

    async def press(self, device: str, centre: str, within_s: float) -> tuple[int, float]:
        """Press a pendant and take its incident at a centre once a phone has it.

        Args:
            device: The pendant.
            centre: At whose console it is taken.
            within_s: How long a phone may wait.

        Returns:
            The incident's number, and for how many seconds the phone waited.
        """
        pressed = SystemClock().mono_s()
        await self.home.do(device, "press")

        async def phone() -> int | None:
            numbers = self.numbers("alarm.pressed", device_id=device)
            return numbers[0] if numbers and await self.told(numbers[0]) else None

        number = await self.until(phone, within_s, f"the press of {device} reaches a phone")
        waited_s = SystemClock().mono_s() - pressed
        answer = await self.desks[centre].act(number, "acknowledge")
        assert answer.is_success, answer.text
        return number, waited_s

    async def told(self, number: int) -> list[str]:
        """Return whom the texts about an incident went to, in order."""
        return [text["to"] for text in await self.texts() if asks_about(text, number)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoCentres]:
    postgres = Postgres()
    postgres.start()
    devices = [layout.pendant(f"pendant-{place}", place, f"r-{place}") for place in range(1, 7)]
    files = {"home": layout.home(devices), "site": layout.site({HUB: [layout.stick()]}, devices, wait_s=WAIT_S)}
    chain = TwoCentres(tmp_path_factory.mktemp("two"), postgres.new_database(), phones=layout.PHONES, **files)
    # Each alone would be an hour early with every step, or an hour late.
    chain.fake_clock(chain.centres["first"])(f"+{_HOUR}")
    chain.fake_clock(chain.centres["second"])(f"-{_HOUR}")
    try:
        async with chain:
            yield chain
    finally:
        postgres.stop()


@pytest.mark.timeout(FROZEN_S + 120)
async def test_an_alarm_that_the_broker_gives_to_a_frozen_centre_reaches_the_phone_through_the_other(
    two: TwoCentres,
) -> None:
    """The broker gives alarms to both in turn, until it takes the frozen one for lost; the edge sends again.

    So the longest way is: the alarm goes to the frozen one, and so does each that is sent again before the broker
    has noticed; the first that is sent after that goes to the other.
    """
    frozen = two.centres["first"]
    frozen.signal(signal.SIGSTOP)
    since = SystemClock().mono_s()
    pressed = [
        await two.press(f"pendant-{place}", "second", LOST_AFTER_S + RESEND_S + PATIENCE_S) for place in (3, 4)
    ]
    assert max(waited_s for _, waited_s in pressed) >= RESEND_S, "neither was given to the frozen one"

    await asyncio.sleep(FROZEN_S - (SystemClock().mono_s() - since))
    pressed.append(await two.press("pendant-5", "second", PATIENCE_S))
    before = {number: await two.told(number) for number, _ in pressed}
    frozen.signal(signal.SIGCONT)

    async def connected_again() -> bool:
        return frozen.log.read_text().count("connected as centre-alarm") == 2

    await two.until(connected_again, LOST_AFTER_S + PATIENCE_S, "the one that was frozen has its broker again")
    await two.press("pendant-6", "first", PATIENCE_S)
    assert {number: await two.told(number) for number, _ in pressed} == before
    assert [two.numbers(kind) for kind in ("hub.lost", "centre.deaf", "centre.stuck")] == [[], [], []]


async def test_a_frozen_centre_is_overtaken_and_sends_nothing_when_it_wakes(two: TwoCentres) -> None:
    await two.provider_is("slow")  # it takes the text, and its answer never ends
    pressed = SystemClock().mono_s()
    await two.home.do("pendant-1", "press")
    number = await two.number("pendant-1")
    frozen = await two.holder(number)
    two.centres[frozen].signal(signal.SIGSTOP)
    await two.provider_is("")

    async def leader() -> bool:
        return LEADER in await two.told(number)

    await two.until(leader, WAIT_S + PATIENCE_S, "the other centre goes on with the plan")
    assert SystemClock().mono_s() - pressed >= WAIT_S, "a centre's wrong clock brought a step too early"

    async def again() -> bool:
        return (await two.told(number)).count(DUTY) == 2

    await two.until(again, LEASE.total_seconds() + PATIENCE_S, "what the frozen one held is sent by the other")
    (desk,) = (desk for name, desk in two.desks.items() if name != frozen)
    answer = await desk.act(number, "acknowledge")
    assert answer.is_success, answer.text
    before = await two.told(number)
    two.centres[frozen].signal(signal.SIGCONT)

    await two.line_in_log(two.centres[frozen], "no answer within 10 s", PATIENCE_S)
    await two.home.do("pendant-2", "press")
    await two.number("pendant-2")
    assert await two.told(number) == before
    # Its attempt has led nowhere, and moves nothing that the other has done.
    states = "select state from messages where incident_id = ? and number = ?"
    assert two.rows(states, number, DUTY) != [("undeliverable",)]


async def test_a_killed_centre_is_missed_by_nobody(two: TwoCentres) -> None:
    number = await two.number("pendant-2")
    await two.centres["second"].kill()

    async def leader() -> bool:
        return LEADER in await two.told(number)

    await two.until(leader, WAIT_S + PATIENCE_S, "the plan of the alarm goes on")
    assert two.numbers("hub.lost") == []
