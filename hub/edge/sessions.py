"""The kinds of sessions: a serial line, a device that advertises or is connected to, a gateway on a broker."""

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import cast

import msgspec
from bleak import BleakClient
from bleak.exc import BleakError

from drivers import registry
from drivers.base import (
    Action,
    Advert,
    AdvertDriver,
    Answer,
    Disconnect,
    GattDriver,
    Parting,
    Publish,
    Read,
    Send,
    SerialDriver,
    Subscribe,
    TopicDriver,
    Write,
)
from hub.domain.clock import Clock, Now
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError, TransientError
from hub.edge.configuration import Task
from hub.edge.links.ble import Radio
from hub.edge.links.sense import Sense
from hub.edge.links.topic import TopicLine, open_topics
from hub.edge.recorder import Recorder
from hub.edge.session import BACKOFF_FIRST_S, NotKeptError, Session
from hub.edge.tap import Frame
from hub.wire.mqtt import MqttSettings
from hub.wire.serial_line import SerialLine, open_line

log = logging.getLogger(__name__)

TICK_S = 0.1
GATT_TICK_S = 0.5
TOPIC_TICK_S = 1.0
# A broker that has not answered by then is said to be away, while it is tried on.
_BROKER_S = 2.0
_HOME = MqttSettings(client_id="home")
# Adverts or values that may wait while a commit is under way; what is more is repeated by the device.
_QUEUE = 256
# An answer to a read or a write that takes longer means that the link is dead (ATT, volume 3 part F, 3.3.3).
_ATT_TIMEOUT_S = 30.0


