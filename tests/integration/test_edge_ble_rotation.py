"""A bonded device that rotates its address is known by its identity, and connected to where it is now."""

import asyncio
from pathlib import Path

import pytest
from bumble import hci
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import PairingKeys
from bumble.transport.common import AsyncPipeSink

from drivers.base import Advert
from firmware_sim.ble.controller import Air, SimController
from firmware_sim.ble.server import HciServer
from hub.domain.errors import TransientError
from hub.edge.links.ble import Radio
from hub.edge.links.bumble import BumbleAdapter, address_text
from tests.unit.edge.makers import HUB, until

_IDENTITY = "C4:11:22:33:44:55"
_IRK = bytes.fromhex("000102030405060708090a0b0c0d0e0f")


class Rotating:
    """A device that advertises under a resolvable private address, another each time."""

    def __init__(self, air: Air, irk: bytes) -> None:
        address = hci.Address.generate_private_address(irk)
        self.address = address.to_string(with_type_qualifier=False).upper()
        self.controller = SimController("r", link=air, public_address=address)
        settings = DeviceConfiguration(name="r", address=address)
        self.device = Device(config=settings, host=Host(self.controller, AsyncPipeSink(self.controller)))

    async def start(self) -> None:
        await self.device.power_on()
        await self.device.start_advertising(
            auto_restart=True,
            own_address_type=hci.OwnAddressType.RANDOM,
            advertising_interval_min=20,
            advertising_interval_max=20,
            advertising_data=b"\x02\x01\x06",
        )

    async def stop(self) -> None:
        self.controller.leave()
        await self.device.power_off()


def _device(radio: Radio) -> Device:
    adapter = radio.adapter
    assert isinstance(adapter, BumbleAdapter)
    assert adapter.device is not None
    return adapter.device


async def _bond(device: Device) -> None:
    """Keep a bond as pairing leaves it: under the identity, with its key for resolving."""
    keys = PairingKeys()
    keys.address_type = hci.Address.RANDOM_DEVICE_ADDRESS
    keys.ltk = PairingKeys.Key(bytes(16))
    keys.irk = PairingKeys.Key(_IRK)
    await device.update_keys(_IDENTITY, keys)


async def test_a_rotating_address_is_found_and_connected_to(tmp_path: Path) -> None:
    air = Air()
    server = HciServer(air)
    port = await server.start(0)
    radio = Radio(BumbleAdapter(f"tcp-client:127.0.0.1:{port}", HUB, tmp_path / "bonds.json"))
    adverts: list[Advert] = []
    everything: list[str] = []
    radio.listen(_IDENTITY, adverts.append)
    looking = radio.looking(lambda advert: everything.append(advert.address))
    looking.__enter__()  # for as long as the test lasts
    running = asyncio.create_task(radio.run())
    other = Rotating(air, bytes(reversed(_IRK)))  # somebody else's: cannot be resolved
    await other.start()
    ours = Rotating(air, _IRK)
    await ours.start()
    await until(lambda: ours.address in everything)  # before the bond it is a stranger
    await _bond(_device(radio))
    for _ in range(2):
        adverts.clear()
        everything.clear()
        await until(lambda: bool(adverts))
        assert adverts[0].address == _IDENTITY
        assert ours.address not in everything
        lost = asyncio.Event()
        await until(lambda: other.address in everything)
        async with radio.connection(_IDENTITY, bonded=False, on_lost=lost.set) as client:
            assert client.is_connected
            assert [address_text(one.peer_address) for one in _device(radio).connections.values()] == [_IDENTITY]
        await ours.stop()
        ours = Rotating(air, _IRK)
        await ours.start()
    with pytest.raises(TransientError):
        async with radio.connection("C4:99:22:33:44:55", bonded=False, on_lost=lambda: None):
            pass
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await other.stop()
    await ours.stop()
    await server.stop()
