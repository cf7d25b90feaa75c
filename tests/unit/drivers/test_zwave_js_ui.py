"""Z-Wave JS UI: topics, payload forms, and states that several topics tell."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Answer, Device, Setup
from drivers.zwave_js_ui import open_driver
from drivers.zwave_js_ui.driver import ZwaveJsUiDriver
from hub.domain.clock import UTC, Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError

T0 = dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
LEAK, DOOR, BUTTON = "bath/leak-1", "door-1", "7"
DEVICES = tuple(Device(id=f"d-{n}", address=address) for n, address in enumerate((LEAK, DOOR, BUTTON)))
WATER = f"{LEAK}/113/0/Water_Alarm/Sensor_status"
STATE, SIMPLE = (
    f"{DOOR}/notification/endpoint_0/Access_Control/{name}" for name in ("Door_state", "Door_state_simple")
)
SCENE = f"{BUTTON}/91/0/scene/001"


class Home:
    """A driver with its state, that can be started anew."""

    def __init__(self, devices: tuple[Device, ...] = DEVICES) -> None:
        self.state = b""
        self._devices = devices
        self.restart()

    def restart(self) -> None:
        driver = open_driver("topic", Setup(devices=self._devices, state=self.state))
        assert isinstance(driver, ZwaveJsUiDriver)
        self.driver = driver
        driver.opened(Now(T0, 0.0))

    def raw(self, topic: str, payload: bytes, s: float = 0.0, *, retained: bool = False) -> Answer:
        answer = self.driver.message(topic, payload, Now(T0 + dt.timedelta(seconds=s), s), retained=retained)
        if answer.state is not None:
            self.state = answer.state
        return answer

    def say(self, topic: str, value: Any, s: float = 0.0, *, retained: bool = False) -> list[tuple[Kind, Any]]:
        """Say a value that was learnt at this moment."""
        payload = json.dumps({"time": int((T0.timestamp() + s) * 1000), "value": value}).encode()
        answer = self.raw(topic, payload, s, retained=retained)
        assert not answer.bad
        return [(one.observation.kind, one.observation.flags) for one in answer.observations]


ALIVE = (Kind.DEVICE_ALIVE, ())


def test_two_topics_of_one_door_are_one_state() -> None:
    home = Home()
    assert home.say(STATE, 22, 0) == [(Kind.DOOR_OPENED, ())]
    assert home.say(SIMPLE, 22, 0) == []
    assert home.say(SIMPLE, 23, 5) == [(Kind.DOOR_CLOSED, ())]
    assert home.say(STATE, 22, 4) == [(Kind.DOOR_OPENED, ("late",))]  # raised, and it opens nothing
    assert home.say(STATE, 23, 6) == []


@pytest.mark.parametrize("place", ["113/{}", "notification/endpoint_{}"])
def test_two_doors_of_one_node_are_two_states(place: str) -> None:
    home = Home()
    front, back = (f"{DOOR}/{place.format(number)}/Access_Control/Door_state" for number in (1, 2))
    assert home.say(back, 22, 1) == [(Kind.DOOR_OPENED, ())]
    assert home.say(front, 22, 2) == [(Kind.DOOR_OPENED, ())]
    assert home.say(front.replace("state", "state_simple"), 22, 2.1) == []
    assert home.say(back, 23, 3) == [(Kind.DOOR_CLOSED, ())]
    assert home.say(front, 23, 4) == [(Kind.DOOR_CLOSED, ())]


def test_each_topic_has_dates_of_its_own() -> None:
    home = Home()
    assert home.say(f"{LEAK}/128/0/level", 90, 100) == [(Kind.BATTERY_LEVEL, ())]
    # Learnt before, and kept: no reason to think it old.
    assert home.say(WATER, 2, 50, retained=True) == [(Kind.WATER_DETECTED, ("retained",))]


def test_a_gateway_that_says_again_what_it_knew_calls_nobody() -> None:
    home = Home()
    assert home.say(WATER, 2, 1) == [(Kind.WATER_DETECTED, ())]
    home.restart()
    payload = json.dumps({"time": int((T0.timestamp() + 1) * 1000), "value": 2}).encode()
    assert home.raw(WATER, payload, 900) == Answer()
    assert home.say(WATER, 2, 950) == [(Kind.WATER_DETECTED, ("after_gap",))]


def test_a_held_key_is_one_press_and_the_next_one_counts() -> None:
    home = Home()
    told = [home.say(SCENE, 2, 0.2 * n) for n in range(10)]
    assert told == [[(Kind.ALARM_PRESSED, ())], *[[]] * 9]
    assert home.say(SCENE, 1, 2.0) == []
    assert home.say(SCENE, 2, 2.5) == [(Kind.ALARM_PRESSED, ())]
    assert home.say(SCENE, None, 3) == []


def test_gateway_and_stick_are_one_fault_until_both_are_back() -> None:
    home = Home()
    client, stick = "_CLIENTS/ZWAVE_GATEWAY-home/status", "driver/status"
    assert home.say(client, False, 0) == [(Kind.DEVICE_FAULT, ())]
    assert home.say(stick, False, 1) == []
    assert home.say(client, True, 2) == []
    assert home.say(stick, True, 3) == [ALIVE]


def test_the_gateway_can_be_a_device_of_its_own() -> None:
    home = Home((*DEVICES, Device(id="d-gateway", address="driver")))
    (heard,) = home.raw("driver/status", b"false").observations
    assert heard.device_id == "d-gateway"


def test_the_state_does_not_grow_with_what_somebody_invents() -> None:
    home = Home()
    for n in range(2000):
        home.say(f"{LEAK}/113/0/Water_Alarm/x{n}", 2, n)
    assert len(home.state) < 40_000
    assert home.say(WATER, 2, 3000) == [(Kind.WATER_DETECTED, ())]


def test_strangers_are_named_as_they_would_be_assigned() -> None:
    home = Home()
    assert home.raw("hall/smoke-1/113/0/Smoke_Alarm/Sensor_status", b"2").strangers == ("hall/smoke-1",)
    assert home.raw("nodeID_9/status", b"true").strangers == ("nodeID_9",)
    assert home.raw("_EVENTS/ZWAVE_GATEWAY-home/node/ready", b"{}") == Answer()
    assert home.raw("a/b/c/d", b"{}") == Answer()


def test_names_of_people_are_in_no_frame() -> None:
    payload = {"value": 2, "lastUpdate": T0.timestamp() * 1000, "nodeName": "Kari", "nodeLocation": "Kari"}
    (heard,) = Home().raw(WATER, json.dumps(payload).encode()).observations
    assert json.loads(bytes.fromhex(heard.observation.raw)) == {"value": 2, "lastUpdate": T0.timestamp() * 1000}


@pytest.mark.parametrize("address", ["", "a/b/c", "+/x", "a/#"])
def test_an_address_that_is_no_node_is_refused(address: str) -> None:
    with pytest.raises(MalformedError, match="address"):
        open_driver("topic", Setup(devices=(Device(id="d", address=address),)))


_TOPICS = st.sampled_from(
    [WATER, STATE, SCENE, f"{LEAK}/status", "driver/status", "_CLIENTS/x/status", LEAK, "", "a/b"]
)
_PAYLOADS = st.binary(max_size=30) | st.sampled_from(
    [b"2", b"0", b"true", b'{"value":2}', b'{"value":1e999}', b'{"value":[]}', b'{"time":-1,"value":22}', b"null"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_TOPICS, _PAYLOADS, st.booleans()), max_size=6))
def test_no_message_raises_and_none_loses_the_leak_behind_it(messages: list[tuple[str, bytes, bool]]) -> None:
    home = Home()
    for n, (topic, payload, retained) in enumerate(messages):
        home.raw(topic, payload, 10.0 * n, retained=retained)
    home.restart()
    assert Kind.WATER_DETECTED in {kind for kind, _ in home.say(WATER, 2, 1000)}
