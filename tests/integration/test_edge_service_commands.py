"""The commands at the box, against an edge that runs and against none."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Answer, Setup
from hub.cli import main
from hub.cli.devices_scan import table
from hub.domain.clock import SystemClock
from hub.edge.configuration import Task
from hub.edge.links.ble import Adapter, Radio
from hub.edge.service.operations import Box
from hub.edge.service.place import SOCKET
from hub.edge.service.server import Service
from hub.edge.tap import Frame, Tap
from hub.wire.config import LinkConfig
from tests.unit.edge.makers import HUB, recording, until


@pytest.fixture
async def tap(tmp_path: Path) -> AsyncIterator[Tap]:
    """The socket of an edge that has a tap and nothing else."""
    made = Tap()
    async with recording(tmp_path / "journal") as recorder:
        box = Box(HUB, SystemClock(), recorder, Radio(Adapter()), made, list)
        running = asyncio.create_task(Service(tmp_path, box).run())
        await until((tmp_path / SOCKET).exists)
        yield made
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


_TASK = Task(
    name="stick",
    link=LinkConfig(id="stick", kind="serial", port="/dev/x", driver="enocean"),
    link_type="serial",
    driver="enocean",
    setup=Setup(devices=()),
    state_name="s",
    critical=frozenset(),
)


def _stranger(tap: Tap) -> None:
    now = SystemClock().now()
    tap.passed(now, _TASK, Frame(bytes.fromhex("5500")), Answer(strangers=("0591AABB",)))


async def _hub(*words: object, stdout: int = asyncio.subprocess.PIPE) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "hub.cli", *map(str, words)]
    return await asyncio.create_subprocess_exec(*command, stdout=stdout, stderr=asyncio.subprocess.PIPE)


async def test_a_scan_in_a_pipe_is_json_lines(tap: Tap, tmp_path: Path) -> None:
    scan = await _hub("devices", "scan", "--data-dir", tmp_path, "--seconds", "30")
    assert scan.stdout
    await until(lambda: bool(tap._onlookers))
    _stranger(tap)
    row = json.loads(await scan.stdout.readline())
    assert (row["link"], row["address"], row["device"], row["times"]) == ("stick", "0591AABB", None, 1)
    scan.terminate()
    await scan.communicate()


async def test_a_scan_on_a_terminal_is_a_table(tap: Tap, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    scan = await _hub("devices", "scan", "--data-dir", tmp_path, "--seconds", "30", stdout=theirs)
    os.set_blocking(ours, False)
    await until(lambda: bool(tap._onlookers))
    _stranger(tap)
    shown = ""

    def seen() -> bool:
        nonlocal shown
        with contextlib.suppress(BlockingIOError):
            shown += os.read(ours, 4096).decode()
        return "0591AABB" in shown

    await until(seen)
    assert shown.index("heard") < shown.index("0591AABB")
    scan.terminate()
    await scan.communicate()
    os.close(ours)
    os.close(theirs)


async def test_a_recording_is_a_new_file_for_its_owner(tap: Tap, tmp_path: Path) -> None:
    path = tmp_path / "fault.jsonl"
    record = await _hub("devices", "record", path, "--data-dir", tmp_path)
    await until(lambda: bool(tap._onlookers))
    _stranger(tap)
    await until(lambda: path.exists() and path.read_text().count("\n") == 2)
    record.send_signal(signal.SIGINT)
    _, said = await record.communicate()
    assert (record.returncode, said.decode()) == (0, "hub: 1 frames recorded, 0 lost\n")
    assert path.stat().st_mode & 0o777 == 0o600
    header, line = map(json.loads, path.read_text().splitlines())
    assert header["recording"] == 1
    assert line["hex"] == "5500"
    again = await _hub("devices", "record", path, "--data-dir", tmp_path)
    _, said = await again.communicate()
    assert again.returncode == 1
    assert b"a recording begins a new file" in said


@pytest.mark.parametrize(
    "words", [["scan"], ["record", "/nowhere/file"], ["pair", "C2:11:22:33:44:55", "--passkey", "123456"]]
)
def test_without_an_edge_it_is_one_clear_line(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["devices", *words, "--data-dir", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"hub: no edge listens at {tmp_path}/service.sock (No such file or directory): is it")
    assert "--settings" in said


async def test_what_the_edge_refuses_is_said(tap: Tap, tmp_path: Path) -> None:
    pair = await _hub("devices", "pair", "C2:11:22:33:44:55", "--passkey", "1234567", "--data-dir", tmp_path)
    _, said = await pair.communicate()
    assert b"hub: --passkey 1234567: write its six digits" in said
    assert not tap._onlookers


def test_the_table_has_strangers_on_top_and_no_control_sequences() -> None:
    def row(address: str, at: int, device: str | None, name: str = "") -> dict[str, Any]:
        return {
            "link": "ble",
            "address": address,
            "name": name,
            "type": "",
            "profile": "",
            "rssi_dbm": None,
            "frame": "00" * 60,
            "device": device,
            "times": 1,
            "at": f"2026-11-21T19:00:{at:02}.000+00:00",
        }

    rows = [row("A1", 1, None, "\x1b[2Jevil"), row("A2", 9, "d-1"), row("A3", 5, None)]
    lines = table(rows, 24, 200)
    assert [line.split()[2] for line in lines[1:]] == ["A3", "A1", "A2"]
    assert "\x1b" not in "".join(lines)
    assert max(map(len, table(rows, 24, 40))) == 40
    assert len(table(rows, 3, 200)) == 3
    assert "Nothing heard yet" in table([], 24, 80)[0]
