"""A health device on Bluetooth: in the air after a measurement, its records told to whoever subscribes."""

import asyncio
import logging
import struct
from collections.abc import Coroutine, Mapping
from pathlib import Path

from bumble.att import ATT_Error, Attribute
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service

from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.devices.base import Action, Arguments, faults_of, whole
from firmware_sim.devices.health.frames import GLUCOSE, Kind
from firmware_sim.devices.health.model import HealthDevice, Stored
from firmware_sim.devices.health.numbers import date_time, read_date_time
from firmware_sim.devices.health.racp import reply
from firmware_sim.faults import Faults
from firmware_sim.process import Tasks

log = logging.getLogger(__name__)

_CLIENT_CONFIGURATION = UUID.from_16_bits(0x2902)
_CURRENT_TIME_SERVICE, _CURRENT_TIME, _DATE_TIME = 0x1805, 0x2A2B, 0x2A08
_BATTERY_SERVICE, _BATTERY_LEVEL, _DEVICE_INFORMATION = 0x180F, 0x2A19, 0x180A
_CONTEXT, _RACP = 0x2A34, 0x2A52
_READ, _WRITE = Characteristic.Properties.READ, Characteristic.Properties.WRITE
_NOTIFY, _INDICATE = Characteristic.Properties.NOTIFY, Characteristic.Properties.INDICATE
# ATT error codes (Core 5.4, volume 3, part F, 3.4.1.1; the last one of the Core Supplement, part B).
_WRITE_NOT_PERMITTED, _VALUE_NOT_ALLOWED, _IN_PROGRESS = 0x03, 0x13, 0xFE
_INTERVAL_MS = 100.0


