"""Simulated serial devices on real pseudo-terminals."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from firmware_sim.clock import FixedClock
from firmware_sim.control import Control, ControlError, ControlServer
from firmware_sim.devices import enocean
from firmware_sim.devices.dispenser import record
from firmware_sim.devices.dispenser.line import LineDispenser
from firmware_sim.devices.dispenser.model import Dispenser
from firmware_sim.devices.dispenser.record import EVENTS, Record
from firmware_sim.home import Home, specs_of
from firmware_sim.memory import Memory
from firmware_sim.port import Port

SPECS = {
    "device": [
        {"name": "pendant", "kind": "enocean.pendant", "port": "stick", "address": "0189A3F1"},
        {"name": "cord", "kind": "enocean.pullcord", "port": "stick", "address": "0189A3F2"},
        {"name": "door", "kind": "enocean.door", "port": "stick", "address": "0189A3F3"},
    ]
}
PENDANT = bytes.fromhex("0189A3F1")


class Line:
    """The hub's end of a serial line."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.got = bytearray()
        self.ended = asyncio.Event()
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 4096)
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._fd)
            self.ended.set()
        self.got += data
        self._news.set()

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    async def until(self, enough: Callable[[bytes], bool]) -> bytes:
        async with asyncio.timeout(3):
            while not enough(bytes(self.got)):
                self._news.clear()
                await self._news.wait()
        return bytes(self.got)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(specs_of(SPECS), tmp_path, FixedClock())
    await home.start()
    yield home
    await home.stop()


async def test_a_press_is_told_three_times_then_let_go(home: Home, tmp_path: Path) -> None:
    line = Line(tmp_path / "stick")
    await home.do("pendant", "press", {})
    pressed = enocean.TELEGRAMS["pendant"]["press"].erp1(PENDANT)
    released = enocean.TELEGRAMS["pendant"]["release"].erp1(PENDANT)
    got = await line.until(lambda got: got.count(released) == 3)
    assert got == pressed * 3 + released * 3
    line.close()


async def test_devices_share_one_stick(home: Home, tmp_path: Path) -> None:
    line = Line(tmp_path / "stick")
    await home.do("door", "open", {})
    await home.do("cord", "press", {})
    got = await line.until(lambda got: got.count(b"\x55\x00\x07\x07\x01") == 9)
    assert got.count(bytes.fromhex("d508" + "0189a3f3")) == 3
    assert got.count(bytes.fromhex("f650" + "0189a3f2")) == 3
    assert home.ports() == {"stick": str(tmp_path / "stick")}
    line.close()


@pytest.mark.usefixtures("home")
async def test_the_stick_answers_the_base_id_amid_noise(tmp_path: Path) -> None:
    line = Line(tmp_path / "stick")
    line.write(bytes.fromhex("55ffffff" + "55000100057008") + b"\x38")
    got = await line.until(lambda got: len(got) >= 13)
    assert got == enocean.packet(0x02, bytes.fromhex("00ff9c2100"), b"\x0a")
    line.write(enocean.packet(0x05, b"\x03"))
    assert (await line.until(lambda got: len(got) >= 21))[13:] == enocean.packet(0x02, b"\x02")
    line.close()


