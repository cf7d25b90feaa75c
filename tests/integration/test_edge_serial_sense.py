"""A serial line at the wrong speed, and a port that is not there: one clear line each."""

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware_sim.port import Port
from hub.domain.clock import SystemClock
from hub.domain.codes import Lane
from hub.edge.configuration import tasks
from hub.edge.links import sense
from hub.edge.links.ble import Adapter, Radio
from hub.edge.recorder import Recorder
from hub.edge.sessions import session
from hub.wire import serial_line
from hub.wire.config import DeviceConfig, HubConfig, LinkConfig
from hub.wire.mqtt import MqttSettings
from hub.wire.serial_line import LinkLostError, open_line
from tests.unit.edge.makers import HUB, recording, until, value_of


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[Recorder]:
    async with recording(tmp_path / "data") as made:
        yield made


async def test_a_wrong_speed_is_said_and_told_once(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sense, "BAD_FOR_S", 0.5)
    monkeypatch.setattr(sense, "LOOK_EVERY_S", 0.1)
    port = Port(tmp_path / "stick", lambda _data: None)
    port.appear()
    config = HubConfig(
        version=1,
        hub_id=HUB,
        links=(LinkConfig(id="stick", kind="serial", port=str(port.path), driver="enocean"),),
        devices=(DeviceConfig(id="d-1", link="stick", driver="enocean", address="01825DAB", profile="F6-01-01"),),
    )
    (task,), _ = tasks(config, SystemClock().now().utc)
    served = session(task, recorder, SystemClock(), Radio(Adapter()), MqttSettings(client_id="home"))
    running = asyncio.create_task(served.run())
    await until(lambda: served.state.up)
    telegram = bytes.fromhex("55000a0701eb00f6101825dab130")
    for _ in range(12):
        port.write(bytes(byte ^ 0xFF for byte in telegram))  # what a wrong speed makes of it is never the same
        await asyncio.sleep(0.15)
    await until(lambda: "wrong baud" in served.state.reason)
    assert served.state.up
    (entry,) = await recorder.pending(Lane.READING, 0, 10)
    assert value_of(entry) == {
        "reason": "link stick: bytes arrive but none make sense: wrong baud or wrong driver?"
    }
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    port.vanish()


async def test_a_missing_port_names_those_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_line, "BY_ID", tmp_path / "by-id")
    with pytest.raises(LinkLostError, match="No such file or directory; no serial stick is plugged in"):
        async with open_line(str(tmp_path / "none"), 9600):
            pass
    (tmp_path / "by-id").mkdir()
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    for name in ("usb-b", "usb-a"):
        (tmp_path / "by-id" / name).symlink_to(os.ttyname(theirs))
    with pytest.raises(LinkLostError, match=r"there are: .*/by-id/usb-a, .*/by-id/usb-b$"):
        async with open_line(str(tmp_path / "none"), 9600):
            pass
    os.close(ours)
    os.close(theirs)
