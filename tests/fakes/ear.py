"""A link that remembers what it heard and what happened to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hub.wire.mqtt import Incoming, MqttLink, MqttSettings, Will


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that no event tells of."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110, a log line and a counter have no event
            await asyncio.sleep(0.02)


class Ear:
    """One client of the broker."""

    def __init__(
        self,
        port: int,
        client_id: str,
        *topics: str,
        ack: bool = True,
        will: Will | None = None,
        **settings: int | str,
    ) -> None:
        self.heard: asyncio.Queue[Incoming] = asyncio.Queue()
        self.ups: asyncio.Queue[bool] = asyncio.Queue()
        self.downs: asyncio.Queue[str] = asyncio.Queue()
        self.before: Callable[[Incoming], None] = lambda _: None
        self._ack = ack
        self.link = MqttLink(
            MqttSettings(port=port, client_id=client_id, **settings),  # type: ignore[arg-type] # by keyword
            subscriptions=[(topic, 1) for topic in topics],
            on_message=self._hear,
            on_connect=self.ups.put_nowait,
            on_disconnect=self.downs.put_nowait,
            will=will,
        )

    def _hear(self, incoming: Incoming) -> None:
        self.before(incoming)
        self.heard.put_nowait(incoming)
        if self._ack:
            self.link.ack(incoming)

    async def next(self) -> Incoming:
        """Return the next message."""
        async with asyncio.timeout(10):
            return await self.heard.get()

    async def up(self) -> bool:
        """Wait until connected; return whether the session was kept."""
        async with asyncio.timeout(10):
            return await self.ups.get()

    async def down(self) -> str:
        """Wait until the connection is lost; return why."""
        async with asyncio.timeout(10):
            return await self.downs.get()


@asynccontextmanager
async def running(*ears: Ear) -> AsyncIterator[None]:
    """Run links until the block ends."""
    tasks = [asyncio.create_task(ear.link.run()) for ear in ears]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
