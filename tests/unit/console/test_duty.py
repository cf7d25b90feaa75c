"""Who has the phone, as the page of shifts reads it: now, next, in the days to come, and where nobody has it."""

import datetime as dt
from itertools import pairwise

import pytest
import sqlalchemy as sa

from hub.central.console import duty, scene
from hub.central.console.duty import Duty, ZoneDuty
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.domain.clock import UTC, Now
from tests.fakes.site import SITE

ALL_DAY = 'phone = "nord-1-duty"\ndays = "daily"\nfrom = "00:00"\nto = "24:00"\n'
DAY, NIGHT = "nord-2-duty", "nord-1-duty"
LAID = f"""phones = ["{DAY}", "leader"]
days = "mon-fri"
from = "08:00"
to = "15:00"
[[rota]]
zone = "nord-1"
role = "duty"
phone = "{NIGHT}"
days = "daily"
from = "15:00"
to = "08:00"
"""
OVERRIDE = """
[[overrides]]
zone = "nord-1"
role = "duty"
phone = "leader"
from = "2026-11-25T15:00"
to = "2026-11-26T08:00"
kind = "sick"
reason = "cover"
"""
assert ALL_DAY in SITE
SHIFTS = SITE.replace(ALL_DAY, LAID, 1) + OVERRIDE
TUESDAY = dt.datetime(2026, 11, 24, 9, 30, tzinfo=UTC)  # 10:30 in Oslo


def zone(connection: sa.Connection, document: str = SHIFTS, at: dt.datetime = TUESDAY) -> ZoneDuty:
    return duty.zones(connection, Directory(load(document), 1), Now(at, 0.0))[0]


def role(connection: sa.Connection, document: str = SHIFTS, at: dt.datetime = TUESDAY) -> Duty:
    return next(one for one in zone(connection, document, at).duties if one.role == "duty")


def local(at: dt.datetime | None) -> str:
    assert at is not None
    return f"{at.astimezone(dt.timezone(dt.timedelta(hours=1))):%a %H:%M}"


def test_who_has_it_and_who_comes_next_are_told_with_the_reason(connection: sa.Connection) -> None:
    found = role(connection)
    assert [(phone.id, phone.reason) for phone in found.now.phones] == [
        (DAY, "mon-fri 08:00-15:00"),
        ("leader", "mon-fri 08:00-15:00, phone 2 of 2"),
    ]
    assert local(found.now.end) == "Tue 15:00"
    assert found.next is not None
    assert (found.next.phones[0].id, local(found.next.start), local(found.next.end)) == (
        NIGHT,
        "Tue 15:00",
        "Wed 08:00",
    )
    assert not found.missing
    assert found.gap is not None  # nobody on Saturday between 08:00 and 15:00
    assert [local(at) for at in found.gap] == ["Sat 08:00", "Sat 15:00"]


def test_seven_days_are_listed_each_turn_where_it_begins_and_what_is_special_with_its_reason(
    connection: sa.Connection,
) -> None:
    days = role(connection).days
    assert [date.isoformat() for date, _ in days] == [f"2026-11-{day}" for day in range(24, 31)]
    by_day = {
        f"{date:%a}": [(turn.phones[0].id if turn.phones else None, turn.special) for turn in turns]
        for date, turns in days
    }
    assert by_day["Tue"] == [(DAY, ()), (NIGHT, ())]
    assert by_day["Wed"] == [(DAY, ()), ("leader", ("override (sick), cover",))]
    assert by_day["Sat"] == [(None, ()), (NIGHT, ())]
    assert days[-1][1][-1].end is None  # it goes on beyond what is shown


def test_a_longer_shift_of_the_same_phone_is_one_turn_with_its_reason(connection: sa.Connection) -> None:
    longer = OVERRIDE.replace("leader", DAY).replace("T15:00", "T14:00").replace("11-26T08", "11-25T19")
    wednesday = dt.datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
    document = SHIFTS.replace(OVERRIDE, longer.replace("sick", "longer").replace("phone =", "phones = [")).replace(
        f'phones = [ "{DAY}"', f'phones = ["{DAY}", "leader"]'
    )
    found = role(connection, document, wednesday)
    assert found.now.phones[0].reason == "mon-fri 08:00-15:00"
    assert (local(found.now.end), found.now.special) == ("Wed 19:00", ("override (longer), cover",))
    assert [
        phone.reason for phone in role(connection, document, wednesday + dt.timedelta(hours=5)).now.phones
    ] == [
        "override (longer), cover",
        "override (longer), cover, phone 2 of 2",
    ]


def test_a_gap_in_which_a_plan_needs_somebody_is_trouble_now(connection: sa.Connection) -> None:
    found = role(connection, at=dt.datetime(2026, 11, 28, 9, 0, tzinfo=UTC))
    assert (found.now.phones, found.missing, found.troubled, found.gap) == ((), True, True, None)
    assert local(found.now.end) == "Sat 15:00"


def test_hours_in_which_no_step_needs_the_role_are_no_trouble(connection: sa.Connection) -> None:
    document = SITE.replace(
        'phone = "technician"\ndays = "daily"\nfrom = "00:00"\nto = "24:00"',
        'phone = "technician"\ndays = "daily"\nfrom = "07:00"\nto = "16:00"',
    ).replace('roles = ["nord-1:technician"]', 'roles = ["nord-1:technician"], hours = "08:00-15:00"')
    at = dt.datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
    (technician,) = [one for one in zone(connection, document, at).duties if one.role == "technician"]
    assert (technician.now.phones, technician.missing, technician.troubled) == ((), False, False)


def test_a_role_that_only_a_plan_knows_is_listed_with_nobody(connection: sa.Connection) -> None:
    document = SITE.replace('roles = ["duty"]', 'roles = ["duty", "backup"]')
    (backup,) = [one for one in zone(connection, document).duties if one.role == "backup"]
    assert (backup.now.phones, backup.missing) == ((), True)


def test_as_long_as_nothing_changes_nothing_is_drawn_anew(connection: sa.Connection) -> None:
    site = Directory(load(SHIFTS), 1)

    def marks(at: dt.datetime) -> list[str]:
        return [part.mark for part in scene.shifts(connection, site, "", Now(at, 0.0))["duties"]]

    first = marks(TUESDAY)
    assert marks(TUESDAY + dt.timedelta(minutes=50)) == first
    changed = marks(TUESDAY + dt.timedelta(hours=5))
    assert changed[0] != first[0]
    assert changed[1:] == first[1:]


@pytest.mark.parametrize(
    "at", [dt.datetime(2026, 3, 28, 12, tzinfo=UTC), dt.datetime(2026, 10, 24, 12, tzinfo=UTC)]
)
def test_the_nights_of_summer_time_have_one_turn_each(connection: sa.Connection, at: dt.datetime) -> None:
    found = role(connection, SITE.replace(ALL_DAY, LAID.replace("mon-fri", "daily"), 1), at)
    turns = [turn for _, begun in found.days for turn in begun]
    assert len(turns) == 14
    assert all(one.end == other.start for one, other in pairwise(turns))
