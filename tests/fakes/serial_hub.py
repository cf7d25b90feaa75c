"""The hub's end of a serial line: the real link and the real driver, with a journal in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from drivers import registry
from drivers.base import Answer, Device, Send, SerialDriver, Setup
from hub.domain.clock import Now, SystemClock
from hub.domain.codes import Kind
from hub.domain.observation import Observation
from hub.wire.serial_line import LinkLostError, open_line

TICK_S = 0.02
_AGAIN_S = 0.02


class SerialHub:
    """Does what a session does, and remembers what came of it.

    Args:
        driver: Its name.
        path: Of the port.
        devices: What is assigned.
        speed: How many times faster than real its time runs.
    """

    def __init__(self, driver: str, path: Path, devices: tuple[Device, ...], speed: float = 1.0) -> None:
        self._package = registry.package(driver)
        self._path = path
        self._devices = devices
        self._speed = speed
        self._clock = SystemClock()
        self._news = asyncio.Event()
        self.state = b""
        self.heard: list[tuple[str, Observation]] = []
        self.bad: list[str] = []
        self.opened = 0
        self.refusing = False

    def _now(self) -> Now:
        now = self._clock.now()
        return now._replace(mono=now.mono * self._speed)

    async def run(self) -> None:
        """Live through one link after the other."""
        while True:
            try:
                await self._live()
            except LinkLostError:
                await asyncio.sleep(_AGAIN_S)

    async def _live(self) -> None:
        async with open_line(str(self._path), self._package.MANIFEST.baud) as line:
            setup = Setup(devices=self._devices, state=self.state)
            driver = cast("SerialDriver", self._package.open_driver("serial", setup))
            self.opened += 1
            answer = driver.opened(self._now())
            while True:
                for data in self._commit(answer):
                    await line.write(data)
                data = await line.read(TICK_S)
                answer = driver.received(data, self._now()) if data else driver.tick(self._now())

    def _commit(self, answer: Answer) -> list[bytes]:
        """Journal it, and return what may be sent now."""
        if self.refusing and (answer.observations or answer.state is not None):
            raise LinkLostError("not journalled")
        self.heard += [(each.device_id, each.observation) for each in answer.observations]
        self.state = self.state if answer.state is None else answer.state
        self.bad += answer.bad
        self._news.set()
        return [action.data for action in answer.actions if isinstance(action, Send)]

    def kinds(self) -> list[str]:
        """Return the kinds that were observed, but for signs of life."""
        return [seen.kind.value for _, seen in self.heard if seen.kind is not Kind.DEVICE_ALIVE]

    def values(self, kind: Kind) -> list[Any]:
        """Return the values of one kind."""
        return [seen.value for _, seen in self.heard if seen.kind is kind]

    async def more(self, timeout_s: float = 5.0) -> None:
        """Wait for the driver's next answer, whatever it is."""
        self._news.clear()
        async with asyncio.timeout(timeout_s):
            await self._news.wait()

    async def until(self, enough: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Wait for something to be so."""
        async with asyncio.timeout(timeout_s):
            while not enough():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def serial_hub(
    driver: str, path: Path, devices: tuple[Device, ...], speed: float = 1.0
) -> AsyncIterator[SerialHub]:
    """Run the hub's end while the body lasts."""
    hub = SerialHub(driver, path, devices, speed)
    task = asyncio.create_task(hub.run())
    try:
        yield hub
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()
