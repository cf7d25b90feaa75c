"""The load generator: plays many hubs over the wire contract, in a process of its own.

Each hub has its own connection and sends as an edge does: what is on its way without a receipt is limited by
the uplink's own window. Payloads are encoded before the clock starts, as an edge encodes when it journals.
"""

import asyncio
import itertools
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from hub.bench.child import Child
from hub.bench.site import SENSORS, load_hub, sensor
from hub.domain.clock import SystemClock, TimeQuality, boottime
from hub.domain.codes import Kind
from hub.domain.ids import new_epoch, uuid7
from hub.domain.observation import Observation
from hub.wire import envelope, receipt
from hub.wire.mqtt import Incoming, MqttLink, MqttSettings
from hub.wire.topics import Channel, topic

# As hub.edge.uplink: four batches of at most 200 may be without a receipt.
WINDOW = 800
_STALLED_S = 60.0
# A home's day: most of it is kept and nobody told, a door is decided upon each time.
_KINDS: tuple[tuple[Kind, Any, str | None], ...] = (
    (Kind.CLIMATE_READING, 21.5, "°C"),
    (Kind.MOTION_DETECTED, None, None),
    (Kind.MOTION_CLEARED, None, None),
    (Kind.CLIMATE_READING, 44.0, "%"),
    (Kind.MOTION_DETECTED, None, None),
    (Kind.MOTION_CLEARED, None, None),
    (Kind.CLIMATE_READING, 21.4, "°C"),
    (Kind.BATTERY_LEVEL, 93, "%"),
    (Kind.DOOR_OPENED, None, None),
    (Kind.DOOR_CLOSED, None, None),
)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to play.

    Attributes:
        port: Of the broker.
        hubs: How many.
        batch: Observations in a message.
        total: Observations of all hubs together; in steady play, of one round of prepared payloads.
        rate_per_s: Steady play until standard input ends; 0: everything as fast as receipts allow.
    """

    port: int
    hubs: int
    batch: int
    total: int
    rate_per_s: int = 0

    def line(self) -> str:
        """Return it as the one argument of the process."""
        return msgspec.json.encode(self).decode()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: observations, and seconds from the first publication to the last receipt."""

    sent: int
    receipted: int
    seconds: float


class PlayedHub:
    """One hub.

    Args:
        job: What to play.
        number: Which hub it is.
    """

    def __init__(self, job: Job, number: int) -> None:
        self._hub_id = load_hub(number)
        self._number = number
        self._epoch = new_epoch()
        self._kinds = itertools.cycle(_KINDS)
        self._news = asyncio.Event()
        self._batch = job.batch
        self.connected = asyncio.Event()
        self.sent = 0
        self._receipted: set[int] = set()
        self.link = MqttLink(
            MqttSettings(port=job.port, client_id=self._hub_id),
            subscriptions=[(topic(self._hub_id, Channel.DOWN_RECEIPT), 1)],
            on_message=self._on_receipt,
            on_connect=lambda _present: self.connected.set(),
        )

    @property
    def receipted(self) -> int:
        """How many observations the centre has stored."""
        return len(self._receipted)

    def payloads(self, count: int, first: int = 1) -> list[bytes]:
        """Encode this many observations as messages."""
        encoded = [self._event(seq) for seq in range(first, first + count)]
        return [envelope.join(encoded[at : at + self._batch]) for at in range(0, count, self._batch)]

    def post(self, payload: bytes) -> None:
        """Publish one message."""
        kind = envelope.CONTENT_TYPE if self._batch == 1 else envelope.BATCH_CONTENT_TYPE
        self.link.post(topic(self._hub_id, Channel.UP_READING), payload, content_type=kind)
        self.sent += self._batch

    async def play(self, payloads: list[bytes]) -> None:
        """Publish everything, as fast as receipts allow, and wait for the last of them."""
        for payload in payloads:
            while self.sent - self.receipted + self._batch > WINDOW:
                await self._wait()
            self.post(payload)
            await asyncio.sleep(0)
        await self.all_receipted()

    async def all_receipted(self) -> None:
        """Wait until the centre has stored everything that was sent."""
        while self.receipted < self.sent:
            await self._wait()

    async def _wait(self) -> None:
        self._news.clear()
        async with asyncio.timeout(_STALLED_S):
            await self._news.wait()

    def _on_receipt(self, incoming: Incoming) -> None:
        found = receipt.decode(incoming.payload)
        for first, last in found.stored:
            self._receipted.update(range(first, last + 1))
        self.link.ack(incoming)
        self._news.set()

    def _event(self, seq: int) -> bytes:
        kind, value, unit = next(self._kinds)
        at = SystemClock(synced=lambda: True).now().utc
        return envelope.encode(
            envelope.event(
                Observation(kind=kind, time=at, value=value, unit=unit, rssi_dbm=-61),
                event_id=uuid7(at),
                hub_id=self._hub_id,
                device_id=sensor(self._number, seq % SENSORS),
                quality=TimeQuality.SYNCED,
                epoch=self._epoch,
                seq=seq,
            )
        )


