"""The Bluetooth world as a hub sees it: HCI over TCP, with bumble as the hub's host."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from bumble import core
from bumble.att import ATT_Error
from bumble.controller import Controller
from bumble.device import Advertisement, Device, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import Address
from bumble.transport import open_transport

from firmware_sim.ble.server import HciServer
from firmware_sim.clock import FixedClock
from firmware_sim.devices.dispenser import record
from firmware_sim.devices.dispenser.record import Record
from firmware_sim.home import Home, specs_of

BUTTON, DISPENSER, HUB = "F0:11:22:33:44:02", "F0:11:22:33:44:03", "F0:AA:AA:AA:AA:01"
PROFILE = "8F1E000{}-5D0C-4F6B-9A3E-6D6564697370"
SPECS = {
    "device": [
        {"name": "button", "kind": "bthome.button", "address": BUTTON, "rssi_dbm": -71},
        {"name": "medicine", "kind": "dispenser.ble", "address": DISPENSER, "alive_s": 0.1},
    ]
}


class World(NamedTuple):
    home: Home
    port: int


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    home = Home(specs_of(SPECS), tmp_path, FixedClock())
    radio = HciServer(home.air)
    await home.start()
    port = await radio.start()
    yield World(home, port)
    await radio.stop()
    await home.stop()


@contextlib.asynccontextmanager
async def hub(world: World) -> AsyncIterator[Device]:
    transport = await open_transport(f"tcp-client:127.0.0.1:{world.port}")
    device = Device.with_hci("hub", Address(HUB), transport.source, transport.sink)
    await device.power_on()
    try:
        yield device
    finally:
        await transport.close()


async def world_is_left(world: World) -> None:
    async with asyncio.timeout(2):
        while any(c.name.startswith("hub") for c in world.home.air.controllers):  # noqa: ASYNC110 -- untold
            await asyncio.sleep(0)


async def heard(device: Device, address: str, wanted: Callable[[Advertisement], bool]) -> Advertisement:
    """Return the first advertisement of this sender that is wanted."""
    found: asyncio.Future[Advertisement] = asyncio.get_running_loop().create_future()

    def on_advertisement(advertisement: Advertisement) -> None:
        mine = advertisement.address.to_string(with_type_qualifier=False) == address
        if mine and wanted(advertisement) and not found.done():
            found.set_result(advertisement)

    device.on("advertisement", on_advertisement)
    async with asyncio.timeout(5):
        return await found


async def joined(device: Device) -> Peer:
    """Connect to the dispenser, pair, and discover it."""
    connection = await device.connect(Address(DISPENSER), timeout=5)
    await connection.pair()
    peer = Peer(connection)
    await peer.discover_services()
    await peer.discover_characteristics()
    return peer


def the(peer: Peer, number: int) -> CharacteristicProxy:
    """Return a characteristic of the profile."""
    (found,) = peer.get_characteristics_by_uuid(core.UUID(PROFILE.format(number)))
    return found


class Inbox:
    """The records that a hub was told, in order."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.take = self._queue.put_nowait

    async def events(self, count: int) -> list[tuple[int, int]]:
        """Return sequence number and event of so many records."""
        async with asyncio.timeout(5):
            records = [Record.decoded(await self._queue.get()) for _ in range(count)]
        return [(record.seq, record.event) for record in records]


async def subscribed(peer: Peer, number: int = 2) -> Inbox:
    inbox = Inbox()
    await the(peer, number).subscribe(inbox.take, prefer_notify=number != 2)
    return inbox


async def test_a_button_is_heard_with_its_name_and_strength(world: World) -> None:
    async with hub(world) as mine:
        await mine.start_scanning(filter_duplicates=False)
        pushed = asyncio.create_task(
            heard(mine, BUTTON, lambda a: a.data.get(core.AdvertisingData.SERVICE_DATA_16_BIT_UUID))
        )
        named = asyncio.create_task(
            heard(mine, BUTTON, lambda a: a.data.get(core.AdvertisingData.COMPLETE_LOCAL_NAME))
        )
        await world.home.do("button", "press", {})
        advertisement = await pushed
        service_data = advertisement.data.get(core.AdvertisingData.SERVICE_DATA_16_BIT_UUID, raw=True)
        assert service_data.hex() == "d2fc44000001643a01"
        assert advertisement.rssi == -71
        assert not advertisement.is_connectable
        answer = await named
        assert answer.is_scan_response
        assert answer.data.get(core.AdvertisingData.COMPLETE_LOCAL_NAME) == "SBBT-002C"


async def test_two_presses_at_once_are_two_packets(world: World) -> None:
    async with hub(world) as mine:
        await mine.start_scanning(filter_duplicates=False)
        second = asyncio.create_task(
            heard(
                mine,
                BUTTON,
                lambda a: (
                    a.data.get(core.AdvertisingData.SERVICE_DATA_16_BIT_UUID, raw=True)
                    == bytes.fromhex("d2fc44000101643a02")
                ),
            )
        )
        await world.home.do("button", "press", {})
        await world.home.do("button", "press", {"how": "double"})
        await second


