"""Hours of the day: when they hold, to the second, on ordinary days and on the nights of summer time."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.escalation.hours import until, within
from hub.domain.clock import UTC

NOON = dt.datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")
HOURS = st.sampled_from(["22:00-07:00", "07:00-22:00", "02:30-03:30", "00:00-24:00"])
MINUTES = st.integers(0, 2 * 366 * 24 * 60)


def local(text: str) -> dt.datetime:
    """An instant by its time in Oslo."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=OSLO).astimezone(UTC)


@given(HOURS, MINUTES)
def test_hours_begin_when_they_say_and_hold_until_then_no_more(words: str, minute: int) -> None:
    at = NOON + dt.timedelta(minutes=minute)
    seconds = until(words, at, OSLO)
    assert 0 <= seconds <= 26 * 3600
    if seconds:
        assert until(words, at + dt.timedelta(seconds=seconds), OSLO) == 0
        assert until(words, at + dt.timedelta(seconds=seconds - 1), OSLO) == 1
    spans = list(within(words, at, at + dt.timedelta(minutes=1), OSLO))
    assert bool(spans) == (seconds < 60)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-24T21:59:59.5", 1),
        ("2026-11-24T21:00", 3600),
        ("2026-11-24T22:00", 0),
        ("2026-11-24T23:30", 0),
        ("2026-11-25T06:59:59", 0),
        ("2026-11-25T07:00", 15 * 3600),
    ],
)
def test_hours_hold_from_their_first_second_to_their_last(at: str, expected: int) -> None:
    assert until("22:00-07:00", local(at), OSLO) == expected


def test_hours_that_the_clock_skips_do_not_take_place() -> None:
    at = local("2027-03-27T12:00")
    monday = local("2027-03-29T02:10")
    assert until("02:10-02:50", at, OSLO) == (monday - at).total_seconds()
    found = within("02:10-02:50", at, monday + dt.timedelta(hours=1), OSLO)
    assert list(found) == [(monday, local("2027-03-29T02:50"))]


def test_hours_are_cut_where_the_time_that_is_asked_about_begins_and_ends() -> None:
    morning, eve = local("2026-11-24T07:00"), local("2026-11-24T22:00")
    begin, end = morning - dt.timedelta(hours=1), eve + dt.timedelta(hours=3)
    assert list(within("22:00-07:00", begin, end, OSLO)) == [(begin, morning), (eve, end)]
    assert list(within("22:00-07:00", morning, eve, OSLO)) == []
    assert list(within("00:00-07:00", eve, end, OSLO)) == [(local("2026-11-25T00:00"), end)]


def test_the_day_is_that_of_the_zone_and_not_of_the_world() -> None:
    york = ZoneInfo("America/New_York")
    eve = dt.datetime(2026, 11, 24, 20, 30, tzinfo=york).astimezone(UTC)  # the 25th already
    assert until("22:00-21:00", eve, york) == 0
    later = eve + dt.timedelta(minutes=1)
    assert list(within("22:00-21:00", eve, later, york)) == [(eve, later)]


@pytest.mark.parametrize(
    ("night", "hours_in_all"), [(dt.date(2027, 3, 27), 8), (dt.date(2026, 10, 24), 10), (dt.date(2026, 7, 1), 9)]
)
def test_the_night_hours_of_summer_time_are_shorter_and_longer(night: dt.date, hours_in_all: int) -> None:
    begin = dt.datetime.combine(night, dt.time(12), OSLO)
    (span,) = within("22:00-07:00", begin, begin + dt.timedelta(days=1), OSLO)
    assert span[1].astimezone(UTC) - span[0].astimezone(UTC) == dt.timedelta(hours=hours_in_all)
