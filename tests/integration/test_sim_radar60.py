"""The fall radar's driver and its simulator, over a real pseudo-terminal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.base import Device
from firmware_sim.clock import FixedClock
from firmware_sim.home import Home, specs_of
from hub.domain.codes import Kind
from tests.fakes.serial_hub import SerialHub, serial_hub

DEVICE = Device(id="d-radar", settings={"threshold_s": 20, "sensitivity": 2, "height_cm": 50})
KEPT = {"0C": "00000014", "0D": "02", "11": "0032"}
# Silence and read-back are told in tens of seconds; a run takes a second or two.
SPEED = 100


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    spec = {"name": "radar", "kind": "radar60", "report_s": 0.02, "heartbeat_s": 0.05}
    home = Home(specs_of({"device": [spec]}), tmp_path, FixedClock())
    await home.start()
    yield home
    await home.stop()


@pytest.fixture
async def hub(home: Home, tmp_path: Path) -> AsyncIterator[SerialHub]:
    async with serial_hub("radar60", home.devices["radar"].port[1], (DEVICE,), SPEED) as hub:  # type: ignore[index] # it has a port
        yield hub
    assert (tmp_path / "radar").exists()


async def settled(home: Home, hub: SerialHub) -> None:
    """Wait until the radar holds its settings; each piece of news is a reason to look again."""
    while await home.do("radar", "state", {}) != KEPT:
        await hub.more()


async def test_settings_are_written_and_come_back_after_they_were_forgotten(home: Home, hub: SerialHub) -> None:
    await settled(home, hub)
    await home.do("radar", "forget", {})
    assert await home.do("radar", "state", {}) != KEPT
    await settled(home, hub)
    assert "device.fault" not in hub.kinds()


async def test_settings_that_are_not_taken_are_a_fault(home: Home, hub: SerialHub) -> None:
    await home.do("radar", "refuse", {})
    await home.do("radar", "forget", {})
    await hub.until(lambda: len(hub.values(Kind.DEVICE_FAULT)) >= 3)
    assert {"reason": "setting_refused", "name": "threshold_s", "wanted": 20, "has": 5} in hub.values(
        Kind.DEVICE_FAULT
    )


async def test_a_reboot_in_the_middle_of_a_frame_does_not_clear_a_fall(home: Home, hub: SerialHub) -> None:
    await settled(home, hub)
    await home.do("radar", "fall", {})
    await hub.until(lambda: "fall.detected" in hub.kinds())
    await home.do("radar", "reboot", {})
    await hub.until(lambda: {"reason": "restarted", "standing": "fall"} in hub.values(Kind.DEVICE_FAULT))
    await settled(home, hub)
    await home.do("radar", "fall", {})
    await hub.until(lambda: hub.kinds().count("fall.detected") == 2)
    assert "fall.cleared" not in hub.kinds()
    assert hub.bad


async def test_silence_is_told_once_and_so_is_its_end(home: Home, hub: SerialHub) -> None:
    await settled(home, hub)
    await home.do("radar", "mute", {})
    await hub.until(lambda: "device.fault" in hub.kinds())
    await home.do("radar", "speak", {})
    await hub.until(lambda: {"returned": True} in hub.values(Kind.DEVICE_ALIVE))
    assert [value["reason"] for value in hub.values(Kind.DEVICE_FAULT)] == ["silent"]


async def test_a_fall_while_the_line_is_pulled_out_is_told_when_it_is_back(home: Home, hub: SerialHub) -> None:
    await hub.until(lambda: "motion.cleared" in hub.kinds())
    await home.do("radar", "vanish", {})
    await home.do("radar", "fall", {})
    await home.do("radar", "return", {})
    await hub.until(lambda: "fall.detected" in hub.kinds())
    assert hub.opened == 2


async def test_noise_and_wrong_checksums_raise_nothing_and_lose_nothing(home: Home, hub: SerialHub) -> None:
    await hub.until(lambda: "motion.cleared" in hub.kinds())
    await home.do("radar", "checksum", {})
    await hub.until(lambda: any("checksum is 0x33, not 0x32" in line for line in hub.bad))
    for _ in range(20):
        await home.do("radar", "garbage", {})
    await home.do("radar", "fall", {})
    await hub.until(lambda: "fall.detected" in hub.kinds())
    assert hub.kinds().count("fall.detected") == 1


async def test_a_stuck_radar_never_clears(home: Home, hub: SerialHub) -> None:
    await home.do("radar", "stuck", {})
    for act in ("enter", "fall", "rise", "leave"):
        await home.do("radar", act, {})
    await hub.until(lambda: "occupancy.ended" in hub.kinds()[2:])
    assert [kind for kind in hub.kinds() if kind.startswith("fall.")] == ["fall.detected"]
