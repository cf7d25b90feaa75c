"""A serial line while the journal refuses readings: it is never deaf, for an alarm may be said on it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.port import Port
from hub.domain.clock import SystemClock
from hub.domain.codes import Lane
from hub.edge.configuration import tasks
from hub.edge.journal import JournalFullError
from hub.edge.links.ble import Adapter, Radio
from hub.edge.recorder import Recorder
from hub.edge.sessions import session
from hub.wire.config import DeviceConfig, HubConfig, LinkConfig
from hub.wire.mqtt import MqttSettings
from tests.unit.edge.makers import HUB, recording, until

_DOOR = bytes.fromhex("55000707017ad50801825dab0001ffffffff2d0093")
_PRESS = bytes.fromhex("55000707017af610010203043001ffffffff2d0002")


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[Recorder]:
    async with recording(tmp_path / "data") as made:
        yield made


@pytest.mark.parametrize("after_s", [0.06, 0.2, 0.4])
async def test_a_press_after_a_reading_that_was_refused_is_journalled(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, after_s: float
) -> None:
    append = recorder._journal.append

    def full(drafts: Any, *rest: Any) -> Any:
        if all(draft.lane is Lane.READING for draft in drafts):
            raise JournalFullError("journal: what room there is, is held for alarms")
        return append(drafts, *rest)

    monkeypatch.setattr(recorder._journal, "append", full)
    port = Port(tmp_path / "stick", lambda _data: None)
    port.appear()
    devices = (
        DeviceConfig(id="d-1", link="stick", driver="enocean", address="01825DAB", profile="D5-00-01"),
        DeviceConfig(id="d-2", link="stick", driver="enocean", address="01020304", profile="F6-01-01"),
    )
    stick = LinkConfig(id="stick", kind="serial", port=str(port.path), driver="enocean")
    (task,), _ = tasks(HubConfig(version=1, hub_id=HUB, links=(stick,), devices=devices), SystemClock().now().utc)
    served = session(task, recorder, SystemClock(), Radio(Adapter()), MqttSettings(client_id="home"))
    running = asyncio.create_task(served.run())
    await until(lambda: served.state.up)
    port.write(_DOOR)
    await asyncio.sleep(after_s)
    port.write(_PRESS)
    await until(lambda: recorder.summary().pending.alarm == 1, within_s=3)
    assert (served.state.up, served.state.opened) == (True, 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    port.vanish()
