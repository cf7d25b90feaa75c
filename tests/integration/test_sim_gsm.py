"""The driver and the simulated modem on a real pseudo-terminal."""

import asyncio
import datetime as dt
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from drivers.base import Answer, Device, Send, Setup
from drivers.gsm import open_driver
from firmware_sim.clock import FixedClock
from firmware_sim.devices.gsm.modem import GsmModem
from firmware_sim.home import Home, specs_of
from hub.domain.clock import UTC, Now

CAREOUSEL, PIVOTELL = "+4700000012", "+4700000013"
SPECS = {
    "device": [
        {"name": "modem", "kind": "gsm.modem", "port": "gsm", "pin": "1234"},
        {"name": "careousel", "kind": "gsm.careousel", "port": "gsm", "number": CAREOUSEL},
        {"name": "pivotell", "kind": "gsm.pivotell", "port": "gsm", "number": PIVOTELL},
    ]
}
DEVICES = (
    Device(id="modem", profile="modem", settings={"pin": "1234"}),
    Device(id="d-c", address=CAREOUSEL, profile="careousel"),
    Device(id="d-p", address=PIVOTELL, profile="pivotell"),
)
START = dt.datetime(2026, 11, 18, 8, 0, tzinfo=UTC)
# Seconds of the driver in one of ours: its waits are long, the modem's are real.
HASTE = 60.0


class Hub:
    """The session: bytes to the driver, its state kept, then what it wants sent."""

    def __init__(self, path: Path, state: bytes = b"") -> None:
        self.driver = open_driver("serial", Setup(devices=DEVICES, state=state))
        self.state = state
        self.told: list[tuple[str, str]] = []
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._loop.add_reader(self._fd, self._read)
        self.sending = True
        self._answer(self.driver.opened(self._now()))
        self._ticking = self._loop.create_task(self._tick())

    def _now(self) -> Now:
        mono = self._loop.time() * HASTE
        return Now(START + dt.timedelta(days=3), mono)

    def _read(self) -> None:
        self._answer(self.driver.received(os.read(self._fd, 4096), self._now()))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.01)
            self._answer(self.driver.tick(self._now()))

    def _answer(self, answer: Answer) -> None:
        if answer.state is not None:
            self.state = answer.state
        self.told += [(heard.device_id, heard.observation.kind.value) for heard in answer.observations]
        for action in answer.actions:
            if isinstance(action, Send) and self.sending:
                self.sending = not action.data.startswith(self.dies_at) if self.dies_at else True
                if self.sending:
                    os.write(self._fd, action.data)
        self._news.set()

    dies_at = b""

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(8):
            while not enough():
                self._news.clear()
                await self._news.wait()

    def of(self, device: str) -> list[str]:
        return [kind for who, kind in self.told if who == device]

    async def close(self) -> None:
        self._ticking.cancel()
        self._loop.remove_reader(self._fd)
        os.close(self._fd)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(specs_of(SPECS), tmp_path, FixedClock())
    await home.start()
    yield home
    await home.stop()


@pytest.fixture
async def hub(home: Home, tmp_path: Path) -> AsyncIterator[Hub]:
    hub = Hub(tmp_path / "gsm")
    await hub.until(lambda: "device.alive" in hub.of("modem"))
    yield hub
    await hub.close()
    assert modem(home).sim.tries == 3


def modem(home: Home) -> GsmModem:
    found = home.devices["modem"]
    assert isinstance(found, GsmModem)
    return found


async def test_what_dispensers_text_is_observed(home: Home, hub: Hub) -> None:
    for action in ("miss", "low_stock", "upside_down"):
        await home.do("careousel", action, {})
    await home.do("pivotell", "jam", {})
    await hub.until(lambda: len(hub.of("d-c")) == 3 and len(hub.of("d-p")) == 1)
    assert hub.of("d-c") == ["dose.not_dispensed", "dispenser.low_stock", "device.tamper"]
    assert hub.of("d-p") == ["dispenser.jammed"]


async def test_every_text_of_a_dispenser_fits_a_row(home: Home, hub: Hub) -> None:
    for name in ("careousel", "pivotell"):
        words = sorted(set(home.devices[name].actions) - {"garbage"})
        for word in words:
            await home.do(name, word, {})
        device = f"d-{name[0]}"
        await hub.until(lambda device=device, words=words: len(hub.of(device)) >= len(words))  # type: ignore[misc] # bound
        assert "device.fault" not in hub.of(device)
    await home.do("careousel", "garbage", {})
    await hub.until(lambda: "device.fault" in hub.of("d-c"))


async def test_a_long_text_out_of_order_and_twice_is_one(home: Home, hub: Hub) -> None:
    text = {"sender": CAREOUSEL, "text": "æ✓ " * 60 + "jam", "order": "reversed", "twice": True}
    await home.do("modem", "text", text)
    await hub.until(lambda: bool(hub.of("d-c")))
    await home.do("pivotell", "miss", {})
    await hub.until(lambda: bool(hub.of("d-p")))
    assert hub.of("d-c") == ["dispenser.jammed"]


async def test_a_missing_part_holds_nothing_back_for_long(home: Home, hub: Hub) -> None:
    text = {"sender": CAREOUSEL, "text": "not taken " + "x" * 300, "without": 2}
    await home.do("modem", "text", text)
    await hub.until(lambda: hub.of("d-c") == ["dose.not_dispensed"])


async def test_a_brown_out_within_a_pdu_loses_nothing(home: Home, hub: Hub) -> None:
    await home.do("modem", "brown_out", {})
    await home.do("careousel", "miss", {})
    await hub.until(lambda: hub.of("d-c") == ["dose.not_dispensed"])


async def test_killed_between_reading_and_deleting(home: Home, hub: Hub, tmp_path: Path) -> None:
    hub.dies_at = b"AT+CMGD"
    await home.do("careousel", "miss", {})
    await hub.until(lambda: hub.of("d-c") == ["dose.not_dispensed"])
    again = Hub(tmp_path / "gsm", hub.state)
    hub._loop.remove_reader(hub._fd)
    await home.do("pivotell", "miss", {})
    await again.until(lambda: bool(again.of("d-p")))
    assert again.of("d-c") == []
    await again.close()


async def test_a_full_memory_takes_the_rest_later(home: Home, hub: Hub) -> None:
    modem(home).fill()
    await home.do("careousel", "miss", {})
    await hub.until(lambda: "device.fault" in hub.of("modem"))
    assert hub.of("d-c") == []
    modem(home).clear()
    await hub.until(lambda: hub.of("d-c") == ["dose.not_dispensed"])


async def test_a_modem_that_falls_silent_is_told_and_comes_back(home: Home, hub: Hub) -> None:
    await home.do("modem", "silent", {"on": True})
    await hub.until(lambda: "device.fault" in hub.of("modem"))
    await home.do("careousel", "miss", {})
    await home.do("modem", "silent", {"on": False})
    await hub.until(lambda: hub.of("d-c") == ["dose.not_dispensed"])
