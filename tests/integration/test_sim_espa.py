"""The nurse-call driver and its simulator, over a real pseudo-terminal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.base import Device
from firmware_sim.clock import FixedClock
from firmware_sim.home import Home, specs_of
from hub.domain.codes import Kind
from tests.fakes.serial_hub import SerialHub, serial_hub

DEVICES = (Device(id="d-system"), Device(id="d-550", address="550"))


@pytest.fixture(params=[False, True], ids=["8 bits", "7 bits, even parity"])
async def home(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Home]:
    spec = {"name": "calls", "kind": "espa", "poll_s": 0.02, "answer_s": 0.2, "even": request.param}
    home = Home(specs_of({"device": [spec]}), tmp_path, FixedClock())
    await home.start()
    yield home
    await home.stop()


@pytest.fixture
async def hub(home: Home, tmp_path: Path) -> AsyncIterator[SerialHub]:
    async with serial_hub("espa", tmp_path / "calls", DEVICES) as hub:
        await hub.until(lambda: hub.opened == 1)
        yield hub
    assert home.ports()


async def told(hub: SerialHub, count: int) -> list[tuple[str, str]]:
    await hub.until(lambda: len(hub.kinds()) >= count)
    return [(device, seen.kind.value) for device, seen in hub.heard]


async def settled(home: Home, hub: SerialHub) -> dict[str, object]:
    """Wait until the system has nothing more to say, and return its counts."""
    while (state := dict(await home.do("calls", "state", {})))["waiting"]:
        await hub.more()
    return state


async def test_a_call_and_its_reset(home: Home, hub: SerialHub) -> None:
    await home.do("calls", "call", {"text": "KARI ROM 12"})
    await home.do("calls", "reset", {"text": "KARI ROM 12"})
    assert await told(hub, 2) == [("d-550", "alarm.pressed"), ("d-550", "alarm.cancelled")]
    assert (await settled(home, hub))["acknowledged"] == 2
    told_outside = repr(hub.heard) + repr(hub.bad)
    assert "KARI" not in told_outside
    assert b"KARI".hex() not in told_outside
    assert b"KARI ROM 12" in hub.state
    assert hub.bad == []


async def test_two_calls_in_one_turn_and_one_of_nobody(home: Home, hub: SerialHub) -> None:
    await home.do("calls", "calls", {"address": "550"})
    assert await told(hub, 2) == [("d-550", "alarm.pressed"), ("d-system", "alarm.pressed")]
    assert [value["address"] for value in hub.values(Kind.ALARM_PRESSED)] == ["550", "551"]


async def test_a_spoilt_block_is_refused_and_comes_again(home: Home, hub: SerialHub) -> None:
    await home.do("calls", "bad_bcc", {})
    await home.do("calls", "call", {})
    assert await told(hub, 1) == [("d-550", "alarm.pressed")]
    state = await settled(home, hub)
    assert (state["refused"], state["acknowledged"]) == (1, 1)


async def test_a_lost_acknowledgement_does_not_make_two_calls(home: Home, hub: SerialHub) -> None:
    await home.do("calls", "lose_ack", {})
    await home.do("calls", "call", {})
    state = await settled(home, hub)
    assert (state["unanswered"], state["acknowledged"]) == (1, 1)
    assert await told(hub, 1) == [("d-550", "alarm.pressed")]


async def test_nothing_is_acknowledged_that_is_not_on_the_disk(home: Home, hub: SerialHub) -> None:
    hub.refusing = True
    await home.do("calls", "call", {})
    await hub.until(lambda: hub.opened >= 3)
    state = await home.do("calls", "state", {})
    assert (state["acknowledged"], state["waiting"]) == (0, 1)
    hub.refusing = False
    assert await told(hub, 1) == [("d-550", "alarm.pressed")]


async def test_a_system_that_loses_power_in_a_block_or_never_ends_a_turn(home: Home, hub: SerialHub) -> None:
    await home.do("calls", "no_eot", {})
    await home.do("calls", "cut", {})
    await home.do("calls", "call", {})
    assert await told(hub, 1) == [("d-550", "alarm.pressed")]
    await home.do("calls", "reset", {})
    assert await told(hub, 2) == [("d-550", "alarm.pressed"), ("d-550", "alarm.cancelled")]
    assert any("block ends" in line for line in hub.bad)


async def test_calls_come_through_noise_and_a_line_that_is_pulled_out(home: Home, hub: SerialHub) -> None:
    for _ in range(5):
        await home.do("calls", "garbage", {})
    await home.do("calls", "vanish", {})
    await home.do("calls", "call", {})
    await home.do("calls", "return", {})
    await home.do("calls", "garbage", {})
    await home.do("calls", "status", {})
    assert ("d-550", "alarm.pressed") in await told(hub, 1)
    await settled(home, hub)
