"""A centre that stores what it hears and sends receipts, or does not, over a real broker."""

import asyncio
from collections.abc import Callable

from hub.domain.codes import Kind
from hub.wire import alive, config, envelope, receipt
from hub.wire.envelope import Event
from hub.wire.mqtt import Incoming, MqttLink, MqttSettings
from hub.wire.topics import Channel, topic
from tests.unit.edge.makers import HUB, until


class Centre:
    """Hears one hub.

    Attributes:
        events: Everything that came, duplicates too.
        receipts: Whether receipts are sent.
    """

    def __init__(self, port: int) -> None:
        self.events: list[Event] = []
        self.alive: list[alive.Alive] = []
        self.status: list[str] = []
        self.receipts = True
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.link = MqttLink(
            MqttSettings(host="127.0.0.1", port=port, client_id="centre"),
            subscriptions=[(f"wt/1/{HUB}/up/#", 1)],
            on_message=self._take,
        )

    async def run(self) -> None:
        await self.link.run()

    async def connected(self) -> None:
        await until(lambda: self.link.connected)

    def _take(self, incoming: Incoming) -> None:
        task = asyncio.get_running_loop().create_task(self._store(incoming))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _store(self, incoming: Incoming) -> None:
        kind = incoming.topic.rsplit("/", 1)[1]
        if kind == "alive":
            self.alive.append(alive.decode_alive(incoming.payload))
        elif kind == "status":
            self.status.append(alive.decode_status(incoming.payload).state)
        else:
            events, rejected = envelope.decode(incoming.payload, HUB)
            assert not rejected
            self.events += events
            for epoch in {event.epoch for event in events} if self.receipts else ():
                item = receipt.receipt(epoch, [event.seq for event in events if event.epoch == epoch])
                await self.link.publish(topic(HUB, Channel.DOWN_RECEIPT), receipt.encode(item))
        self.link.ack(incoming)
        async with self._news:
            self._news.notify_all()

    async def configure(self, new: config.HubConfig) -> None:
        await self.link.publish(topic(HUB, Channel.DOWN_CONFIG), config.encode(new), retain=True)

    async def until(self, true: Callable[[], bool], within_s: float = 10.0) -> None:
        """Wait until something is true of what came."""
        async with asyncio.timeout(within_s), self._news:
            await self._news.wait_for(true)

    def kinds(self) -> list[Kind]:
        return [event.data.kind for event in self.events]

    def count(self, kind: Kind) -> int:
        return self.kinds().count(kind)
