"""The position driver and its simulator, over a real pseudo-terminal."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from drivers.base import Device
from firmware_sim.clock import SystemClock
from firmware_sim.home import Home, specs_of
from hub.domain.codes import Kind
from tests.fakes.serial_hub import SerialHub, serial_hub

DEVICE = Device(id="d-gps", settings={"interval_s": 60, "moved_m": 50, "no_fix_s": 60})
SPEED = 300


@pytest.fixture(params=["GP", "BD"])
async def home(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Home]:
    spec = {"name": "gps", "kind": "nmea", "period_s": 0.02, "talker": request.param}
    home = Home(specs_of({"device": [spec]}), tmp_path, SystemClock())
    await home.start()
    yield home
    await home.stop()


@pytest.fixture
async def hub(home: Home, tmp_path: Path) -> AsyncIterator[SerialHub]:
    async with serial_hub("nmea", tmp_path / "gps", (DEVICE,), SPEED) as hub:
        await hub.until(lambda: bool(hub.values(Kind.LOCATION_FIX)))
        yield hub
    assert home.ports()


def _is_at(hub: SerialHub, lat: float) -> bool:
    return bool(abs(hub.values(Kind.LOCATION_FIX)[-1]["lat"] - lat) < 0.0001)


async def test_a_walk_is_told_when_it_leads_somewhere(home: Home, hub: SerialHub) -> None:
    # In steps: on a busy machine two positions may come at one moment, and nobody goes 500 m in no time.
    for hundred in range(1, 6):
        await home.do("gps", "go", {"north_m": 100})
        await hub.until(partial(_is_at, hub, 69.2 + hundred * 0.0009))
    assert hub.values(Kind.LOCATION_FIX)[-1]["accuracy_m"] == 6.0
    assert all(seen.flags == () for _, seen in hub.heard)
    assert hub.bad == []


async def test_no_fix_is_a_fault_and_a_fix_ends_it(home: Home, hub: SerialHub) -> None:
    await home.do("gps", "lose", {})
    await hub.until(lambda: "device.fault" in hub.kinds())
    told = len(hub.values(Kind.LOCATION_FIX))
    await home.do("gps", "find", {})
    await hub.until(lambda: len(hub.values(Kind.LOCATION_FIX)) > told)
    assert hub.kinds().count("device.fault") == 1


async def test_one_jump_is_not_believed_and_a_journey_is(home: Home, hub: SerialHub) -> None:
    await home.do("gps", "jump", {"north_m": 50_000})
    await hub.until(lambda: any("too far" in line for line in hub.bad))
    await hub.until(lambda: len(hub.values(Kind.LOCATION_FIX)) >= 2)
    assert {value["lat"] for value in hub.values(Kind.LOCATION_FIX)} == {69.2}
    await home.do("gps", "place", {"lat": 60.0, "lon": 10.0})
    await hub.until(lambda: hub.values(Kind.LOCATION_FIX)[-1]["lat"] == 60.0)
    assert hub.heard[-1][1].flags == ("jumped",)


async def test_cut_sentences_and_noise_cost_nothing_behind_them(home: Home, hub: SerialHub) -> None:
    for act in ("cut", "garbage", "cut"):
        await home.do("gps", act, {})
    await hub.until(lambda: bool(hub.bad))
    await home.do("gps", "go", {"east_m": 500})
    await hub.until(lambda: abs(hub.values(Kind.LOCATION_FIX)[-1]["lon"] - 18.1127) < 0.0001)


async def test_a_wrong_clock_is_not_believed(home: Home, hub: SerialHub) -> None:
    await home.do("gps", "clock", {})
    await home.do("gps", "go", {"north_m": 500})
    await hub.until(lambda: any(seen.flags == ("bad_time",) for _, seen in hub.heard))
    assert all(seen.time.year >= 2026 for _, seen in hub.heard)


async def test_a_receiver_that_is_pulled_out_comes_back(home: Home, hub: SerialHub) -> None:
    await home.do("gps", "vanish", {})
    await home.do("gps", "go", {"north_m": 500})
    await home.do("gps", "return", {})
    await hub.until(lambda: hub.values(Kind.LOCATION_FIX)[-1]["lat"] > 69.204)
    assert hub.opened == 2
