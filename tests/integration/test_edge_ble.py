"""The radio over bumble: a dispenser on a bonded link, and a transport that goes away and comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from drivers.base import Advert
from firmware_sim.ble.controller import Air
from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.ble.server import HciServer
from firmware_sim.clock import SystemClock as SimulatedClock
from firmware_sim.devices.bthome import Button
from firmware_sim.devices.dispenser.gatt import GattDispenser
from firmware_sim.devices.dispenser.model import Dispenser
from firmware_sim.memory import Memory
from hub.domain.clock import SystemClock
from hub.domain.codes import Lane
from hub.edge.configuration import tasks
from hub.edge.links.ble import Radio
from hub.edge.links.bumble import BumbleAdapter, static_address
from hub.edge.recorder import Recorder
from hub.edge.sessions import session
from hub.wire.config import DeviceConfig, DoseConfig, HubConfig, LinkConfig
from tests.unit.edge.makers import HUB, event_of, recording, until

_DISPENSER, _BUTTON = "C4:11:22:33:44:55", "C2:11:22:33:44:55"


class World:
    """Devices in the air, and a server that hands the hub its radio."""

    def __init__(self) -> None:
        self.air = Air()
        self.server = HciServer(self.air)
        self.port = 0

    async def serve(self) -> None:
        self.port = await self.server.start(self.port)


@contextlib.asynccontextmanager
async def _task(work: object) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)  # type: ignore[call-overload] # a coroutine
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[Recorder]:
    async with recording(tmp_path / "data") as made:
        yield made


async def test_a_bonded_dispenser_tells_and_is_acknowledged(tmp_path: Path, recorder: Recorder) -> None:
    world = World()
    await world.serve()
    dispenser = Dispenser(Memory(), SimulatedClock())
    device = GattDispenser(dispenser, Peripheral(world.air, _DISPENSER, "ODP-1"), alive_s=60)
    await device.start()
    await dispenser.actions["jam"]({})
    config = HubConfig(
        version=1,
        hub_id=HUB,
        links=(LinkConfig(id="ble", kind="ble"),),
        devices=(DeviceConfig(id="d-disp", link="ble", driver="dispenser", address=_DISPENSER),),
        doses=(DoseConfig(device="d-disp", minute_of_day=480, weekdays=127, window_min=60),),
    )
    (task,), wrong = tasks(config, SystemClock().now().utc)
    assert not wrong
    adapter = BumbleAdapter(f"tcp-client:127.0.0.1:{world.port}", HUB, tmp_path / "bonds.json")
    radio = Radio(adapter)
    served = session(task, recorder, SystemClock(), radio)
    async with _task(radio.run()), _task(served.run()):
        await until(lambda: recorder.summary().pending.alarm == 1)
        await until(lambda: not dispenser.unacknowledged())
        assert served.state.up
        bond = (tmp_path / "bonds.json").read_text()
        # It walks away and comes back: a new connection, with the bond that was kept.
        await device.actions["out_of_range"]({})
        await until(lambda: not served.state.up)
        await dispenser.actions["jam"]({})
        await device.actions["in_range"]({})
        await until(lambda: recorder.summary().pending.alarm == 2)
        await until(lambda: not dispenser.unacknowledged())
        assert served.state.opened == 2
        # Bonding anew would have made other keys.
        assert (tmp_path / "bonds.json").read_text() == bond
    entries = await recorder.pending(Lane.ALARM, 0, 10)
    assert {event_of(e).subject for e in entries} == {"d-disp"}
    await device.stop()
    await world.server.stop()


@pytest.mark.parametrize("rubbish", [b"", b"\0" * 200, b"[]", b'{"C4'])
async def test_bonds_that_are_spoilt_do_not_make_the_radio_deaf(tmp_path: Path, rubbish: bytes) -> None:
    world = World()
    await world.serve()
    button = Button(
        Peripheral(world.air, _BUTTON, "b"), bytes.fromhex(_BUTTON.replace(":", "")), Memory(), None, 0.1
    )
    await button.start()
    bonds = tmp_path / "bonds.json"
    bonds.write_bytes(rubbish)
    heard: list[Advert] = []
    radio = Radio(BumbleAdapter(f"tcp-client:127.0.0.1:{world.port}", HUB, bonds), check_s=0.1)
    radio.listen(_BUTTON, heard.append)
    async with _task(radio.run()):
        await until(lambda: bool(heard), within_s=5)
    assert (tmp_path / "bonds.damaged").read_bytes() == rubbish
    await button.stop()
    await world.server.stop()


async def test_a_transport_that_is_lost_is_opened_again() -> None:
    world = World()
    server, cut = await _relay(world)
    proxy_port = server.sockets[0].getsockname()[1]
    button = Button(
        Peripheral(world.air, _BUTTON, "b"), bytes.fromhex(_BUTTON.replace(":", "")), Memory(), None, 0.1
    )
    await button.start()
    heard: list[Advert] = []
    radio = Radio(BumbleAdapter(f"tcp-client:127.0.0.1:{proxy_port}", HUB), check_s=0.1)
    radio.listen(_BUTTON, heard.append)
    async with _task(radio.run()):
        await until(lambda: bool(heard))
        assert heard[0].service_data["0000fcd2-0000-1000-8000-00805f9b34fb"][0] == 0x44
        cut()
        await until(lambda: not radio.state.up)
        heard.clear()
        await until(lambda: radio.state.up and bool(heard))
        assert radio.state.opened == 2
    server.close()
    cut()
    await button.stop()
    await world.server.stop()


async def _relay(world: World) -> tuple[asyncio.Server, Callable[[], None]]:
    """Put something between hub and world that can be cut."""
    await world.serve()
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                writer.write(data)
        writer.close()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", world.port)
        writers.extend([writer, far_writer])
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(take, "127.0.0.1", 0)

    def cut() -> None:
        for writer in writers:
            writer.transport.abort()
        writers.clear()

    return server, cut


async def test_no_transport_is_one_clear_line_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    radio = Radio(BumbleAdapter("tcp-client:127.0.0.1:1", HUB))
    async with _task(radio.run()):
        await until(lambda: "tcp-client:127.0.0.1:1" in radio.state.reason)
        await asyncio.sleep(1.2)
    lines = [r for r in caplog.records if "link ble: down" in r.getMessage()]
    assert len(lines) == 1


def test_an_address_belongs_to_its_hub() -> None:
    assert static_address("h-1") == static_address("h-1") != static_address("h-2")
    assert int(static_address("h-1")[:2], 16) >> 6 == 3
