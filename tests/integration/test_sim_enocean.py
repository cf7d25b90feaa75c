"""The EnOcean driver and the simulated stick, over a real pseudo-terminal."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from drivers.base import Answer, Device, Send, Setup
from drivers.enocean import open_driver
from drivers.enocean.profiles import PROFILES
from firmware_sim.clock import FixedClock
from firmware_sim.devices.enocean import KINDS
from firmware_sim.home import Home, specs_of
from hub.domain.clock import Clock, Now, SystemClock

# Every kind: its profile, and what each thing done to it must come to.
DEVICES = {
    "pendant": ("F6-01-01", [("press", "alarm.pressed")]),
    "pullcord": ("F6-02-01", [("press", "alarm.pressed")]),
    "callbutton": ("F6-02-02", [("press", "alarm.pressed"), ("both", "alarm.pressed")]),
    "water": ("F6-05-01", [("wet", "water.detected"), ("dry", "device.alive")]),
    "smoke": ("F6-05-02", [("smoke", "smoke.detected"), ("low_battery", "battery.low")]),
    "handle": ("F6-10-00", [("open", "door.opened"), ("tilt", "door.opened"), ("close", "door.closed")]),
    "door": ("D5-00-01", [("open", "door.opened"), ("close", "door.closed"), ("teach", "device.alive")]),
    "motion": (
        "A5-07-01",
        [("move", "motion.detected"), ("low_battery", "battery.low"), ("still", "motion.cleared")],
    ),
    "presence": (
        "A5-08-01",
        [("move", "motion.detected"), ("push", "motion.detected"), ("still", "motion.cleared")],
    ),
    "contact": ("A5-14-01", [("open", "door.opened"), ("close", "door.closed"), ("teach", "device.alive")]),
    "mat": ("A5-30-03", [("occupy", "bed.entered"), ("leave", "bed.left"), ("teach", "device.alive")]),
}
ADDRESSES = {kind: f"0189A3{number:02X}" for number, kind in enumerate(DEVICES)}
TICK_S = 0.02


class SlowClock:
    """Time that goes at a quarter of its speed: where repeats of a telegram come late on a busy machine."""

    def now(self) -> Now:
        now = SystemClock().now()
        return now._replace(mono=now.mono / 4)


class Listener:
    """The hub's end of the line, with the driver behind it."""

    def __init__(self, path: Path, devices: tuple[Device, ...], clock: Clock) -> None:
        self.driver = open_driver("serial", Setup(devices=devices))
        self.kinds: list[tuple[str, str]] = []
        self.values: list[object] = []
        self.strangers: dict[str, str] = {}
        self.bad: list[str] = []
        self._clock = clock
        self._news = asyncio.Event()
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        for action in self.driver.opened(self._clock.now()).actions:
            assert isinstance(action, Send)
            os.write(self._fd, action.data)

    def _read(self) -> None:
        self._take(self.driver.received(os.read(self._fd, 4096), self._clock.now()))

    def _take(self, answer: Answer) -> None:
        for heard in answer.observations:
            self.kinds.append((heard.device_id, heard.observation.kind.value))
            self.values.append(heard.observation.value)
        self.bad += answer.bad
        self.strangers |= {address: answer.profiles.get(address, "") for address in answer.strangers}
        self._news.set()

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)  # what the edge does: time passes by itself
            self._take(self.driver.tick(self._clock.now()))

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(3):
            while not enough():
                self._news.clear()
                await self._news.wait()

    async def count(self, number: int) -> None:
        await self.until(lambda: len(self.kinds) >= number)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


@contextlib.asynccontextmanager
async def living(
    folder: Path, *, assigned: bool = True, clock: Clock | None = None
) -> AsyncIterator[tuple[Home, Listener]]:
    tables = [
        {"name": kind, "kind": f"enocean.{kind}", "port": "stick", "address": address}
        for kind, address in ADDRESSES.items()
    ]
    home = Home(specs_of({"device": tables}), folder, FixedClock())
    await home.start()
    devices = tuple(
        Device(id=kind, address=ADDRESSES[kind], profile=profile, settings={"mat": "bed"})
        for kind, (profile, _) in DEVICES.items()
    )
    listener = Listener(folder / "stick", devices if assigned else (), clock or SystemClock())
    ticking = asyncio.create_task(listener.tick())
    try:
        yield home, listener
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        listener.close()
        await home.stop()


def test_there_is_a_kind_for_every_profile() -> None:
    assert {profile for profile, _ in DEVICES.values()} == set(PROFILES)
    assert {f"enocean.{kind}" for kind in DEVICES} == set(KINDS)


