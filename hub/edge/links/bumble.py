"""bleak over bumble: a radio behind any HCI transport, without BlueZ.

Serves a USB dongle that BlueZ shall not touch (``usb:0``), and the simulator's virtual radio
(``tcp-client:127.0.0.1:<port>``): HCI, L2CAP, ATT and SMP are the real ones.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Advertisement, Device, DeviceConfiguration
from bumble.hci import Address
from bumble.transport import open_transport

from hub.domain.errors import TransientError
from hub.edge.links.ble import Adapter
from hub.edge.links.bumble_client import BumbleClient, uuid_text

log = logging.getLogger(__name__)

_OPEN_TIMEOUT_S = 10.0
_NAMES = (AdvertisingData.COMPLETE_LOCAL_NAME, AdvertisingData.SHORTENED_LOCAL_NAME)
_SERVICE_DATA = (
    AdvertisingData.SERVICE_DATA_16_BIT_UUID,
    AdvertisingData.SERVICE_DATA_32_BIT_UUID,
    AdvertisingData.SERVICE_DATA_128_BIT_UUID,
)
_REMEMBERED = 512


class BumbleAdapter(Adapter):
    """A radio behind a bumble transport.

    Args:
        transport: As bumble writes it, such as ``usb:0`` or ``tcp-client:127.0.0.1:9100``.
        identity: Whose radio it is; its address is derived from it, so that bonds hold.
        bonds: File that bonds are kept in; ``None``: they are forgotten with the process.
    """

    def __init__(self, transport: str, identity: str, bonds: Path | None = None) -> None:
        super().__init__()
        self._transport = transport
        self._address = static_address(identity)
        self._bonds = bonds
        self._source: Any = None
        self.device: Device | None = None
        self.scanner = {"scanning_mode": "active", "backend": BumbleScanner, "bumble": self}
        self.client = {"backend": BumbleClient, "bumble": self}

    async def reset(self) -> None:
        """Do nothing: the transport was closed, and to open it starts the controller anew."""

    @property
    def lost(self) -> bool:
        """The transport has ended: the dongle was pulled, or the simulator stopped."""
        return self._source is None or self._source.terminated.done()

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Hold the transport open."""
        return self._opened()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                transport = await open_transport(self._transport)
        except Exception as error:
            # Each kind of transport raises what its library has: USB, serial, sockets. None may end the edge.
            raise TransientError(f"transport {self._transport}: {error or 'no answer'}") from error
        try:
            self._source = transport.source
            if self._bonds:
                _set_aside_spoilt(self._bonds)
            settings = DeviceConfiguration(
                name="hub",
                address=Address(self._address),
                keystore=f"JsonKeyStore:{self._bonds}" if self._bonds else None,
            )
            device = Device.from_config_with_hci(settings, transport.source, transport.sink)
            try:
                async with asyncio.timeout(_OPEN_TIMEOUT_S):
                    await device.power_on()
            except (TimeoutError, BaseBumbleError) as error:
                raise TransientError(f"transport {self._transport}: {error or 'no answer'}") from error
            self.device = device
            yield
        finally:
            self.device = None
            self._source = None
            await transport.close()


