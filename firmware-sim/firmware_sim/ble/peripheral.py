"""A device's side of the air: one controller and one bumble host."""

import asyncio
import contextlib

from bumble.core import AdvertisingData
from bumble.device import AdvertisingType, Device, DeviceConfiguration
from bumble.hci import Address
from bumble.host import Host
from bumble.pairing import PairingConfig
from bumble.transport.common import AsyncPipeSink

from firmware_sim.ble.controller import Air, SimController

# "LE general discoverable, BR/EDR not supported": what every LE-only device sends (Core supplement, 1.3).
_LE_ONLY = (AdvertisingData.FLAGS, b"\x06")
_LEGACY_ADVERTISEMENT_BYTES = 31
_OFF_WITHIN_S = 1.0


class Peripheral:
    """A radio that advertises.

    Args:
        air: Who can hear it.
        address: Random static address: its two highest bits are set.
        name: Local name, sent in the scan response.
        bonds: File that bonds are kept in; ``None`` keeps them in memory.

    Raises:
        ValueError: The address is not a random static one.
    """

    def __init__(self, air: Air, address: str, name: str, bonds: str | None = None) -> None:
        if int(address[:2], 16) >> 6 != 0b11:
            raise ValueError(f"address {address} is not random static: it must start with C0 to FF")
        self.controller = SimController(name, link=air, public_address=Address(address))
        settings = DeviceConfiguration(
            name=name, address=Address(address), keystore=f"JsonKeyStore:{bonds}" if bonds else None
        )
        host = Host(self.controller, AsyncPipeSink(self.controller))
        self.device = Device(name=name, config=settings, host=host)
        # Just Works: neither a pendant nor a dispenser has a display to compare numbers on.
        # The identity that is told with the bond is the address that is advertised: bumble would call it public,
        # and whoever bonded would not know it again.
        static = PairingConfig.AddressType.RANDOM
        self.device.pairing_config_factory = lambda _connection: PairingConfig(
            sc=True, mitm=False, bonding=True, identity_address_type=static
        )
        self._name = name

    async def start(self) -> None:
        """Switch it on."""
        await self.device.power_on()

    async def stop(self) -> None:
        """Switch it off; its links end."""
        self.controller.leave()
        # Whoever was sending has been cancelled, perhaps between a command and its answer, and bumble then waits
        # for that answer for ever. Off the air it is already; what is left is only tidiness.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_OFF_WITHIN_S):
                await self.device.power_off()

    async def advertise(
        self,
        field: int,
        content: bytes,
        *,
        interval_ms: float,
        connectable: bool = False,
        for_s: float | None = None,
    ) -> None:
        """Advertise one field until told otherwise, or for some seconds.

        Raises:
            ValueError: The field does not fit into a legacy advertisement.
        """
        data = bytes(AdvertisingData([_LE_ONLY, (field, content)]))
        if len(data) > _LEGACY_ADVERTISEMENT_BYTES:
            raise ValueError(f"{len(data)} bytes do not fit into an advertisement of 31")
        kind = (
            AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE
            if connectable
            else AdvertisingType.UNDIRECTED_SCANNABLE
        )
        name = (AdvertisingData.COMPLETE_LOCAL_NAME, self._name.encode())
        await self.device.start_advertising(
            advertising_type=kind,
            auto_restart=connectable,
            advertising_interval_min=interval_ms,
            advertising_interval_max=interval_ms,
            advertising_data=data,
            scan_response_data=bytes(AdvertisingData([name])),
        )
        self.controller.say(for_s)

    async def silence(self) -> None:
        """Stop advertising."""
        await self.device.stop_advertising()
