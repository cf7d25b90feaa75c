"""The dispenser on Bluetooth: the profile's GATT service, with bonding and encryption."""

import asyncio
import datetime as dt
import logging
import random
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from bumble.att import ATT_Error, Attribute
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service

from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.devices.base import Action, Arguments, faults_of, whole
from firmware_sim.devices.dispenser.model import Dispenser
from firmware_sim.faults import Faults
from firmware_sim.process import Tasks

log = logging.getLogger(__name__)

_UUID = "8F1E000{}-5D0C-4F6B-9A3E-6D6564697370"
_CLIENT_CONFIGURATION = UUID.from_16_bits(0x2902)
_CURRENT_TIME_SERVICE, _CURRENT_TIME = 0x1805, 0x2A2B
_BATTERY_SERVICE, _BATTERY_LEVEL = 0x180F, 0x2A19
_DEVICE_INFORMATION = 0x180A
_ABOUT = {0x2A29: b"Welfare Hub", 0x2A24: b"ODP-1", 0x2A25: b"SIM-0001", 0x2A26: b"1.0.0"}

_READ, _WRITE = Characteristic.Properties.READ, Characteristic.Properties.WRITE
_NOTIFY, _INDICATE = Characteristic.Properties.NOTIFY, Characteristic.Properties.INDICATE
# ATT error codes (Core 5.4, volume 3, part F, 3.4.1.1).
_READ_NOT_PERMITTED, _WRITE_NOT_PERMITTED, _VALUE_NOT_ALLOWED = 0x02, 0x03, 0x13
_INTERVAL_MS = 150.0
_MOST_GARBAGE = 100