class SerialSession(Session):
    """A serial line with all devices that are heard on it."""

    def __init__(self, task: Task, recorder: Recorder, clock: Clock) -> None:
        super().__init__(task, recorder, clock)
        self._sense = Sense()

    async def _live(self) -> None:
        manifest = registry.package(self.task.driver).MANIFEST
        async with open_line(self.task.link.port or "", manifest.baud or 9600) as line:
            while True:
                with suppress(NotKeptError):
                    await self._talk(line)
                # Only the driver is opened again. A line that is closed would not hear the other devices' alarms.
                self._broken = None
                await asyncio.sleep(BACKOFF_FIRST_S)

    async def _talk(self, line: SerialLine) -> None:
        """Go between line and driver.

        Raises:
            NotKeptError: What the driver said was not committed.
            TransientError: The line ended.
        """
        driver = cast("SerialDriver", await self._open_driver())
        if not self.state.up:
            self.state.went_up()
        await self._act(line, await self._feed(driver.opened))
        ticked = self._clock.now().mono
        self._sense.opened(ticked, line.errors())
        while True:
            data = await line.read(TICK_S)
            if data:
                await self._act(line, await self._feed(partial(driver.received, data), data))
            mono = self._clock.now().mono
            if mono - ticked >= TICK_S or not data:
                ticked = mono
                await self._act(line, await self._feed(driver.tick))
                await self._run_errands(driver, partial(self._act, line))
            if self._sense.due(mono):
                await self._complain(self._sense.complaint(mono, line.errors()))

    def _took(self, frame: Frame, answer: Answer, now: Now) -> None:
        super()._took(frame, answer, now)
        if self._sense.took(frame.data, answer, now.mono):
            self.state.reason = ""
            log.info("link %s: what comes makes sense now", self.task.name)

    async def _complain(self, complaint: str) -> None:
        if complaint:
            self.state.reason = complaint
            log.error("link %s: %s", self.task.name, complaint)
            await self._recorder.say(Kind.DEVICE_FAULT, {"reason": f"link {self.task.name}: {complaint}"})

    async def _act(self, line: SerialLine, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if isinstance(action, Send):
                await line.write(action.data)


class BleSession(Session):
    """What listens to adverts of one address."""

    def __init__(self, task: Task, recorder: Recorder, clock: Clock, radio: Radio) -> None:
        super().__init__(task, recorder, clock)
        self._radio = radio
        self._address = task.setup.devices[0].address
        self._adverts: asyncio.Queue[Advert] = asyncio.Queue(_QUEUE)

    async def _live(self) -> None:
        self._radio.listen(self._address, self._heard)
        try:
            await self._listen()
        finally:
            self._radio.forget(self._address)

    async def _listen(self) -> None:
        raise NotImplementedError

    def _heard(self, advert: Advert) -> None:
        self.state.heard(advert.rssi_dbm)
        if self._adverts.full():
            self._adverts.get_nowait()  # the newest counts
        self._adverts.put_nowait(advert)


class AdvertSession(BleSession):
    """A device that only advertises."""

    async def _listen(self) -> None:
        driver = cast("AdvertDriver", await self._open_driver())
        self.state.went_up()
        while True:
            advert = await self._adverts.get()
            frame = b"".join(advert.service_data.values())
            await self._feed(partial(driver.advertised, advert), frame, seen=Frame(b"", advert=advert))


class GattSession(BleSession):
    """A device that is connected to whenever it is heard."""

    async def _listen(self) -> None:
        while not self._adverts.empty():
            self._adverts.get_nowait()  # from before: the device may be gone
        await self._adverts.get()
        values = _Values()
        bonded = registry.package(self.task.driver).MANIFEST.bonded
        driver: GattDriver | None = None
        try:
            async with self._radio.connection(
                self._address, bonded=bonded, on_lost=lambda: values.put_nowait(None)
            ) as client:
                driver = cast("GattDriver", await self._open_driver())
                self.state.went_up()
                await self._talk(client, driver, values)
        finally:
            if driver is not None:
                await self._keep(driver, values)

    async def _talk(self, client: BleakClient, driver: GattDriver, values: "_Values") -> None:
        """Go between device and driver until the driver has had enough.

        Raises:
            TransientError: The link ended before.
        """
        going = await self._act(client, values, await self._feed(driver.connected))
        while going:
            try:
                async with asyncio.timeout(GATT_TICK_S):
                    item = await values.get()
            except TimeoutError:
                going = await self._act(client, values, await self._feed(driver.tick))
                await self._run_errands(driver, partial(self._act, client, values))
                continue
            if item is None:
                raise TransientError("disconnected")
            tell, seen = partial(driver.value, *item), Frame(item[1], item[0])
            going = await self._act(client, values, await self._feed(tell, item[1], seen=seen))

    async def _keep(self, driver: GattDriver, values: "_Values") -> None:
        """Journal what came before the link ended: the device takes it for delivered, and has forgotten it."""
        while not values.empty():
            if (item := values.get_nowait()) is not None:
                with suppress(TransientError):  # one that is refused must not keep the next from being read
                    await self._feed(partial(driver.value, *item), item[1], seen=Frame(item[1], item[0]))
        if isinstance(driver, Parting):
            await self._feed(driver.disconnected)

    async def _act(self, client: BleakClient, values: "_Values", actions: tuple[Action, ...]) -> bool:
        """Do what the driver asked for; tell whether the connection goes on."""
        try:
            async with asyncio.timeout(_ATT_TIMEOUT_S):
                for action in actions:
                    if isinstance(action, Disconnect):
                        return False
                    await self._do(client, values, action)
        except TimeoutError as error:
            raise TransientError("the device does not answer") from error
        except (BleakError, OSError, EOFError) as error:
            raise TransientError(f"{type(error).__name__}: {error}") from error
        return True

    async def _do(self, client: BleakClient, values: "_Values", action: Action) -> None:
        try:
            match action:
                case Subscribe(uuid):
                    await client.start_notify(uuid, _into(values, uuid))
                case Read(uuid):
                    values.put_nowait((uuid, bytes(await client.read_gatt_char(uuid))))
                case Write(uuid, data):
                    await client.write_gatt_char(uuid, data, response=True)
        except BleakError as error:
            if not (isinstance(action, Subscribe | Read | Write) and action.optional and client.is_connected):
                raise
            log.info("link %s: goes on without %s: %s", self.task.name, action.characteristic, error)


# What was notified, indicated or read, by characteristic; ``None``: the link is gone.
_Values = asyncio.Queue[tuple[str, bytes] | None]


def _into(values: _Values, uuid: str) -> "_Notified":
    return _Notified(values, uuid)


class _Notified:
    """Puts what is notified into the queue."""

    def __init__(self, values: _Values, uuid: str) -> None:
        self._values = values
        self._uuid = uuid

    def __call__(self, _sender: object, data: bytearray) -> None:
        self._values.put_nowait((self._uuid, bytes(data)))


class TopicSession(Session):
    """A gateway of other devices on the home's own broker.

    Args:
        task: What to do.
        recorder: Where observations go.
        clock: Tells the time.
        home: The broker, and as whom.
    """

    def __init__(self, task: Task, recorder: Recorder, clock: Clock, home: MqttSettings) -> None:
        super().__init__(task, recorder, clock)
        self._home = home

    async def _live(self) -> None:
        filters = registry.package(self.task.driver).MANIFEST.topics
        async with open_topics(self._home, self.task.link.base or "", filters) as line:
            while not await line.connected(_BROKER_S):
                self.state.went_down(f"no answer from the broker at {self._home.host}:{self._home.port}")
            driver = cast("TopicDriver", await self._open_driver())
            self.state.went_up()
            await self._act(line, await self._feed(driver.opened))
            ticked = self._clock.now().mono
            while True:
                message = await line.read(TOPIC_TICK_S)
                if message:
                    tell = partial(driver.message, message.topic, message.payload, retained=message.retain)
                    # Without its bytes: they may hold a position or a name, which no log may.
                    await self._act(
                        line,
                        await self._feed(tell, settled=line.hold(), seen=Frame(message.payload, message.topic)),
                    )
                mono = self._clock.now().mono
                if mono - ticked >= TOPIC_TICK_S:
                    ticked = mono
                    await self._act(line, await self._feed(driver.tick))
                    await self._run_errands(driver, partial(self._act, line))

    async def _act(self, line: TopicLine, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if isinstance(action, Publish):
                try:
                    await line.publish(action.topic, action.payload)
                except RefusedError as error:
                    log.error("link %s: %s", self.task.name, error)  # noqa: TRY400 -- the broker's sentence says it


def session(task: Task, recorder: Recorder, clock: Clock, radio: Radio, home: MqttSettings = _HOME) -> Session:
    """Make the session for a task.

    Args:
        task: What to do.
        recorder: Where observations go.
        clock: Tells the time.
        radio: For devices in the air.
        home: The home's own broker; its client id is the first part of a link's.
    """
    if task.link_type == "serial":
        return SerialSession(task, recorder, clock)
    if task.link_type == "topic":
        named = msgspec.structs.replace(home, client_id=f"{home.client_id}-{task.link.id}")
        return TopicSession(task, recorder, clock, named)
    kind = GattSession if task.link_type == "gatt" else AdvertSession
    return kind(task, recorder, clock, radio)
