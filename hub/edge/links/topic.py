"""Messages of one gateway on the home's own MQTT broker: in, out, and acknowledged in their order.

The broker keeps our session while we are away, and with it every message that the gateway published with QoS 1.
A message is acknowledged when what the driver made of it is on the disk; one that never was comes again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from hub.domain.errors import TransientError
from hub.wire.mqtt import Incoming, MqttLink, MqttSettings

# Messages of a gateway that publishes with QoS 0 are not held back by anything: a broker that brings more than
# the driver can read is cut off rather than eat the memory.
_BACKLOG_BYTES = 1 << 24
# Alarms that could not be journalled and were sent from memory stay unacknowledged, to come again after a restart.
# They take places in the receive window (100 of MqttSettings): beyond this many the oldest is let go, for a full
# window means to be deaf.
_MOST_UNSAFE = 50
# The broker keeps what comes while we are away for so long: a late alarm is raised with its age.
KEEP_S = 7 * 24 * 3600


class _Held:
    """A message that was handed out and is not acknowledged yet."""

    def __init__(self, incoming: Incoming) -> None:
        self.incoming = incoming
        self.on_disk: bool | None = None


class TopicLine:
    """One gateway's topics.

    Args:
        settings: The broker, and as whom.
        base: First levels of the gateway's topics.
        filters: What to subscribe to below them.
    """

    def __init__(self, settings: MqttSettings, base: str, filters: Sequence[str]) -> None:
        self._prefix = f"{base}/"
        self._inbox: deque[Incoming] = deque()
        self._waiting_bytes = 0
        self._held: deque[_Held] = deque()
        self._unsafe: deque[Incoming] = deque()
        self._news = asyncio.Event()
        self._up = asyncio.Event()
        self._lost: str | None = None
        self._link = MqttLink(
            settings,
            subscriptions=[(self._prefix + each, 1) for each in filters],
            on_message=self._take,
            on_connect=lambda _kept: self._up.set(),
            on_disconnect=self._lose,
        )

    async def run(self) -> None:
        """Connect, and stay connected until cancelled; a refusal is tried again with jitter."""
        await self._link.run()

    async def close(self) -> None:
        """Say goodbye; the broker keeps the session."""
        await self._link.close()

    async def connected(self, timeout_s: float) -> bool:
        """Wait until the subscriptions stand; tell whether they do."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    async def read(self, timeout_s: float) -> Incoming | None:
        """Return the next message, its topic below the base, or ``None`` when the time is over.

        Raises:
            TransientError: The connection ended; what came before was returned earlier.
        """
        if not self._inbox and self._lost is None:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError:
                return None
        self._news.clear()
        if self._inbox:
            incoming = self._inbox.popleft()
            self._waiting_bytes -= len(incoming.payload)
            self._held.append(_Held(incoming))
            return incoming._replace(topic=incoming.topic.removeprefix(self._prefix))
        if self._lost is not None:
            raise TransientError(self._lost)
        return None

    def hold(self) -> Callable[[bool], None]:
        """Return what is to be told whether the message that was read last is on the disk.

        Acknowledgements go out in the order of the messages, as MQTT 5 asks for (section 4.6).
        """
        held = self._held[-1]

        def settled(on_disk: bool) -> None:  # noqa: FBT001 -- the answer itself
            held.on_disk = on_disk
            while self._held and self._held[0].on_disk is not None:
                first = self._held.popleft()
                if first.on_disk:
                    self._link.ack(first.incoming)
                else:
                    self._unsafe.append(first.incoming)
            while len(self._unsafe) > _MOST_UNSAFE:
                self._link.ack(self._unsafe.popleft())

        return settled

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish below the base.

        Raises:
            TransientError: The broker does not have it.
            RefusedError: The broker does not allow it.
        """
        await self._link.publish(self._prefix + topic, payload)

    def _take(self, incoming: Incoming) -> None:
        if not incoming.topic.startswith(self._prefix):
            self._link.ack(incoming)  # a subscription of an earlier configuration, which the broker remembers
            return
        self._inbox.append(incoming)
        self._waiting_bytes += len(incoming.payload)
        self._news.set()
        if self._waiting_bytes > _BACKLOG_BYTES:
            self._lose(f"{self._waiting_bytes} bytes came faster than they could be read")

    def _lose(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason
        self._news.set()


@asynccontextmanager
async def open_topics(settings: MqttSettings, base: str, filters: Sequence[str]) -> AsyncIterator[TopicLine]:
    """Open a line to the broker, and close it in the end."""
    line = TopicLine(settings, base, filters)
    running = asyncio.create_task(line.run())
    try:
        yield line
    finally:
        await line.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
