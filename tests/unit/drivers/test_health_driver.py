"""Health devices: each record once, at a time that can be believed, and no failure is silent."""

import datetime as dt
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Answer, Device, Disconnect, Parting, Read, Setup, Subscribe, Write
from drivers.health import open_driver
from drivers.health.driver import PATIENCE_S, QUIET_S, TELL_AGAIN_S, HealthDriver
from drivers.health.profiles import BATTERY_LEVEL, CURRENT_TIME, DATE_TIME, PROFILES, uuid
from drivers.health.records import NO_CLOCK_S, REMEMBERED, WRONG_CLOCK_S
from drivers.health.streams import PERIOD_S
from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.observation import Observation

START = dt.datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
PRESSURE, TEMPERATURE, HEART, OXYGEN, OXYGEN_STREAM = map(uuid, (0x2A35, 0x2A1C, 0x2A37, 0x2A5E, 0x2A5F))
MODEL = uuid(0x2A24)
WINTER, SUMMER = dt.timedelta(hours=1), dt.timedelta(hours=2)


def now(seconds: float = 0, quality: TimeQuality = TimeQuality.SYNCED) -> Now:
    return Now(START + dt.timedelta(seconds=seconds), 300.0 + seconds, quality)


def opened(profile: str = "blood_pressure", state: bytes = b"", offset: dt.timedelta = WINTER) -> HealthDriver:
    device = Device(id="d-1", address="C4:7C:8D:00:00:21", profile=profile)
    made = open_driver("gatt", Setup(devices=(device,), state=state, utc_offset=offset))
    assert isinstance(made, HealthDriver)
    assert isinstance(made, Parting)
    return made


def pressure(systolic: int = 142, at: dt.datetime | None = START) -> bytes:
    """Write a record with the winter's local time, or without time."""
    head = struct.pack("<BHHH", 0 if at is None else 2, systolic, 88, 106)
    if at is None:
        return head
    local = at + WINTER
    parts = (local.year, local.month, local.day, local.hour, local.minute, local.second)
    return head + struct.pack("<HBBBBB", *parts)


def told(*answers: Answer) -> list[Observation]:
    return [each.observation for answer in answers for each in answer.observations]


def state_of(answers: list[Answer]) -> bytes:
    states = [answer.state for answer in answers if answer.state is not None]
    return states[-1] if states else b""


def test_the_clock_is_set_first_and_measurements_are_asked_for_last() -> None:
    actions = opened().connected(now()).actions
    local = "ea07031c170000"  # 2026-03-28 23:00 in Oslo, a Saturday
    assert actions[:2] == (
        Write(CURRENT_TIME, bytes.fromhex(local + "060002"), optional=True),
        Write(DATE_TIME, bytes.fromhex(local), optional=True),
    )
    assert actions[-1] == Subscribe(PRESSURE)
    reads = [action for action in actions if isinstance(action, Read)]
    assert all(action.optional for action in reads)
    assert uuid(0x2A25) not in {action.characteristic for action in reads}


def test_a_clock_that_is_not_known_is_not_given_to_the_device() -> None:
    actions = opened().connected(now(quality=TimeQuality.UNKNOWN)).actions
    assert not [action for action in actions if isinstance(action, Write)]


def test_an_oximeter_may_lack_one_of_its_two_characteristics() -> None:
    actions = opened("pulse_oximeter").connected(now()).actions
    assert actions[-2:] == (Subscribe(OXYGEN, optional=True), Subscribe(OXYGEN_STREAM, optional=True))


def test_the_link_is_kept_until_two_seconds_of_silence() -> None:
    driver = opened()
    driver.connected(now())
    assert not driver.tick(now(40)).actions  # it counts from when all that was asked for is done
    assert not driver.tick(now(40 + PATIENCE_S - 0.1)).actions
    driver.value(PRESSURE, pressure(), now(50))
    assert not driver.tick(now(50 + QUIET_S - 0.1)).actions
    assert driver.tick(now(50 + QUIET_S)).actions == (Disconnect(),)


def test_a_device_with_nothing_to_tell_is_let_go() -> None:
    driver = opened()
    driver.connected(now())
    driver.tick(now(0.5))
    assert driver.tick(now(0.5 + PATIENCE_S)).actions == (Disconnect(),)


def test_a_record_is_observed_once_over_connections_and_restarts() -> None:
    first = opened()
    answer = first.value(PRESSURE, pressure(), now())
    assert len(told(answer)) == 1
    assert not told(first.value(PRESSURE, pressure(), now(1)))
    again = opened(state=state_of([answer]))
    assert not told(again.value(PRESSURE, pressure(), now(90 * 86400)))
    assert len(told(again.value(PRESSURE, pressure(143), now(90 * 86400)))) == 1


