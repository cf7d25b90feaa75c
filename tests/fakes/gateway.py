"""A driver that hears a simulated gateway over a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from drivers.base import Device, Heard, Setup, TopicDriver
from drivers.registry import package
from firmware_sim.clock import SystemClock as SimClock
from firmware_sim.home import Home, specs_of
from hub.domain.clock import SystemClock
from hub.domain.codes import Kind
from hub.edge.links.topic import TopicLine, open_topics
from hub.wire.mqtt import MqttSettings


class Ear:
    """What a driver makes of what comes over the broker.

    Attributes:
        heard: Observations, in their order.
        bad: Lines of what was passed over.
        strangers: Addresses that are assigned to nobody.
    """

    def __init__(self, name: str, devices: Mapping[str, str]) -> None:
        made = tuple(Device(id=device, address=address) for device, address in devices.items())
        self._driver: TopicDriver = package(name).open_driver("topic", Setup(devices=made))  # type: ignore[assignment] # a topic driver
        self._clock = SystemClock()
        self._news = asyncio.Condition()
        self.heard: list[Heard] = []
        self.bad: list[str] = []
        self.strangers: set[str] = set()

    async def listen(self, line: TopicLine) -> None:
        """Take messages for ever."""
        self._driver.opened(self._clock.now())
        while True:
            message = await line.read(1.0)
            if message is None:
                continue
            answer = self._driver.message(
                message.topic, message.payload, self._clock.now(), retained=message.retain
            )
            line.hold()(True)
            async with self._news:
                self.heard += answer.observations
                self.bad += answer.bad
                self.strangers |= set(answer.strangers)
                self._news.notify_all()

    def kinds(self, device: str | None = None) -> list[Kind]:
        """Return what was heard, of one device or all."""
        return [one.observation.kind for one in self.heard if device in (None, one.device_id)]

    async def until(self, true: Callable[[], bool], within_s: float = 10.0) -> None:
        """Wait until something is true of what came."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(true)


@asynccontextmanager
async def ear(name: str, base: str, port: int, devices: Mapping[str, str]) -> AsyncIterator[Ear]:
    """Open a driver on a broker; ``devices`` are addresses by id."""
    made = Ear(name, devices)
    settings = MqttSettings(host="127.0.0.1", port=port, client_id="ear")
    async with open_topics(settings, base, package(name).MANIFEST.topics) as line:
        assert await line.connected(5.0)
        listening = asyncio.create_task(made.listen(line))
        try:
            yield made
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


@asynccontextmanager
async def home_of(folder: Path, port: int, *devices: Mapping[str, Any]) -> AsyncIterator[Home]:
    """Switch on simulated devices of gateways on a broker."""
    tables = [{"broker": f"127.0.0.1:{port}", **device} for device in devices]
    home = Home(specs_of({"device": tables}), folder, SimClock())
    await home.start()
    try:
        yield home
    finally:
        await home.stop()
