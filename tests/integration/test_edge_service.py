"""The service socket of a running edge: who may ask, what is answered, and that nobody holds it up."""

import asyncio
import contextlib
import json
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.ble.controller import Air
from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.ble.server import HciServer
from firmware_sim.devices.bthome import Button
from firmware_sim.memory import Memory
from firmware_sim.port import Port
from hub.domain.clock import SystemClock
from hub.domain.codes import Lane
from hub.domain.errors import TransientError
from hub.edge.app import Edge
from hub.edge.journal import Limits
from hub.edge.opening import open_journal
from hub.edge.service import operations
from hub.edge.service.place import SOCKET, reachable
from hub.edge.settings import BleTable, MqttTable, Settings
from hub.wire import config
from hub.wire.config import DeviceConfig, HubConfig, LinkConfig
from tests.unit.edge.makers import HUB, until

_SENDER, _STRANGER, _BUTTON = "01825DAB", "0591AABB", "C2:11:22:33:44:55"


def _press(sender: str) -> bytes:
    """Return what a stick says of an RPS pendant that is pressed: seven bytes of data, seven more, RADIO_ERP1."""
    header = bytes.fromhex("00070701")
    body = bytes.fromhex(f"f610{sender}3001ffffffff2d00")
    return b"\x55" + header + bytes([_crc(header)]) + body + bytes([_crc(body)])


def _crc(data: bytes) -> int:
    value = 0
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = ((value << 1) ^ 0x07 if value & 0x80 else value << 1) & 0xFF
    return value