async def test_vanish_is_an_error_on_the_open_port_and_return_another_terminal(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "stick"
    line, before = Line(path), path.readlink()
    await home.do("pendant", "vanish", {})
    async with asyncio.timeout(2):
        await line.ended.wait()
    assert not path.exists()
    await home.do("pendant", "press", {})
    await home.do("pendant", "return", {})
    await home.do("pendant", "return", {})
    assert path.exists()
    again = Line(path)
    await home.do("door", "close", {})
    await again.until(lambda got: got.count(bytes.fromhex("d509")) == 3)
    assert path.readlink() != before
    again.close()


async def test_faults_reach_the_line(home: Home, tmp_path: Path) -> None:
    line = Line(tmp_path / "stick")
    await home.do("door", "fault", {"faults": {"duplicate": 1}, "seed": 3})
    await home.do("door", "open", {})
    await line.until(lambda got: got.count(bytes.fromhex("d508")) == 6)
    line.close()


async def test_nobody_reading_blocks_nothing(tmp_path: Path) -> None:
    port = Port(tmp_path / "p", lambda _data: None)
    port.write(b"before it is there")
    port.appear()
    for _ in range(100):
        port.write(bytes(1024))
    port.vanish()
    assert not port.present


def frames(got: bytes, kind: int) -> list[bytes]:
    """Return the bodies of the whole frames of this type."""
    opened = (record.opened_frame(part) for part in got.split(b"\x00")[:-1] if part)
    return [body for type_, body in opened if type_ == kind]


@pytest.fixture
async def dispenser(tmp_path: Path) -> AsyncIterator[LineDispenser]:
    dispenser = LineDispenser(
        Dispenser(Memory(), FixedClock()), "odp", tmp_path / "odp", alive_s=60, resend_s=0.05
    )
    await dispenser.start()
    yield dispenser
    await dispenser.stop()


async def test_a_record_is_told_again_until_acknowledged(dispenser: LineDispenser, tmp_path: Path) -> None:
    line = Line(tmp_path / "odp")
    await dispenser.actions["miss"]({})
    got = await line.until(lambda got: len(frames(got, 0x01)) >= 3)
    assert {Record.decoded(body).seq for body in frames(got, 0x01)} == {1}
    line.write(record.serial_frame(0x81, (1).to_bytes(4, "little")))
    line.write(record.serial_frame(0x86, b""))
    await line.until(lambda got: len(frames(got, 0x06)) >= 2)
    assert (await dispenser.actions["state"]({}) or {})["unacknowledged"] == []
    line.close()


async def test_the_dispenser_takes_plan_time_and_control_and_skips_noise(
    dispenser: LineDispenser, tmp_path: Path
) -> None:
    line = Line(tmp_path / "odp")
    plan = record.encoded_plan(1, [record.Dose(480, 127, 60)])
    set_time = record.serial_frame(0x85, (1_795_246_265).to_bytes(4, "little") + b"\x3c\x00")
    line.write(b"\x09noise\x00" + set_time + record.serial_frame(0x83, plan))
    line.write(record.serial_frame(0x77, b"") + b"\x01" * 300)
    await line.until(lambda got: bool(frames(got, 0x03)))
    line.write(b"\x00" + record.serial_frame(0x84, b"\x02"))
    got = await line.until(lambda got: bool(frames(got, 0x01)))
    assert frames(got, 0x03) == [plan]
    told = Record.decoded(frames(got, 0x01)[0])
    assert (told.event, told.unix_time) == (EVENTS["present"], 1_795_246_265)
    assert dispenser.bad_frames >= 3
    line.close()


async def test_control_line_refuses_in_words(home: Home, tmp_path: Path) -> None:
    server = ControlServer(home)
    port = await server.start()
    line = Line(tmp_path / "stick")
    async with Control(port) as control:
        assert await control.do("door", "open") == {}
        with pytest.raises(ControlError, match="no device 'dor'; there are: pendant, cord, door"):
            await control.do("dor", "open")
        with pytest.raises(
            ControlError, match="'door' cannot 'opne'; it can: brown_out, close, fade, fault, garbage"
        ):
            await control.do("door", "opne")
        with pytest.raises(ControlError, match="unknown fault 'dorp'"):
            await control.do("door", "fault", faults={"dorp": 1})
        await control.do("door", "close")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"no json\n[]\n")
    assert (await reader.readline()).startswith(b'{"ok": false')
    assert await reader.readline() == b'{"ok": false, "error": "a command is a JSON object"}\n'
    writer.close()
    await writer.wait_closed()
    await line.until(lambda got: got.count(bytes.fromhex("d509")) == 3)
    line.close()
    await server.stop()