class GattDispenser:
    """A dispenser that a hub connects to.

    Args:
        dispenser: The model behind it.
        peripheral: Its radio.
        alive_s: Seconds between status notifications.
        encrypted: Whether its own service asks for a bonded, encrypted link.
    """

    port: tuple[str, Path] | None = None

    def __init__(
        self, dispenser: Dispenser, peripheral: Peripheral, alive_s: float, *, encrypted: bool = True
    ) -> None:
        self._dispenser = dispenser
        self._peripheral = peripheral
        self._alive_s = alive_s
        self._encrypted = encrypted
        self._faults = Faults()
        self._tasks = Tasks()
        self._news = asyncio.Event()
        dispenser.on_new(self._news.set)
        self.actions: Mapping[str, Action] = {
            **dispenser.actions,
            "out_of_range": self._out_of_range,
            "in_range": self._in_range,
            "power_cut": self._power_cut,
            "fault": self._fault,
            "garbage": self._garbage,
        }
        self._senders: dict[int, asyncio.Task[None]] = {}
        self._add_services()

    async def start(self) -> None:
        """Switch it on and let it be found."""
        await self._peripheral.start()
        self._peripheral.device.on("connection", self._connected)
        service = UUID(_UUID.format(1)).to_bytes(force_128=True)
        await self._peripheral.advertise(
            AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
            service,
            interval_ms=_INTERVAL_MS,
            connectable=True,
        )
        self._tasks.start(self._alive(), "alive")

    async def stop(self) -> None:
        """Switch it off."""
        await self._tasks.stop()
        await self._peripheral.stop()

    def _add_services(self) -> None:
        model = self._dispenser
        device = self._peripheral.device
        self._event = self._characteristic(2, _INDICATE, self._value(None, None))
        self._status = self._characteristic(
            4, _READ | _NOTIFY, self._value(lambda: model.status().encoded(), None)
        )
        self._event.on("subscription", self._subscribed)
        own = [
            self._event,
            self._characteristic(3, _WRITE, self._value(None, self._acknowledge)),
            self._status,
            self._characteristic(5, _READ | _WRITE, self._value(lambda: model.plan, model.take_plan)),
            self._characteristic(6, _WRITE, self._value(None, model.control)),
        ]
        device.add_service(Service(UUID(_UUID.format(1)), own))
        clock = self._value(self._clock_value, self._set_clock)
        time = Characteristic(UUID.from_16_bits(_CURRENT_TIME), _READ | _WRITE, self._permissions(), clock)
        device.add_service(Service(UUID.from_16_bits(_CURRENT_TIME_SERVICE), [time]))
        level = self._value(lambda: bytes([model.battery_pct]), None)
        battery = Characteristic(UUID.from_16_bits(_BATTERY_LEVEL), _READ, Attribute.READABLE, level)
        device.add_service(Service(UUID.from_16_bits(_BATTERY_SERVICE), [battery]))
        about = [
            Characteristic(UUID.from_16_bits(number), _READ, Attribute.READABLE, text)
            for number, text in _ABOUT.items()
        ]
        device.add_service(Service(UUID.from_16_bits(_DEVICE_INFORMATION), about))

    def _permissions(self) -> int:
        permissions = Attribute.READABLE | Attribute.WRITEABLE
        if self._encrypted:
            permissions |= Attribute.READ_REQUIRES_ENCRYPTION | Attribute.WRITE_REQUIRES_ENCRYPTION
        return int(permissions)

    def _characteristic(self, number: int, properties: int, value: object) -> Characteristic:
        made = Characteristic(UUID(_UUID.format(number)), properties, self._permissions(), value)
        if properties & (_NOTIFY | _INDICATE):
            # bumble's own lets anybody subscribe; this one asks for encryption like its characteristic.
            subscription = self._peripheral.device.gatt_server.make_descriptor_value(made)
            own = Descriptor(_CLIENT_CONFIGURATION, self._permissions(), subscription)
            made.descriptors = [*made.descriptors, own]
        return made

    def _value(
        self, read: Callable[[], bytes] | None, write: Callable[[bytes], None] | None
    ) -> CharacteristicValue:
        """Return a value that is read and written so; ``None`` is refused, which bumble would allow."""

        def give(_connection: Connection) -> bytes:
            if read is None:
                raise ATT_Error(_READ_NOT_PERMITTED)
            return read()

        def take(_connection: Connection, value: bytes) -> None:
            if write is None:
                raise ATT_Error(_WRITE_NOT_PERMITTED)
            try:
                write(bytes(value))
            except (ValueError, struct.error) as error:
                log.warning("refused: %s", error)
                raise ATT_Error(_VALUE_NOT_ALLOWED) from error

        return CharacteristicValue(read=give, write=take)

    def _acknowledge(self, data: bytes) -> None:
        if not self._faults.hears():
            return
        self._dispenser.acknowledged(struct.unpack("<I", data)[0])

    def _set_clock(self, data: bytes) -> None:
        # Current Time: date and time, day of week, 1/256 s, reason. The profile's times are UTC.
        year, month, day, hour, minute, second = struct.unpack_from("<HBBBBB", data)
        when = dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
        self._dispenser.set_clock(int(when.timestamp()))

    def _clock_value(self) -> bytes:
        seconds = self._dispenser.status().unix_time
        if seconds == 0:
            return bytes(10)
        when = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
        parts = (when.year, when.month, when.day, when.hour, when.minute, when.second)
        return struct.pack("<HBBBBBBBB", *parts, when.isoweekday(), 0, 0)

    def _connected(self, connection: Connection) -> None:
        connection.on("disconnection", lambda _reason: self._end_sender(connection))

    def _subscribed(self, connection: Connection, _notify: object, indicate: object) -> None:
        self._end_sender(connection)
        if indicate:
            self._senders[connection.handle] = self._tasks.start(self._send(connection), "indications")

    def _end_sender(self, connection: Connection) -> None:
        # bumble leaves an indication waiting for 30 s when the link goes.
        if task := self._senders.pop(connection.handle, None):
            task.cancel()

    async def _send(self, connection: Connection) -> None:
        """Indicate every unacknowledged record, oldest first, then each new one."""
        told = 0
        try:
            while True:
                self._news.clear()
                for record in self._dispenser.unacknowledged(after_seq=told):
                    told = record.seq
                    await self._indicate(connection, record.encoded())
                await self._news.wait()
        except TimeoutError:
            # ATT allows nothing more on a link whose indication was not confirmed within 30 s.
            log.warning("indication not confirmed: link ended")
            await connection.disconnect()

    async def _indicate(self, connection: Connection, data: bytes) -> None:
        for sending in self._faults.apply(data):
            await asyncio.sleep(sending.after_s)
            await self._peripheral.device.indicate_subscriber(connection, self._event, sending.frame)

    async def _alive(self) -> None:
        while True:
            await asyncio.sleep(self._alive_s)
            await self._peripheral.device.notify_subscribers(self._status, self._dispenser.status().encoded())

    async def _out_of_range(self, _arguments: Arguments) -> None:
        self._peripheral.controller.leave()

    async def _in_range(self, _arguments: Arguments) -> None:
        self._peripheral.controller.in_range = True

    async def _power_cut(self, arguments: Arguments) -> None:
        self._peripheral.controller.lose_links()
        await self._dispenser.actions["power_cut"](arguments)

    async def _garbage(self, arguments: Arguments) -> None:
        """Indicate what faulty firmware sends: bytes without sense."""
        chance = random.Random(whole(arguments, "seed", 0, 2**31, 0))
        for connection in list(self._peripheral.device.connections.values()):
            noise = chance.randbytes(whole(arguments, "bytes", 1, _MOST_GARBAGE, 20))
            await self._peripheral.device.indicate_subscriber(connection, self._event, noise)

    async def _fault(self, arguments: Arguments) -> None:
        self._faults = faults_of(arguments)
