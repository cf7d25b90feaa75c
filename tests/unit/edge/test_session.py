"""A session: commit first, act second, and a driver that fails does not end the line."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

from drivers.base import Advert, Answer, Send, Setup
from hub.domain.clock import UTC, Now, SystemClock
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError, TransientError
from hub.edge.configuration import Configuration, Task, tasks
from hub.edge.journal import JournalFullError
from hub.edge.links.ble import Adapter, Radio
from hub.edge.links.state import Strangers
from hub.edge.recorder import Recorder
from hub.edge.session import Session
from hub.wire import config
from hub.wire.config import DeviceConfig, HubConfig, Intervals, LinkConfig
from tests.unit.edge.makers import HUB, T0, heard, recording, until

_LINK = LinkConfig(id="stick", kind="serial", port="/dev/none", driver="enocean")
_TASK = Task(
    name="stick",
    link=_LINK,
    link_type="serial",
    driver="enocean",
    setup=Setup(devices=()),
    state_name="enocean/stick",
    critical=frozenset(),
)


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[Recorder]:
    async with recording(tmp_path) as made:
        yield made


async def test_actions_come_after_the_commit(recorder: Recorder) -> None:
    session = Session(_TASK, recorder, SystemClock())
    ok = Send(b"OK")
    answer = Answer(observations=(heard(),), state=b"7", actions=(ok,))
    assert await session._feed(lambda _now: answer) == (ok,)
    assert recorder.summary().pending.alarm == 1
    assert await recorder.state("enocean/stick") == b"7"


@pytest.mark.parametrize("kind", [Kind.ALARM_PRESSED, Kind.MOTION_DETECTED])
async def test_what_is_not_on_the_disk_is_not_answered(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    session = Session(_TASK, recorder, SystemClock())

    def full(*_: object) -> object:
        raise JournalFullError("full")

    monkeypatch.setattr(recorder._journal, "append", full)
    answer = Answer(observations=(heard(kind),), actions=(Send(b"OK"),))
    with pytest.raises(TransientError):
        await session._feed(lambda _now: answer)


async def test_a_reading_that_was_refused_reopens_the_driver(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(_TASK, recorder, SystemClock())

    def full(*_: object) -> object:
        raise JournalFullError("full")

    monkeypatch.setattr(recorder._journal, "append", full)
    assert await session._feed(lambda _now: Answer(observations=(heard(Kind.MOTION_DETECTED),))) == ()
    await until(lambda: not (session._outstanding))
    with pytest.raises(TransientError, match="refused"):
        await session._feed(lambda _now: Answer())
    monkeypatch.undo()
    alarm = Answer(observations=(heard(Kind.CLIMATE_READING), heard()), state=b"8", actions=(Send(b"OK"),))
    with pytest.raises(TransientError, match="refused"):
        await session._feed(lambda _now: alarm)  # the frame is read, and may never be said again
    await until(lambda: recorder.summary().pending.alarm == 1)
    assert recorder.summary().pending.reading == 0
    assert await recorder.state("enocean/stick") == b""


async def test_a_driver_that_raises_is_counted_and_its_frame_logged(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session(_TASK, recorder, SystemClock())

    def faulty(data: bytes, _now: Now) -> Answer:
        raise IndexError(data)

    frame = bytes.fromhex("55deadbeef")
    assert await session._feed(partial(faulty, frame), frame) == ()
    await session._feed(lambda _now: Answer(bad=("byte 0: no sync",), strangers=("01825DAB",)))
    assert "55deadbeef" in caplog.text
    figures = session.figures()
    assert (figures["faults"], figures["bad"], list(figures["strangers"])) == (1, 1, ["01825DAB"])


def test_strangers_are_never_many() -> None:
    strangers = Strangers(limit=3)
    for n in (1, 2, 3, 1, 4):
        strangers.add(f"d{n}")
    assert list(strangers.all()) == ["d3", "d1", "d4"]


class QuietScanner(BaseBleakScanner):
    """Hears once after each start, and then falls silent without a word."""

    started: list["QuietScanner"] = []  # noqa: RUF012 -- one list for the test

    def __init__(self, callback: object, uuids: object, _mode: str, **_: object) -> None:
        super().__init__(callback, uuids)  # type: ignore[arg-type] # as bleak hands them on

    async def start(self) -> None:
        self.started.append(self)
        data = AdvertisementData(None, {}, {"fcd2": b"\x44"}, ["1810"], None, -60, ())
        for address in ("AA:00:00:00:00:01", "AA:00:00:00:00:02"):
            self.call_detection_callbacks(BLEDevice(address, None, None), data)

    async def stop(self) -> None:
        raise OSError("org.bluez.Error.InProgress")


async def test_a_scanner_that_falls_silent_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    QuietScanner.started.clear()
    adapter = Adapter()
    adapter.scanner = {"backend": QuietScanner}
    radio = Radio(adapter, frozenset({"fcd2"}), silence_s=0.05, check_s=0.01)
    adverts: list[Advert] = []
    radio.listen("AA:00:00:00:00:01", adverts.append)
    task = asyncio.create_task(radio.run())
    await until(lambda: not (len(adverts) < 3))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert radio.restarts >= 2
    assert "silent for" in caplog.text
    assert adverts[0].service_data == {"fcd2": b"\x44"}
    assert list(radio.state.strangers.all()) == ["AA:00:00:00:00:02"]
    assert radio.state.opened == 1


def _config(**changes: object) -> HubConfig:
    device = DeviceConfig(
        id="d-1", link="stick", driver="enocean", address="01825dab", profile="F6-01-01", critical=True
    )
    given: dict[str, object] = {"version": 1, "hub_id": HUB, "links": (_LINK,), "devices": (device,)}
    return HubConfig(**{**given, **changes})  # type: ignore[arg-type] # changes of a test


def test_a_driver_that_cannot_be_opened_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr("drivers.bthome.open_driver", broken)
    found, wrong = tasks(_config(timezone="Mars/Base", links=(_LINK, _BLE), devices=(_DEVICE, _button("b1"))), T0)
    assert [task.name for task in found] == ["stick"]
    assert len(wrong) == 2


def test_tasks_follow_from_a_configuration_and_the_season() -> None:
    (winter,), _ = tasks(_config(), T0)
    (summer,), _ = tasks(_config(), dt.datetime(2026, 7, 1, tzinfo=UTC))
    assert winter.setup.devices[0].address == "01825DAB"
    assert winter.critical == {"d-1"}
    assert winter.setup.utc_offset == dt.timedelta(hours=1)
    assert summer.setup.utc_offset == dt.timedelta(hours=2)
    assert tasks(_config(), T0)[0] == [winter]


async def test_a_configuration_is_kept_and_an_older_one_ignored(recorder: Recorder) -> None:
    changes: list[HubConfig] = []
    held = Configuration(HUB, recorder, changes.append)
    await held.load()
    await held.offered(config.encode(_config(version=5)))
    await held.offered(config.encode(_config(version=4)))
    await held.offered(config.encode(_config(version=5)))
    await held.offered(b"")
    assert [c.version for c in changes] == [5]
    after_restart = Configuration(HUB, recorder, changes.append)
    await after_restart.load()
    assert after_restart.current == _config(version=5)


_DEVICE = _config().devices[0]
_BLE = LinkConfig(id="ble", kind="ble")


def _button(name: str) -> DeviceConfig:
    return DeviceConfig(id=name, link="ble", driver="bthome", address="C2:11:22:33:44:55")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"timezone": "Europe/Olso"}, "unknown timezone"),
        ({"hub_id": "h-1"}, "meant for hub 'h-1'"),
        ({"devices": (_DEVICE, _DEVICE)}, "two of one device id"),
        ({"links": (LinkConfig(id="stick", kind="serial", driver="enocean"),)}, "needs a port and a driver"),
        ({"links": (LinkConfig(id="stick", kind="ble"),)}, "cannot be reached over ble"),
        ({"devices": (DeviceConfig(id="d", link="stick", driver="nothing"),)}, "its line has 'enocean'"),
        ({"devices": (DeviceConfig(id="d", link="stick", driver="enocean", address="1"),)}, "address '1'"),
        ({"devices": (DeviceConfig(id="d", link="stick", driver="enocean", key="xy"),)}, "not hexadecimal"),
        ({"intervals": Intervals(alive_s=0)}, "longer than 0 s"),
        (
            {"links": (_LINK, _BLE), "devices": (_DEVICE, _button("b1"), _button("b2"))},
            "two BLE devices of one address",
        ),
        ({"links": (_LINK, _BLE), "devices": (_DEVICE, _button("stick"))}, "a link and a BLE device"),
        ({"devices": ()}, ""),
    ],
)
async def test_a_configuration_that_cannot_be_carried_out_is_refused_whole(
    recorder: Recorder, changes: dict[str, object], says: str
) -> None:
    held = Configuration(HUB, recorder, lambda _new: None)
    payload = config.encode(_config(**changes))
    if not says:
        await held.offered(payload)
        assert held.current.version == 1
        return
    with pytest.raises(MalformedError, match=says):
        held._read(payload)
    for _ in range(2):
        await held.offered(payload)
    assert held.current.version == -1
    assert recorder.summary().pending.reading == 1
    assert await recorder.meta("config") is None
