"""The ``hub-sim`` commands as processes: one ready line, then there until SIGTERM."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from firmware_sim.control import Control

Start = Callable[..., Awaitable[tuple[asyncio.subprocess.Process, dict[str, object]]]]

HOME = """\
[[device]]
name = "pendant"
kind = "enocean.pendant"
port = "stick"
address = "0189A3F1"

[[device]]
name = "button"
kind = "bthome.button"
address = "F0:11:22:33:44:02"
key = "231d39c1d7cc1ab1aee224cd096db932"
"""


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    running: list[asyncio.subprocess.Process] = []

    async def start(*arguments: object) -> tuple[asyncio.subprocess.Process, dict[str, object]]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "firmware_sim.cli",
            *map(str, arguments),
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "firmware-sim"},
        )
        running.append(process)
        assert process.stdout is not None
        async with asyncio.timeout(20):
            return process, json.loads(await process.stdout.readline())

    yield start
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def stopped(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        return await process.wait()


async def test_world_runs_a_home(start: Start, tmp_path: Path) -> None:
    (tmp_path / "home.toml").write_text(HOME)
    process, ready = await start("world", tmp_path / "home.toml", "--dir", tmp_path / "run")
    assert ready["ready"] is True
    assert ready["ports"] == {"stick": str(tmp_path / "run" / "stick")}
    assert (tmp_path / "run" / "stick").exists()
    async with Control(int(str(ready["control_port"]))) as control:
        await control.do("button", "press")
        assert (await control.do("button", "state"))["counter"] == 1
    assert await stopped(process) == 0
    assert not (tmp_path / "run" / "stick").is_symlink()
    # The counter goes on where it was: a hub would refuse it as a replay otherwise.
    process, ready = await start("world", tmp_path / "home.toml", "--dir", tmp_path / "run")
    async with Control(int(str(ready["control_port"]))) as control:
        await control.do("button", "press")
        assert (await control.do("button", "state"))["counter"] == 2
    assert await stopped(process) == 0


def test_world_refuses_a_home_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "home.toml").write_text('[[device]]\nname = "a"\nkind = "toaster"\n')
    done = subprocess.run(
        [sys.executable, "-m", "firmware_sim.cli", "world", tmp_path / "home.toml", "--dir", tmp_path],
        env={**os.environ, "PYTHONPATH": "firmware-sim"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("hub-sim world: device 'a': unknown kind 'toaster'; known: ")
    assert done.stderr.count("\n") == 1


async def test_device_by_hand(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "firmware_sim.cli",
        "device",
        "dispenser.serial",
        "--dir",
        str(tmp_path),
        env={**os.environ, "PYTHONPATH": "firmware-sim"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(b"miss\nevent event=300\njump\nquit\n"), 20)
    text = out.decode()
    assert f"device: {tmp_path / 'device'}" in text
    assert '{"seq": 1}' in text
    assert "'event' must be a whole number from 0 to 255" in text
    assert "cannot 'jump'" in text
    assert process.returncode == 0


async def test_phone_stops_with_streams_open(start: Start) -> None:
    process, ready = await start("phone", "--user", "u", "--password", "p", "--phone", "+4700000012=nord-1 duty")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(str(ready["port"])))
    writer.write(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b": hello\n\n")
    assert await stopped(process) == 0
    writer.close()
    await writer.wait_closed()
