import datetime as dt
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.escalation.rota import Rota, Span
from hub.central.site.model import Site
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError

DAY = dt.timedelta(days=1)
ZONE, ROLE = "nord-1", "duty"


def shift(phone: str, days: str, start: str, end: str) -> dict[str, str]:
    return {"zone": ZONE, "role": ROLE, "phone": phone, "days": days, "from": start, "to": end}


GAPLESS = [
    shift("desk", "mon-fri", "08:00", "15:00"),
    shift("duty", "mon-fri", "15:00", "08:00"),
    shift("duty", "sat,sun,holiday", "00:00", "24:00"),
    shift("duty", "mon-fri", "00:00", "08:00"),
]
PUBLISHED = [shift("desk", "mon-fri", "08:00", "15:00"), shift("duty", "mon-fri", "15:00", "07:30")]


def rota(
    shifts: list[dict[str, str]],
    overrides: list[dict[str, str]] | None = None,
    settings: dict[str, str] | None = None,
) -> Rota:
    document: dict[str, Any] = {
        "site": {"name": "test", **(settings or {})},
        "phones": [
            {"id": "desk", "number": "+4700000013"},
            {"id": "duty", "number": "+4700000012"},
            {"id": "watch", "number": "+4700000091"},
        ],
        "rota": shifts,
        "overrides": overrides or [],
    }
    return Rota(msgspec.convert(document, Site))


