"""Dose windows: dispensed, not dispensed, unknown; on both databases."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.dose import WINDOW, window_ended, windows
from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.presence import write
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.central.site.model import Dose
from hub.central.store.tables import due
from hub.domain.clock import UTC, TimeQuality
from hub.domain.codes import Kind
from tests.fakes.centre import DeskCentre
from tests.fakes.clock import EVENING as START
from tests.fakes.site import SITE

OSLO = ZoneInfo("Europe/Oslo")
# The site's dose: 20:30 local, half an hour; the clock of the tests stands at 20:00 local.


async def heard(desk: DeskCentre, *, hub: bool = True, dispenser: bool = True) -> None:
    if hub:
        desk.presence.heard_hub("h-1", desk.clock.at)
    if dispenser:
        desk.presence.heard_device("dispenser-1", desk.clock.at, "device.alive", None, None)
    news = desk.presence.take()
    await desk.store.write(lambda connection: write(connection, news))


async def doses(desk: DeskCentre) -> list[tuple[str, str]]:
    return [
        (row.kind, row.state) for row in await desk.incidents() if row.need.startswith("care:dispenser-1:dose")
    ]


async def minutes(desk: DeskCentre, count: int, *, hub: bool = True, dispenser: bool = True) -> None:
    for _ in range(count):
        await desk.pass_time(60)
        await heard(desk, hub=hub, dispenser=dispenser)


async def until_the_end(desk: DeskCentre, *, hub: bool = True, dispenser: bool = True) -> None:
    await desk.arm()
    await minutes(desk, 60, hub=hub, dispenser=dispenser)


async def test_a_dose_given_in_its_window_raises_nothing(desk: DeskCentre) -> None:
    await heard(desk)
    await desk.arm()
    await minutes(desk, 31)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_DISPENSED))
    await minutes(desk, 60)
    assert await doses(desk) == []


async def test_a_dose_not_given_is_raised_within_a_minute_of_its_window(desk: DeskCentre) -> None:
    await until_the_end(desk)
    assert await doses(desk) == []
    await desk.pass_time(59)
    assert await doses(desk) == [(Kind.DOSE_NOT_DISPENSED, "alerting")]


@pytest.mark.parametrize(("hub", "dispenser"), [(False, True), (True, False), (False, False)])
async def test_without_contact_it_is_unknown(desk: DeskCentre, hub: bool, dispenser: bool) -> None:
    await until_the_end(desk, hub=hub, dispenser=dispenser)
    await desk.pass_time(59)
    assert await doses(desk) == [(Kind.DOSE_UNKNOWN, "alerting")]


async def test_yesterdays_dose_that_arrives_today_is_not_todays(desk: DeskCentre) -> None:
    await heard(desk)
    await desk.arm()
    await minutes(desk, 31)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_DISPENSED, at=desk.clock.at - dt.timedelta(days=1)))
    await minutes(desk, 30)
    assert [kind for kind, _ in await doses(desk)] == [Kind.DOSE_NOT_DISPENSED]


async def test_dispenser_and_clock_raise_one_incident(desk: DeskCentre) -> None:
    await until_the_end(desk)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_NOT_DISPENSED))
    await desk.pass_time(300)
    assert await doses(desk) == [(Kind.DOSE_NOT_DISPENSED, "alerting")]


async def test_what_was_settled_before_the_window_ended_is_not_raised_again(desk: DeskCentre) -> None:
    await heard(desk)
    await desk.arm()
    await minutes(desk, 40)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_NOT_DISPENSED))
    await desk.centre.transact(
        lambda tx: acts.act(tx, 1, Event.CLOSE, "user:x", outcome=Outcome.HELP_GIVEN, cause=Cause.MEDICATION)
    )
    await minutes(desk, 60)
    assert await doses(desk) == [(Kind.DOSE_NOT_DISPENSED, "closed")]


@pytest.mark.parametrize(
    ("at", "window_min", "over"),
    [
        pytest.param("21:05", 20, 85, id="later in the evening"),
        pytest.param("20:30", 50, 80, id="longer"),
        pytest.param("20:30", 5, 60, id="shorter, and over already"),
    ],
)
async def test_a_plan_that_changes_in_a_window_is_gone_by(
    desk: DeskCentre, at: str, window_min: int, over: int
) -> None:
    await heard(desk)
    await desk.arm()
    await minutes(desk, 40)
    plan = f'at = "{at}"\nwindow_min = {window_min}'
    desk.centre.site = Directory(load(SITE.replace('at = "20:30"\nwindow_min = 30', plan)), 2)
    await desk.arm()
    await minutes(desk, over - 40)
    assert await doses(desk) == []
    await minutes(desk, 1)
    assert await doses(desk) == [(Kind.DOSE_NOT_DISPENSED, "alerting")]


@pytest.mark.parametrize(
    ("at", "quality", "flags"),
    [
        pytest.param(dt.datetime(1970, 1, 1, tzinfo=UTC), TimeQuality.UNKNOWN, (), id="by a hub of 1970"),
        pytest.param(START - dt.timedelta(hours=7), TimeQuality.UNKNOWN, (), id="by a hub whose clock is behind"),
        pytest.param(None, TimeQuality.SYNCED, ("bad_time",), id="by a dispenser without its clock"),
    ],
)
async def test_a_dose_of_which_nobody_knows_when_leaves_its_window_unknown(
    desk: DeskCentre, at: dt.datetime | None, quality: TimeQuality, flags: tuple[str, ...]
) -> None:
    await heard(desk)
    await desk.arm()
    await minutes(desk, 40)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_DISPENSED, at=at, quality=quality, flags=flags))
    await minutes(desk, 19)
    assert await doses(desk) == []
    await minutes(desk, 2)
    assert await doses(desk) == [(Kind.DOSE_UNKNOWN, "alerting")]


async def test_a_dose_by_a_clock_that_is_ahead_counts_from_when_it_was_heard(desk: DeskCentre) -> None:
    await heard(desk)
    await desk.arm()
    await minutes(desk, 40)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_DISPENSED, at=START + dt.timedelta(hours=5)))
    await minutes(desk, 30)
    assert await doses(desk) == []


async def a_window_right_after(desk: DeskCentre) -> str:
    """Give the dispenser a second window, from 21:00 local; return its need."""
    desk.move_in(SITE + '[[doses]]\ndevice = "dispenser-1"\nat = "21:00"\nwindow_min = 30\n')
    await heard(desk)
    await desk.arm()
    return "care:dispenser-1:dose:20261121T2000Z"


async def test_a_dose_late_in_its_window_does_not_answer_the_window_after_it(desk: DeskCentre) -> None:
    second = await a_window_right_after(desk)
    await minutes(desk, 57)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_DISPENSED))
    await minutes(desk, 40)
    assert [(row.kind, row.need) for row in await desk.incidents() if row.incident_class == "care"] == [
        (Kind.DOSE_NOT_DISPENSED, second)
    ]


async def test_a_dose_that_was_missed_at_the_end_of_its_window_does_not_settle_the_window_after_it(
    desk: DeskCentre,
) -> None:
    second = await a_window_right_after(desk)
    await minutes(desk, 60)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_NOT_DISPENSED))
    await minutes(desk, 2)
    (number,) = [row.id for row in await desk.incidents() if row.incident_class == "care"]
    await desk.centre.transact(
        lambda tx: acts.act(tx, number, Event.CLOSE, "user:x", outcome=Outcome.HELP_GIVEN, cause=Cause.MEDICATION)
    )
    await minutes(desk, 40)
    first, missed = [row for row in await desk.incidents() if row.incident_class == "care"]
    assert (first.state, first.need) == ("closed", "care:dispenser-1:dose:20261121T1930Z")
    assert (missed.state, missed.need) == ("alerting", second)


async def test_each_of_two_windows_that_follow_each_other_has_its_dose(desk: DeskCentre) -> None:
    await a_window_right_after(desk)
    await minutes(desk, 40)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_DISPENSED))
    await minutes(desk, 25)
    await desk.keep(desk.event("dispenser-1", Kind.DOSE_DISPENSED))
    await minutes(desk, 30)
    assert await doses(desk) == []


async def test_each_window_that_ended_while_the_centre_was_down_is_judged(desk: DeskCentre) -> None:
    desk.move_in(SITE + '[[doses]]\ndevice = "dispenser-1"\nat = "22:00"\nwindow_min = 30\n')
    await heard(desk)
    await desk.arm()
    desk.clock.go_on(5 * 3600)
    await desk.arm()
    await minutes(desk, 1)
    assert [(row.kind, row.need) for row in await desk.incidents() if row.incident_class == "care"] == [
        (Kind.DOSE_UNKNOWN, "care:dispenser-1:dose:20261121T1930Z"),
        (Kind.DOSE_UNKNOWN, "care:dispenser-1:dose:20261121T2100Z"),
    ]


async def test_of_the_windows_of_many_days_those_of_the_last_are_judged(desk: DeskCentre) -> None:
    await desk.arm()
    desk.clock.go_on(30 * 24 * 3600)  # as a clock that was set to another month would have it
    await desk.arm()
    await minutes(desk, 1)
    assert [row.need for row in await desk.incidents() if row.incident_class == "care"] == [
        "care:dispenser-1:dose:20261121T1930Z",
        "care:dispenser-1:dose:20261220T1930Z",
    ]


async def test_every_evening_has_its_window(desk: DeskCentre) -> None:
    await desk.arm()
    ends = []
    for _ in range(3):
        (row,) = await desk.rows(due, due.c.kind == WINDOW)
        ends.append(row.at)
        desk.clock.go_on((row.at - desk.clock.at).total_seconds())
        await desk.store.write(lambda connection: connection.execute(due.delete().where(due.c.kind == WINDOW)))
        await desk.centre.transact(lambda tx, subject=row.subject: window_ended(tx, subject))  # type: ignore[misc]  # a bound row
    assert [later - sooner for sooner, later in pairwise(ends)] == [dt.timedelta(days=1)] * 2
    assert len(await doses(desk)) == 3


@given(
    st.dates(dt.date(2026, 1, 1), dt.date(2028, 12, 31)),
    st.integers(0, 23),
    st.integers(0, 59),
)
def test_each_dose_is_there_exactly_once_a_local_day(date: dt.date, hour: int, minute: int) -> None:
    dose = Dose(device="d", at=f"{hour:02}:{minute:02}", days="daily", window_min=30)
    noon = dt.datetime.combine(date, dt.time(12), tzinfo=OSLO).astimezone(UTC)
    found = windows([dose], "d", OSLO, noon, 3)
    assert [window.start.astimezone(OSLO).date() for window in found] == [
        date + dt.timedelta(days=ahead) for ahead in range(3)
    ]
