"""The simulated Zigbee2MQTT and its driver, over a real broker."""

from pathlib import Path

from hub.domain.codes import Kind
from tests.fakes.gateway import ear, home_of
from tests.fakes.mosquitto import Mosquitto

_DEVICES = {"d-button": "button-1", "d-leak": "leak-1", "d-door": "door-1", "d-room": "room-1"}
_BUTTON = {"name": "button", "kind": "zigbee2mqtt.button", "address": "button-1"}
_LEAK = {"name": "leak", "kind": "zigbee2mqtt.leak", "address": "leak-1"}
_DOOR = {"name": "door", "kind": "zigbee2mqtt.contact", "address": "door-1"}
_ROOM = {"name": "room", "kind": "zigbee2mqtt.occupancy", "address": "room-1"}


async def test_what_one_does_is_what_is_heard(tmp_path: Path, broker: Mosquitto) -> None:
    async with (
        ear("zigbee2mqtt", "zigbee2mqtt", broker.port, _DEVICES) as heard,
        home_of(tmp_path, broker.port, _BUTTON, _LEAK, _DOOR, _ROOM) as home,
    ):
        for press in (1, 2):
            await home.do("button", "press", {})
            await home.do("button", "twice", {})
            await heard.until(lambda press=press: heard.kinds("d-button").count(Kind.ALARM_PRESSED) == press)  # type: ignore[misc] # the loop's own
        for device, action in (
            ("leak", "wet"),
            ("leak", "report"),
            ("leak", "dry"),
            ("door", "open"),
            ("door", "late"),
            ("door", "close"),
            ("room", "enter"),
            ("room", "stick"),
            ("room", "leave"),
            ("door", "garbage"),
            ("door", "offline"),
        ):
            await home.do(device, action, {})
        await heard.until(lambda: Kind.DEVICE_FAULT in heard.kinds("d-door"))
        assert heard.kinds("d-button").count(Kind.ALARM_PRESSED) == 2
        assert heard.kinds("d-leak").count(Kind.WATER_DETECTED) == 1
        moved = [kind for kind in heard.kinds("d-door") if kind in (Kind.DOOR_OPENED, Kind.DOOR_CLOSED)]
        assert moved[-2:] == [Kind.DOOR_OPENED, Kind.DOOR_CLOSED]
        assert Kind.OCCUPANCY_STARTED in heard.kinds("d-room")
        assert len(heard.bad) == 1
        assert heard.bad[0].startswith("d-door: no JSON")


async def test_the_gateway_dies_and_comes_back_with_what_it_knew(tmp_path: Path, broker: Mosquitto) -> None:
    async with (
        ear("zigbee2mqtt", "zigbee2mqtt", broker.port, {"d-leak": "leak-1"}) as heard,
        home_of(tmp_path, broker.port, _LEAK, _DOOR) as home,
    ):
        await home.do("leak", "wet", {})
        await heard.until(lambda: Kind.WATER_DETECTED in heard.kinds())
        await home.do("leak", "gateway_crash", {})
        await heard.until(lambda: Kind.DEVICE_FAULT in heard.kinds())
        assert [one.observation.value for one in heard.heard if one.observation.kind is Kind.DEVICE_FAULT] == [
            {"reason": "gateway offline"}
        ]
        await home.do("leak", "gateway_start", {})
        await heard.until(lambda: heard.kinds().count(Kind.WATER_DETECTED) == 2)
        assert heard.heard[-1].observation.flags == ("after_gap",)
        assert heard.kinds().count(Kind.DEVICE_FAULT) == 1
        await heard.until(lambda: heard.strangers == {"door-1"})