def local(text: str) -> dt.datetime:
    """An instant by its time in UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


def phone(of: Rota, at: str) -> str | None:
    found = of.who(ZONE, ROLE, local(at)).phone
    return found.id if found else None


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-23T06:29:59", "duty"),  # 07:29:59 in Oslo
        ("2026-11-23T06:59:59", "duty"),
        ("2026-11-23T07:00:00", "desk"),
        ("2026-11-23T13:59:59.999999", "desk"),
        ("2026-11-23T14:00:00", "duty"),
        ("2026-11-28T09:00:00", "duty"),  # Saturday
        ("2026-12-25T09:00:00", "duty"),  # Christmas Day, a Friday
        ("2026-12-24T09:00:00", "desk"),  # Christmas Eve is no public holiday
        ("2027-01-01T00:00:00", "duty"),
        ("2026-12-31T22:59:59", "duty"),  # the last second of the year in Oslo
        ("2028-02-29T09:00:00", "desk"),
        ("2028-02-29T20:00:00", "duty"),
    ],
)
def test_who_is_on_call(at: str, expected: str) -> None:
    assert phone(rota(GAPLESS), at) == expected


def test_the_published_table_leaves_half_an_hour_to_nobody() -> None:
    table = rota(PUBLISHED)
    assert phone(table, "2026-11-24T06:29:59") == "duty"
    on_call = table.who(ZONE, ROLE, local("2026-11-24T06:30:00"))
    assert on_call.phone is None
    assert on_call.reason == "nobody is duty of nord-1 on Tue 2026-11-24 at 07:30"
    assert phone(table, "2026-11-24T07:00:00") == "desk"


def test_a_shift_belongs_to_the_day_on_which_it_starts() -> None:
    table = rota(PUBLISHED)
    assert phone(table, "2026-11-28T06:00:00") == "duty"  # Saturday 07:00: Friday's night
    assert phone(table, "2026-11-30T06:00:00") is None  # Monday 07:00: Sunday has no shift
    # The night before Good Friday (2027-03-26) begins on Maundy Thursday, a holiday: nobody starts it.
    assert phone(table, "2027-03-25T03:00:00") == "duty"
    assert phone(table, "2027-03-26T03:00:00") is None


def test_the_reason_names_rule_or_override() -> None:
    override = {
        "zone": ZONE,
        "role": ROLE,
        "phone": "watch",
        "from": "2026-11-24T09:00",
        "to": "2026-11-24T10:00",
        "reason": "broken phone",
    }
    table = rota(GAPLESS, [override])
    assert table.who(ZONE, ROLE, local("2026-11-24T07:59:59")).reason == "duty of nord-1: mon-fri 08:00-15:00"
    held = table.who(ZONE, ROLE, local("2026-11-24T08:00:00"))
    assert held.phone is not None
    assert (held.phone.id, held.reason) == ("watch", "duty of nord-1: override, broken phone")
    assert phone(table, "2026-11-24T09:00:00") == "desk"


def test_of_two_that_hold_the_one_that_started_last_holds() -> None:
    table = rota([shift("watch", "daily", "00:00", "24:00"), *PUBLISHED])
    assert phone(table, "2026-11-24T09:00:00") == "desk"
    assert phone(table, "2026-11-24T06:45:00") == "watch"


def test_unknown_zone_and_role_have_nobody() -> None:
    assert rota(GAPLESS).who("sor", "leader", local("2026-11-24T09:00:00")).phone is None


@given(st.integers(0, 3 * 366 * 24 * 3600))
def test_a_gapless_rota_has_one_phone_at_every_instant(second: int) -> None:
    moment = local("2026-01-01") + dt.timedelta(seconds=second)
    held = SHARED.shifts(ZONE, ROLE, moment)
    assert len({span.on_call.phone for span in held}) == 1
    on_call = SHARED.who(ZONE, ROLE, moment)
    assert on_call.phone is not None
    oslo = moment.astimezone(SHARED.zone)
    office = oslo.weekday() < 5 and not SHARED.is_holiday(oslo.date()) and 8 <= oslo.hour < 15
    assert on_call.phone.id == ("desk" if office else "duty")


SHARED = rota(GAPLESS)


def year(of: Rota, since: dt.datetime) -> list[Span]:
    return list(of.spans(ZONE, ROLE, since, since + 366 * DAY))


def test_spans_cover_a_year_without_break_or_overlap() -> None:
    since = local("2026-11-21T23:00:00")
    spans = year(SHARED, since)
    assert (spans[0].start, spans[-1].end) == (since, since + 366 * DAY)
    for here, after in pairwise(spans):
        assert here.end == after.start
        assert here.on_call != after.on_call
        assert here.start < here.end
    assert SHARED.gaps(ZONE, ROLE, since, since + 366 * DAY) == []


@pytest.mark.parametrize("at", ["2027-03-28T00:00:00", "2026-10-25T00:00:00"], ids=["spring", "autumn"])
def test_no_minute_of_the_nights_of_the_change_is_without_a_phone_or_has_two(at: str) -> None:
    # Hand over in the very hour that is skipped, or comes twice.
    table = rota(
        [
            shift("duty", "daily", "20:00", "02:10"),
            shift("watch", "daily", "02:10", "02:50"),
            shift("desk", "daily", "02:50", "20:00"),
        ]
    )
    for minute in range(-120, 240):
        moment = local(at) + dt.timedelta(minutes=minute)
        assert len(table.shifts(ZONE, ROLE, moment)) == 1, moment


def test_a_night_shift_is_an_hour_shorter_in_spring_and_longer_in_autumn() -> None:
    table = rota([shift("duty", "daily", "22:00", "06:00")])
    for since, hours in (("2027-03-27T12:00:00", 7), ("2026-10-24T12:00:00", 9), ("2026-11-24T12:00:00", 8)):
        spans = table.spans(ZONE, ROLE, local(since), local(since) + DAY)
        (night,) = [span for span in spans if span.on_call.phone]
        assert night.end - night.start == dt.timedelta(hours=hours)


def test_gaps_are_what_the_spans_lack() -> None:
    since = local("2026-11-23T00:00:00")
    gaps = rota(PUBLISHED).gaps(ZONE, ROLE, since, since + 5 * DAY)
    assert [(gap.start.day, gap.end - gap.start) for gap in gaps] == [
        (23, dt.timedelta(hours=7)),
        *[(day, dt.timedelta(minutes=30)) for day in (24, 25, 26, 27)],
    ]


def test_a_gap_begins_where_the_shift_of_the_night_before_ends() -> None:
    since = local("2026-11-24T00:00:00")
    (gap,) = rota([shift("duty", "daily", "22:00", "06:00")]).gaps(ZONE, ROLE, since, since + DAY)
    assert (gap.start, gap.end) == (local("2026-11-24T05:00:00"), local("2026-11-24T21:00:00"))


def test_a_gap_ends_in_the_last_hour_that_is_asked_about_too() -> None:
    since, until = local("2026-11-24T20:00:00"), local("2026-11-24T23:30:00")
    (gap,) = rota([shift("duty", "daily", "00:00", "06:00")]).gaps(ZONE, ROLE, since, until)
    assert (gap.start, gap.end) == (since, local("2026-11-24T23:00:00"))


def test_the_day_of_a_shift_is_that_of_the_sites_time_zone() -> None:
    york = rota(
        [shift("duty", "daily", "22:00", "21:00")], settings={"timezone": "America/New_York", "country": "US"}
    )
    since = local("2026-11-25T01:30:00")  # the eve of the 24th there
    (gap,) = york.gaps(ZONE, ROLE, since, since + dt.timedelta(hours=4))
    assert (gap.start, gap.end) == (local("2026-11-25T02:00:00"), local("2026-11-25T03:00:00"))


def test_many_days_are_asked_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.central.escalation.rota._KEPT_DAYS", 10)
    table = rota(GAPLESS)
    start = local("2020-06-01T12:00:00")
    for number in range(0, 200, 2):
        assert table.who(ZONE, ROLE, start + number * DAY).phone is not None
    assert len(table._days) <= 10


@pytest.mark.parametrize(
    ("shifts", "settings", "text"),
    [
        ([shift("nobody", "daily", "00:00", "24:00")], {}, "'nobody' is not in"),
        ([shift("duty", "someday", "00:00", "24:00")], {}, "no day"),
        ([shift("duty", "daily", "25:00", "24:00")], {}, "HH:MM"),
        ([], {"timezone": "Europe/Olso"}, "IANA"),
        ([], {"timezone": "../etc/passwd"}, "IANA"),
        ([], {"country": "XX"}, "two letters"),
        ([], {"country": "NOR"}, "two letters"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(
    shifts: list[dict[str, str]], settings: dict[str, str], text: str
) -> None:
    with pytest.raises(MalformedError, match=text):
        rota(shifts, settings=settings)


def test_an_override_that_ends_before_it_starts_is_refused() -> None:
    override = shift("duty", "", "2026-12-24T15:00", "2026-12-24T15:00") | {"reason": "none"}
    del override["days"]
    with pytest.raises(MalformedError, match="ends before it starts"):
        rota(GAPLESS, [override])
