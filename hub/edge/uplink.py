"""The way to the centre: sends what the journal holds, alarms first, again and again until it is receipted.

Nothing is believed but the centre's own receipt. A PUBACK ends one attempt, not the entry. Live alarms do not
queue behind a backlog: each is published the moment it is committed.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Protocol

from hub.domain.clock import Clock
from hub.domain.codes import Lane
from hub.domain.errors import MalformedError, RefusedError, TransientError
from hub.edge.journal import Entry
from hub.edge.lanes import MAX_BATCH_EVENTS, LaneState, batches
from hub.edge.recorder import Recorder
from hub.wire import alive, envelope, receipt
from hub.wire.config import Intervals
from hub.wire.mqtt import Incoming
from hub.wire.topics import LANE_CHANNEL, Channel, topic

log = logging.getLogger(__name__)

READING_BATCHES = 4
_WINDOW = {Lane.ALARM: 500, Lane.READING: READING_BATCHES * MAX_BATCH_EVENTS}
_IDLE_S = 1.0
# A configuration that the journal could not keep is tried again after this time.
RETRY_S = 10.0


class Link(Protocol):
    """What the uplink uses of the MQTT link."""

    @property
    def connected(self) -> bool:
        """The broker has accepted us."""
        ...

    async def publish(  # noqa: D102 -- see hub.wire.mqtt
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        content_type: str | None = None,
        expiry_s: int | None = None,
    ) -> None: ...

    def ack(self, incoming: Incoming) -> None: ...  # noqa: D102 -- see hub.wire.mqtt


class Uplink:
    """Moves entries to the centre.

    Args:
        hub_id: Whose topics.
        version: Told in the heartbeat.
        recorder: Holds the entries.
        clock: Tells the time.
        on_config: Takes a configuration's bytes; when it returns, the message is acknowledged.
        on_command: The same for a command's bytes.

    Attributes:
        link: The MQTT link; set before :meth:`run`.
        intervals: Seconds between things; see :meth:`use`.
        doubtful: Receipts that were refused.
    """

    def __init__(
        self,
        *,
        hub_id: str,
        version: str,
        recorder: Recorder,
        clock: Clock,
        on_config: Callable[[bytes], Coroutine[Any, Any, None]],
        on_command: Callable[[bytes], Coroutine[Any, Any, None]],
    ) -> None:
        self._hub_id = hub_id
        self._version = version
        self._recorder = recorder
        self._clock = clock
        self._on_config = on_config
        self._on_command = on_command
        self._started_mono = clock.now().mono
        self._lanes = {lane: LaneState(lane, _WINDOW[lane]) for lane in Lane}
        self._wake = {lane: asyncio.Event() for lane in Lane}
        self._beat = asyncio.Event()
        self._inbox: asyncio.Queue[Incoming] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self.link: Link | None = None
        self.intervals = Intervals()
        self.doubtful = 0
        recorder.on_accepted = self.accepted

    def subscriptions(self) -> list[tuple[str, int]]:
        """What the link must subscribe to."""
        channels = (Channel.DOWN_RECEIPT, Channel.DOWN_CONFIG, Channel.DOWN_COMMAND)
        return [(topic(self._hub_id, channel), 1) for channel in channels]

    def use(self, intervals: Intervals) -> None:
        """Take other intervals, from now on."""
        self.intervals = intervals
        self._beat.set()

    # Called by the link and the recorder, in the event loop.

    def on_connect(self, _session_present: bool) -> None:  # noqa: FBT001 -- the link's callback
        """Say that we are there, and send everything unreceipted again."""
        self._spawn(self._publish(Channel.UP_STATUS, alive.ONLINE, retain=True))
        self._beat.set()
        for lane in Lane:
            self._lanes[lane].restart(self._recorder.summary().epoch, self._clock.now().mono)
            self._wake[lane].set()

    def on_message(self, incoming: Incoming) -> None:
        """Take a receipt or a configuration in."""
        self._inbox.put_nowait(incoming)

    def accepted(self, entries: Sequence[Entry]) -> None:
        """Send alarms that were committed just now; readings go with the next page."""
        state = self._lanes[Lane.ALARM]
        epoch = self._recorder.summary().epoch
        alarms = [entry for entry in entries if entry.lane is Lane.ALARM]
        for entry in alarms:
            if entry.epoch != epoch:
                state.hold(entry)
        if self.link and self.link.connected:
            live = [entry for entry in alarms if entry.epoch == epoch]
            self._send(Lane.ALARM, state.take_live(live, self._clock.now().mono))
        for lane in {entry.lane for entry in entries}:
            self._wake[lane].set()

    # Tasks, each under supervision.

    async def run_lane(self, lane: Lane) -> None:
        """Send one lane for ever."""
        state, wake = self._lanes[lane], self._wake[lane]
        while True:
            wake.clear()
            more = False
            if self.link and self.link.connected:
                self._send(lane, state.due(self._clock.now().mono, self._resend_s(lane)))
                more = await self._read_on(state)
            if not more:
                await self._until(wake, state, self._resend_s(lane))

    async def run_alive(self) -> None:
        """Send the heartbeat for ever."""
        while True:
            now = self._clock.now()
            summary = self._recorder.summary()
            heartbeat = alive.Alive(
                epoch=summary.epoch,
                last_seq=summary.last_seq,
                pending=summary.pending,
                evicted=summary.evicted,
                timequality=now.quality,
                uptime_s=int(now.mono - self._started_mono),
                version=self._version,
            )
            await self._publish(Channel.UP_ALIVE, alive.encode(heartbeat), qos=0)
            self._beat.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.intervals.alive_s):
                    await self._beat.wait()

    async def run_inbox(self) -> None:
        """Take care of what the centre says, for ever."""
        while True:
            incoming = await self._inbox.get()
            try:
                if incoming.topic == topic(self._hub_id, Channel.DOWN_RECEIPT):
                    await self._receipted(incoming.payload)
                elif incoming.topic == topic(self._hub_id, Channel.DOWN_CONFIG):
                    await self._on_config(incoming.payload)
                elif incoming.topic == topic(self._hub_id, Channel.DOWN_COMMAND):
                    # A device may take its time; receipts do not wait for it.
                    self._spawn(self._commanded(incoming))
                    continue
                else:
                    log.warning("uplink: a message on unexpected topic %r", incoming.topic)
            except (MalformedError, RefusedError) as error:
                self.doubtful += 1
                log.warning("uplink: refused: %s", error)
            except TransientError as error:
                log.warning("uplink: %s", error)
                if incoming.topic == topic(self._hub_id, Channel.DOWN_CONFIG):
                    # Our session ends with the connection, so the broker would not bring it again.
                    asyncio.get_running_loop().call_later(RETRY_S, self._inbox.put_nowait, incoming)
                    continue
                # What stays unreleased is sent again, and receipted again. Left unacknowledged, a hundred receipts
                # would fill the receive window, and nothing would be heard any more.
            if self.link:
                self.link.ack(incoming)

    async def _commanded(self, incoming: Incoming) -> None:
        try:
            await self._on_command(incoming.payload)
        except MalformedError as error:
            self.doubtful += 1
            log.warning("uplink: refused: %s", error)
        except TransientError as error:
            log.warning("uplink: not done, and not done later: %s", error)
        if self.link:
            self.link.ack(incoming)

    async def _receipted(self, payload: bytes) -> None:
        item = receipt.decode(payload)
        await self._recorder.release(item)
        for lane, state in self._lanes.items():
            if state.receipted(item):
                self._wake[lane].set()

    async def _read_on(self, state: LaneState) -> bool:
        """Send the next page of the journal; tell whether there may be more at once."""
        summary = self._recorder.summary()
        if state.epoch != summary.epoch:
            state.restart(summary.epoch, self._clock.now().mono)
        limit = min(MAX_BATCH_EVENTS, state.room())
        if not limit or state.cursor >= summary.last_seq:
            return False
        begun = state.begun
        page = await self._recorder.pending(state.lane, state.cursor, limit)
        if state.begun != begun or (page and page[0].epoch != state.epoch):
            # Connected anew, or another journal: a later page would let nobody read the earlier ones again.
            return True
        self._send(state.lane, state.take_page(page, self._clock.now().mono))
        if len(page) < limit:
            state.cursor = max(state.cursor, summary.last_seq)
        return len(page) == limit

    async def _until(self, wake: asyncio.Event, state: LaneState, resend_s: float) -> None:
        """Wait for news or the next resend; a second at most, should news be missed."""
        due = state.next_due(resend_s)
        wait_s = _IDLE_S
        if due is not None and self.link and self.link.connected:
            wait_s = min(_IDLE_S, max(0.0, due - self._clock.now().mono))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await wake.wait()

    def _resend_s(self, lane: Lane) -> float:
        return self.intervals.alarm_resend_s if lane is Lane.ALARM else self.intervals.reading_resend_s

    def _send(self, lane: Lane, entries: Sequence[Entry]) -> None:
        for batch in batches(entries):
            self._spawn(self._attempt(lane, batch))

    async def _attempt(self, lane: Lane, batch: Sequence[Entry]) -> None:
        kind = envelope.CONTENT_TYPE if len(batch) == 1 else envelope.BATCH_CONTENT_TYPE
        payload = envelope.join([entry.payload for entry in batch])
        try:
            await self._publish(LANE_CHANNEL[lane], payload, content_type=kind)
        finally:
            self._lanes[lane].answered(batch, self._clock.now().mono)
            self._wake[lane].set()

    async def _publish(
        self,
        channel: Channel,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        content_type: str | None = None,
    ) -> None:
        if self.link is None:
            return
        try:
            await self.link.publish(
                topic(self._hub_id, channel), payload, qos=qos, retain=retain, content_type=content_type
            )
        except TransientError as error:
            log.debug("uplink: %s: %s", channel, error)
        except RefusedError as error:
            log.error("uplink: %s: %s", channel, error)  # noqa: TRY400 -- the broker's sentence says it all

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("uplink: a publication failed unexpectedly", exc_info=error)
