"""What each layer of a rota does, told by one day of the calendar."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from hub.central.escalation.calendar import Calendar, DayOff
from hub.central.escalation.rota import Rota
from hub.central.escalation.rota_layers import shifts_of, weekly_rule
from hub.central.site.model import Site, WeeklyRule
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError

ZONE, ROLE = "nord-1", "duty"
PLACE = {"zone": ZONE, "role": ROLE}
RULES = [
    {"phone": "desk", "days": "mon-fri", "from": "08:00", "to": "15:00"},
    {"phone": "duty", "days": "mon-fri", "from": "15:00", "to": "08:00"},
    {"phone": "duty", "days": "mon-fri", "from": "00:00", "to": "08:00"},
    {"phone": "watch", "days": "sat,sun,holiday", "from": "00:00", "to": "24:00"},
]


def site(**tables: Any) -> Site:
    document = {
        "site": {"name": "test"},
        "phones": [
            {"id": phone, "number": f"+47000000{10 + at}"}
            for at, phone in enumerate(("desk", "duty", "watch", "spare"))
        ],
        "rota": [PLACE | row for row in RULES],
        **tables,
    }
    return msgspec.convert(document, Site)


def rota(**tables: Any) -> Rota:
    return Rota(site(**tables))


def at(text: str) -> dt.datetime:
    """An instant by its winter time in Oslo."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC) - dt.timedelta(hours=1)


def phones(of: Rota, text: str) -> list[str | None]:
    return [one.phone.id if one.phone else None for one in of.who_all(ZONE, ROLE, at(text))]


def test_half_a_day_off_begins_at_its_time() -> None:
    of = rota(holidays=[{"date": "2026-12-24", "name": "Christmas Eve", "from": "12:00"}])
    assert phones(of, "2026-12-24T07:59") == ["duty"]
    assert phones(of, "2026-12-24T11:59") == ["desk"]
    assert phones(of, "2026-12-24T12:00") == ["watch"]
    assert phones(of, "2026-12-24T23:59") == ["watch"]
    assert phones(of, "2026-12-25T00:00") == ["watch"]  # Christmas Day
    reason = "duty of nord-1: sat,sun,holiday 00:00-24:00 (Christmas Eve)"
    assert of.who(ZONE, ROLE, at("2026-12-24T12:00")).reason == reason
    assert of.day_off(dt.date(2026, 12, 24)) == DayOff(720, "Christmas Eve")
    assert not of.is_holiday(dt.date(2026, 12, 24))
    assert of.is_holiday(dt.date(2026, 12, 25))


def test_on_half_a_day_off_a_holidays_shift_begins_no_earlier() -> None:
    half = [{"date": "2026-11-24", "name": "Fair", "from": "12:00"}]
    of = rota(holidays=half, rota=[PLACE | RULES[3], PLACE | RULES[3] | {"phone": "spare", "to": "11:00"}])
    assert phones(of, "2026-11-24T11:59") == [None]
    assert phones(of, "2026-11-24T12:00") == ["watch"]
    assert phones(of, "2026-11-24T23:59") == ["watch"]


def test_a_whole_local_day_off_is_a_holiday() -> None:
    of = rota(holidays=[{"date": "2026-11-24", "name": "Fair"}])
    assert phones(of, "2026-11-24T10:00") == ["watch"]
    assert of.is_holiday(dt.date(2026, 11, 24))
    assert phones(of, "2026-11-25T10:00") == ["desk"]


def test_a_local_half_day_does_not_shorten_a_public_holiday() -> None:
    of = rota(holidays=[{"date": "2026-12-25", "name": "half", "from": "12:00"}])
    assert phones(of, "2026-12-25T09:00") == ["watch"]
    christmas = dt.date(2026, 12, 25)
    assert of.day_off(christmas) == DayOff(0, "Første juledag")


@pytest.mark.parametrize("times", [("12:00", "10:00"), ("10:00", "12:00")])
def test_of_two_local_days_off_on_one_date_the_longer_one_holds(times: tuple[str, str]) -> None:
    of = rota(holidays=[{"date": "2026-11-24", "name": "Fair", "from": time} for time in times])
    assert of.day_off(dt.date(2026, 11, 24)) == DayOff(600, "Fair")


def test_a_schedule_replaces_the_weekly_rules_of_its_dates() -> None:
    rules = [
        {"phone": "spare", "days": "daily", "from": "07:00", "to": "19:00"},
        {"phones": ["watch", "duty"], "days": "daily", "from": "19:00", "to": "07:00"},
    ]
    dates = {"from": "2026-12-07", "until": "2026-12-08", "name": "course"}
    of = rota(schedules=[PLACE | dates | {"rules": rules}])
    assert phones(of, "2026-12-06T23:59") == ["watch"]  # Sunday
    # Monday's early morning is nobody's: Sunday's rule ended at midnight, and the schedule has begun.
    assert phones(of, "2026-12-07T06:59") == [None]
    assert phones(of, "2026-12-07T07:00") == ["spare"]
    assert phones(of, "2026-12-07T19:00") == ["watch", "duty"]
    # The last night lasts into the morning after, and goes before the weekly rule that has begun at midnight.
    assert phones(of, "2026-12-09T06:59") == ["watch", "duty"]
    assert phones(of, "2026-12-09T07:00") == ["duty"]
    reasons = [one.reason for one in of.who_all(ZONE, ROLE, at("2026-12-07T19:00"))]
    assert reasons == [
        "duty of nord-1: course, daily 19:00-07:00",
        "duty of nord-1: course, daily 19:00-07:00, phone 2 of 2",
    ]


