"""The radio when nothing is heard: scanner, adapter, report; and who is connected to, and when not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError

from drivers.base import Advert
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from hub.edge.links import ble, bumble_client
from hub.edge.links.ble import FRESH_S, Adapter, Radio
from hub.edge.links.state import LinkState
from tests.unit.edge.makers import StandingClock, until

_OURS, _OTHER = "C4:00:00:00:00:01", "C4:00:00:00:00:02"


class Air:
    """What the fake scanners hear, and what was done to the adapter."""

    def __init__(self, clock: StandingClock) -> None:
        self.clock = clock
        self.scanner: Any = None
        self.starts = 0
        self.broken = ""
        self.hangs = False
        self.fault: Exception | None = None

    def say(self, address: str = _OURS, rssi_dbm: int = -60) -> None:
        data = AdvertisementData(None, {}, {}, [], None, rssi_dbm, ())
        self.scanner.call_detection_callbacks(BLEDevice(address, None, None), data)


class FakeScanner(BaseBleakScanner):
    def __init__(self, callback: Any, uuids: Any, _mode: str, *, air: Air, **_: Any) -> None:
        super().__init__(callback, uuids)
        self._air = air

    async def start(self) -> None:
        if self._air.broken:
            raise BleakError(self._air.broken)
        if self._air.fault:
            raise self._air.fault
        if self._air.hangs:
            await asyncio.Event().wait()
        self._air.scanner = self
        self._air.starts += 1

    async def stop(self) -> None:
        self._air.scanner = None


class FakeAdapter(Adapter):
    def __init__(self, air: Air) -> None:
        super().__init__()
        self.scanner = {"backend": FakeScanner, "air": air}
        self.resets = 0
        self.refuses = False

    async def reset(self) -> None:
        self.resets += 1
        if self.refuses:
            raise TransientError("BlueZ has no adapter")


class World(SimpleNamespace):
    clock: StandingClock
    air: Air
    adapter: FakeAdapter
    radio: Radio
    told: list[tuple[Kind, str]]

    async def silence(self, starts: int) -> None:
        """Let 90 s go by in which nothing is heard, until the scanner runs again."""
        self.clock.advance(91)
        await until(lambda: self.air.starts == starts and self.air.scanner is not None)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(ble, "BACKOFF_FIRST_S", 0.01)
    clock = StandingClock()
    air = Air(clock)
    adapter = FakeAdapter(air)
    told: list[tuple[Kind, str]] = []

    async def report(kind: Kind, value: dict[str, Any]) -> None:
        told.append((kind, value["reason"]))

    radio = Radio(adapter, mono=lambda: clock.mono, report=report, check_s=0.005)
    made = World(clock=clock, air=air, adapter=adapter, radio=radio, told=told)
    task = asyncio.create_task(radio.run())
    await until(lambda: air.scanner is not None)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_silence_starts_the_scanner_then_the_adapter_then_is_told_once(world: World) -> None:
    world.radio.listen(_OURS, lambda _advert: None)
    await world.silence(2)
    assert (world.radio.restarts, world.adapter.resets, world.told) == (1, 0, [])
    await world.silence(3)
    assert (world.radio.restarts, world.adapter.resets, world.told) == (1, 1, [])
    await world.silence(4)
    assert world.adapter.resets == 2
    assert world.told == [(Kind.DEVICE_FAULT, "radio silent for 273 s, scanner and adapter were started again")]
    await world.silence(5)
    assert len(world.told) == 1
    world.air.say(_OTHER)  # whoever it is: the radio hears
    await until(lambda: len(world.told) == 2)
    assert world.told[1] == (Kind.DEVICE_RETURNED, "radio hears again")
    await world.silence(6)
    assert world.adapter.resets == 3  # from the beginning: this time it was the scanner


async def test_an_adapter_that_cannot_be_reset_is_scanned_with_all_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.adapter.refuses = True
    await world.silence(2)
    await world.silence(3)
    assert "cannot be started again: BlueZ has no adapter" in caplog.text
    await world.silence(4)
    assert world.told == []  # no device of ours: there is nobody to miss


async def test_an_adapter_that_is_gone_is_told_with_its_reason(world: World) -> None:
    world.radio.listen(_OURS, lambda _advert: None)
    world.air.broken = "no adapter hci0"
    world.clock.advance(300)
    await until(lambda: bool(world.told))
    ((kind, reason),) = world.told
    assert kind is Kind.DEVICE_FAULT
    assert reason.startswith("radio silent for 300 s")


async def test_a_scanner_that_never_starts_is_told_and_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BlueZ takes the call and never answers; D-Bus itself does not end it."""
    monkeypatch.setattr(ble, "START_TIMEOUT_S", 0.05)
    world.radio.listen(_OURS, lambda _advert: None)
    world.air.hangs = True
    world.clock.advance(91)
    await until(lambda: world.radio.restarts == 1)
    world.clock.advance(200)
    await until(lambda: bool(world.told), within_s=3)
    assert "the scanner does not start" in world.told[0][1]
    world.air.hangs = False
    await until(lambda: world.air.starts == 2)


async def test_a_scanner_that_cannot_be_started_has_its_adapter_reset(world: World) -> None:
    world.radio.listen(_OURS, lambda _advert: None)
    world.air.broken = "org.bluez.Error.InProgress"
    world.clock.advance(91)
    await until(lambda: world.radio.restarts == 1)
    await asyncio.sleep(0.05)
    assert world.adapter.resets == 0
    world.clock.advance(90)
    await until(lambda: world.adapter.resets == 1, within_s=3)
    await asyncio.sleep(0.1)
    assert world.adapter.resets == 1
    world.clock.advance(181)
    await until(lambda: world.adapter.resets == 2, within_s=3)


