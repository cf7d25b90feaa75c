"""Wrong clocks: a hub that boots in 1970, and a centre whose clock is set by an hour while it escalates."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from firmware_sim.clock import SystemClock
from tests.scenario import layout
from tests.scenario.chain import Chain, asks_about
from tests.scenario.layout import DUTY, HUB, LEADER

pytestmark = pytest.mark.asyncio(loop_scope="module")
WAIT_S = 5
# How long a text is waited for: a step that an hour's jump had moved would not come within it.
PATIENCE_S = 14
HOUR_S = 3600

Clocks = tuple[Chain, Callable[[str], None], Callable[[str], None]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clocks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clocks]:
    """A chain whose edge has booted in 1970; with what sets the clocks of edge and centre."""
    devices = [layout.pendant(f"pendant-{place}", place, f"r-{place}") for place in (1, 2, 3, 4)]
    site = layout.site({HUB: [layout.stick()]}, devices, wait_s=WAIT_S)
    chain = Chain(tmp_path_factory.mktemp("clocks"), home=layout.home(devices), site=site, phones=layout.PHONES)
    set_edge, set_centre = chain.fake_clock(chain.edge), chain.fake_clock(chain.centre)
    set_edge(f"-{int(SystemClock().wall_s()) - 60}")
    set_centre("+0")
    async with chain:
        yield chain, set_edge, set_centre


async def pressed(chain: Chain, device: str) -> tuple[int, dict[str, Any]]:
    """Press a pendant; return the number of its incident and the first text about it."""
    await chain.home.do(device, "press")
    number = (await chain.story("alarm.pressed", within_s=15, device_id=device))["incident"]["id"]
    return number, await chain.text_about(number)


def told(chain: Chain, number: int) -> list[str]:
    """Return who was told of an incident, in that order; on a busy machine the texts may leave in another."""
    return [
        phone for (phone,) in chain.rows("select phone from messages where incident_id = ? order by id", number)
    ]


async def test_an_edge_that_booted_in_1970_raises_its_alarm_at_once(clocks: Clocks) -> None:
    chain, _, _ = clocks
    number, text = await pressed(chain, "pendant-1")
    assert text["to"] == DUTY
    assert "NB! usikker melding" in text["message"]
    story = await chain.story("alarm.pressed", device_id="pendant-1")
    # One press; two where the machine stood still for longer than its telegrams are known as repeats.
    assert {seen["timequality"] for seen in story["observations"]} == {"unknown"}
    assert {seen["time"][:10] for seen in story["observations"]} == {"1970-01-01"}
    # It is dated by the centre, which knows the time, not to 1970.
    assert story["incident"]["occurred_at"][:10] == story["incident"]["opened_at"][:10] > "2026"
    answer = await chain.desk.act(number, "acknowledge")
    assert answer.is_success, answer.text


@pytest.mark.parametrize(("device", "offset"), [("pendant-2", HOUR_S), ("pendant-3", -HOUR_S)])
async def test_a_jump_of_the_centres_clock_moves_no_step(clocks: Clocks, device: str, offset: int) -> None:
    chain, _, set_centre = clocks
    before = SystemClock().mono_s()
    number, first = await pressed(chain, device)
    set_centre(f"{offset:+d}")
    second = await chain.text_about(number, count=2, within_s=PATIENCE_S)
    assert {first["to"], second["to"]} == {DUTY, LEADER}
    assert told(chain, number) == ["duty", "leader"]
    # The step runs from the incident, which cannot be older than the press. The first text is no
    # measure: on a busy machine it leaves late, and the second is on time all the same.
    assert second["mono_s"] - before >= WAIT_S
    (opened, due) = chain.rows(
        "select i.opened_at, m.created_at from incidents i join messages m on m.incident_id = i.id"
        " where i.id = ? order by m.id desc limit 1",
        number,
    )[0]
    assert timedelta(seconds=WAIT_S) <= timedelta(microseconds=due - opened) < timedelta(seconds=PATIENCE_S)
    assert len([text for text in await chain.texts() if asks_about(text, number)]) == 2
    answer = await chain.desk.act(number, "acknowledge")
    assert answer.is_success, answer.text


async def test_a_centre_that_begins_again_with_its_clock_set_back_makes_its_steps(clocks: Clocks) -> None:
    chain, _, set_centre = clocks

    async def marked() -> bool:
        return bool(chain.rows("select 1 from cursors where name like 'boot:%'"))

    await chain.until(marked, 20, "the auditor's mark")
    number, first = await pressed(chain, "pendant-4")
    await chain.centre.kill()
    set_centre(f"{-3 * HOUR_S:+d}")
    await chain.centre.start()
    second = await chain.text_about(number, count=2, within_s=3 * PATIENCE_S)
    assert {first["to"], second["to"]} == {DUTY, LEADER}
    assert told(chain, number) == ["duty", "leader"]
    story = await chain.story("centre.clock_jumped", within_s=20)
    assert story["incident"]["incident_class"] == "technical"
    answer = await chain.desk.act(number, "acknowledge")
    assert answer.is_success, answer.text


async def test_a_hub_tells_that_its_clock_was_set(clocks: Clocks) -> None:
    chain, set_edge, _ = clocks
    set_edge("+3600")

    async def noted() -> bool:
        return bool(chain.rows("select 1 from observations where kind = 'hub.clock_set' and hub_id = ?", HUB))

    await chain.until(noted, 15, "hub.clock_set")
    assert chain.edge.running
