"""Health devices over the air: simulator, HCI over TCP, the real sessions, driver and journal."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from bleak.exc import BleakError

from drivers.health import driver, racp
from firmware_sim.ble.server import HciServer
from firmware_sim.clock import SystemClock as SimulatedClock
from firmware_sim.home import Home, specs_of
from hub.domain.clock import SystemClock
from hub.domain.codes import Lane
from hub.edge import session as base_session
from hub.edge import sessions
from hub.edge.configuration import tasks
from hub.edge.journal import Journal, Limits
from hub.edge.links.ble import Radio
from hub.edge.links.bumble import BumbleAdapter
from hub.edge.opening import open_journal
from hub.edge.recorder import Recorder
from hub.edge.session import Session
from hub.wire.config import DeviceConfig, HubConfig, LinkConfig
from tests.unit.edge.makers import HUB, event_of, until

# The machine of a test may have nobody who sets its clock.
CLOCK = SystemClock(synced=lambda: True)
ADDRESS = "C4:7C:8D:00:00:21"


class Room:
    """One simulated device, and a hub's edge that can be switched off and on again."""

    def __init__(self, folder: Path, profile: str, settings: Mapping[str, object]) -> None:
        self._folder, self._profile = folder, profile
        device = {"name": "device", "kind": f"health.{profile}", "address": ADDRESS, **settings}
        self.home = Home(specs_of({"device": [device]}), folder, SimulatedClock())
        self._server = HciServer(self.home.air)
        self._port = 0
        self.recorder: Recorder
        self.session: Session

    async def open(self) -> None:
        await self.home.start()
        self._port = await self._server.start(0)

    async def close(self) -> None:
        await self._server.stop()
        await self.home.stop()

    async def do(self, action: str, **arguments: object) -> Mapping[str, object]:
        return await self.home.do("device", action, arguments)

    @contextlib.asynccontextmanager
    async def edge(self) -> AsyncIterator[None]:
        """Run the edge, with the journal of the last time."""

        def opened() -> Journal:
            return open_journal(self._folder / "data", limits=Limits(reserve_bytes=0))

        self.recorder = Recorder(opened(), reopen=opened, hub_id=HUB, clock=CLOCK)
        self.recorder.start()
        device = DeviceConfig(id="d-1", link="ble", driver="health", address=ADDRESS, profile=self._profile)
        links = (LinkConfig(id="ble", kind="ble"),)
        config = HubConfig(version=1, hub_id=HUB, links=links, devices=(device,), timezone="Etc/UTC")
        (task,), wrong = tasks(config, CLOCK.now().utc)
        assert not wrong
        radio = Radio(BumbleAdapter(f"tcp-client:127.0.0.1:{self._port}", HUB, self._folder / "bonds.json"))
        self.session = sessions.session(task, self.recorder, CLOCK, radio)
        running = [asyncio.ensure_future(radio.run()), asyncio.ensure_future(self.session.run())]
        try:
            yield
        finally:
            for each in reversed(running):  # the connection ends while there is a radio
                each.cancel()
                await asyncio.gather(each, return_exceptions=True)
            await self.recorder.close()

    async def told(self, kind: str) -> list[Any]:
        """Return what was journalled of this kind, in order."""
        entries = await self.recorder.pending(Lane.READING, 0, 1000)
        return [event.data for event in map(event_of, entries) if event.data.kind == kind]

    async def wait_for(self, kind: str, count: int) -> list[Any]:
        async with asyncio.timeout(15):
            while len(found := await self.told(kind)) < count:  # noqa: ASYNC110 -- another thread's journal
                await asyncio.sleep(0.01)
        return found