def test_equal_bytes_without_time_are_a_repeat_for_a_while_only() -> None:
    driver = opened()
    assert len(told(driver.value(PRESSURE, pressure(at=None), now()))) == 1
    assert not told(driver.value(PRESSURE, pressure(at=None), now(NO_CLOCK_S)))
    assert len(told(driver.value(PRESSURE, pressure(at=None), now(NO_CLOCK_S + 1)))) == 1


def test_equal_bytes_with_a_wrong_clock_are_a_repeat_for_a_day() -> None:
    driver, wrong = opened(), pressure(at=dt.datetime(2000, 1, 1, tzinfo=UTC))
    (first,) = told(driver.value(PRESSURE, wrong, now()))
    assert (first.time, first.flags) == (START, ("bad_time",))
    assert isinstance(first.value, dict)
    assert first.value["device_time"] == "2000-01-01T01:00:00"
    assert not told(driver.value(PRESSURE, wrong, now(WRONG_CLOCK_S)))
    assert len(told(driver.value(PRESSURE, wrong, now(WRONG_CLOCK_S + 1)))) == 1


@pytest.mark.parametrize(
    ("ahead_s", "quality", "flags"),
    [
        (299, TimeQuality.SYNCED, ()),
        (301, TimeQuality.SYNCED, ("bad_time",)),
        (301, TimeQuality.ESTIMATED, ()),
        (301, TimeQuality.UNKNOWN, ()),
        (-40 * 86400, TimeQuality.SYNCED, ()),
    ],
)
def test_which_time_is_believed(ahead_s: int, quality: TimeQuality, flags: tuple[str, ...]) -> None:
    at = START + dt.timedelta(seconds=ahead_s)
    (found,) = told(opened().value(PRESSURE, pressure(at=at), now(quality=quality)))
    assert (found.time, found.flags) == (START if flags else at, flags)


def test_a_record_is_read_with_the_offset_that_its_clock_was_set_with() -> None:
    before = opened(offset=WINTER).connected(now())
    # In the night the hour changes; the device knows nothing of it, and shows winter time in the morning.
    morning = START + dt.timedelta(hours=9)
    driver = opened(state=state_of([before]), offset=SUMMER)
    after = driver.connected(now(9 * 3600))
    (found,) = told(driver.value(PRESSURE, pressure(at=morning), now(9 * 3600)))
    assert (found.time, found.flags) == (morning, ())
    # From now on it shows summer time.
    driver = opened(state=state_of([after]), offset=SUMMER)
    (found,) = told(driver.value(PRESSURE, pressure(143, at=morning + WINTER), now(10 * 3600)))
    assert found.time == morning


def test_a_clock_that_was_set_back_is_told() -> None:
    driver = opened()
    driver.value(PRESSURE, pressure(), now())
    (found,) = told(driver.value(PRESSURE, pressure(143, START - dt.timedelta(days=30)), now(1)))
    assert found.flags == ("time_back",)


def test_a_device_that_keeps_every_record_is_known_for_as_many_as_it_can_keep() -> None:
    driver = opened()
    records = [pressure(100 + number % 50, START - dt.timedelta(minutes=number)) for number in range(REMEMBERED)]
    answers = [driver.value(PRESSURE, record, now()) for record in records]
    assert len(told(*answers)) == REMEMBERED
    again = opened(state=state_of(answers))
    assert not told(*(again.value(PRESSURE, record, now(60)) for record in records))


def test_a_failed_measurement_is_told_each_time_it_is_made() -> None:
    driver, failure = opened(), bytes.fromhex("10ff07ff07ff070200")
    for at in (0, 3600):
        (found,) = told(driver.value(PRESSURE, failure, now(at)))
        assert found.kind == "vital.failed"
        assert found.flags == ("cuff_loose", "no_time")


def test_a_record_that_cannot_be_read_is_a_lost_measurement_and_said_once() -> None:
    driver = opened()
    answer = driver.value(PRESSURE, b"\x1e\x8e", now())
    assert [each.flags for each in told(answer)] == [("bad_record",)]
    assert "byte 2" in answer.bad[0]
    assert not told(driver.value(PRESSURE, b"\x1e\x8e", now(60)))