def test_an_override_goes_before_a_schedule_and_says_its_kind() -> None:
    always = [{"phone": "spare", "days": "daily", "from": "00:00", "to": "24:00"}]
    dates = {"from": "2026-12-07", "until": "2026-12-08", "name": "course"}
    override = {
        "phone": "watch",
        "from": "2026-12-07T10:00",
        "to": "2026-12-07T12:00",
        "kind": "sick",
        "reason": "r",
    }
    of = rota(schedules=[PLACE | dates | {"rules": always}], overrides=[PLACE | override])
    assert phones(of, "2026-12-07T09:59") == ["spare"]
    assert of.who(ZONE, ROLE, at("2026-12-07T10:00")).reason == "duty of nord-1: override (sick), r"
    assert phones(of, "2026-12-07T12:00") == ["spare"]


def test_of_two_schedules_the_one_that_began_last_lays_the_day() -> None:
    def schedule(first: str, last: str, phone: str) -> dict[str, Any]:
        rule = {"phone": phone, "days": "daily", "from": "00:00", "to": "24:00"}
        return PLACE | {"from": first, "until": last, "name": "t", "rules": [rule]}

    of = rota(
        schedules=[schedule("2026-12-01", "2026-12-31", "spare"), schedule("2026-12-07", "2026-12-08", "watch")]
    )
    assert [phones(of, f"2026-12-{day}T12:00") for day in ("06", "07", "09")] == [["spare"], ["watch"], ["spare"]]


def test_of_two_schedules_that_begin_together_the_first_of_the_file_lays_the_day() -> None:
    def schedule(last: str, phone: str) -> dict[str, Any]:
        rule = {"phone": phone, "days": "daily", "from": "00:00", "to": "24:00"}
        return PLACE | {"from": "2026-12-07", "until": last, "name": "t", "rules": [rule]}

    of = rota(schedules=[schedule("2026-12-08", "spare"), schedule("2026-12-08", "watch")])
    assert phones(of, "2026-12-07T12:00") == ["spare"]
    of = rota(schedules=[schedule("2026-12-08", "spare"), schedule("2026-12-09", "watch")])
    assert [phones(of, f"2026-12-{day}T12:00") for day in ("07", "09")] == [["spare"], ["watch"]]


def test_a_shift_of_which_nothing_is_left_is_none() -> None:
    oslo, of = ZoneInfo("Europe/Oslo"), {phone.id: phone for phone in site().phones}
    skipped = WeeklyRule(phone="duty", days="daily", start="02:10", end="02:50")
    early = WeeklyRule(phone="duty", days="mon-fri", start="08:00", end="12:00")
    noon = DayOff(720, "Fair"), DayOff(480, "Fair")
    assert list(shifts_of(weekly_rule(skipped, of, ""), dt.date(2027, 3, 28), None, oslo)) == []
    left = [list(shifts_of(weekly_rule(early, of, ""), dt.date(2026, 11, 24), off, oslo)) for off in noon]
    assert [len(spans) for spans in left] == [1, 0]


def test_the_29th_of_february_is_a_day_like_others() -> None:
    of = rota(schedules=[PLACE | {"from": "2028-02-29", "until": "2028-02-29", "name": "t", "rules": RULES[3:]}])
    assert phones(of, "2028-02-28T10:00") == ["desk"]
    assert phones(of, "2028-02-29T10:00") == [None]
    assert phones(of, "2028-03-01T10:00") == ["desk"]


@pytest.mark.parametrize(
    ("tables", "complaint"),
    [
        ({"holidays": [{"date": "2026-02-29", "name": "t"}]}, "write it as 2026-12-24"),
        ({"holidays": [{"date": "20261224", "name": "t"}]}, "write it as 2026-12-24"),
        (
            {"schedules": [PLACE | {"from": "2026-12-02", "until": "2026-12-01", "name": "t", "rules": []}]},
            "ends bef",
        ),
        (
            {"rota": [PLACE | RULES[0] | {"phones": ["duty"]}]},
            "^write phone, or phones for several in their order, not both$",
        ),
        ({"rota": [PLACE | RULES[0] | {"phone": None}]}, "^no phone is named; write phone = "),
        (
            {"rota": [PLACE | RULES[0] | {"phone": None, "phones": ["duty", "desk", "duty"]}]},
            "^one phone is named twice in phones; name it once, in its place$",
        ),
        ({"rota": [PLACE | RULES[0] | {"phone": "gone"}]}, "'gone' is not in"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused(tables: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MalformedError, match=complaint):
        rota(**tables)


@pytest.mark.parametrize(
    ("country", "name"), [("NO", "Første juledag"), ("SE", "Juldagen"), ("GB", "Christmas Day")]
)
def test_a_holiday_has_one_name_in_whatever_language_the_process_runs(
    country: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "en_US")
    assert Calendar(country).holiday(dt.date(2026, 12, 25)) == name
