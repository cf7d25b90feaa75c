"""The edge as a process: killed, stopped in order, and given settings that it cannot use."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from firmware_sim.devices.enocean import TELEGRAMS
from hub.domain.codes import Kind, Lane
from hub.edge.opening import open_journal
from hub.wire import config
from hub.wire.config import DeviceConfig, HubConfig, LinkConfig
from tests.unit.edge.makers import HUB, event_of, until

_PROGRAM = "import sys; from hub.edge.app import main; sys.exit(main(sys.argv[1]))"
_SENDER = bytes.fromhex("01825DAB")


def _start(settings: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _PROGRAM, str(settings)], stderr=subprocess.PIPE)


@pytest.fixture
def master(tmp_path: Path) -> Iterator[int]:
    """A stick on a pty, and an edge that is set up for it; no broker listens."""
    near, far = pty.openpty()
    tty.setraw(near)
    tty.setraw(far)
    stick = LinkConfig(id="stick", kind="serial", port=os.ttyname(far), driver="enocean")
    device = DeviceConfig(
        id="d-p", link="stick", driver="enocean", address=_SENDER.hex().upper(), profile="F6-01-01"
    )
    journal = open_journal(tmp_path / "data")
    journal.keep("config", config.encode(HubConfig(version=1, hub_id=HUB, links=(stick,), devices=(device,))))
    journal.close()
    (tmp_path / "edge.toml").write_text(
        f'hub_id = "{HUB}"\ndata_dir = "{tmp_path}/data"\n[mqtt]\nport = 1\n[ble]\nbackend = "none"\n'
    )
    yield near
    os.close(near)
    os.close(far)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)])
async def test_an_accepted_alarm_outlives_the_process(tmp_path: Path, master: int, signum: int, code: int) -> None:
    edge = _start(tmp_path / "edge.toml")
    log = tmp_path / "data" / "journal.db-wal"
    press = next(iter(TELEGRAMS["pendant"].values())).erp1(_SENDER)

    def accepted() -> bool:
        os.write(master, press)  # until somebody listens
        return log.exists() and b"alarm.pressed" in log.read_bytes()

    try:
        await until(accepted, 20)
        edge.send_signal(signum)
        assert edge.wait(10) == code
    finally:
        edge.kill()
        edge.communicate()

    journal = open_journal(tmp_path / "data")
    assert not journal.damages
    alarms = {event_of(e).data.kind for e in journal.pending(Lane.ALARM, 0, 10)}
    assert alarms == {Kind.ALARM_PRESSED}
    assert journal.meta("stopped") == (b"running" if code else b"in order")
    journal.close()


def test_settings_that_cannot_be_used_end_it_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text('hub_id = "h-1"\n[mqtt]\nhots = "x"\n')
    edge = _start(tmp_path / "edge.toml")
    _, said = edge.communicate(timeout=20)
    assert edge.returncode == 1
    assert b'key "data_dir": is missing' in said
    assert b'edge.toml:3: error: [mqtt], key "hots": unknown key; did you mean "host"?' in said
    assert b"Traceback" not in said


async def test_its_log_is_json_where_the_settings_say_so(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(
        f'hub_id = "{HUB}"\ndata_dir = "{tmp_path}/data"\n[mqtt]\nport = 1\n[ble]\nbackend = "none"\n'
        '[log]\nformat = "json"\n'
    )
    edge = _start(tmp_path / "edge.toml")
    try:
        assert edge.stderr is not None
        first = await asyncio.to_thread(edge.stderr.readline)
        edge.send_signal(signal.SIGTERM)
        _, rest = await asyncio.to_thread(edge.communicate, timeout=20)
    finally:
        edge.kill()
        edge.communicate()
    entries = [msgspec.json.decode(line) for line in (first + rest).splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(entry) for entry in entries)
    assert "edge: stopping" in {entry["message"] for entry in entries}


def test_what_its_settings_hold_is_masked_in_its_complaints(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(
        f'hub_id = "{HUB}"\ndata_dir = "{tmp_path}/data"\n[ble]\nbackend = "+4700000012"\n'
    )
    edge = _start(tmp_path / "edge.toml")
    _, said = edge.communicate(timeout=20)
    assert b"[ble] backend '[number]'" in said
    assert b"00000012" not in said
