"""Gaps in the rota at run time: each is told two weeks, a day and an hour before, on both databases."""

import datetime as dt
from typing import Any

import pytest

from hub.central import shifts as shifts_at_run_time
from hub.central.centre import Tx
from hub.central.incidents import desk as incident_desk
from hub.central.incidents.desk import Finding
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.shifts import gaps
from hub.central.site.check import findings
from hub.central.site.load import load
from hub.central.store.tables import incidents
from hub.domain.clock import UTC
from hub.domain.codes import Kind, Severity
from tests.fakes.centre import DeskCentre
from tests.fakes.site import LEADER, NEIGHBOUR, SITE

# Whoever is told of a gap is told once in these tests, not every quarter of an hour for two weeks.
assert "wait_s = 900" in SITE
PATIENT = SITE.replace("wait_s = 900", "wait_s = 9000000")
HOURS = 3600
SHIFT = '[[schedules.rules]]\nphone = "nord-1-duty"\ndays = "daily"\nfrom = "{start}"\nto = "{end}"\n'
EVE = '[[schedules]]\nzone = "nord-1"\nrole = "duty"\nfrom = "2026-12-24"\nuntil = "2026-12-24"\nname = "t"\n'
GAP = EVE + SHIFT.format(start="00:00", end="12:00")
# Nobody from 12:00 to midnight in Oslo.
BARE = dt.datetime(2026, 12, 24, 11, tzinfo=UTC)
# Nobody from 12:00 to 13:00, and again from 18:00 to 19:00.
TWICE = EVE + "".join(
    SHIFT.format(start=start, end=end)
    for start, end in (("00:00", "12:00"), ("13:00", "18:00"), ("19:00", "24:00"))
)
# Nobody from 22:00 to 07:00, as the rules of every day have it.
NIGHTLY = PATIENT.replace('from = "00:00"\nto = "24:00"', 'from = "07:00"\nto = "22:00"', 1)
assert NIGHTLY != PATIENT


async def arm(desk: DeskCentre) -> None:
    """Look at gaps only: days of silence and of rounds are other tests' business."""
    await desk.centre.transact(shifts_at_run_time.arm)


@pytest.fixture
async def bare(desk: DeskCentre) -> DeskCentre:
    desk.clock.at = BARE - dt.timedelta(days=16)
    desk.move_in(PATIENT + GAP)
    await arm(desk)
    return desk


async def told(desk: DeskCentre) -> list[Any]:
    return [row for row in await desk.incidents() if row.kind == Kind.ROTA_GAP]


async def until(desk: DeskCentre, before: dt.timedelta, seconds: int = 0) -> None:
    at = BARE - before + dt.timedelta(seconds=seconds)
    await desk.pass_time((at - desk.clock.at).total_seconds())


async def opened(desk: DeskCentre) -> list[tuple[str, Severity]]:
    """What is open of gaps: where the first one begins, and how severe it is."""
    return [
        (row.room.partition(" ")[2], Severity(row.severity)) for row in await told(desk) if row.state != "closed"
    ]


async def close(desk: DeskCentre, number: int) -> None:
    def work(tx: Tx) -> None:
        incident_desk.act(tx, number, Event.ACKNOWLEDGE, "user:kari")
        outcome, cause = Outcome.NO_HELP_NEEDED, Cause.TECHNICAL
        incident_desk.act(tx, number, Event.CLOSE, "user:kari", outcome=outcome, cause=cause)

    await desk.centre.transact(work)


async def test_a_gap_is_told_two_weeks_a_day_and_an_hour_before(bare: DeskCentre) -> None:
    for before, severity in gaps.WARNINGS:
        await until(bare, before, -1)
        assert [row.severity for row in await told(bare)] != [severity]
        await until(bare, before, 1)
        assert [row.severity for row in await told(bare)] == [severity]
    (row,) = await told(bare)
    assert row.reason.startswith(
        "nobody is duty of nord-1 from Thu 2026-12-24 12:00 to Fri 2026-12-25 00:00; write"
    )
    assert row.room == "duty 24.12. 12:00"
    story = await bare.story(row.id)
    assert story.count("alerts_again") == 2


async def test_a_gap_that_is_closed_by_a_site_is_cleared(bare: DeskCentre) -> None:
    await until(bare, dt.timedelta(days=10))
    assert [row.state for row in await told(bare)] == ["alerting"]
    bare.move_in(PATIENT)
    await arm(bare)
    await bare.pass_time(1)
    assert [(row.state, row.outcome) for row in await told(bare)] == [("closed", "cleared")]
    bare.move_in(PATIENT + GAP)  # the override that closed it is removed: it is told again
    await arm(bare)
    await bare.pass_time(1)
    assert [row.state for row in await told(bare)] == ["closed", "alerting"]


