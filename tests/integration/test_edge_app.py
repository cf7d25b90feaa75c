"""The whole edge with a real broker: devices on a pty and over a virtual radio, and a centre that receipts."""

import asyncio
import contextlib
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from firmware_sim.ble.controller import Air
from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.ble.server import HciServer
from firmware_sim.devices.bthome import Button
from firmware_sim.devices.enocean import TELEGRAMS
from firmware_sim.memory import Memory
from hub.domain.clock import SystemClock
from hub.domain.codes import Kind
from hub.edge.app import Edge
from hub.edge.journal import Journal, JournalFullError, Limits
from hub.edge.opening import open_journal
from hub.edge.settings import BleTable, MqttTable, Settings
from hub.wire.alive import Pending
from hub.wire.config import DeviceConfig, HubConfig, Intervals, LinkConfig
from tests.fakes.mosquitto import Mosquitto
from tests.unit.edge.centre import Centre
from tests.unit.edge.makers import HUB, heard, until

_PENDANT = bytes.fromhex("01825DAB")
_BUTTON = "C2:11:22:33:44:55"
_FAST = Intervals(alive_s=0.2, alarm_resend_s=0.4, reading_resend_s=0.4)


class Line:
    """A serial port whose stick can be pulled out and put back under the same name."""

    def __init__(self, name: Path) -> None:
        self.name = name
        self._master = -1
        self.plug()

    def plug(self) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(self._master)
        tty.setraw(slave)
        self.name.unlink(missing_ok=True)
        self.name.symlink_to(os.ttyname(slave))
        os.close(slave)

    def pull(self) -> None:
        if self._master >= 0:
            os.close(self._master)
        self.name.unlink(missing_ok=True)
        self._master = -1

    def press(self) -> None:
        telegrams = TELEGRAMS["pendant"]
        os.write(self._master, telegrams[next(iter(telegrams))].erp1(_PENDANT))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "stick")
    yield made
    made.pull()


@pytest.fixture
async def centre(broker: Mosquitto) -> AsyncIterator[Centre]:
    made = Centre(broker.port)
    task = asyncio.create_task(made.run())
    await made.connected()
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def running(folder: Path, port: int, backend: str = "none") -> AsyncIterator[Edge]:
    settings = Settings(
        hub_id=HUB,
        data_dir=str(folder),
        mqtt=MqttTable(port=port),
        ble=BleTable(backend=backend),
        journal=Limits(reserve_bytes=4096),
    )
    edge = Edge(settings, open_journal(folder, limits=settings.journal), SystemClock())
    stop = asyncio.Event()
    task = asyncio.create_task(edge.run(stop))
    try:
        yield edge
    finally:
        stop.set()
        await task


def _config(line: Line, version: int = 1, **devices: DeviceConfig) -> HubConfig:
    stick = LinkConfig(id="stick", kind="serial", port=str(line.name), driver="enocean")
    pendant = DeviceConfig(
        id="d-pendant", link="stick", driver="enocean", address=_PENDANT.hex().upper(), profile="F6-01-01"
    )
    return HubConfig(
        version=version,
        hub_id=HUB,
        links=(stick, LinkConfig(id="ble", kind="ble")),
        devices=(pendant, *devices.values()),
        intervals=_FAST,
    )


async def _up(edge: Edge, name: str) -> None:
    await until(lambda: not (name not in edge.sessions or not edge.sessions[name][1].state.up))


async def _emptied(edge: Edge) -> None:
    await until(lambda: edge.recorder.summary().pending == Pending(0, 0))


async def test_a_press_reaches_the_centre_and_is_kept_until_the_receipt(
    tmp_path: Path, broker: Mosquitto, centre: Centre, line: Line
) -> None:
    centre.receipts = False
    await centre.configure(_config(line))
    async with running(tmp_path / "data", broker.port) as edge:
        await centre.until(lambda: "online" in centre.status)
        await _up(edge, "stick")
        line.press()
        await centre.until(lambda: centre.count(Kind.ALARM_PRESSED) >= 3)  # no receipt: again and again
        assert len({e.seq for e in centre.events if e.data.kind is Kind.ALARM_PRESSED}) == 1
        assert edge.recorder.summary().pending.alarm == 1
        assert centre.alive[-1].epoch == edge.recorder.summary().epoch
        centre.receipts = True
        await _emptied(edge)
    await centre.until(lambda: centre.status[-1] == "offline")
    assert Kind.HUB_STARTED in centre.kinds()