def _set_aside_spoilt(bonds: Path) -> None:
    """Move bonds away that cannot be read, as after a power cut: with them there, nothing is heard at all."""
    try:
        kept = json.loads(bonds.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        kept = None
    if not isinstance(kept, dict):
        log.error("link ble: %s cannot be read: devices that bond must be bonded with again", bonds)
        with suppress(OSError):
            bonds.replace(bonds.with_suffix(".damaged"))


def static_address(identity: str) -> str:
    """Derive a random static address (Core specification, volume 6 part B, section 1.3.2.1)."""
    octets = bytearray(hashlib.sha256(identity.encode()).digest()[:6])
    octets[0] |= 0xC0
    return octets.hex(":").upper()


class _Merged:
    """What a device has said in advertisements and scan responses together, as BlueZ gives it.

    Args:
        identity: Who it is, whatever address it uses now.
    """

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.name: str | None = None
        self.tx_power: int | None = None
        self.makers: dict[int, bytes] = {}
        self.services: dict[str, bytes] = {}
        self.uuids: list[str] = []

    def take(self, kind: int, value: Any) -> None:  # noqa: ANN401 -- as bumble decodes the field
        if kind in _NAMES:
            self.name = value
        elif kind == AdvertisingData.TX_POWER_LEVEL:
            self.tx_power = value
        elif kind == AdvertisingData.MANUFACTURER_SPECIFIC_DATA:
            self.makers[int(value[0])] = bytes(value[1])
        elif kind in _SERVICE_DATA:
            self.services[uuid_text(value[0])] = bytes(value[1])
        elif isinstance(value, list):
            fresh = [uuid_text(item) for item in value if isinstance(item, UUID)]
            self.uuids += [text for text in fresh if text not in self.uuids]


class BumbleScanner(BaseBleakScanner):
    """bleak's scanner over a bumble device."""

    def __init__(
        self,
        detection_callback: Callable[..., None] | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        bumble: BumbleAdapter,
        **_ours: Any,  # noqa: ANN401 -- other platforms' arguments
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._adapter = bumble
        self._active = scanning_mode == "active"
        self._merged: dict[str, _Merged] = {}

    async def start(self) -> None:
        """Start scanning."""
        device = self._adapter.device
        if device is None:
            raise BleakError("no adapter")
        self._forget()
        device.on(Device.EVENT_ADVERTISEMENT, self._heard)
        device.on(Device.EVENT_KEY_STORE_UPDATE, self._forget)  # a new bond: a rotating address has a name
        try:
            await device.start_scanning(active=self._active, filter_duplicates=False)
        except BaseBumbleError as error:
            raise BleakError(f"cannot scan: {error}") from error

    async def stop(self) -> None:
        """Stop scanning."""
        device = self._adapter.device
        if device is None or self._adapter.lost:
            return
        device.remove_listener(Device.EVENT_ADVERTISEMENT, self._heard)
        device.remove_listener(Device.EVENT_KEY_STORE_UPDATE, self._forget)
        try:
            await device.stop_scanning()
        except BaseBumbleError as error:
            raise BleakError(f"cannot stop: {error}") from error

    def _forget(self) -> None:
        self._merged.clear()
        self.seen_devices.clear()

    def _heard(self, advertisement: Advertisement) -> None:
        address = address_text(advertisement.address)
        merged = self._merged.get(address)
        if merged is None:
            if len(self._merged) >= _REMEMBERED:  # random addresses go by for ever
                self._forget()
            merged = self._merged[address] = _Merged(self._identity(advertisement.address))
        for kind, raw in advertisement.data.ad_structures:
            try:
                merged.take(kind, AdvertisingData.ad_data_to_object(kind, raw))
            except (ValueError, IndexError, TypeError, BaseBumbleError):
                continue  # a field that says less than its type promises, of any passer-by
        data = AdvertisementData(
            local_name=merged.name,
            manufacturer_data=dict(merged.makers),
            service_data=dict(merged.services),
            service_uuids=list(merged.uuids),
            tx_power=merged.tx_power,
            rssi=advertisement.rssi,
            platform_data=(advertisement,),
        )
        if self.is_allowed_uuid(data.service_uuids):
            # Each address of a device that rotates them has its own entry: it is connected to by the newest.
            at = advertisement.address
            known = self.create_or_update_device(address, merged.identity, merged.name, at, data)
            self.call_detection_callbacks(known, data)

    def _identity(self, address: Address) -> str:
        """Return the address that a device bonded with; its own when it did not, or does not rotate."""
        device = self._adapter.device
        if device is None or device.address_resolver is None or not address.is_resolvable:
            return address_text(address)
        return address_text(device.address_resolver.resolve(address) or address)


def address_text(address: Address) -> str:
    """Write an address as bleak does, without its type."""
    return str(address.to_string(with_type_qualifier=False)).upper()
