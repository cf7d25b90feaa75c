"""The centre's ear: two connections to the broker, one for each lane, so that alarms never stand in a queue.

What came is acknowledged to the broker and receipted to the hub only after it is committed. While the store
cannot take it, nothing is acknowledged and everything is tried again.
"""

import asyncio
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine

import msgspec

from hub.central import clockwork, ingest
from hub.central.centre import Centre, Tx
from hub.central.incidents import desk
from hub.central.ingest import Parcel
from hub.central.presence import Presence
from hub.central.supervision import DEAF, Supervision, device_need, hub_need
from hub.central.watch.steadiness import Steadiness
from hub.central.watch.waiting import Waiting
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError, TransientError
from hub.wire import alive, envelope, receipt, topics
from hub.wire.envelope import Rejected
from hub.wire.mqtt import Incoming, MqttLink, MqttSettings
from hub.wire.topics import Channel
from rules.engine import RuleSet

log = logging.getLogger(__name__)

BATCH_EVENTS = 500
# A reading waits this long for company: a transaction costs the one writer as much as fifty rows.
BATCH_S = 0.010
# A receipt costs its hub a write to its card: those of single readings are told together.
RECEIPT_S = 0.2
RECEIPT_EVENTS = 100
_RETRY_S = 0.5
# In a gateway's words, of a device and of itself.
_OFFLINE = ("offline", "gateway offline")
# How many messages the broker may have on their way to one lane before it waits for our acknowledgement.
# So that readings keep coming while some are committed, a batch is at most half of its lane's.
_ALARMS_UNDERWAY = 2000
_READINGS_UNDERWAY = 500


class Lane:
    """One lane: its connection, and what came on it and is not kept yet.

    Attributes:
        waiting: The queue, in order.
        unkept: What is not acknowledged yet, for the auditor.
    """

    def __init__(self, link: MqttLink, *, urgent: bool) -> None:
        self.link = link
        self.urgent = urgent
        self.batch_messages = (_ALARMS_UNDERWAY if urgent else _READINGS_UNDERWAY) // 2
        self.waiting: asyncio.Queue[Incoming] = asyncio.Queue()
        self.unkept = Waiting()
        self._owed: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._paying: asyncio.TimerHandle | None = None

    def owe(self, hub_id: str, epoch: str, seq: int) -> None:
        """Note what is stored and not receipted yet."""
        self._owed[hub_id, epoch].append(seq)

    def pay(self) -> None:
        """Send receipts: at once for alarms and where many are owed, else for all within a moment."""
        if self.urgent:
            self._pay()
            return
        for key in [key for key, seqs in self._owed.items() if len(seqs) >= RECEIPT_EVENTS]:
            self._send(key, self._owed.pop(key))
        if self._owed and self._paying is None:
            self._paying = asyncio.get_running_loop().call_later(RECEIPT_S, self._pay)

    def _pay(self) -> None:
        self._paying = None
        while self._owed:
            self._send(*self._owed.popitem())

    def _send(self, key: tuple[str, str], seqs: list[int]) -> None:
        hub_id, epoch = key
        self.link.post(topics.topic(hub_id, Channel.DOWN_RECEIPT), receipt.encode(receipt.receipt(epoch, seqs)))