async def test_the_stick_is_pulled_and_put_back(
    tmp_path: Path, broker: Mosquitto, centre: Centre, line: Line
) -> None:
    await centre.configure(_config(line))
    async with running(tmp_path / "data", broker.port) as edge:
        await _up(edge, "stick")
        state = edge.sessions["stick"][1].state
        line.pull()
        await until(lambda: not (state.up))
        line.plug()
        await _up(edge, "stick")
        line.press()
        await centre.until(lambda: centre.count(Kind.ALARM_PRESSED) == 1)
        assert state.opened == 2


async def test_it_starts_without_a_broker_from_what_it_kept(
    tmp_path: Path, broker: Mosquitto, centre: Centre, line: Line
) -> None:
    await centre.configure(_config(line))
    async with running(tmp_path / "data", broker.port) as edge:
        await _up(edge, "stick")
    broker.stop()
    async with running(tmp_path / "data", broker.port) as edge:
        await _up(edge, "stick")
        line.press()
        await until(lambda: edge.recorder.summary().pending.alarm)
        await broker.start()
        await centre.until(lambda: centre.count(Kind.ALARM_PRESSED) >= 1, 20)
        await _emptied(edge)
    reasons = [e.data.value for e in centre.events if e.data.kind is Kind.HUB_STARTED]
    assert any(isinstance(r, dict) and r["reason"] == "stopped in order" for r in reasons)


async def test_a_bad_configuration_is_refused_whole_and_reported(
    tmp_path: Path, broker: Mosquitto, centre: Centre, line: Line
) -> None:
    await centre.configure(_config(line))
    async with running(tmp_path / "data", broker.port) as edge:
        await _up(edge, "stick")
        wrong = DeviceConfig(id="d-x", link="ble", driver="bthome", address="not an address")
        await centre.configure(_config(line, 2, x=wrong))
        await centre.until(lambda: Kind.DEVICE_FAULT in centre.kinds())
        fault = next(e for e in centre.events if e.data.kind is Kind.DEVICE_FAULT)
        assert fault.subject == HUB
        assert "not an address" in str(fault.data.value).lower()
        assert edge.configuration.current.version == 1
        line.press()
        await centre.until(lambda: centre.count(Kind.ALARM_PRESSED) == 1)


async def test_a_missing_port_does_not_stop_the_radio_and_a_radio_that_restarts_is_found_again(
    tmp_path: Path, broker: Mosquitto, centre: Centre, line: Line
) -> None:
    line.pull()
    air = Air()
    server = HciServer(air)
    port = await server.start()
    button = Button(
        Peripheral(air, _BUTTON, "button"), bytes.fromhex(_BUTTON.replace(":", "")), Memory(None), None, 0
    )
    await button.start()
    device = DeviceConfig(id="d-button", link="ble", driver="bthome", address=_BUTTON)
    await centre.configure(_config(line, button=device))
    backend = f"bumble:tcp-client:127.0.0.1:{port}"
    async with running(tmp_path / "data", broker.port, backend) as edge:
        await _up(edge, "d-button")
        await until(lambda: edge.radio.state.up)
        await button.actions["press"]({"how": "press"})
        await centre.until(lambda: centre.count(Kind.ALARM_PRESSED) == 1)
        assert not edge.sessions["stick"][1].state.up
        assert "No such file" in edge.sessions["stick"][1].state.reason
    await button.stop()
    await server.stop()


async def test_an_edge_whose_journal_has_no_room_at_all_runs_all_the_same(
    tmp_path: Path, broker: Mosquitto, centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk may leave room enough to open the journal, and not for a word more."""

    def full(*_: object) -> object:
        raise JournalFullError("journal: the disk is full, with no reading left to evict")

    monkeypatch.setattr(Journal, "append", full)
    monkeypatch.setattr(Journal, "keep", full)
    async with running(tmp_path / "data", broker.port) as edge:
        await centre.until(lambda: "online" in centre.status)
        assert not await edge.recorder.record([heard()])
        await centre.until(lambda: centre.count(Kind.ALARM_PRESSED) >= 1)
