"""What was recorded of one edge means the same to another: over a serial line, adverts and a connection."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from firmware_sim.ble.server import HciServer
from firmware_sim.clock import SystemClock
from firmware_sim.home import Home, specs_of
from firmware_sim.process import free_port
from firmware_sim.replay.tape import Tape, TapeError, read, tape_of
from hub.domain.codes import Kind, Lane
from hub.edge.opening import open_journal
from hub.wire import config
from hub.wire.config import DeviceConfig, HubConfig, LinkConfig
from tests.unit.edge.makers import HUB, event_of, until

PENDANT, BUTTON, DISPENSER = "0189A3F1", "F0:11:22:33:44:02", "F0:11:22:33:44:03"
HOME = {
    "device": [
        {"name": "pendant", "kind": "enocean.pendant", "port": "stick", "address": PENDANT},
        {"name": "button", "kind": "bthome.button", "address": BUTTON},
        {"name": "disp", "kind": "dispenser.ble", "address": DISPENSER},
    ]
}
EXPECTED = {
    ("pendant", Kind.ALARM_PRESSED): 1,
    ("button", Kind.ALARM_PRESSED): 2,
    ("disp", Kind.DOSE_DISPENSED): 2,
}


@contextmanager
def process(log: Path, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of ours beside the test; it is gone in the end, whatever happens."""
    with log.open("wb") as out:
        running = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=out, stderr=out)
        try:
            yield running
        finally:
            running.kill()
            running.wait()


def prepared(folder: Path, port: Path, hci_port: int, addresses: Mapping[str, str]) -> Path:
    """Write what an edge needs to hear the three devices under these addresses; return its settings."""
    stick = LinkConfig(id="stick", kind="serial", port=str(port), driver="enocean")
    devices = (
        DeviceConfig(
            id="pendant", link="stick", driver="enocean", address=addresses["pendant"], profile="F6-01-01"
        ),
        DeviceConfig(id="button", link="ble", driver="bthome", address=addresses["button"]),
        DeviceConfig(id="disp", link="ble", driver="dispenser", address=addresses["disp"]),
    )
    links = (stick, LinkConfig(id="ble", kind="ble"))
    journal = open_journal(folder / "data")
    journal.keep("config", config.encode(HubConfig(version=1, hub_id=HUB, links=links, devices=devices)))
    journal.close()
    (folder / "edge.toml").write_text(
        f'hub_id = "{HUB}"\ndata_dir = "{folder}/data"\n[mqtt]\nport = 1\n'
        f'[ble]\nbackend = "bumble:tcp-client:127.0.0.1:{hci_port}"\n'
    )
    return folder / "edge.toml"


def told(folder: Path) -> dict[tuple[str, str], int]:
    """Count what an edge has journalled, but for signs of life."""
    journal = open_journal(folder / "data")
    events = [event_of(entry) for lane in Lane for entry in journal.pending(lane, 0, 1000)]
    journal.close()
    counts = Counter((event.subject, event.data.kind) for event in events)
    return {key: count for key, count in counts.items() if key in EXPECTED}


async def recorded(folder: Path) -> Path:
    """Let things happen in a home, and record them."""
    home = Home(specs_of(HOME), folder, SystemClock())
    radio = HciServer(home.air)
    await home.start()
    addresses = {"pendant": PENDANT, "button": BUTTON, "disp": DISPENSER}
    file, log = folder / "recording.jsonl", folder / "edge.log"
    settings = prepared(folder, folder / "stick", await radio.start(), addresses)
    socket = folder / "data" / "service.sock"
    try:
        with process(log, "hub.cli", "edge", "--settings", str(settings)) as edge:
            await until(socket.exists, 20)
            for link in ("stick", "button", "disp"):
                await until(partial(_says, log, f"link {link}: up"), 30)
            with process(folder / "record.log", "firmware_sim.cli", "record", str(socket), str(file)) as recorder:
                await until(lambda: file.exists() and file.stat().st_size > 0, 10)
                for count in (1, 2):
                    await home.do("disp", "dispense", {})
                    await home.do("button", "press", {})
                    await until(lambda count=count: _frames(file)["advert"] >= count, 10)  # type: ignore[misc] # bound
                await home.do("pendant", "press", {})
                await until(lambda: _frames(file)["gatt"] >= 2 and _frames(file)["serial"] >= 1, 10)
                recorder.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(recorder.wait, 10) == 0
            edge.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(edge.wait, 15) == 0
    finally:
        await radio.stop()
        await home.stop()
    return file