class Asking:
    """A technician's program."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def line(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            found: dict[str, Any] = json.loads(await self.reader.readline())
        return found

    async def until(self, **wanted: object) -> dict[str, Any]:
        async with asyncio.timeout(8):
            while True:
                line = await self.line()
                if wanted.items() <= line.items():
                    return line


@contextlib.asynccontextmanager
async def asking(folder: Path, request: str) -> AsyncIterator[Asking]:
    with reachable(folder) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request.encode() + b"\n")
    try:
        yield Asking(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
def port(tmp_path: Path) -> Port:
    return Port(tmp_path / "stick", lambda _data: None)


@pytest.fixture
async def edge(tmp_path: Path, port: Port) -> AsyncIterator[Edge]:
    port.appear()
    # Longer than the path of a socket may be.
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    (folder / SOCKET).touch()  # left behind by one that was killed
    air = Air()
    server = HciServer(air)
    settings = Settings(
        hub_id=HUB,
        data_dir=str(folder),
        mqtt=MqttTable(port=1),
        ble=BleTable(backend=f"bumble:tcp-client:127.0.0.1:{await server.start(0)}"),
        journal=Limits(reserve_bytes=4096),
    )
    button = Button(
        Peripheral(air, _BUTTON, "SBBT"), bytes.fromhex(_BUTTON.replace(":", "")), Memory(None), None, 0.1
    )
    await button.start()
    journal = open_journal(folder, limits=settings.journal)
    made = Edge(settings, journal, SystemClock())
    stop = asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    await until(lambda: made.recorder.alive)
    await made.configuration.offered(config.encode(_config(port)))
    await until(lambda: "stick" in made.sessions and made.sessions["stick"][1].state.up)
    await until(lambda: made.radio.state.up)
    yield made
    stop.set()
    await running
    await button.stop()
    await server.stop()
    port.vanish()


def _config(port: Port) -> HubConfig:
    pendant = DeviceConfig(id="d-pendant", link="stick", driver="enocean", address=_SENDER, profile="F6-01-01")
    return HubConfig(
        version=1,
        hub_id=HUB,
        links=(LinkConfig(id="stick", kind="serial", port=str(port.path), driver="enocean"),),
        devices=(pendant,),
    )


def _folder(edge: Edge) -> Path:
    return Path(edge._settings.data_dir)


async def test_only_its_owner_may_ask_and_is_told_how_things_are(edge: Edge) -> None:
    mode = (_folder(edge) / SOCKET).stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    async with asking(_folder(edge), '{"do":"status"}') as talk:
        told = await talk.line()
        assert await talk.reader.read() == b""
    assert (told["ok"], told["hub"], told["radio"]["up"]) == (True, HUB, True)
    (session,) = told["sessions"]
    assert (session["name"], session["up"], session["devices"]) == ("stick", True, ["d-pendant"])
    assert told["journal"]["pending"]["alarm"] == 0


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ("{", "write one line such as"),
        ('{"do":"reboot"}', "do 'reboot': unknown; there are status, scan, record"),
        ('{"do":"status","loud":true}', "loud"),
        ('{"do":"pair","address":"C2:11:22:33:44:55"}', "six digits"),
    ],
)
async def test_a_bad_request_is_one_clear_line(edge: Edge, request_: str, says: str) -> None:
    async with asking(_folder(edge), request_) as talk:
        told = await talk.line()
        assert (told["ok"], says in told["error"]) == (False, True)
        assert await talk.reader.read() == b""


async def test_who_is_heard_is_shown_live_strangers_and_ours(edge: Edge, port: Port) -> None:
    async with asking(_folder(edge), '{"do":"scan"}') as talk:
        assert await talk.line() == {"ok": True, "stream": "scan"}
        port.write(_press(_STRANGER) + _press(_SENDER))
        await talk.until(link="stick", address=_STRANGER, device=None)
        # BLE reports as they come; the same row again when it was heard again.
        row = await talk.until(link="ble", address=_BUTTON, device=None)
        assert row["type"]
        assert row["rssi_dbm"] == -60
        assert row["frame"].startswith("44")
    async with asking(_folder(edge), '{"do":"scan"}') as talk:
        await talk.line()
        port.write(_press(_SENDER))
        row = await talk.until(link="stick", address=_SENDER)
        assert (row["device"], row["profile"], row["times"]) == ("d-pendant", "F6-01-01", 1)
    await until(lambda: not edge.tap._onlookers and not edge.radio._onlookers)


async def test_a_recording_has_frames_and_no_addresses(edge: Edge, port: Port) -> None:
    async with asking(_folder(edge), '{"do":"record"}') as talk:
        assert (await talk.line())["ok"]
        header = await talk.line()
        assert (header["recording"], header["hub"]) == (1, HUB)
        port.write(_press(_SENDER))
        line = await talk.until(link="stick")
    assert (line["kind"], line["driver"], line["device"]) == ("serial", "enocean", "d-pendant")
    assert line["hex"] != _press(_SENDER).hex()
    assert bytes.fromhex(line["hex"]) == _press(line["address"].lower())
    assert {"at", "mono"} <= set(line)


async def test_a_reader_that_does_not_read_holds_up_nothing(edge: Edge, port: Port) -> None:
    with socket.socket(socket.AF_UNIX) as deaf, reachable(_folder(edge)) as path:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.connect(path)
        deaf.sendall(b'{"do":"record"}\n')
        await until(lambda: bool(edge.tap._onlookers))
        for count in range(1, 4):
            port.write(_press(_SENDER))
            await until(lambda count=count: edge.recorder.summary().pending.alarm >= count)  # type: ignore[misc]
            await asyncio.sleep(0.12)  # a telegram again within 0.1 s is its repeat
    await until(lambda: not edge.tap._onlookers)
    assert len(await edge.recorder.pending(Lane.ALARM, 0, 10)) == 3


async def test_too_many_are_refused(edge: Edge) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(8):
            talk = await stack.enter_async_context(asking(_folder(edge), '{"do":"record"}'))
            assert (await talk.line())["ok"]
        late = await stack.enter_async_context(asking(_folder(edge), '{"do":"status"}'))
        assert (await late.line())["error"] == "8 connections are open already"
    await until(lambda: not edge.tap._onlookers)


async def test_a_stream_ends_with_its_edge(tmp_path: Path) -> None:
    settings = Settings(hub_id=HUB, data_dir=str(tmp_path), mqtt=MqttTable(port=1), ble=BleTable(backend="none"))
    made = Edge(settings, open_journal(tmp_path, limits=Limits(reserve_bytes=4096)), SystemClock())
    stop = asyncio.Event()
    running = asyncio.create_task(made.run(stop))
    await until((tmp_path / SOCKET).exists)
    async with asking(tmp_path, '{"do":"record"}') as talk:
        assert (await talk.line())["ok"]
        stop.set()
        async with asyncio.timeout(5):
            await running
            await talk.reader.read()


async def test_pairing_gives_the_key_or_the_reason(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    async def pair(radio: object, address: str, passkey: int) -> bytes:
        assert radio is edge.radio
        asked.append((address, passkey))
        if len(asked) > 1:
            raise TransientError(f"{address} not heard within 60 s")
        return bytes(range(16))

    monkeypatch.setattr(operations, "pair", pair)
    request = '{"do":"pair","address":"c2:11:22:33:44:55","passkey":42}'
    async with asking(_folder(edge), request) as talk:
        told = await talk.line()
    assert told == {"ok": True, "address": _BUTTON, "key": bytes(range(16)).hex()}
    async with asking(_folder(edge), request) as talk:
        assert await talk.line() == {"ok": False, "error": f"{_BUTTON} not heard within 60 s"}
    assert asked == [(_BUTTON, 42)] * 2
