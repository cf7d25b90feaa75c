"""Wrong clocks: a hub that boots in 1970, and a centre whose clock is set by an hour while it escalates."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from firmware_sim.clock import SystemClock
from tests.scenario import layout
from tests.scenario.chain import Chain, asks_about
from tests.scenario.layout import DUTY, HUB, LEADER

pytestmark = pytest.mark.asyncio(loop_scope="module")
WAIT_S = 5
# A busy machine may be late, never early; an hour's jump would be seen at once.
EARLY_S, LATE_S = 0.5, 4.0
HOUR_S = 3600

Clocks = tuple[Chain, Callable[[str], None], Callable[[str], None]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clocks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clocks]:
    """A chain whose edge has booted in 1970; with what sets the clocks of edge and centre."""
    devices = [layout.pendant(f"pendant-{place}", place, f"r-{place}") for place in (1, 2, 3)]
    site = layout.site({HUB: [layout.stick()]}, devices, wait_s=WAIT_S)
    chain = Chain(tmp_path_factory.mktemp("clocks"), home=layout.home(devices), site=site, phones=layout.PHONES)
    set_edge, set_centre = chain.fake_clock(chain.edge), chain.fake_clock(chain.centre)
    set_edge(f"-{int(SystemClock().wall_s()) - 60}")
    set_centre("+0")
    async with chain:
        yield chain, set_edge, set_centre


async def pressed(chain: Chain, device: str) -> tuple[int, dict[str, Any]]:
    """Press a pendant; return the number of its incident and the first text about it."""
    began = SystemClock().mono_s()
    await chain.home.do(device, "press")
    number = (await chain.story("alarm.pressed", within_s=15, device_id=device))["incident"]["id"]
    text = await chain.text_about(number)
    assert text["mono_s"] - began < LATE_S
    return number, text


async def test_an_edge_that_booted_in_1970_raises_its_alarm_at_once(clocks: Clocks) -> None:
    chain, _, _ = clocks
    number, text = await pressed(chain, "pendant-1")
    assert text["to"] == DUTY
    assert "NB! usikker melding" in text["message"]
    story = await chain.story("alarm.pressed", device_id="pendant-1")
    (seen,) = story["observations"]
    assert seen["timequality"] == "unknown"
    assert seen["time"].startswith("1970-01-01")
    # It is dated by the centre, which knows the time, not to 1970.
    assert story["incident"]["occurred_at"][:10] == story["incident"]["opened_at"][:10] > "2026"
    answer = await chain.desk.act(number, "acknowledge")
    assert answer.is_success, answer.text


@pytest.mark.parametrize(("device", "offset"), [("pendant-2", HOUR_S), ("pendant-3", -HOUR_S)])
async def test_a_jump_of_the_centres_clock_moves_no_step(clocks: Clocks, device: str, offset: int) -> None:
    chain, _, set_centre = clocks
    number, first = await pressed(chain, device)
    set_centre(f"{offset:+d}")
    second = await chain.text_about(number, count=2, within_s=WAIT_S + LATE_S + 5)
    assert (first["to"], second["to"]) == (DUTY, LEADER)
    assert WAIT_S - EARLY_S < second["mono_s"] - first["mono_s"] < WAIT_S + LATE_S
    assert len([text for text in await chain.texts() if asks_about(text, number)]) == 2
    answer = await chain.desk.act(number, "acknowledge")
    assert answer.is_success, answer.text


async def test_a_hub_tells_that_its_clock_was_set(clocks: Clocks) -> None:
    chain, set_edge, _ = clocks
    set_edge("+3600")

    async def told() -> bool:
        return bool(chain.rows("select 1 from observations where kind = 'hub.clock_set' and hub_id = ?", HUB))

    await chain.until(told, 15, "hub.clock_set")
    assert chain.edge.running
