"""bleak's client over a bumble device: connect, discover, read, write, subscribe."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble.att import ATT_Error
from bumble.core import UUID, BaseBumbleError
from bumble.device import Connection, Peer
from bumble.hci import Address

_T = TypeVar("_T")

# A controller that has not ended a link by then has stopped answering.
END_S = 5.0
# ATT_MTU before it is negotiated (Core specification, volume 3 part G, section 5.2.1), and what we ask for.
_FIRST_MTU, _WANTED_MTU = 23, 517
# The last 96 bits of every short UUID (Core specification, volume 3 part B, section 2.5.1).
_BASE_UUID = "-0000-1000-8000-00805f9b34fb"


def uuid_text(uuid: UUID) -> str:
    """Write a UUID with 128 bits, as bleak does."""
    octets = bytes(uuid.to_bytes())[::-1]
    if len(octets) < 16:
        return f"{int.from_bytes(octets):08x}{_BASE_UUID}"
    text = octets.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class BumbleClient(BaseBleakClient):
    """One connection; a new one for each."""

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        bumble: Any,  # noqa: ANN401 -- a BumbleAdapter; its module imports this one
        services: set[str] | None = None,
        **kwargs: Any,  # noqa: ANN401 -- bleak's own
    ) -> None:
        super().__init__(address_or_ble_device, **kwargs)
        self._adapter = bumble
        self._wanted = services
        self._name: str | None = None
        self._target: Address | None = None
        if isinstance(address_or_ble_device, BLEDevice):
            self._name = address_or_ble_device.name
            self._target = address_or_ble_device.details
        self._connection: Connection | None = None
        self._subscribed: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        """What the device calls itself."""
        return self._name or self.address

    @property
    def mtu_size(self) -> int:
        """Octets of an attribute packet."""
        return int(self._connection.att_mtu) if self._connection else _FIRST_MTU

    @property
    def is_connected(self) -> bool:
        """The connection stands."""
        return self._connection is not None

    async def connect(self, pair: bool, **_kwargs: Any) -> None:  # noqa: ANN401, FBT001 -- bleak's signature
        """Connect, encrypt when asked to, and learn what the device offers."""
        device = self._adapter.device
        if device is None:
            raise BleakError("no adapter")
        target = self._target or _address(self.address)
        try:
            connection = await device.connect(target, timeout=self._timeout)
        except (BaseBumbleError, TimeoutError) as error:
            raise BleakError(f"{self.address}: {error or 'no answer'}") from error
        self._connection = connection
        connection.on("disconnection", self._disconnected)
        try:
            if pair:
                await self.pair()
            peer = Peer(connection)
            await self._ask(peer.request_mtu(_WANTED_MTU))
            self.services = await self._discover(peer)
        except BaseException:
            # Whoever waits has perhaps given up already, and nobody else can connect before this has returned.
            with suppress(BleakError, TimeoutError):
                async with asyncio.timeout(END_S):
                    await self.disconnect()
            raise

    async def _discover(self, peer: Peer) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        for service in await self._ask(peer.discover_services()):
            uuid = uuid_text(service.uuid)
            if self._wanted and uuid not in self._wanted:
                continue
            ours = BleakGATTService(service, service.handle, uuid)
            found.add_service(ours)
            for item in await self._ask(peer.discover_characteristics(service=service)):
                properties = list(gatt_char_props_to_strs(int(item.properties)))
                characteristic = BleakGATTCharacteristic(
                    item, item.handle, uuid_text(item.uuid), properties, lambda: self.mtu_size - 3, ours
                )
                found.add_characteristic(characteristic)
                for entry in await self._ask(peer.discover_descriptors(item)):
                    found.add_descriptor(
                        BleakGATTDescriptor(entry, entry.handle, uuid_text(entry.type), characteristic)
                    )
        return found

    def _disconnected(self, _reason: int) -> None:
        self._connection = None
        self.services = None
        self._subscribed.clear()
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        """End the connection."""
        if self._connection:
            try:
                await self._connection.disconnect()
            except BaseBumbleError as error:
                raise BleakError(f"{self.address}: {error}") from error

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401 -- bleak's signature
        """Encrypt with the bond there is, or make one."""
        if self._connection is None:
            raise BleakError("not connected")
        keystore = self._adapter.device.keystore
        known = await keystore.get(str(self._connection.peer_address)) if keystore else None
        await self._ask(self._connection.encrypt() if known else self._connection.pair())

    async def unpair(self) -> None:
        """Forget the bond, under whichever type of address it is kept."""
        device = self._adapter.device
        if device is None or not device.keystore:
            return
        for name, _keys in await device.keystore.get_all():
            if name.split("/")[0].upper() == self.address.upper():
                await device.keystore.delete(name)

    async def read_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        *,
        use_cached: bool = False,  # noqa: ARG002 -- we cache nothing
        **_kwargs: Any,  # noqa: ANN401 -- bleak's signature
    ) -> bytearray:
        """Read a characteristic."""
        return bytearray(await self._ask(characteristic.obj.read_value()))

    async def read_gatt_descriptor(
        self,
        descriptor: BleakGATTDescriptor,
        *,
        use_cached: bool = False,  # noqa: ARG002 -- we cache nothing
        **_kwargs: Any,  # noqa: ANN401 -- bleak's signature
    ) -> bytearray:
        """Read a descriptor."""
        return bytearray(await self._ask(descriptor.obj.read_value()))

    async def write_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        data: Any,  # noqa: ANN401 -- any buffer
        response: bool,  # noqa: FBT001 -- bleak's signature
    ) -> None:
        """Write a characteristic."""
        await self._ask(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: Any) -> None:  # noqa: ANN401 -- any buffer
        """Write a descriptor."""
        await self._ask(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(
        self,
        characteristic: BleakGATTCharacteristic,
        callback: NotifyCallback,
        **_kwargs: Any,  # noqa: ANN401 -- bleak's signature
    ) -> None:
        """Subscribe to notifications, or to indications where there is nothing else."""

        def on_value(value: bytes) -> None:
            callback(bytearray(value))

        self._subscribed[characteristic.handle] = on_value
        await self._ask(characteristic.obj.subscribe(on_value, prefer_notify=True))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """End a subscription."""
        on_value = self._subscribed.pop(characteristic.handle, None)
        await self._ask(characteristic.obj.unsubscribe(on_value, force=True))

    async def _ask(self, work: Awaitable[_T]) -> _T:
        """Wait for the other side; when the link drops, bumble cancels the request, not our task."""
        task = asyncio.ensure_future(work)
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if self._connection is None and not (current and current.cancelling()):
                raise BleakError("disconnected while waiting for an answer") from None
            raise
        except ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except (BaseBumbleError, TimeoutError) as error:
            raise BleakError(f"{self.address}: {error or 'no answer'}") from error


def _address(text: str) -> Address:
    """Guess the type of an address: its two highest bits set is a random static one."""
    random = int(text[:2], 16) >> 6 == 0b11
    return Address(text, Address.RANDOM_DEVICE_ADDRESS if random else Address.PUBLIC_DEVICE_ADDRESS)