def _says(log: Path, text: str) -> bool:
    return text in log.read_text()


def _frames(file: Path) -> Counter[str]:
    """Count a recording's frames, one of each burst."""
    tape = read(file)
    bursts = {(frame.kind, frame.data, *frame.service_data.values()): frame for frame in tape.frames}
    return Counter(frame.kind for frame in bursts.values())


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Make a folder for each of two edges."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    return tmp_path / "first", tmp_path / "second"


async def test_another_edge_makes_the_same_of_a_recording(folders: tuple[Path, Path]) -> None:
    first, second = folders
    file = await recorded(first)
    assert told(first) == EXPECTED
    text = file.read_text()
    assert not [true for true in (PENDANT, BUTTON, DISPENSER) if true in text.upper()], (
        "a true address was recorded"
    )
    hci_port = free_port()
    tape = read(file)
    replay = (
        "replay",
        str(file),
        "--dir",
        str(second),
        "--hci-port",
        str(hci_port),
        "--wait",
        "4",
        "--speed",
        "2",
    )
    settings = prepared(second, second / "stick", hci_port, {"pendant": _pendant(tape), **_by_driver(tape)})
    with process(second / "replay.log", "firmware_sim.cli", *replay) as player:
        await until((second / "stick").exists, 20)
        with process(second / "edge.log", "hub.cli", "edge", "--settings", str(settings)) as edge:
            assert await asyncio.to_thread(player.wait, 40) == 0
            edge.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(edge.wait, 15) == 0
    assert told(second) == EXPECTED


def _by_driver(tape: Tape) -> dict[str, str]:
    names = {"bthome": "button", "dispenser": "disp"}
    return {names[frame.driver]: frame.address for frame in tape.frames if frame.driver in names}


def _pendant(tape: Tape) -> str:
    """Return the sender of the recorded telegram: four bytes before the status byte (ESP3, RADIO_ERP1)."""
    (telegram, *_) = [frame.data for frame in tape.frames if frame.kind == "serial" and b"\xf6\x10" in frame.data]
    start = telegram.index(b"\xf6\x10") + 2
    return telegram[start : start + 4].hex().upper()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "line 1: nothing"),
        (["{}"], "line 1: not the first line"),
        (["{"], "line 1: "),
        (['{"recording":1}', "[]"], "line 2: not a JSON object"),
        (['{"recording":1}', '{"kind":"smoke","link":"x","mono":1}'], "line 2: kind 'smoke'"),
        (['{"recording":1}', '{"kind":"serial","link":"x"}'], "line 2: KeyError"),
        (['{"recording":1}', '{"kind":"serial","link":"x","mono":1,"hex":"0"}'], "line 2: ValueError"),
    ],
)
def test_a_damaged_recording_names_its_line(lines: list[str], said: str) -> None:
    with pytest.raises(TapeError, match=said):
        tape_of(lines)


def test_a_recording_is_put_in_order_and_says_what_it_lacks() -> None:
    lines = [{"recording": 1}, {"kind": "serial", "link": "b", "mono": 9.5, "hex": "02"}]
    lines += [
        {"kind": "serial", "link": "a", "mono": 7.5, "hex": "01"},
        {"lost": 3},
        {"kind": "gatt", "withheld": 4},
    ]
    tape = tape_of([json.dumps(line) for line in lines])
    assert [(frame.at_s, frame.data) for frame in tape.frames] == [(0.0, b"\x01"), (2.0, b"\x02")]
    assert (tape.lost, tape.withheld) == (3, 1)