class Listener:
    """Hears all hubs.

    Args:
        centre: Where observations are kept.
        presence: Who was heard when.
        supervision: Told when a silent hub or device is heard again.
        rules: Which observations are incidents.
        settings: The broker; the client id is the centre's name.
        share: Name of the group of centres that share what the hubs send, or ``None``. Heartbeats and status
            are never shared: each centre must know by itself who is there.

    Attributes:
        connected_again: Set when both lanes stand.
        steadiness: Whether they hold, for the auditor.
    """

    def __init__(
        self,
        centre: Centre,
        presence: Presence,
        supervision: Supervision,
        rules: RuleSet,
        settings: MqttSettings,
        share: str | None = None,
    ) -> None:
        self._centre = centre
        self._presence = presence
        self._supervision = supervision
        self._rules = rules
        self._tasks: set[asyncio.Task[None]] = set()
        self._saying = asyncio.Lock()
        self.connected_again = asyncio.Event()
        self.steadiness = Steadiness()
        self.alarms = self._lane(
            settings, "alarm", [(topics.every_hub(Channel.UP_ALARM, share), 1)], _ALARMS_UNDERWAY
        )
        self.readings = self._lane(
            settings,
            "reading",
            [
                (topics.every_hub(Channel.UP_READING, share), 1),
                (topics.every_hub(Channel.UP_ALIVE), 0),
                (topics.every_hub(Channel.UP_STATUS), 1),
            ],
            _READINGS_UNDERWAY,
        )

    def _lane(self, settings: MqttSettings, name: str, filters: list[tuple[str, int]], underway: int) -> Lane:
        lanes: list[Lane] = []

        def arrived(incoming: Incoming) -> None:
            lanes[0].unkept.begin(id(incoming))
            lanes[0].waiting.put_nowait(incoming)

        link = MqttLink(
            msgspec.structs.replace(settings, client_id=f"{settings.client_id}-{name}", receive_maximum=underway),
            subscriptions=filters,
            on_message=arrived,
            on_connect=lambda _present: self._connection_changed(),
            on_disconnect=lambda _reason: self._connection_changed(),
        )
        lanes.append(Lane(link, urgent=name == "alarm"))
        return lanes[0]

    def arm(self, tx: Tx) -> None:
        """Let it be told when this centre, which begins, does not reach its broker in time."""
        _deaf(tx)

    async def run(self, lane: Lane) -> None:
        """Keep what comes on a lane, until cancelled."""
        while True:
            batch = await self._gather(lane)
            parcels = [parcel for incoming in batch if (parcel := self._open(incoming)) is not None]
            if parcels:
                parcels = await self._keep(parcels, urgent=lane.urgent)
            for incoming in batch:
                lane.link.ack(incoming)
                lane.unkept.end(id(incoming))
            self._receipt(lane, parcels)
            self._sighted(parcels)

    async def _gather(self, lane: Lane) -> list[Incoming]:
        """Wait for a message; on the reading lane wait a moment for company."""
        batch = [await lane.waiting.get()]
        size = batch[0].payload.count(b'"specversion"')
        deadline = asyncio.get_running_loop().time() + BATCH_S
        while size < BATCH_EVENTS and len(batch) < lane.batch_messages:
            if lane.waiting.empty():
                left = deadline - asyncio.get_running_loop().time()
                if lane.urgent or left <= 0:
                    break
                try:
                    batch.append(await asyncio.wait_for(lane.waiting.get(), left))
                except TimeoutError:
                    break
            else:
                batch.append(lane.waiting.get_nowait())
            size += batch[-1].payload.count(b'"specversion"')
        return batch

    def _open(self, incoming: Incoming) -> Parcel | None:
        """Read a message; heartbeats and status are noted here and are no parcel."""
        try:
            hub_id, channel = topics.parse(incoming.topic)
            if channel is Channel.UP_ALIVE:
                self._heard(hub_id, alive.decode_alive(incoming.payload))
                return None
            if channel is Channel.UP_STATUS:
                self._status(hub_id, alive.decode_status(incoming.payload), retained=incoming.retain)
                return None
        except MalformedError as error:
            hub_id = [*incoming.topic.split("/"), "", "", ""][2][:48] or "unknown"
            log.warning("%s: %s", incoming.topic[:120], error)
            return Parcel(incoming.topic[:200], hub_id, [], [Rejected(str(error), incoming.payload)])
        events, rejected = envelope.decode(incoming.payload, hub_id)
        for item in rejected:
            log.warning("%s: %s", incoming.topic, item.reason)
        return Parcel(incoming.topic, hub_id, events, rejected)

    async def _keep(self, parcels: list[Parcel], *, urgent: bool) -> list[Parcel]:
        """Commit parcels; what cannot be committed for its own sake is buried. Return what is kept or buried."""
        try:
            await self._persist(self._keeping(parcels), urgent=urgent)
        except Exception:
            log.exception("a batch of %d messages could not be kept; one by one now", len(parcels))
            return await self._keep_one_by_one(parcels, urgent=urgent)
        return parcels

    def _keeping(self, parcels: list[Parcel]) -> Callable[[Tx], None]:
        return lambda tx: ingest.keep(tx, parcels, self._rules)

    async def _keep_one_by_one(self, parcels: list[Parcel], *, urgent: bool) -> list[Parcel]:
        singles = [
            Parcel(parcel.topic, parcel.hub_id, [event], []) for parcel in parcels for event in parcel.events
        ]
        singles += [
            Parcel(parcel.topic, parcel.hub_id, [], [item]) for parcel in parcels for item in parcel.rejected
        ]
        return [single for single in singles if await self._keep_or_bury(single, urgent=urgent)]

    async def _keep_or_bury(self, single: Parcel, *, urgent: bool) -> bool:
        """Commit one, or bury it. ``False``: neither; it has no receipt, and its hub sends it again."""
        try:
            await self._persist(self._keeping([single]), urgent=urgent)
        except Exception as error:
            log.exception("an observation of %s cannot be kept and is set aside", single.hub_id)
            aside = ingest.unkeepable(single, error)
        else:
            return True
        try:
            await self._persist(self._keeping([aside]), urgent=urgent)
        except Exception:
            # The others go on, and the broker is told that this one came: what it waits for holds up its lane.
            log.exception("an observation of %s cannot even be set aside", single.hub_id)
            return False
        return True

    def _receipt(self, lane: Lane, parcels: list[Parcel]) -> None:
        """Tell each hub what is stored."""
        for parcel in parcels:
            for event in parcel.events:
                lane.owe(parcel.hub_id, event.epoch, event.seq)
            for item in parcel.rejected:
                if item.epoch is not None and item.seq is not None:
                    lane.owe(parcel.hub_id, item.epoch, item.seq)
        lane.pay()

    def _sighted(self, parcels: list[Parcel]) -> None:
        """Note who was heard."""
        at = self._centre.clock.now().utc
        for parcel in parcels:
            if parcel.events:
                self._heard(parcel.hub_id)
            for event in parcel.events:
                data = event.data
                if _out_of_reach(data):
                    continue
                self._presence.heard_device(event.subject, at, data.kind, data.battery_pct, data.rssi_dbm)
                self._returned(device_need(event.subject), None)

    def _heard(self, hub_id: str, beat: alive.Alive | None = None) -> None:
        self._presence.heard_hub(hub_id, self._centre.clock.now().utc, beat)
        self._returned(hub_need(hub_id), hub_id)

    def _status(self, hub_id: str, status: alive.Status, *, retained: bool) -> None:
        if status.state == "offline":
            self._presence.hub_offline(hub_id)
        elif not retained:  # a retained word was said at another time
            self._heard(hub_id)

    def _returned(self, need: str, hub_id: str | None) -> None:
        if need in self._presence.lost:
            self._presence.lost.discard(need)
            at = self._centre.clock.now().utc
            self._later(lambda tx: self._supervision.returned(tx, need, hub_id, at))

    def _connection_changed(self) -> None:
        hearing = self.alarms.link.connected and self.readings.link.connected
        if hearing == (self._presence.listening_since is not None):
            return
        self._presence.listening_since = self._centre.clock.now().utc if hearing else None
        if hearing:
            self.connected_again.set()
            self.steadiness.opened()
        else:
            self.steadiness.broke(self._centre.site.site.supervision.hub_silent_s)
        self._begin(self._say_hearing())

    async def _say_hearing(self) -> None:
        """Keep whether this centre hears, as it is by then: of two at once the older might be kept."""
        async with self._saying:
            await self._persist(_deaf if self._presence.listening_since is None else _hearing)

    def _later(self, work: Callable[[Tx], None]) -> None:
        """Do a transaction that nothing waits for."""
        self._begin(self._persist(work))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _persist(self, work: Callable[[Tx], None], *, urgent: bool = False) -> None:
        """Do a transaction, as often as it takes until the store is there."""
        while True:
            try:
                await self._centre.transact(work, urgent=urgent)
            except TransientError as error:
                log.error("what was heard waits: %s", error)  # noqa: TRY400 - the sentence says it all
                await asyncio.sleep(_RETRY_S)
            else:
                return


def _out_of_reach(data: envelope.Data) -> bool:
    """Tell whether a hub says that it, or a gateway, has not reached a device: that is no sign of its life."""
    if not isinstance(data.value, dict):
        return False
    if data.kind is Kind.DEVICE_ANSWERED:
        return data.value.get("ok") is not True
    return data.kind is Kind.DEVICE_FAULT and data.value.get("reason") in _OFFLINE


def _hearing(tx: Tx) -> None:
    clockwork.unschedule(tx, DEAF, tx.owner)
    desk.clear(tx, f"technical:{tx.owner}:deaf", "the centre hears its broker again")


def _deaf(tx: Tx) -> None:
    silent = dt.timedelta(seconds=tx.site.site.supervision.hub_silent_s)
    clockwork.schedule(tx, tx.now.utc + silent, DEAF, tx.owner)
