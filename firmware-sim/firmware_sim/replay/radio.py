"""Senders that play the Bluetooth frames of a recording."""

import asyncio
import contextlib

from bumble.att import Attribute
from bumble.core import UUID, AdvertisingData
from bumble.gatt import Characteristic, CharacteristicValue, Service

from firmware_sim.ble.controller import Air
from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.errors import Unfit
from firmware_sim.replay.tape import Frame

# As long as such devices repeat what they say: a hub that is busy hears some of it.
_BURST_S = 1.0
_INTERVAL_MS = 40.0
_CONNECTABLE_MS = 150.0
# A service of no known profile: a hub looks characteristics up by their own UUID.
_SERVICE = UUID("8F1E00FF-5D0C-4F6B-9A3E-6D6564697370")
# What drivers write or read although nothing came from there: Current Time, Battery, RACP, the dispenser's own.
_ALSO = (
    "2A2B",
    "2A08",
    "2A19",
    "2A52",
    *(f"8F1E000{x}-5D0C-4F6B-9A3E-6D6564697370" for x in (2, 3, 4, 5, 6)),
)
_ALL = (
    Characteristic.Properties.READ
    | Characteristic.Properties.WRITE
    | Characteristic.Properties.NOTIFY
    | Characteristic.Properties.INDICATE
)


class Sender:
    """A device that advertises what was recorded of it."""

    def __init__(self, air: Air, address: str) -> None:
        try:
            self._peripheral = Peripheral(air, address, "replay")
        except ValueError as error:
            raise Unfit(f"recorded address {error}") from error
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Switch it on."""
        await self._peripheral.start()

    async def stop(self) -> None:
        """Switch it off."""
        await self._peripheral.stop()

    async def play(self, frame: Frame) -> None:
        """Advertise one frame for a moment, as a burst."""
        async with self._turn:
            for uuid, data in frame.service_data.items():
                content = UUID(uuid).to_bytes()
                short = len(content) == 2
                field = (
                    AdvertisingData.SERVICE_DATA_16_BIT_UUID
                    if short
                    else AdvertisingData.SERVICE_DATA_128_BIT_UUID
                )
                await self._peripheral.advertise(field, content + data, interval_ms=_INTERVAL_MS)
                await asyncio.sleep(_BURST_S)
                await self._peripheral.silence()


class Connected:
    """A device that is connected to: its recorded values are indicated once somebody has subscribed."""

    def __init__(self, air: Air, address: str, frames: list[Frame]) -> None:
        try:
            self._peripheral = Peripheral(air, address, "replay")
        except ValueError as error:
            raise Unfit(f"recorded address {error}") from error
        self._values: dict[UUID, bytes] = {}
        for frame in reversed(frames):
            self._values[UUID(frame.place)] = frame.data
        self._characteristics = {
            uuid: Characteristic(uuid, _ALL, int(Attribute.READABLE | Attribute.WRITEABLE), self._value(uuid))
            for uuid in dict.fromkeys([*self._values, *map(UUID, _ALSO)])
        }
        self._peripheral.device.add_service(Service(_SERVICE, list(self._characteristics.values())))
        self._subscribed = asyncio.Event()
        for characteristic in self._characteristics.values():
            characteristic.on("subscription", lambda *_: self._subscribed.set())

    def _value(self, uuid: UUID) -> CharacteristicValue:
        return CharacteristicValue(
            read=lambda _connection: self._values.get(uuid, b""),
            write=lambda _connection, value: self._values.__setitem__(uuid, bytes(value)),
        )

    async def start(self) -> None:
        """Switch it on and let it be found."""
        await self._peripheral.start()
        name = (AdvertisingData.COMPLETE_LOCAL_NAME, b"replay")
        await self._peripheral.advertise(*name, interval_ms=_CONNECTABLE_MS, connectable=True)

    async def stop(self) -> None:
        """Switch it off."""
        await self._peripheral.stop()

    async def play(self, frame: Frame) -> None:
        """Tell one value, when somebody has subscribed to anything; whoever only reads will read it."""
        await self._subscribed.wait()
        uuid = UUID(frame.place)
        self._values[uuid] = frame.data
        characteristic = self._characteristics[uuid]
        # A hub may have chosen either, for both are offered.
        await self._peripheral.device.notify_subscribers(characteristic, frame.data)
        with contextlib.suppress(TimeoutError):
            await self._peripheral.device.indicate_subscribers(characteristic, frame.data)
