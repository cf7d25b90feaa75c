"""The simulated dispenser's troubles, and a driver that gets its records all the same."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.base import Answer, Device, Send, Setup
from drivers.dispenser import open_driver
from drivers.dispenser.serial_line import SerialDispenser
from firmware_sim.clock import SystemClock as SimClock
from firmware_sim.home import Home, specs_of
from hub.domain.clock import SystemClock

TICK_S = 0.1  # as the edge does
DISPENSER = {"name": "disp", "kind": "dispenser.serial", "port": "disp", "resend_s": 0.05}


class Heard:
    """A driver on the simulator's port, as the edge runs it but without a journal."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        driver = open_driver("serial", Setup(devices=(Device(id="d-1"),)))
        assert isinstance(driver, SerialDispenser)
        self._driver = driver
        self._clock = SystemClock()
        self.kinds: list[str] = []
        self.bad: list[str] = []
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        self._take(self._driver.opened(self._clock.now()))
        self._ticking = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._take(self._driver.tick(self._clock.now()))

    def _read(self) -> None:
        self._take(self._driver.received(os.read(self._descriptor, 4096), self._clock.now()))

    def _take(self, answer: Answer) -> None:
        self.kinds += [heard.observation.kind.value for heard in answer.observations]
        self.bad += answer.bad
        for action in answer.actions:
            assert isinstance(action, Send)
            os.write(self._descriptor, action.data)
        self._news.set()

    async def until(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(15):
            while self.kinds.count(kind) < count:
                self._news.clear()
                await self._news.wait()

    def close(self) -> None:
        self._ticking.cancel()
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    made = Home(specs_of({"device": [DISPENSER]}), tmp_path, SimClock())
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize(
    "trouble",
    [
        ("brown_out", {}),
        ("garbage", {"bytes": 300, "seed": 7}),
        ("wrong_clock", {"seconds": -90_000}),
        ("fault", {"faults": {"corrupt": 0.3, "truncate": 0.2, "drop": 0.3}, "seed": 3}),
    ],
)
async def test_every_record_arrives_once_whatever_the_dispenser_suffers(
    home: Home, tmp_path: Path, trouble: tuple[str, dict[str, object]]
) -> None:
    heard = Heard(tmp_path / "disp")
    try:
        await heard.until("device.alive")
        await home.do("disp", "dispense", {})
        await home.do("disp", *trouble)
        for _ in range(4):
            await home.do("disp", "dispense", {})
        await heard.until("dose.dispensed", 5)
        await home.do("disp", "fault", {})
        await home.do("disp", "miss", {})
        await heard.until("dose.not_dispensed")
        assert heard.kinds.count("dose.dispensed") == 5
    finally:
        heard.close()