async def test_a_scanner_that_fails_in_a_way_nobody_thought_of_is_told_too(world: World) -> None:
    world.radio.listen(_OURS, lambda _advert: None)
    world.air.fault = KeyError("org.bluez.Adapter1")
    world.clock.advance(300)
    await until(lambda: bool(world.told), within_s=3)
    assert "KeyError" in world.told[0][1]
    world.air.fault = None
    starts = world.air.starts
    await until(lambda: world.air.starts > starts)


class FakeClient:
    """Connects when it is told to."""

    allowed = asyncio.Event()
    now = most = 0

    def __init__(self, _device: object, *_: object, **__: object) -> None:
        pass

    async def connect(self) -> None:
        type(self).now += 1
        type(self).most = max(self.most, self.now)
        try:
            await self.allowed.wait()
        finally:
            type(self).now -= 1

    async def disconnect(self) -> None:
        pass


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    monkeypatch.setattr(FakeClient, "allowed", asyncio.Event())
    monkeypatch.setattr(FakeClient, "now", 0)
    monkeypatch.setattr(FakeClient, "most", 0)
    monkeypatch.setattr(ble, "BleakClient", FakeClient)
    return FakeClient


def _connection(radio: Radio, address: str = _OURS) -> contextlib.AbstractAsyncContextManager[object]:
    return radio.connection(address, bonded=False, on_lost=lambda: None)


async def test_while_all_are_connected_silence_is_no_fault(world: World, client: type[FakeClient]) -> None:
    client.allowed.set()
    world.radio.listen(_OURS, lambda _advert: None)
    world.air.say()
    async with _connection(world.radio):
        for starts in range(2, 7):
            await world.silence(starts)
        assert (world.adapter.resets, world.told) == (0, [])
    await world.silence(7)
    await world.silence(8)
    assert world.adapter.resets == 2


async def test_one_connection_is_attempted_at_a_time(world: World, client: type[FakeClient]) -> None:
    for address in (_OURS, _OTHER):
        world.radio.listen(address, lambda _advert: None)
        world.air.say(address)

    async def connect(address: str) -> None:
        async with _connection(world.radio, address):
            pass

    both = [asyncio.create_task(connect(address)) for address in (_OURS, _OTHER)]
    await until(lambda: client.now == 1)
    client.allowed.set()
    await asyncio.gather(*both)
    assert client.most == 1


async def test_who_was_not_heard_lately_is_not_tried(world: World, client: type[FakeClient]) -> None:
    client.allowed.set()
    world.radio.listen(_OURS, lambda _advert: None)
    with pytest.raises(TransientError, match="not heard since the scanner started"):
        async with _connection(world.radio):
            pass
    world.air.say(rssi_dbm=-94)
    world.clock.advance(FRESH_S + 1)
    with pytest.raises(TransientError, match="not heard for 31 s; weak signal, -94 dBm"):
        async with _connection(world.radio):
            pass
    world.air.say()
    async with _connection(world.radio):
        pass


async def test_strangers_are_shown_while_somebody_looks_and_are_never_many(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble, "_REMEMBERED", 4)
    world.radio.listen(_OURS, lambda _advert: None)
    world.air.say()
    seen: list[Advert] = []
    world.air.say(_OTHER)
    assert len(world.radio._devices) == 1
    with world.radio.looking(seen.append):
        for number in range(20):
            world.air.say(f"D0:00:00:00:00:{number:02X}")
    world.air.say(_OTHER)
    assert len(seen) == 20
    assert len(world.radio._devices) <= 4
    assert _OURS in world.radio._devices


def test_a_weak_signal_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    state = LinkState("d-1")
    for rssi_dbm in (-80, -91, -95, None, -89, -91, -84, -91):
        state.heard(rssi_dbm)
    assert [record.getMessage() for record in caplog.records] == [
        "link d-1: weak signal, -91 dBm: bring hub and device nearer",
        "link d-1: signal is good again, -84 dBm",
        "link d-1: weak signal, -91 dBm: bring hub and device nearer",
    ]


class StuckLink:
    """A connection of bumble's whose controller has stopped answering."""

    peer_address = "C4:00:00:00:00:01"

    def on(self, *_: object) -> None:
        pass

    async def pair(self) -> None:
        await asyncio.Event().wait()

    async def disconnect(self) -> None:
        await asyncio.Event().wait()


async def test_a_link_that_cannot_be_ended_does_not_keep_the_others_from_connecting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ble, "CONNECT_TIMEOUT_S", -4.9)
    monkeypatch.setattr(bumble_client, "END_S", 0.1)

    async def connect(*_: object, **__: object) -> StuckLink:
        return StuckLink()

    device = SimpleNamespace(connect=connect, keystore=None)
    bumble = SimpleNamespace(device=device)
    world.adapter.client = {"backend": bumble_client.BumbleClient, "bumble": bumble}
    world.radio.listen(_OURS, lambda _advert: None)
    world.air.say()
    for _ in range(2):
        async with asyncio.timeout(2):
            with pytest.raises(TransientError, match="cannot connect"):
                async with world.radio.connection(_OURS, bonded=True, on_lost=lambda: None):
                    pass