async def test_a_restart_does_not_raise_again_what_somebody_has_closed(bare: DeskCentre) -> None:
    await until(bare, dt.timedelta(days=10))
    (row,) = await told(bare)
    await close(bare, row.id)
    await arm(bare)
    await bare.pass_time(HOURS)
    assert len(await told(bare)) == 1
    await until(bare, dt.timedelta(days=1), 1)  # a day before it is told anew
    assert [row.state for row in await told(bare)] == ["closed", "alerting"]


async def test_nobody_on_call_means_the_last_resort_at_once(bare: DeskCentre) -> None:
    await until(bare, dt.timedelta(0), 60)
    alarm = Finding(
        incident_class="care",
        kind=Kind.ALARM_PRESSED,
        severity=Severity.CRITICAL,
        need="care:r-1017",
        reason="test",
        zone="nord-1",
        occurred_at=bare.clock.at,
        resident_id="r-1017",
    )
    number = await bare.centre.transact(lambda tx: incident_desk.raise_incident(tx, alarm))
    assert await bare.told(number) == [NEIGHBOUR]  # the duty of nord-2, the next step
    await bare.pass_time(130)
    assert LEADER in await bare.told(number)


async def test_after_the_gap_the_incident_ends(bare: DeskCentre) -> None:
    await until(bare, -dt.timedelta(hours=13))
    assert [row.state for row in await told(bare)] == ["closed"]


async def test_each_gap_is_told_whatever_else_is_ahead(bare: DeskCentre) -> None:
    bare.move_in(PATIENT + TWICE)
    await arm(bare)
    for before, severity in gaps.WARNINGS:
        for hours, start in ((0, "24.12. 12:00"), (6, "24.12. 18:00")):
            near = before - dt.timedelta(hours=hours)
            await until(bare, near, -1)
            assert (start, severity) not in await opened(bare)
            await until(bare, near, 1)
            assert (start, severity) in await opened(bare)
    assert [room for room, _ in await opened(bare)] == ["24.12. 18:00"]  # the first is over
    rows = await told(bare)
    assert [(await bare.story(row.id)).count("alerts_again") for row in rows] == [2, 2]
    await until(bare, -dt.timedelta(hours=7), 1)
    assert await opened(bare) == []


async def test_gaps_that_come_in_sight_at_once_are_one_incident(desk: DeskCentre) -> None:
    desk.clock.at = BARE - dt.timedelta(days=7)  # 17.12. 12:00
    desk.move_in(NIGHTLY)
    await arm(desk)
    await desk.pass_time(1)
    assert await opened(desk) == [("17.12. 22:00", Severity.MODERATE), ("18.12. 22:00 +12", Severity.NORMAL)]
    rows = await told(desk)
    assert rows[1].reason.startswith(
        "nobody is duty of nord-1 from Fri 2026-12-18 22:00 to Sat 2026-12-19 07:00, and 12 times more until "
        "Thu 2026-12-31 07:00; write"
    )
    assert [len(await desk.told(row.id)) for row in rows] == [1, 1]
    await arm(desk)  # begun anew, nothing is said again
    await desk.pass_time(HOURS)
    assert [row.presses for row in await told(desk)] == [1, 1]


async def test_each_of_many_gaps_is_told_again_when_it_is_near(desk: DeskCentre) -> None:
    desk.clock.at = BARE - dt.timedelta(days=7)
    desk.move_in(NIGHTLY)
    await arm(desk)
    for day in (18, 19, 30):
        start = f"{day}.12. 22:00"
        for before, severity in gaps.WARNINGS[1:]:
            near = dt.datetime(2026, 12, day, 21, tzinfo=UTC) - before
            await desk.pass_time((near - desk.clock.at).total_seconds() - 1)
            assert (start, severity) not in await opened(desk)
            await desk.pass_time(2)
            assert (start, severity) in await opened(desk)
    # Those that came in sight later each have their own; the one for many ends with the last of them.
    rows = await told(desk)
    assert len({row.room for row in rows}) == len(rows)
    assert ("18.12. 22:00 +12", Severity.NORMAL) in await opened(desk)
    await desk.pass_time(24 * HOURS)
    assert ("18.12. 22:00 +12", Severity.NORMAL) not in await opened(desk)