async def outcome(child: Child) -> Outcome:
    """Let a load generator come to its end, and return what it found."""
    if child.process.stdin is not None:
        child.process.stdin.close()
    out, _ = await child.process.communicate()
    return msgspec.json.decode(out.splitlines()[-1], type=Outcome)


async def until_playing(child: Child) -> None:
    """Wait until a load generator has everything prepared and begins."""
    if child.process.stdout is not None:
        await child.process.stdout.readline()


async def run(job: Job) -> Outcome:
    """Play a job in this process."""
    hubs = [PlayedHub(job, number) for number in range(job.hubs)]
    links = [asyncio.create_task(hub.link.run()) for hub in hubs]
    try:
        for hub in hubs:
            await asyncio.wait_for(hub.connected.wait(), 30)
        prepared = [hub.payloads(job.total // job.hubs) for hub in hubs]
        print("playing", flush=True)  # noqa: T201 - whoever started this process waits for the line
        began = boottime()
        with suppress(TimeoutError):  # then fewer are receipted than were sent, and that is the finding
            if job.rate_per_s:
                await _steadily(job, hubs, prepared)
            else:
                await asyncio.gather(*(hub.play(own) for hub, own in zip(hubs, prepared, strict=True)))
        seconds = boottime() - began
    finally:
        for hub in hubs:
            await hub.link.close()
        await asyncio.gather(*links)
    sent, receipted = sum(hub.sent for hub in hubs), sum(hub.receipted for hub in hubs)
    return Outcome(sent=sent, receipted=receipted, seconds=seconds)


async def _steadily(job: Job, hubs: list[PlayedHub], prepared: list[list[bytes]]) -> None:
    """Publish at an even rate, hub after hub, until standard input ends; then wait for the receipts."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    began = boottime()
    for posted, (hub, payload) in enumerate(_in_turn(hubs, prepared)):
        early = began + posted * job.batch / job.rate_per_s - boottime()
        if early > 0:
            await asyncio.sleep(max(early, 0.001))
        if stop.is_set():
            break
        hub.post(payload)
    await asyncio.gather(*(hub.all_receipted() for hub in hubs))


def _in_turn(hubs: list[PlayedHub], prepared: list[list[bytes]]) -> Iterator[tuple[PlayedHub, bytes]]:
    for messages in zip(*prepared, strict=True):
        yield from zip(hubs, messages, strict=True)


def main(line: str) -> None:
    """Play the job that the one argument describes, and say what came of it in one line."""
    print(msgspec.json.encode(asyncio.run(run(msgspec.json.decode(line, type=Job)))).decode())  # noqa: T201 - its purpose


if __name__ == "__main__":
    main(sys.argv[1])
