"""The BTHome driver and the simulated senders, over real HCI."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from drivers.base import Advert, Answer, Device, Setup
from drivers.bthome import open_driver
from firmware_sim.ble.server import HciServer
from firmware_sim.clock import FixedClock
from firmware_sim.devices.bthome import KINDS
from firmware_sim.home import Home, HomeError, specs_of
from hub.domain.clock import SystemClock
from hub.edge.links.ble import Radio
from hub.edge.links.bumble import BumbleAdapter

KEY = "231d39c1d7cc1ab1aee224cd096db932"
Steps = list[tuple[str, dict[str, object], list[str]]]
# Every kind: whether it encrypts, and what each thing done to it must come to.
DEVICES: dict[str, tuple[bool, Steps]] = {
    "button": (True, [("press", {"how": "double"}, ["alarm.pressed"])]),
    "remote": (True, [("press", {"button": 3, "how": "long"}, ["alarm.pressed"])]),
    "door": (
        False,
        [
            ("open", {}, ["climate.reading", "door.opened"]),
            ("close", {}, ["climate.reading", "door.closed"]),
        ],
    ),
    "motion": (
        False,
        [
            ("move", {"blind_s": 0}, ["climate.reading", "motion.detected", "climate.reading", "motion.cleared"]),
        ],
    ),
    "climate": (True, [("measure", {"decidegrees": -55}, ["climate.reading", "climate.reading"])]),
}
ADDRESSES = {kind: f"F0:11:22:33:44:{number:02X}" for number, kind in enumerate(DEVICES, start=0x10)}


class Heard:
    """What the driver of one device has said."""

    def __init__(self, radio: Radio, kind: str) -> None:
        key = bytes.fromhex(KEY) if DEVICES[kind][0] else None
        device = Device(id=kind, address=ADDRESSES[kind], key=key)
        self._driver = open_driver("advert", Setup(devices=(device,)))
        self._clock = SystemClock()
        self._news = asyncio.Event()
        self.answers: list[Answer] = []
        radio.listen(ADDRESSES[kind], self._take)

    def _take(self, advert: Advert) -> None:
        answer = self._driver.advertised(advert, self._clock.now())
        if answer.observations or answer.bad:
            self.answers.append(answer)
            self._news.set()

    @property
    def told(self) -> list[tuple[str, object, tuple[str, ...]]]:
        seen = [heard.observation for answer in self.answers for heard in answer.observations]
        return [(each.kind.value, each.value, each.flags) for each in seen]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.told]

    @property
    def bad(self) -> list[str]:
        return [line for answer in self.answers for line in answer.bad]

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not enough():
                self._news.clear()
                await self._news.wait()

    async def count(self, number: int) -> None:
        await self.until(lambda: len(self.told) >= number)


class World:
    """A home, and the edge's radio in it."""

    def __init__(self, home: Home, radio: Radio) -> None:
        self.home, self.radio = home, radio
        self.heard = {kind: Heard(radio, kind) for kind in DEVICES}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    tables = [
        {"name": kind, "kind": f"bthome.{kind}", "address": ADDRESSES[kind]} | ({"key": KEY} if encrypted else {})
        for kind, (encrypted, _) in DEVICES.items()
    ]
    home = Home(specs_of({"device": tables}), tmp_path, FixedClock())
    server = HciServer(home.air)
    await home.start()
    radio = Radio(BumbleAdapter(f"tcp-client:127.0.0.1:{await server.start()}", "h-0042"))
    made = World(home, radio)
    scanning = asyncio.create_task(radio.run())
    async with asyncio.timeout(5):
        while not radio.state.up:  # noqa: ASYNC110 -- no event tells of it
            await asyncio.sleep(0.01)
    yield made
    scanning.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await scanning
    await server.stop()
    await home.stop()


def test_there_is_a_test_for_every_kind() -> None:
    assert {f"bthome.{kind}" for kind in DEVICES} == set(KINDS)


@pytest.mark.parametrize("kind", DEVICES)
async def test_every_kind_is_understood_and_each_event_once(world: World, kind: str) -> None:
    heard = world.heard[kind]
    expected: list[str] = []
    for action, arguments, kinds in DEVICES[kind][1]:
        await world.home.do(kind, action, arguments)
        expected += kinds
        await heard.count(len(expected))
    assert heard.kinds == expected
    assert heard.bad == []
    assert {flags for _, _, flags in heard.told} == {()}


