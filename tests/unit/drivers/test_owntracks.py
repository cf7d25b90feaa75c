"""OwnTracks: positions once each, with time, accuracy and nothing personal besides."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Answer, Device, Setup
from drivers.owntracks import open_driver
from drivers.owntracks.driver import OwnTracksDriver
from hub.domain.clock import UTC, Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError

T0 = dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
PHONE = "u-1001/phone"


class Home:
    """A driver with its state, that can be started anew."""

    def __init__(self) -> None:
        self.state = b""
        self.restart()

    def restart(self) -> None:
        device = Device(id="d-phone", address=PHONE, settings={"accuracy_m": 50.0})
        driver = open_driver("topic", Setup(devices=(device,), state=self.state))
        assert isinstance(driver, OwnTracksDriver)
        self.driver = driver

    def raw(self, topic: str, payload: bytes, s: float = 0.0, *, retained: bool = False) -> Answer:
        answer = self.driver.message(topic, payload, Now(T0 + dt.timedelta(seconds=s), s), retained=retained)
        if answer.state is not None:
            self.state = answer.state
        return answer

    def fix(self, s: float = 0.0, *, retained: bool = False, **changes: Any) -> list[tuple[Kind, Any]]:
        said = {
            "_type": "location",
            "lat": 59.9,
            "lon": 10.7,
            "acc": 10,
            "tst": int(T0.timestamp() + s),
            **changes,
        }
        answer = self.raw(PHONE, json.dumps(said).encode(), s, retained=retained)
        return [(one.observation.kind, one.observation.flags) for one in answer.observations]


FIX = (Kind.LOCATION_FIX, ())


def test_a_fix_is_told_once_however_often_it_comes() -> None:
    home = Home()
    assert home.fix() == [FIX]
    assert home.fix() == []
    home.restart()
    assert home.fix(retained=True) == []
    assert home.fix(60, retained=True) == [(Kind.LOCATION_FIX, ("retained",))]


def test_a_fix_that_waited_has_its_own_time_and_is_late() -> None:
    home = Home()
    assert home.fix(600) == [FIX]
    said = {"_type": "location", "lat": 59.9, "lon": 10.7, "acc": 10, "tst": int(T0.timestamp())}
    (heard,) = home.raw(PHONE, json.dumps(said).encode(), 610).observations
    assert (heard.observation.time, heard.observation.flags) == (T0, ("late",))
    assert home.fix(620) == [FIX]


def test_a_clock_that_was_wrong_makes_nothing_late_later() -> None:
    home = Home()
    assert home.fix(0, tst=int(T0.timestamp()) + 10**8) == [(Kind.LOCATION_FIX, ("bad_time",))]
    assert home.fix(5) == [FIX]


def test_the_last_will_is_told_once_until_it_is_heard_again() -> None:
    home = Home()

    def gone(connected_at: int) -> list[Kind]:
        answer = home.raw(PHONE, json.dumps({"_type": "lwt", "tst": connected_at}).encode())
        return [one.observation.kind for one in answer.observations]

    assert gone(1) == [Kind.DEVICE_FAULT]
    assert gone(2) == []
    assert home.fix() == [FIX]
    assert gone(3) == [Kind.DEVICE_FAULT]


def test_a_low_battery_is_told_once_until_it_was_charged() -> None:
    home = Home()
    low = [FIX, (Kind.BATTERY_LOW, ())]
    told = [home.fix(n, batt=pct) for n, pct in enumerate((40, 15, 9, 20, 14, 25, 15))]
    assert told == [[FIX], low, [FIX], [FIX], [FIX], [FIX], low]


def test_nothing_personal_is_in_value_or_frame() -> None:
    said = {
        "_type": "transition",
        "event": "enter",
        "desc": "Kari",
        "rid": "Kari Nordmann",
        "wtst": 1425042603,
        "tid": "KN",
        "tst": int(T0.timestamp()),
        "lat": 59.9,
        "lon": 10.7,
        "acc": 10,
        "SSID": "Kari",
        "inregions": ["Kari"],
    }
    (heard,) = Home().raw(f"{PHONE}/event", json.dumps(said).encode()).observations
    assert isinstance(heard.observation.value, dict)
    assert heard.observation.value["region"] == "1425042603"
    frame = json.loads(bytes.fromhex(heard.observation.raw))
    assert "Kari" not in json.dumps(frame)


def test_strangers_are_told() -> None:
    assert Home().raw("u-1/phone", b"{}").strangers == ("u-1/phone",)
    assert Home().raw("u-1/phone/event", b"{}").strangers == ("u-1/phone",)
    assert Home().raw("u-1", b"{}") == Answer()


@pytest.mark.parametrize("accuracy", [0.5, "near", True])
def test_a_setting_that_does_not_fit_is_refused(accuracy: float | str | bool) -> None:
    device = Device(id="d", address=PHONE, settings={"accuracy_m": accuracy})
    with pytest.raises(MalformedError, match="accuracy_m"):
        open_driver("topic", Setup(devices=(device,)))


_NUMBERS = st.integers() | st.floats() | st.text(max_size=4) | st.none() | st.lists(st.integers(), max_size=1)
_NAMES = st.sampled_from(["lat", "lon", "acc", "tst", "batt", "t", "vel", "event", "rid", "wtst", "_type"])
_TYPES = st.sampled_from(["location", "transition", "lwt", "card", "encrypted"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(_TYPES, st.dictionaries(_NAMES, _NUMBERS, max_size=5)), max_size=5), st.binary(max_size=20)
)
def test_no_message_raises_and_none_loses_the_fix_behind_it(
    messages: list[tuple[str, dict[str, Any]]], noise: bytes
) -> None:
    home = Home()
    home.raw(PHONE, noise)
    for n, (kind, said) in enumerate(messages):
        home.raw(PHONE, json.dumps({"_type": kind, **said}).encode(), float(n))
    assert home.fix(1000)[0][0] is Kind.LOCATION_FIX