async def test_records_come_oldest_first_until_the_hub_acknowledges(world: World) -> None:
    for action in ("present", "miss", "dispense"):
        await world.home.do("medicine", action, {})
    async with hub(world) as mine:
        peer = await joined(mine)
        inbox = await subscribed(peer)
        assert await inbox.events(3) == [(1, 0x10), (2, 0x11), (3, 0x01)]
        await the(peer, 3).write_value((2).to_bytes(4, "little"), with_response=True)
        await world.home.do("medicine", "event", {"event": 0x15})
        assert await inbox.events(1) == [(4, 0x15)]
        state = await world.home.do("medicine", "state", {})
        assert state["unacknowledged"] == [3, 4]
    async with hub(world) as mine:
        inbox = await subscribed(await joined(mine))
        assert await inbox.events(2) == [(3, 0x01), (4, 0x15)]


async def test_a_killed_hub_comes_back_at_once_again_and_again(world: World) -> None:
    await world.home.do("medicine", "miss", {})
    for _ in range(5):
        transport = await open_transport(f"tcp-client:127.0.0.1:{world.port}")
        device = Device.with_hci("hub", Address(HUB), transport.source, transport.sink)
        await device.power_on()
        inbox = await subscribed(await joined(device))
        assert await inbox.events(1) == [(1, 0x11)]
        # As when the process is killed: the socket ends, nobody says goodbye.
        transport.sink.transport.abort()
    await world_is_left(world)


async def test_a_hub_whose_old_line_hangs_takes_its_own_address_back(world: World) -> None:
    await world.home.do("medicine", "miss", {})
    async with hub(world) as stuck:
        await joined(stuck)
        async with hub(world) as mine:
            inbox = await subscribed(await joined(mine))
            assert await inbox.events(1) == [(1, 0x11)]


async def test_nothing_of_the_profile_without_encryption(world: World) -> None:
    async with hub(world) as mine:
        connection = await mine.connect(Address(DISPENSER), timeout=5)
        peer = Peer(connection)
        await peer.discover_services()
        await peer.discover_characteristics()
        with pytest.raises(ATT_Error, match="INSUFFICIENT_ENCRYPTION"):
            await the(peer, 4).read_value()
        with pytest.raises(ATT_Error, match="INSUFFICIENT_ENCRYPTION"):
            await the(peer, 3).write_value(bytes(4), with_response=True)
        descriptors = await peer.discover_descriptors(the(peer, 2))
        with pytest.raises(ATT_Error, match="INSUFFICIENT_ENCRYPTION"):
            await descriptors[0].write_value(b"\x02\x00", with_response=True)


async def test_status_plan_clock_and_control(world: World) -> None:
    async with hub(world) as mine:
        peer = await joined(mine)
        plan = record.encoded_plan(3, [record.Dose(480, 127, 60)])
        await the(peer, 5).write_value(plan, with_response=True)
        assert bytes(await the(peer, 5).read_value()) == plan
        with pytest.raises(ATT_Error):
            await the(peer, 5).write_value(plan[:-1] + b"\xff", with_response=True)
        (clock,) = peer.get_characteristics_by_uuid(core.UUID.from_16_bits(0x2A2B))
        await clock.write_value(bytes.fromhex("ea070b15071f05060000"), with_response=True)
        status = Record.decoded(bytes(await the(peer, 4).read_value()))
        assert (status.event, status.unix_time) == (0x30, 1_795_246_265)
        (battery,) = peer.get_characteristics_by_uuid(core.UUID.from_16_bits(0x2A19))
        assert await battery.read_value() == bytes([100])
        with pytest.raises(ATT_Error, match="READ_NOT_PERMITTED"):
            await the(peer, 2).read_value()
        with pytest.raises(ATT_Error, match="WRITE_NOT_PERMITTED"):
            await the(peer, 4).write_value(b"x", with_response=True)
        alive = await subscribed(peer, 4)
        assert await alive.events(2) == [(1, 0x30), (1, 0x30)]
        inbox = await subscribed(peer)
        await the(peer, 6).write_value(b"\x01", with_response=True)
        assert await inbox.events(1) == [(1, 0x03)]


async def test_out_of_range_ends_the_link_and_coming_back_tells_again(world: World) -> None:
    async with hub(world) as mine:
        await world.home.do("medicine", "out_of_range", {})
        with pytest.raises(core.TimeoutError):
            await mine.connect(Address(DISPENSER), timeout=0.3)
        await world.home.do("medicine", "in_range", {})
        # The connection given up above leaves the controller free for the next.
        peer = await joined(mine)
        await subscribed(peer)
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        peer.connection.on("disconnection", ended.set_result)
        await world.home.do("medicine", "out_of_range", {})
        async with asyncio.timeout(2):
            assert await ended == 0x08
        await world.home.do("medicine", "miss", {})
        await world.home.do("medicine", "in_range", {})
        inbox = await subscribed(await joined(mine))
        assert await inbox.events(1) == [(1, 0x11)]


async def test_junk_on_the_line_closes_that_line_only(world: World) -> None:
    async with hub(world) as mine:
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        await joined(mine)


@pytest.mark.parametrize("mended", ["cancel", "lose_links", "scan response"])
def test_bumble_still_needs_the_mends(mended: str) -> None:
    """When one of these fails, bumble does it itself, and the mend in ble/controller.py can go."""
    methods = {
        "cancel": (Controller.on_hci_le_create_connection_cancel_command, "pending_le_connection"),
        "lose_links": (Controller.on_le_disconnected, "CONNECTION_TIMEOUT"),
        "scan response": (Controller.on_advertising_pdu, "scan_response_data"),
    }
    method, word = methods[mended]
    assert word not in inspect.getsource(method)