class GattHealth:
    """A health device that a hub connects to.

    Args:
        kind: What it is by its service.
        name: Its profile's name.
        device: What it measures and stores.
        peripheral: Its radio.
        keep: It keeps a record after the radio confirmed it.
        clock: How its clock is set: ``current_time``, ``date_time`` or ``none``.
        period_s: Seconds between the values of a stream.
        encrypted: Whether it asks for a bonded, encrypted link.
    """

    port: tuple[str, Path] | None = None

    def __init__(  # noqa: PLR0913 -- one for each way in which real ones differ
        self,
        kind: Kind,
        name: str,
        device: HealthDevice,
        peripheral: Peripheral,
        *,
        keep: bool,
        clock: str,
        period_s: float,
        encrypted: bool,
    ) -> None:
        self._kind, self._device, self._peripheral = kind, device, peripheral
        self._keep, self._period_s, self._encrypted = keep, period_s, encrypted
        self._is_meter = name == GLUCOSE
        self._faults = Faults()
        self._tasks = Tasks()
        self._senders: dict[int, asyncio.Task[None]] = {}
        self._streams: dict[int, asyncio.Task[None]] = {}
        self._in_air = False
        self._waiting = bool(device.records())
        self._news = asyncio.Event()
        self._more = asyncio.Event()
        self._worn: Arguments | None = None
        self._contact = True
        self._refuses_time = self._mute = False
        self._drop_after: int | None = None
        self._drop_confirmed = True
        device.on_new(self._measured)
        self.actions: Mapping[str, Action] = {
            **device.actions,
            "drop_after": self._drop,
            "refuse_time": self._refuse_time,
            "out_of_range": self._out_of_range,
            "in_range": self._in_range,
            "power_cut": self._power_cut,
            "fault": self._fault,
            **(
                {"wear": self._wear, "take_off": self._take_off, "lose_contact": self._lose} if kind.stream else {}
            ),
            **({"mute": self._be_mute} if self._is_meter else {}),
        }
        self._add_services(clock)

    async def start(self) -> None:
        """Switch it on; it is in the air when it has something to tell."""
        await self._peripheral.start()
        self._peripheral.device.on("connection", self._connected)
        self._tasks.start(self._advertise_when_needed(), "advertise")

    async def stop(self) -> None:
        """Switch it off."""
        await self._tasks.stop()
        await self._peripheral.stop()

    def _measured(self) -> None:
        self._waiting = True
        self._news.set()
        self._more.set()

    async def _advertise_when_needed(self) -> None:
        while True:
            self._news.clear()
            wanted = self._waiting or self._worn is not None
            if wanted and not self._in_air and not self._peripheral.device.connections:
                service = struct.pack("<H", self._kind.service)
                field = AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS
                await self._peripheral.advertise(field, service, interval_ms=_INTERVAL_MS, connectable=True)
                self._in_air = True
            elif self._in_air and not wanted:
                await self._peripheral.silence()
                self._in_air = False
            await self._news.wait()

    def _add_services(self, clock: str) -> None:
        device, kind = self._peripheral.device, self._kind
        own: list[Characteristic] = []
        if kind.measurement is not None:
            self._measurement = self._told(kind.measurement, _NOTIFY if self._is_meter else _INDICATE)
            own.append(self._measurement)
            if not self._is_meter:
                self._measurement.on("subscription", self._subscribed)
        if kind.stream is not None:
            self._stream = self._told(kind.stream, _NOTIFY)
            self._stream.on("subscription", self._stream_subscribed)
            own.append(self._stream)
        if self._is_meter:
            self._context = self._told(_CONTEXT, _NOTIFY)
            self._control = self._told(_RACP, _WRITE | _INDICATE, CharacteristicValue(write=self._asked))
            own += [self._context, self._control]
        if clock == "date_time":
            own.append(self._plain(_DATE_TIME, _READ | _WRITE, self._clock_value(b"")))
        device.add_service(Service(UUID.from_16_bits(kind.service), own))
        if clock == "current_time":
            time = self._plain(_CURRENT_TIME, _READ | _WRITE, self._clock_value(b"\0\0\0"))
            device.add_service(Service(UUID.from_16_bits(_CURRENT_TIME_SERVICE), [time]))
        level = CharacteristicValue(read=lambda _connection: bytes([self._device.battery_pct]))
        battery = self._plain(_BATTERY_LEVEL, _READ, level)
        device.add_service(Service(UUID.from_16_bits(_BATTERY_SERVICE), [battery]))
        texts = {0x2A29: b"Welfare Hub", 0x2A24: b"SIM-%04X" % kind.service, 0x2A25: b"0001", 0x2A26: b"1.0.0"}
        about = [self._plain(number, _READ, text) for number, text in texts.items()]
        device.add_service(Service(UUID.from_16_bits(_DEVICE_INFORMATION), about))

    def _plain(self, number: int, properties: int, value: object) -> Characteristic:
        return Characteristic(UUID.from_16_bits(number), properties, self._permissions(), value)

    def _told(self, number: int, properties: int, value: object = b"") -> Characteristic:
        made = self._plain(number, properties, value)
        # bumble's own lets anybody subscribe; this one asks for encryption like its characteristic.
        subscription = self._peripheral.device.gatt_server.make_descriptor_value(made)
        made.descriptors = [
            *made.descriptors,
            Descriptor(_CLIENT_CONFIGURATION, self._permissions(), subscription),
        ]
        return made

    def _permissions(self) -> int:
        permissions = Attribute.READABLE | Attribute.WRITEABLE
        if self._encrypted:
            permissions |= Attribute.READ_REQUIRES_ENCRYPTION | Attribute.WRITE_REQUIRES_ENCRYPTION
        return int(permissions)

    def _clock_value(self, tail: bytes) -> CharacteristicValue:
        def write(_connection: Connection, data: bytes) -> None:
            if self._refuses_time:
                raise ATT_Error(_WRITE_NOT_PERMITTED)
            try:
                self._device.set_clock(read_date_time(bytes(data)))
            except (ValueError, struct.error) as error:
                raise ATT_Error(_VALUE_NOT_ALLOWED) from error

        return CharacteristicValue(read=lambda _connection: date_time(self._device.now()) + tail, write=write)

    def _connected(self, connection: Connection) -> None:
        connection.on("disconnection", lambda _reason: self._ended(connection))

    def _ended(self, connection: Connection) -> None:
        # bumble leaves an indication waiting for 30 s when the link goes.
        for senders in (self._senders, self._streams):
            if task := senders.pop(connection.handle, None):
                task.cancel()
        self._news.set()

    def _subscribed(self, connection: Connection, _notify: object, indicate: object) -> None:
        if indicate:
            self._begin(self._senders, connection, self._tell_all(connection))

    def _stream_subscribed(self, connection: Connection, notify: object, _indicate: object) -> None:
        if notify:
            self._begin(self._streams, connection, self._tell_stream(connection))

    def _begin(
        self, senders: dict[int, asyncio.Task[None]], connection: Connection, work: Coroutine[None, None, None]
    ) -> None:
        if task := senders.pop(connection.handle, None):
            task.cancel()
        senders[connection.handle] = self._tasks.start(work, "tells")

    async def _tell_all(self, connection: Connection) -> None:
        """Indicate every stored record, oldest first, then each new one."""
        told = 0
        try:
            while True:
                self._more.clear()
                for record in self._device.records():
                    if record.number > told:
                        told = record.number
                        await self._indicate(connection, self._measurement, record.frame)
                        if not self._keep and not self._cut_now(confirmed=False):
                            self._device.forget(record.number)
                        await self._count(connection)
                self._waiting = False
                await self._more.wait()
        except TimeoutError:
            log.warning("indication not confirmed: link ended")
            await connection.disconnect()

    async def _tell_stream(self, connection: Connection) -> None:
        if self._kind.streamed is None:
            return
        value, without_contact = self._kind.streamed
        while True:
            if self._worn is not None:
                write = value if self._contact else without_contact
                await self._notify(connection, self._stream, write(self._worn, self._device.now()))
            await asyncio.sleep(self._period_s)

    def _asked(self, connection: Connection, data: bytes) -> None:
        sender = self._senders.get(connection.handle)
        if sender is not None and not sender.done():
            raise ATT_Error(_IN_PROGRESS)
        if not self._mute:
            self._begin(self._senders, connection, self._answer(connection, bytes(data)))

    async def _answer(self, connection: Connection, request: bytes) -> None:
        answer = reply(request, self._device.records())
        for record in answer.records:
            await self._tell_glucose(connection, record)
            await self._count(connection)
        await self._peripheral.device.indicate_subscriber(connection, self._control, answer.response)
        self._waiting = False

    async def _tell_glucose(self, connection: Connection, record: Stored) -> None:
        await self._notify(connection, self._measurement, record.frame)
        if record.context:
            await self._notify(connection, self._context, record.context)

    async def _notify(self, connection: Connection, characteristic: Characteristic, data: bytes) -> None:
        for sending in self._faults.apply(data):
            await asyncio.sleep(sending.after_s)
            await self._peripheral.device.notify_subscriber(connection, characteristic, sending.frame)

    async def _indicate(self, connection: Connection, characteristic: Characteristic, data: bytes) -> None:
        for sending in self._faults.apply(data):
            await asyncio.sleep(sending.after_s)
            await self._peripheral.device.indicate_subscriber(connection, characteristic, sending.frame)

    def _cut_now(self, *, confirmed: bool) -> bool:
        return self._drop_after == 1 and self._drop_confirmed is confirmed

    async def _count(self, _connection: Connection) -> None:
        """Lose the link when so many records were told as was asked for."""
        if self._drop_after is None:
            return
        self._drop_after -= 1
        if self._drop_after == 0:
            self._drop_after = None
            self._peripheral.controller.lose_links()
            await asyncio.Event().wait()  # until the end of the link ends this task

    async def _drop(self, arguments: Arguments) -> None:
        self._drop_after = whole(arguments, "records", 1, 10_000)
        self._drop_confirmed = arguments.get("confirmed", True) is True

    async def _refuse_time(self, arguments: Arguments) -> None:
        self._refuses_time = arguments.get("on", True) is True

    async def _be_mute(self, arguments: Arguments) -> None:
        self._mute = arguments.get("on", True) is True

    async def _wear(self, arguments: Arguments) -> None:
        self._worn, self._contact = dict(arguments), True
        self._news.set()

    async def _lose(self, _arguments: Arguments) -> None:
        self._contact = False

    async def _take_off(self, _arguments: Arguments) -> None:
        self._worn = None
        self._news.set()

    async def _out_of_range(self, _arguments: Arguments) -> None:
        self._peripheral.controller.leave()

    async def _in_range(self, _arguments: Arguments) -> None:
        self._peripheral.controller.in_range = True

    async def _power_cut(self, _arguments: Arguments) -> None:
        self._peripheral.controller.lose_links()
        self._device.power_cut()

    async def _fault(self, arguments: Arguments) -> None:
        self._faults = faults_of(arguments)
