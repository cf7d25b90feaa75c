"""Zigbee2MQTT: what is news, what is a repeat, what is only old, and what loses an alarm."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Answer, Device, Setup
from drivers.zigbee2mqtt import open_driver
from drivers.zigbee2mqtt.driver import Zigbee2MqttDriver
from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError

T0 = dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
LEAK, DOOR, BUTTON = "leak-1", "kitchen door 1", "0x00158d0001a2b3c4"
DEVICES = tuple(Device(id=f"d-{n}", address=address) for n, address in enumerate((LEAK, DOOR, BUTTON)))


def now(s: float = 0.0, quality: TimeQuality = TimeQuality.SYNCED) -> Now:
    return Now(T0 + dt.timedelta(seconds=s), 1000.0 + s, quality)


class Home:
    """A driver with its state, that can be started anew."""

    def __init__(self, devices: tuple[Device, ...] = DEVICES) -> None:
        self.state = b""
        self._devices = devices
        self.restart()

    def restart(self) -> None:
        driver = open_driver("topic", Setup(devices=self._devices, state=self.state))
        assert isinstance(driver, Zigbee2MqttDriver)
        self.driver = driver
        driver.opened(now())

    def raw(self, topic: str, payload: bytes, s: float = 0.0, *, retained: bool = False) -> Answer:
        answer = self.driver.message(topic, payload, now(s), retained=retained)
        if answer.state is not None:
            self.state = answer.state
        return answer

    def say(self, topic: str, s: float = 0.0, *, retained: bool = False, **said: Any) -> list[tuple[Kind, Any]]:
        if "seen" in said:
            said["last_seen"] = (T0 + dt.timedelta(seconds=said.pop("seen"))).isoformat()
        answer = self.raw(topic, json.dumps(said).encode(), s, retained=retained)
        assert not answer.bad
        return [(one.observation.kind, one.observation.flags) for one in answer.observations]


ALIVE = (Kind.DEVICE_ALIVE, ())


def test_a_state_is_told_when_it_changes_and_repeated_as_a_sign_of_life() -> None:
    home = Home()
    assert home.say(DOOR, contact=True) == [(Kind.DOOR_CLOSED, ())]
    assert home.say(DOOR, 100, contact=True) == [ALIVE]
    assert home.say(DOOR, 110, contact=True, linkquality=3) == []  # a sign of life a minute is enough
    assert home.say(DOOR, 120, contact=False) == [(Kind.DOOR_OPENED, ())]
    assert home.say(DOOR, 130, contact=True) == [(Kind.DOOR_CLOSED, ())]


def test_a_press_counts_each_time_but_not_when_it_is_delivered_twice() -> None:
    home = Home()
    assert home.say(BUTTON, 0, action="emergency", seen=0) == [(Kind.ALARM_PRESSED, ())]
    assert home.say(BUTTON, 30, action="emergency", seen=0) == []
    home.restart()
    assert home.say(BUTTON, 40, action="emergency", seen=0) == []  # before the acknowledgement had gone out
    assert home.say(BUTTON, 41, action="emergency", seen=1) == [(Kind.ALARM_PRESSED, ())]


def test_an_undated_press_counts_again_after_two_seconds() -> None:
    home = Home()
    assert home.say(BUTTON, 0, action="single") == [(Kind.ALARM_PRESSED, ())]
    assert home.say(BUTTON, 1, action="single") == []
    assert home.say(BUTTON, 4, action="single") == [(Kind.ALARM_PRESSED, ())]


def test_what_is_said_again_after_something_else_was_not_delivered_twice() -> None:
    home = Home()
    # The hub was away, and the broker hands over at once what it kept, without dates.
    assert home.say(LEAK, 0, water_leak=True) == [(Kind.WATER_DETECTED, ())]
    assert home.say(LEAK, 0, water_leak=True) == []
    assert home.say(DOOR, 0, contact=False) == [(Kind.DOOR_OPENED, ())]
    assert home.say(LEAK, 0, water_leak=True) == []
    assert home.say(LEAK, 0, water_leak=False) == []
    assert home.say(DOOR, 0, contact=True) == [(Kind.DOOR_CLOSED, ())]
    assert home.say(DOOR, 0, contact=False) == [(Kind.DOOR_OPENED, ())]
    assert home.say(LEAK, 0, water_leak=True) == [(Kind.WATER_DETECTED, ())]


def test_two_devices_that_say_the_same_are_two() -> None:
    home = Home()
    assert home.say(BUTTON, 0, action="single") == [(Kind.ALARM_PRESSED, ())]
    assert home.say(DOOR, 0.1, action="single") == [(Kind.ALARM_PRESSED, ())]


def test_a_retained_press_is_told_once_and_flagged() -> None:
    home = Home()
    press = [(Kind.ALARM_PRESSED, ("retained",))]
    assert home.say(BUTTON, action="emergency", retained=True) == press
    for _ in range(3):
        home.restart()
        assert home.say(BUTTON, action="emergency", retained=True) == []
    assert home.say(BUTTON, 9, action="emergency") == [(Kind.ALARM_PRESSED, ())]


def test_a_retained_alarm_that_was_never_told_is_raised_and_one_that_was_is_not() -> None:
    home = Home()
    assert home.say(LEAK, water_leak=True, retained=True) == [(Kind.WATER_DETECTED, ("retained",))]
    home.restart()
    assert home.say(LEAK, water_leak=True, retained=True) == []
    # The next leak has the same bytes as the first one.
    assert home.say(LEAK, 20, water_leak=False) == [ALIVE]
    home.restart()
    assert home.say(LEAK, water_leak=True, retained=True) == [(Kind.WATER_DETECTED, ("retained",))]


def test_what_was_on_is_raised_again_after_a_gap() -> None:
    home = Home()
    assert home.say(LEAK, water_leak=True) == [(Kind.WATER_DETECTED, ())]
    assert home.say(LEAK, 9, water_leak=True) == []
    home.restart()  # "over" and the next leak may have been missed
    assert home.say(LEAK, 10, water_leak=True) == [(Kind.WATER_DETECTED, ("after_gap",))]
    assert home.say(LEAK, 20, water_leak=True) == []


def test_an_alarm_that_stays_is_told_again_each_hour_a_door_is_not() -> None:
    home = Home()
    home.say(LEAK, water_leak=True)
    home.say(DOOR, contact=False)
    assert home.say(LEAK, 3599, water_leak=True) == [ALIVE]
    assert home.say(LEAK, 3601, water_leak=True) == [(Kind.WATER_DETECTED, ())]
    assert home.say(DOOR, 9000, contact=False) == [ALIVE]


@pytest.mark.parametrize("dated", [True, False])
def test_a_press_of_a_button_that_never_lets_go_counts_again_after_a_minute(*, dated: bool) -> None:
    home = Home()

    def press(at: float) -> list[tuple[Kind, Any]]:
        date: dict[str, Any] = {"seen": at} if dated else {}
        return home.say(BUTTON, at, sos=True, **date)

    assert press(0) == [(Kind.ALARM_PRESSED, ())]
    assert press(5) == []
    assert press(600) == [(Kind.ALARM_PRESSED, ())]
    if dated:  # the gateway started, and says again what it knew
        assert home.say(BUTTON, 900, sos=True, seen=600, linkquality=9) == []


def test_a_charge_that_is_low_is_told_once_until_it_was_good_again() -> None:
    home = Home()
    low = [(Kind.BATTERY_LEVEL, ()), (Kind.BATTERY_LOW, ())]
    assert home.say(DOOR, 0, battery=21) == [(Kind.BATTERY_LEVEL, ())]
    assert home.say(DOOR, 100, battery=20) == low
    assert home.say(DOOR, 200, battery=19) == [(Kind.BATTERY_LEVEL, ())]
    assert home.say(DOOR, 300, battery=30) == [(Kind.BATTERY_LEVEL, ())]
    assert home.say(DOOR, 400, battery=20) == [(Kind.BATTERY_LEVEL, ())]
    assert home.say(DOOR, 500, battery=100) == [(Kind.BATTERY_LEVEL, ())]
    assert home.say(DOOR, 600, battery=3, contact=False) == [(Kind.DOOR_OPENED, ()), (Kind.BATTERY_LOW, ())]
    # One that says by itself when it is low is believed.
    assert home.say(LEAK, 700, battery=15, battery_low=False) == [(Kind.BATTERY_LEVEL, ())]
    assert home.say(LEAK, 800, battery=9, battery_low=True) == [(Kind.BATTERY_LOW, ())]


def test_nothing_retained_and_undated_ends_anything_and_what_follows_is_a_change() -> None:
    home = Home()
    assert home.say(DOOR, contact=False) == [(Kind.DOOR_OPENED, ())]
    home.restart()
    assert home.say(DOOR, contact=True, retained=True) == []
    assert home.say(DOOR, 60, contact=False) == [(Kind.DOOR_OPENED, ())]
    home.restart()
    home.say(DOOR, contact=True, retained=True)
    assert home.say(DOOR, 70, contact=True) == [(Kind.DOOR_CLOSED, ())]


def test_a_dated_retained_state_ends_what_it_is_newer_than() -> None:
    home = Home()
    assert home.say(DOOR, 0, contact=False, seen=0) == [(Kind.DOOR_OPENED, ())]
    assert home.say(DOOR, 5, contact=True, seen=-60, retained=True) == []
    assert home.say(DOOR, 10, contact=True, seen=9, retained=True) == [(Kind.DOOR_CLOSED, ("retained",))]


def test_an_older_message_ends_nothing_and_raises_what_it_must() -> None:
    home = Home()
    assert home.say(DOOR, 10, contact=False, seen=10) == [(Kind.DOOR_OPENED, ())]
    assert home.say(DOOR, 11, contact=True, seen=5) == []
    assert home.say(DOOR, 12, contact=True, seen=12) == [(Kind.DOOR_CLOSED, ())]
    assert home.say(DOOR, 13, contact=False, seen=11, tamper=True) == [
        (Kind.DOOR_OPENED, ("late",)),
        (Kind.DEVICE_TAMPER, ("late",)),
    ]
    assert home.say(DOOR, 90, contact=True, seen=15) == [ALIVE]
    assert home.say(BUTTON, 20, action="emergency", seen=20) == [(Kind.ALARM_PRESSED, ())]
    assert home.say(BUTTON, 21, action="emergency", seen=19) == [(Kind.ALARM_PRESSED, ("late",))]


@pytest.mark.parametrize(
    "seen", ["1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2026-11-21T19:00:00", "soon", 1e300, [], True, -5]
)
def test_a_date_that_cannot_be_is_flagged_and_the_alarm_has_our_time(seen: object) -> None:
    answer = Home().raw(LEAK, json.dumps({"water_leak": True, "last_seen": seen}).encode(), 5)
    (heard,) = answer.observations
    assert heard.observation.time == T0 + dt.timedelta(seconds=5)
    assert heard.observation.flags == ("bad_time",)


def test_a_date_of_the_future_that_was_believed_makes_nothing_old_later() -> None:
    home = Home()
    payload = b'{"contact":false,"last_seen":"2090-01-01T00:00:00Z"}'
    assert home.driver.message(DOOR, payload, now(0, TimeQuality.UNKNOWN), retained=False).observations
    assert home.say(DOOR, 10, contact=True, seen=10) == [(Kind.DOOR_CLOSED, ())]


def test_the_gateway_is_one_fault_and_a_gap() -> None:
    home = Home()
    home.say(LEAK, water_leak=True)
    assert home.say("bridge/state", state="offline") == [(Kind.DEVICE_FAULT, ())]
    assert home.say("bridge/state", 1, state="offline") == []
    home.restart()
    assert home.say("bridge/state", state="offline", retained=True) == []
    assert home.say("bridge/state", 2, state="online") == [ALIVE]
    assert home.say(LEAK, 3, water_leak=True) == [(Kind.WATER_DETECTED, ("after_gap",))]


def test_the_gateway_can_be_a_device_of_its_own() -> None:
    home = Home((*DEVICES, Device(id="d-gateway", address="bridge")))
    answer = home.raw("bridge/state", b"offline", retained=True)
    (heard,) = answer.observations
    assert (heard.device_id, heard.observation.flags) == ("d-gateway", ("retained",))
    assert home.say("bridge/health", 1, response_time=3) == [ALIVE]
    assert home.say("bridge/health", 2, retained=True, response_time=3) == []


def test_contact_with_a_device_is_told_when_it_ends_and_comes_back() -> None:
    home = Home()
    topic = f"{LEAK}/availability"
    assert home.say(topic, state="online", retained=True) == []
    assert home.say(topic, state="offline", retained=True) == [(Kind.DEVICE_FAULT, ("retained",))]
    assert home.say(topic, state="offline") == []
    assert home.say(topic, state="online") == [ALIVE]


def test_what_is_not_understood_is_in_no_frame() -> None:
    said = {
        "water_leak": True,
        "device": {"friendlyName": "Kari"},
        "note": "Kari",
        "battery": 80,
        "smoke": "Kari" * 20,
    }
    answer = Home().raw(LEAK, json.dumps(said).encode())
    raw = bytes.fromhex(answer.observations[0].observation.raw)
    assert json.loads(raw) == {"water_leak": True, "battery": 80}
    assert "Kari" not in "".join(answer.bad)


def test_strangers_are_told_and_other_topics_are_not() -> None:
    home = Home()
    assert home.raw("hall-1", b"{}").strangers == ("hall-1",)
    assert home.raw("", b"{}") == Answer()
    assert home.raw(f"{LEAK}/set", b'{"water_leak":true}') == Answer()
    assert home.raw("bridge/devices", b"[") == Answer()


def test_a_payload_of_a_megabyte_is_passed_over() -> None:
    answer = Home().raw(LEAK, b'{"water_leak":true,"a":"' + bytes(1 << 20) + b'"}')
    assert answer.observations == ()
    assert "1048602 bytes" in answer.bad[0]


@pytest.mark.parametrize("address", ["", "kitchen/leak", "+", "a#", "a\x00b"])
def test_an_address_that_is_no_name_is_refused(address: str) -> None:
    with pytest.raises(MalformedError, match="address"):
        open_driver("topic", Setup(devices=(Device(id="d", address=address),)))


def test_two_devices_of_one_name_are_refused() -> None:
    with pytest.raises(MalformedError, match="address"):
        open_driver("topic", Setup(devices=(DEVICES[0], Device(id="d-x", address=LEAK))))


_TOPICS = st.sampled_from(
    [LEAK, DOOR, BUTTON, f"{LEAK}/availability", "bridge/state", "bridge/health", "x", "", "a/b"]
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
_NAMES = st.sampled_from(
    ["contact", "water_leak", "action", "battery", "last_seen", "temperature", "state", "smoke"]
)
_PAYLOADS = st.binary(max_size=40) | st.dictionaries(_NAMES, _VALUES, max_size=4).map(
    lambda d: json.dumps(d).encode()
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_TOPICS, _PAYLOADS, st.booleans()), max_size=6))
def test_no_message_raises_and_none_loses_the_leak_behind_it(messages: list[tuple[str, bytes, bool]]) -> None:
    home = Home()
    for n, (topic, payload, retained) in enumerate(messages):
        home.raw(topic, payload, 10.0 * n, retained=retained)
        home.driver.tick(now(10.0 * n))
    home.restart()
    assert (Kind.WATER_DETECTED) in {kind for kind, _ in home.say(LEAK, 1000, water_leak=True)}