async def test_one_of_many_that_is_filled_clears_nothing_and_all_of_them_do(desk: DeskCentre) -> None:
    desk.clock.at = BARE - dt.timedelta(days=7)
    desk.move_in(NIGHTLY)
    await arm(desk)
    await desk.pass_time(1)
    before = await opened(desk)
    override = '[[overrides]]\nzone = "nord-1"\nrole = "duty"\nphone = "leader"\nreason = "t"\n'
    desk.move_in(f'{NIGHTLY}{override}from = "2026-12-18T22:00"\nto = "2026-12-19T07:00"\n')
    await arm(desk)
    await desk.pass_time(1)
    assert await opened(desk) == before
    desk.move_in(PATIENT)
    await arm(desk)
    await desk.pass_time(1)
    assert {(row.state, row.outcome) for row in await told(desk)} == {("closed", "cleared")}


async def test_many_gaps_that_somebody_has_closed_are_told_again_one_by_one(desk: DeskCentre) -> None:
    desk.clock.at = BARE - dt.timedelta(days=7)
    desk.move_in(NIGHTLY)
    await arm(desk)
    await desk.pass_time(1)
    for row in await told(desk):
        await close(desk, row.id)
    await arm(desk)
    await desk.pass_time(HOURS)
    assert await opened(desk) == []
    await desk.pass_time(24 * HOURS)
    assert await opened(desk) == [("18.12. 22:00", Severity.MODERATE), ("31.12. 22:00", Severity.NORMAL)]


async def test_a_gap_that_lasts_is_not_told_anew_by_a_restart(bare: DeskCentre) -> None:
    await until(bare, dt.timedelta(0), 3 * HOURS)
    await arm(bare)
    await bare.pass_time(HOURS)
    assert [(row.state, row.presses) for row in await told(bare)] == [("alerting", 3)]


async def test_hours_of_steps_that_overlap_make_no_second_gap(desk: DeskCentre) -> None:
    desk.clock.at = BARE - dt.timedelta(days=10)
    steps = ", ".join(f'{{ roles = ["duty"], hours = "{hours}" }}' for hours in ("12:00-20:00", "18:00-23:00"))
    text = PATIENT.replace('steps = [{ roles = ["duty"], wait_s = 180 }', f"steps = [{steps}", 1)
    assert text != PATIENT
    desk.move_in(text + GAP)
    await arm(desk)
    await desk.pass_time(1)
    (row,) = await told(desk)
    assert "from Thu 2026-12-24 12:00 to Thu 2026-12-24 23:00; write" in row.reason


async def test_what_is_open_from_before_gives_way_to_an_incident_for_each_gap(bare: DeskCentre) -> None:
    await until(bare, dt.timedelta(days=10))
    (row,) = await told(bare)
    was = {"need": "technical:nord-1:duty:rota", "open_key": "technical:nord-1:duty:rota"}

    def grow_old(tx: Tx) -> None:
        tx.connection.execute(incidents.update().where(incidents.c.id == row.id).values(**was))

    await bare.centre.transact(grow_old)
    await arm(bare)
    await bare.pass_time(1)
    assert [(row.state, row.outcome) for row in await told(bare)] == [("closed", "cleared"), ("alerting", None)]


async def test_a_role_that_no_plan_names_any_more_has_no_gaps(bare: DeskCentre) -> None:
    await until(bare, dt.timedelta(days=10))
    bare.move_in(PATIENT.replace('["duty"]', '["nord-1:technician"]') + GAP)
    await arm(bare)
    await bare.pass_time(1)
    assert [(row.state, row.outcome) for row in await told(bare)] == [("closed", "cleared")]


async def test_a_role_of_a_plan_that_no_incident_of_the_zone_follows_has_no_gaps(desk: DeskCentre) -> None:
    own = '[[plans]]\nclass = "care"\nzone = "nord-2"\nsteps = [{ roles = ["team"] }]\n'
    text = PATIENT.replace(', { roles = ["nord-2:duty"], wait_s = 120 }', "")
    text = text.replace('zone = "nord-2"\nrole = "duty"', 'zone = "nord-2"\nrole = "team"') + own
    assert [found for found in findings(load(text), desk.clock.at.date()) if found.level == "error"] == []
    desk.move_in(text)
    await arm(desk)
    await desk.pass_time(1)
    assert await told(desk) == []
    desk.move_in(text.replace(own, own.replace('"team"', '"nobody"')))
    await arm(desk)
    await desk.pass_time(1)
    assert [row.reason.partition(" from")[0] for row in await told(desk)] == ["nobody is nobody of nord-2"]