async def test_a_button_is_let_go_before_it_is_pressed_again(tmp_path: Path) -> None:
    # A hub takes what it hears twice within 100 ms for one press: no finger is as fast as that.
    async with living(tmp_path) as (home, heard):
        await asyncio.gather(*(home.do("pendant", "press", {}) for _ in range(3)))
        await heard.count(3)
        assert heard.kinds == [("pendant", "alarm.pressed")] * 3


async def test_every_kind_is_understood_and_each_event_once(tmp_path: Path) -> None:
    async with living(tmp_path, clock=SlowClock()) as (home, heard):
        for kind, (_, steps) in DEVICES.items():
            for action, expected in steps:
                before = len(heard.kinds)
                await home.do(kind, "repeaters", {"count": 2})
                await home.do(kind, action, {})
                await heard.count(before + 1)
                assert heard.kinds[before] == (kind, expected)
        await heard.until(lambda: heard.driver.base_id == "FF9C2100")
        assert [one for one in heard.kinds if one[1] == "alarm.pressed"] == [
            ("pendant", "alarm.pressed"),
            ("pullcord", "alarm.pressed"),
            ("callbutton", "alarm.pressed"),
            ("callbutton", "alarm.pressed"),
        ]
        assert {"handle": "tilted"} in heard.values
        assert {"teach_in": True, "profile": "A5-30-03", "manufacturer": "0x7FF"} in heard.values
        assert heard.bad == []


async def test_troubles_of_the_line_lose_no_press(tmp_path: Path) -> None:
    async with living(tmp_path) as (home, heard):
        pressed = ("pendant", "alarm.pressed")
        await home.do("pendant", "brown_out", {})
        await home.do("pendant", "press", {})
        await heard.until(lambda: heard.kinds.count(pressed) == 1)
        await home.do("pendant", "garbage", {"seed": 5, "bytes": 200})
        await home.do("pullcord", "press", {})
        await heard.until(lambda: ("pullcord", "alarm.pressed") in heard.kinds)
        await home.do("water", "unknown", {})
        await heard.until(lambda: any("unknown RORG 0x30 of " + ADDRESSES["water"] in line for line in heard.bad))
        assert ("water", "water.detected") not in heard.kinds
        # One of three copies is enough; the seed makes one come through.
        await home.do("pendant", "fault", {"faults": {"drop": 0.7}, "seed": 1})
        await home.do("water", "repeaters", {"count": 2})
        await home.do("water", "wet", {})
        await heard.until(lambda: ("water", "water.detected") in heard.kinds)


async def test_a_stuck_button_goes_on_until_it_comes_free(tmp_path: Path) -> None:
    async with living(tmp_path) as (home, heard):
        await home.do("pendant", "stuck", {})
        await heard.until(lambda: len(heard.kinds) >= 3)
        await home.do("pendant", "free", {})
        assert set(heard.kinds) == {("pendant", "alarm.pressed")}


async def test_strangers_are_named_with_the_profile_they_taught(tmp_path: Path) -> None:
    async with living(tmp_path, assigned=False) as (home, heard):
        await home.do("motion", "teach", {})
        await home.do("motion", "move", {})
        await home.do("pendant", "press", {})
        await heard.until(lambda: ADDRESSES["pendant"] in heard.strangers)
        assert heard.strangers[ADDRESSES["motion"]] == "A5-07-01"
        assert heard.strangers[ADDRESSES["pendant"]] == ""
        assert heard.kinds == []


async def test_out_of_range_is_silence_and_a_cycle_is_a_sign_of_life(tmp_path: Path) -> None:
    table = {"name": "door", "kind": "enocean.door", "port": "s", "address": ADDRESSES["door"], "cycle_s": 0.15}
    home = Home(specs_of({"device": [table]}), tmp_path, FixedClock())
    await home.start()
    door = Device(id="door", address=ADDRESSES["door"], profile="D5-00-01")
    heard = Listener(tmp_path / "s", (door,), SystemClock())
    await home.do("door", "out_of_range", {})
    await home.do("door", "open", {})
    await home.do("door", "in_range", {})
    await home.do("door", "fade", {"dbm": 91})
    await heard.until(lambda: len(heard.kinds) >= 2)
    assert heard.kinds[:2] == [("door", "door.opened"), ("door", "device.alive")]
    heard.close()
    await home.stop()


@pytest.mark.parametrize("action", ["repeaters", "fade"])
async def test_arguments_that_do_not_fit_are_refused(tmp_path: Path, action: str) -> None:
    home = Home(
        specs_of({"device": [{"name": "p", "kind": "enocean.pendant", "address": "01020304"}]}),
        tmp_path,
        FixedClock(),
    )
    with pytest.raises(ValueError, match="must be a whole number"):
        await home.do("p", action, {})