@contextlib.asynccontextmanager
async def room(folder: Path, profile: str, **settings: object) -> AsyncIterator[Room]:
    made = Room(folder, profile, settings)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def three_pressures(here: Room) -> None:
    for systolic in (121, 132, 143):
        await here.do("measure", systolic=systolic)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not rest for 2 s after the last record; that it rests is shown where time is an argument."""
    monkeypatch.setattr(driver, "QUIET_S", 0.1)
    monkeypatch.setattr(sessions, "GATT_TICK_S", 0.05)
    monkeypatch.setattr(base_session, "BACKOFF_FIRST_S", 0.05)


@pytest.mark.parametrize(
    ("keep", "confirmed"),
    [(False, True), (True, False)],
    ids=["confirmed and freed", "kept and not confirmed"],
)
async def test_three_pressures_are_stored_once_though_the_link_drops(
    tmp_path: Path, keep: bool, confirmed: bool
) -> None:
    async with room(tmp_path, "blood_pressure", keep=keep) as here:
        await three_pressures(here)
        await here.do("drop_after", records=2, confirmed=confirmed)
        async with here.edge():
            await here.wait_for("vital.blood_pressure", 3)
            await until(lambda: "ended in order" in here.session.state.reason)
            found = await here.told("vital.blood_pressure")
            assert [each.value["systolic"] for each in found] == [121, 132, 143]
            assert [each.flags for each in found] == [()] * 3
            assert here.session.state.opened == 2
            (alive,) = await here.told("device.alive")
            assert alive.value == {"manufacturer": "Welfare Hub", "model": "SIM-1810", "firmware": "1.0.0"}
        assert len((await here.do("state"))["records"]) == (3 if keep else 0)  # type: ignore[arg-type]


async def test_glucose_records_not_seen_yet_after_a_restart(tmp_path: Path) -> None:
    async with room(tmp_path, "glucose") as here:
        for value in (5.4, 6.1):
            await here.do("measure", glucose=value, meal=1)
        async with here.edge():
            found = await here.wait_for("vital.glucose", 2)
            assert [each.value["meal"] for each in found] == ["before_meal"] * 2
            await until(lambda: "ended in order" in here.session.state.reason)
        await here.do("measure", glucose=7.2)
        async with here.edge():
            await here.wait_for("vital.glucose", 3)
            await until(lambda: "ended in order" in here.session.state.reason)
            found = await here.told("vital.glucose")
            assert [(each.value["device_seq"], each.value["glucose"]) for each in found] == [
                (1, 5.4),
                (2, 6.1),
                (3, 7.2),
            ]
        # The memory is cleared, and numbers begin anew below the one that was seen last.
        await here.do("clear_memory")
        await here.do("measure", glucose=4.4)
        async with here.edge():
            found = await here.wait_for("vital.glucose", 4)
            assert (found[-1].value["device_seq"], found[-1].value["glucose"]) == (1, 4.4)
            assert len(await here.told("device.rekeyed")) == 1


async def test_glucose_records_once_though_the_link_drops(tmp_path: Path) -> None:
    async with room(tmp_path, "glucose") as here:
        for value in (5.4, 6.1, 7.2):
            await here.do("measure", glucose=value)
        await here.do("drop_after", records=2)
        async with here.edge():
            await here.wait_for("vital.glucose", 3)
            await until(lambda: "ended in order" in here.session.state.reason)
            assert [each.value["device_seq"] for each in await here.told("vital.glucose")] == [1, 2, 3]


async def test_a_meter_that_does_not_answer_is_told_of_and_its_records_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(racp, "ANSWER_S", 0.1)
    monkeypatch.setattr(driver, "PATIENCE_S", 0.1)
    async with room(tmp_path, "glucose") as here:
        await here.do("mute")
        await here.do("measure", glucose=5.4)
        async with here.edge():
            (failed,) = await here.wait_for("vital.failed", 1)
            assert failed.value == {"measurement": "glucose", "reason": "no_answer"}
            await here.do("mute", on=False)
            (found,) = await here.wait_for("vital.glucose", 1)
            assert found.value["glucose"] == 5.4
            assert len(await here.told("vital.failed")) == 1


async def test_a_device_that_misbehaves_is_not_silent(tmp_path: Path) -> None:
    async with room(tmp_path, "blood_pressure", clock="date_time") as here:
        await here.do("power_cut")
        await here.do("refuse_time")
        await here.do("battery", percent=12)
        await here.do("fail")
        await here.do("garbage", hex="1effff")
        await here.do("fault", faults={"duplicate": 1.0})
        await here.do("measure", systolic=151)
        async with here.edge():
            (good,) = await here.wait_for("vital.blood_pressure", 1)
            nan, garbage = await here.told("vital.failed")
            assert (good.value["systolic"], good.flags, good.battery_pct) == (151, ("bad_time",), 12)
            assert good.value["device_time"].startswith("2000-01-01T00:00")
            assert (nan.value["reason"], nan.flags) == ("nan", ("cuff_loose", "bad_time"))
            assert (garbage.value["reason"], garbage.flags) == ("unreadable", ("bad_record",))
            assert len(await here.told("battery.low")) == 1


@pytest.mark.parametrize("clock", ["current_time", "date_time"])
async def test_a_wrong_clock_is_set(tmp_path: Path, clock: str) -> None:
    async with room(tmp_path, "thermometer", clock=clock) as here:
        await here.do("wrong_clock", ahead_s=86400)
        await here.do("measure", temperature=38.5)
        async with here.edge():
            (first,) = await here.wait_for("vital.temperature", 1)
            assert (first.value["temperature"], first.flags) == (38.5, ("bad_time",))
            await until(lambda: "ended in order" in here.session.state.reason)
            await here.do("measure", temperature=38.1)
            (_, second) = await here.wait_for("vital.temperature", 2)
            assert (second.value["temperature"], second.flags) == (38.1, ())


@pytest.mark.parametrize(("profile", "kind"), [("weight_scale", "vital.weight"), ("pulse_oximeter", "vital.spo2")])
async def test_a_scale_and_an_oximeter_are_heard(tmp_path: Path, profile: str, kind: str) -> None:
    async with room(tmp_path, profile) as here:
        await here.do("measure")
        async with here.edge():
            (found,) = await here.wait_for(kind, 1)
            assert found.flags == ()


async def test_a_belt_that_is_taken_off_tells_at_once(tmp_path: Path) -> None:
    async with room(tmp_path, "heart_rate", period_s=0.02) as here:
        await here.do("wear", heart_rate=84)
        async with here.edge():
            (first,) = await here.wait_for("vital.heart_rate", 1)
            assert first.value["heart_rate"] == 84
            await here.do("lose_contact")
            (lost,) = await here.wait_for("vital.failed", 1)
            assert lost.value["reason"] == "no_contact"


class LostClient:
    """A connection that brings two records while it is being set up, and is lost then."""

    is_connected = False

    async def write_gatt_char(self, *_: object, **__: object) -> None:
        raise BleakError("has none")

    read_gatt_char = write_gatt_char

    async def start_notify(self, _uuid: str, heard: Callable[[object, bytearray], None]) -> None:
        for systolic in (121, 132):
            heard(None, bytearray(struct.pack("<BHHH", 0, systolic, 88, 106)))
        raise BleakError("lost")


class RefusingClient(LostClient):
    """The same, of a device that refuses all that it may."""

    is_connected = True


@pytest.mark.parametrize(("client", "reason", "count"), [(LostClient, "has none", 0), (RefusingClient, "lost", 2)])
async def test_what_came_before_the_link_was_lost_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: type[LostClient], reason: str, count: int
) -> None:
    """Only a link that stands may refuse what is optional; what it brought is journalled when it ends."""

    @contextlib.asynccontextmanager
    async def connection(*_: object, **__: object) -> AsyncIterator[LostClient]:
        yield client()

    async with room(tmp_path, "blood_pressure") as here:
        monkeypatch.setattr(Radio, "connection", connection)
        await here.do("measure")  # so that it is in the air
        async with here.edge():
            await until(lambda: reason in here.session.state.reason)
            found = await here.wait_for("vital.blood_pressure", count)
            assert [each.value["systolic"] for each in found] == [121, 132][:count]
