"""Times, ages and names as a reader sees them."""

import datetime as dt
import zoneinfo

import pytest

from hub.central.auth import Session
from hub.central.console.render import Reader
from hub.central.console.words import Words
from hub.domain.clock import UTC, Now

OSLO = zoneinfo.ZoneInfo("Europe/Oslo")


def reader(at: str = "2026-11-21T02:10:00+00:00", language: str = "nb") -> Reader:
    now = dt.datetime.fromisoformat(at)
    return Reader(words=Words(language), zone=OSLO, now=Now(now, 0.0), session=Session("kari-test", "token", now))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 t 0 min"),
        (86_399, "23 t 59 min"),
        (86_400, "1 d 0 t"),
        (266_400, "3 d 2 t"),
    ],
)
def test_a_span_has_its_two_largest_units(seconds: int, text: str) -> None:
    assert reader().span(dt.timedelta(seconds=seconds)) == text


def test_a_time_is_local_and_has_its_date_when_it_is_not_today() -> None:
    written_for = reader()
    assert written_for.clock(dt.datetime(2026, 11, 21, 2, 6, tzinfo=UTC)) == "03:06"
    assert written_for.clock(dt.datetime(2026, 11, 20, 22, 59, tzinfo=UTC)) == "20. nov. 23:59"
    assert written_for.clock(dt.datetime(2026, 11, 20, 23, 1, tzinfo=UTC)) == "00:01"
    assert written_for.clock(dt.datetime(1970, 1, 1, tzinfo=UTC)) == "1. jan. 1970 01:00"
    assert reader(language="en").clock(dt.datetime(2026, 5, 17, 8, 0, 9, tzinfo=UTC), seconds=True) == (
        "17 May 10:00:09"
    )


def test_the_hour_that_comes_twice_keeps_its_order_by_age() -> None:
    written_for = reader("2026-10-25T01:30:00+00:00")  # 02:30 for the second time
    first = dt.datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert written_for.clock(first) == "02:30"
    assert written_for.age(first) == "1 t 0 min"


@pytest.mark.parametrize(
    ("actor", "name"),
    [
        ("user:kari-test", "kari-test (deg)"),
        ("user:ola-test", "ola-test"),
        ("phone:nord-1-duty", "telefon nord-1-duty"),
        ("escalation", "varslingen"),
        ("somebody", "somebody"),
        ("", ""),
    ],
)
def test_who_did_it(actor: str, name: str) -> None:
    assert reader().who(actor) == name


def test_what_came_from_outside_is_escaped() -> None:
    html = reader().page("error.html", sentence="<script>alert(1)</script>")
    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html