def test_model_and_battery_are_told_with_the_first_value_and_again_when_they_changed() -> None:
    driver = opened()
    driver.connected(now())
    driver.value(MODEL, b"UA-651\0", now())
    driver.value(BATTERY_LEVEL, b"\x14", now())
    answer = driver.value(PRESSURE, pressure(), now())
    kinds = [(each.kind.value, each.value, each.battery_pct) for each in told(answer)][:3]
    assert kinds == [
        ("device.alive", {"model": "UA-651"}, 20),
        ("battery.level", 20, 20),
        ("battery.low", 20, 20),
    ]
    assert told(answer)[3].battery_pct == 20

    def next_time(battery: int, at: float) -> list[str]:
        again = opened(state=state_of([answer]))
        again.connected(now(at))
        again.value(MODEL, b"UA-651\0", now(at))
        again.value(BATTERY_LEVEL, bytes([battery]), now(at))
        return [each.kind.value for each in told(again.tick(now(at + 1)))]

    assert next_time(20, 60) == []
    assert next_time(21, 60) == ["device.alive", "battery.level"]
    assert next_time(20, TELL_AGAIN_S) == ["device.alive", "battery.level", "battery.low"]


def test_heart_rate_is_told_at_once_then_once_a_minute() -> None:
    driver = opened("heart_rate")
    driver.connected(now())
    first = told(driver.value(HEART, b"\x06\x48", now()))
    assert [each.value for each in first] == [{"heart_rate": 72.0, "samples": 1}]
    answers = [driver.value(HEART, bytes([6, 60 + second % 3]), now(second)) for second in range(1, int(PERIOD_S))]
    assert not told(*answers)
    (minute,) = told(driver.value(HEART, b"\x06\x96", now(PERIOD_S)))
    assert minute.value == {"heart_rate": 62.5, "heart_rate_min": 60.0, "heart_rate_max": 150.0, "samples": 60}
    assert not driver.tick(now(PERIOD_S + PATIENCE_S - 1)).actions


def test_lost_contact_is_told_at_once_and_once() -> None:
    driver = opened("heart_rate")
    driver.value(HEART, b"\x06\x48", now())
    driver.value(HEART, b"\x06\x4a", now(1))
    kept, lost = told(driver.value(HEART, b"\x04\x4a", now(2)))
    assert kept.value == {"heart_rate": 74.0, "samples": 1}
    assert (lost.kind.value, lost.value) == (
        "vital.failed",
        {"measurement": "heart_rate", "reason": "no_contact", "heart_rate": 74.0},
    )
    assert not told(driver.value(HEART, b"\x04\x00", now(3)))
    assert [each.kind.value for each in told(driver.value(HEART, b"\x06\x4b", now(4)))] == ["vital.heart_rate"]


def test_what_was_gathered_is_told_when_the_link_goes() -> None:
    driver = opened("heart_rate")
    for second in range(3):
        driver.value(HEART, bytes([6, 70 + second]), now(second))
    (rest,) = told(driver.disconnected(now(3)))
    assert rest.value == {"heart_rate": 71.5, "heart_rate_min": 71.0, "heart_rate_max": 72.0, "samples": 2}
    assert not told(driver.disconnected(now(4)))


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60))
def test_repeats_and_dropped_links_lose_and_double_nothing(events: list[tuple[int, bool]]) -> None:
    state, found = b"", []
    driver = opened()
    for number, (minute, drops) in enumerate(events):
        at = now(3600 + number)
        answer = driver.value(PRESSURE, pressure(120 + minute, START + dt.timedelta(minutes=minute)), at)
        found += [each.time for each in told(answer)]
        state = answer.state or state
        if drops:
            driver = opened(state=state)
    assert sorted(found) == sorted({START + dt.timedelta(minutes=minute) for minute, _ in events})


@given(
    st.sampled_from(sorted(PROFILES)), st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=24)), max_size=12)
)
def test_no_input_raises_and_no_record_is_silent(profile: str, values: list[tuple[int, bytes]]) -> None:
    driver: Any = opened(profile)
    asked = [each.characteristic for each in driver.connected(now()).actions]
    came: set[bytes] = set()
    for number, (which, data) in enumerate(values):
        at = now(number * 2 * WRONG_CLOCK_S)
        characteristic = asked[which % len(asked)]
        answer = driver.value(characteristic, data, at)
        assert isinstance(driver.tick(at), Answer)
        if characteristic in PROFILES[profile].stored:
            vital = [each for each in told(answer) if each.kind.value.startswith("vital.")]
            assert len(vital) == 1 or (data in came and not vital)
            came.add(data)
    driver.disconnected(now(10**7))