async def test_a_hand_that_grabs_the_remote_is_four_presses(world: World) -> None:
    heard = world.heard["remote"]
    await world.home.do("remote", "grab", {})
    await heard.count(4)
    pressed = [("alarm.pressed", {"button": number, "press": "single"}, ()) for number in (1, 2, 3, 4)]
    assert heard.told == pressed


async def test_70_percent_loss_and_a_weak_signal_lose_no_press(world: World) -> None:
    heard = world.heard["button"]
    await world.home.do("button", "lose", {"percent": 70})
    await world.home.do("button", "fade", {"dbm": 96})
    await world.home.do("button", "press", {})
    await heard.count(1)
    assert heard.answers[0].observations[0].observation.rssi_dbm == -96
    assert heard.kinds == ["alarm.pressed"]


async def test_a_swapped_battery_still_calls_and_is_reported(world: World) -> None:
    heard = world.heard["button"]
    for how in ("press", "double", "triple"):
        await world.home.do("button", "press", {"how": how})
    await heard.count(3)
    await world.home.do("button", "swap_battery", {})
    await world.home.do("button", "press", {})
    await heard.count(6)
    assert heard.told[3][0] == "device.alive"
    assert heard.told[4][0] == "device.rekeyed"
    assert heard.told[5] == ("alarm.pressed", {"button": 1, "press": "single"}, ("counter_back",))


async def test_a_reset_button_calls_in_clear_and_is_reported(world: World) -> None:
    heard = world.heard["button"]
    await world.home.do("button", "reset", {})
    await heard.count(1)
    await world.home.do("button", "press", {})
    await heard.count(2)
    assert heard.kinds == ["device.rekeyed", "alarm.pressed"]
    assert {flags for _, _, flags in heard.told} == {("unencrypted",)}


async def test_a_wrong_key_and_garbage_are_told_and_hide_nothing(world: World) -> None:
    heard = world.heard["remote"]
    await world.home.do("remote", "press", {})
    await heard.count(1)
    await world.home.do("remote", "wrong_key", {"seed": 3})
    await heard.until(lambda: "device.fault" in heard.kinds)
    assert heard.told[-1][2] == ("bad_mic",)
    door = world.heard["door"]
    await world.home.do("door", "garbage", {"seed": 2})
    await door.until(lambda: bool(door.bad))
    await world.home.do("door", "open", {})
    await door.until(lambda: "door.opened" in door.kinds)


async def test_a_stuck_button_goes_on_until_it_comes_free(world: World) -> None:
    heard = world.heard["button"]
    await world.home.do("button", "stuck", {})
    await heard.count(3)
    await world.home.do("button", "free", {})
    assert set(heard.kinds) == {"alarm.pressed"}


async def test_what_was_set_over_the_air_outlives_the_power(tmp_path: Path) -> None:
    spec = {"name": "b", "kind": "bthome.button", "address": ADDRESSES["button"]}
    key = ""
    for life in range(2):
        home = Home(specs_of({"device": [spec]}), tmp_path, FixedClock())
        await home.start()
        device = home.devices["b"]
        if not life:
            device.encrypt()  # type: ignore[attr-defined] # a Shelly
            device.set_beacon(on=True)  # type: ignore[attr-defined]
            key = device.key.hex()  # type: ignore[attr-defined]
        state = await home.do("b", "state", {})
        assert (state["encrypted"], state["beacon"]) == (True, True)
        assert device.key.hex() == key  # type: ignore[attr-defined]
        await home.stop()


@pytest.mark.parametrize("burst_s", [0.1, 2.5])
def test_a_burst_is_as_long_as_a_shelly_makes_it(tmp_path: Path, burst_s: float) -> None:
    spec = {"name": "b", "kind": "bthome.button", "address": ADDRESSES["button"], "burst_s": burst_s}
    with pytest.raises(HomeError, match=r"'burst_s' must be 0\.2 to 2"):
        Home(specs_of({"device": [spec]}), tmp_path, FixedClock())
