"""The simulated Z-Wave JS UI and its driver, over a real broker."""

from pathlib import Path

from hub.domain.codes import Kind
from tests.fakes.gateway import ear, home_of
from tests.fakes.mosquitto import Mosquitto

_DEVICES = {"d-button": "bath/button-1", "d-leak": "bath/leak-1", "d-door": "door-1"}
_BUTTON = {"name": "button", "kind": "zwave_js_ui.button", "address": "bath/button-1"}
_LEAK = {"name": "leak", "kind": "zwave_js_ui.leak", "address": "bath/leak-1"}
_DOOR = {"name": "door", "kind": "zwave_js_ui.contact", "address": "door-1"}
_SMOKE = {"name": "smoke", "kind": "zwave_js_ui.smoke", "address": "hall/smoke-1"}


async def test_what_one_does_is_what_is_heard(tmp_path: Path, broker: Mosquitto) -> None:
    async with (
        ear("zwave_js_ui", "zwave", broker.port, _DEVICES) as heard,
        home_of(tmp_path, broker.port, _BUTTON, _LEAK, _DOOR, _SMOKE) as home,
    ):
        await home.do("button", "press", {})
        await heard.until(lambda: Kind.ALARM_PRESSED in heard.kinds())
        for device, action in (
            ("button", "twice"),
            ("button", "hold"),
            ("leak", "wet"),
            ("leak", "late"),
            ("leak", "garbage"),
            ("leak", "dry"),
            ("smoke", "smoke"),
            ("door", "open"),
            ("door", "close"),
            ("door", "stick"),
            ("door", "open"),
            ("door", "battery_low"),
            ("door", "die"),
        ):
            await home.do(device, action, {})
        await heard.until(lambda: Kind.DEVICE_FAULT in heard.kinds("d-door"))
        presses = [one.observation.value for one in heard.heard if one.observation.kind is Kind.ALARM_PRESSED]
        assert presses == [{"button": 1, "press": "single"}, {"button": 1, "press": "hold"}]
        assert heard.kinds("d-leak").count(Kind.WATER_DETECTED) == 1
        moved = [kind for kind in heard.kinds("d-door") if kind in (Kind.DOOR_OPENED, Kind.DOOR_CLOSED)]
        assert moved == [Kind.DOOR_OPENED, Kind.DOOR_CLOSED]
        assert len(heard.bad) == 1
        await heard.until(lambda: heard.strangers == {"hall/smoke-1"})


async def test_the_gateway_dies_and_comes_back_with_what_it_knew(tmp_path: Path, broker: Mosquitto) -> None:
    async with (
        ear("zwave_js_ui", "zwave", broker.port, {"d-leak": "bath/leak-1"}) as heard,
        home_of(tmp_path, broker.port, _LEAK) as home,
    ):
        await home.do("leak", "wet", {})
        await heard.until(lambda: Kind.WATER_DETECTED in heard.kinds())
        await home.do("leak", "gateway_crash", {})
        await heard.until(lambda: Kind.DEVICE_FAULT in heard.kinds())
        await home.do("leak", "gateway_start", {})
        await heard.until(lambda: heard.kinds()[-1] is Kind.DEVICE_ALIVE)
        # What it says again carries the time at which it was told before: nobody is called twice.
        assert heard.kinds().count(Kind.WATER_DETECTED) == 1
        await home.do("leak", "unplug", {})
        await heard.until(lambda: heard.kinds().count(Kind.DEVICE_FAULT) == 2)
