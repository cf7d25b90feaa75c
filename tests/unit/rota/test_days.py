import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.escalation.days import instant, parse_days, parse_hours, parse_local, parse_time
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError

OSLO = ZoneInfo("Europe/Oslo")
SPRING = dt.date(2027, 3, 28)
AUTUMN = dt.date(2026, 10, 25)


@pytest.mark.parametrize(
    ("text", "weekdays", "holidays", "daily"),
    [
        ("daily", 0b111_1111, True, True),
        ("mon-fri", 0b001_1111, False, False),
        ("sat,sun", 0b110_0000, False, False),
        ("Sat, Sun, holiday", 0b110_0000, True, False),
        ("fri-mon", 0b111_0001, False, False),
        ("holiday", 0, True, False),
        ("holiday,sat", 0b010_0000, True, False),
        ("wed", 0b000_0100, False, False),
    ],
)
def test_days_are_read(text: str, weekdays: int, holidays: bool, daily: bool) -> None:
    assert parse_days(text) == (weekdays, holidays, daily)


@pytest.mark.parametrize("text", ["", "monday", "mon-", "mon,,fri", "daily,mon", "mon-fri-sun", "man"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="no day"):
        parse_days(text)


def test_a_holiday_is_no_weekday() -> None:
    friday = dt.date(2026, 12, 25)
    assert not parse_days("mon-fri").hold(friday, holiday=True)
    assert parse_days("mon-fri").hold(friday, holiday=False)
    assert parse_days("holiday").hold(friday, holiday=True)
    assert not parse_days("holiday").hold(friday, holiday=False)
    assert parse_days("daily").hold(friday, holiday=True)


@pytest.mark.parametrize("text", ["7:30", "24:00", "23:60", "0730", "", "07:30:00", "\u0660\u0667:\u0663\u0660"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="HH:MM"):
        parse_time(text)


def test_midnight_may_end() -> None:
    assert parse_time("24:00", end=True) == 1440
    assert parse_hours("22:00-06:00") == (1320, 360)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("22:00", "hours '22:00': write two different times"),
        ("22:00-22:00", "hours '22:00-22:00': write two different times"),
        ("22-06", "time '22': write HH:MM"),
        ("24:00-06:00", "time '24:00': write HH:MM, from 00:00 to 23:59"),
        ("22:00-24:30", "time '24:30': write HH:MM, from 00:00 to 24:00"),
    ],
)
def test_what_are_no_hours_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(MalformedError, match=complaint):
        parse_hours(text)


@pytest.mark.parametrize(
    "text", ["2026-12-24", "2026-12-24T15:00Z", "24.12.2026 15:00", "2026-02-29T00:00", "0001-01-01T00:00"]
)
def test_what_is_no_local_time_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="2026-12-24T15:00"):
        parse_local(text)


def test_a_skipped_time_is_the_moment_at_which_the_clock_goes_on() -> None:
    change = dt.datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert [instant(SPRING, minute, OSLO) for minute in (120, 150, 179, 180)] == [change] * 4
    assert instant(SPRING, 119, OSLO) == change - dt.timedelta(minutes=1)
    assert instant(SPRING, 181, OSLO) == change + dt.timedelta(minutes=1)


def test_of_a_time_that_comes_twice_the_first_is_meant() -> None:
    assert instant(AUTUMN, 150, OSLO) == dt.datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instant(AUTUMN, 180, OSLO) == dt.datetime(2026, 10, 25, 2, tzinfo=UTC)


@given(
    st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)),
    st.tuples(st.integers(0, 1440), st.integers(0, 1440)),
    st.sampled_from(["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Atlantic/Azores"]),
)
def test_later_by_the_clock_is_never_earlier_in_fact(date: dt.date, minutes: tuple[int, int], name: str) -> None:
    zone = ZoneInfo(name)
    first, last = sorted(minutes)
    assert instant(date, first, zone) <= instant(date, last, zone)


@given(st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)))
def test_midnight_after_a_day_is_midnight_before_the_next(date: dt.date) -> None:
    assert instant(date, 1440, OSLO) == instant(date + dt.timedelta(days=1), 0, OSLO)
