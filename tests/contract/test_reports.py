"""Reports from a real store, on both databases: the inspector's question, and the site as it stood then."""

import csv
import datetime as dt
import io
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from hub.central import setback
from hub.central.audit.verify import verify
from hub.central.centre import Tx
from hub.central.incidents import desk as act
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.notify import attempts, outcome
from hub.central.notify.message import MessageState
from hub.central.reports import report
from hub.central.reports.followup import BREACHES
from hub.central.reports.report import Question, Report, make
from hub.central.site.apply import apply, load_current
from hub.central.site.load import load
from hub.central.store.tables import incidents, messages
from hub.cli import main
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError
from tests.fakes.centre import DeskCentre
from tests.fakes.site import SITE
from tests.fakes.ward import press

OSLO = ZoneInfo("Europe/Oslo")
DAY = dt.date(2026, 11, 21)
WEEK = Question(since=DAY, until=DAY + dt.timedelta(days=7))
LIMITED = SITE.replace('class = "care"\n', 'class = "care"\nacknowledge_s = 120\narrive_s = 600\nclose_s = 1800\n')
NIGHT = LIMITED.replace(
    'days = "daily"\nfrom = "00:00"\nto = "24:00"\n',
    'days = "daily"\nfrom = "08:00"\nto = "22:00"\n[[rota]]\nzone = "nord-1"\nrole = "duty"\n'
    'phone = "nord-2-duty"\ndays = "daily"\nfrom = "22:00"\nto = "08:00"\n',
    1,
)


async def lay(desk: DeskCentre, document: str) -> None:
    """Apply another site and let it hold."""
    now = desk.clock.now()
    await desk.store.write(lambda c: apply(c, document, load(document), now, "test"))
    directory = await desk.store.read(load_current)
    assert directory is not None
    desk.centre.site = directory


async def raised(desk: DeskCentre, resident: str, **more: Any) -> int:
    at = desk.clock.at
    return await desk.centre.transact(lambda tx: act.raise_incident(tx, press(resident, at, **more)))


async def does(
    desk: DeskCentre, number: int, event: Event, *, cause: Cause = Cause.NEED, actor: str = "user:kari-test"
) -> None:
    ending = {"outcome": Outcome.HELP_GIVEN, "cause": cause} if event is Event.CLOSE else {}

    def work(tx: Tx) -> None:
        act.act(tx, number, event, actor, **ending)  # type: ignore[arg-type] # a test's shorthand

    await desk.centre.transact(work)


async def ask(desk: DeskCentre, question: Question = WEEK, listed: int | None = None) -> Report:
    now = desk.clock.at
    return await desk.store.read(lambda c: make(c, question, OSLO, now, listed=listed))


async def three(desk: DeskCentre) -> None:
    """One within the limits, one that was acknowledged too late and is open, one false alarm; and a test."""
    await lay(desk, LIMITED)
    good = await raised(desk, "r-1017", kind=Kind.DOSE_NOT_DISPENSED, device_id="dispenser-1")
    desk.clock.go_on(30)
    await does(desk, good, Event.ACKNOWLEDGE)
    desk.clock.go_on(60)
    await does(desk, good, Event.ARRIVE)
    desk.clock.go_on(60)
    await does(desk, good, Event.CLOSE)
    bad = await raised(desk, "r-1018", kind=Kind.DOSE_NOT_DISPENSED)
    await desk.pass_time(200)
    await does(desk, bad, Event.ACKNOWLEDGE)
    false = await raised(desk, "r-1019", zone="nord-2")
    await does(desk, false, Event.CLOSE, cause=Cause.MISTAKE)
    await raised(desk, "r-1020", test=True)


async def test_what_became_of_each_incident(desk: DeskCentre) -> None:
    await three(desk)
    at = desk.clock.at

    def deliver(connection: sa.Connection) -> None:
        delivered = {"sent_at": at, "delivered_at": at + dt.timedelta(seconds=2)}
        connection.execute(messages.update().where(messages.c.incident_id == 3).values(**delivered))

    await desk.store.write(deliver)
    told = await ask(desk)
    good, bad, false = told.incidents
    assert (told.tests, told.total.raised, told.more) == (1, 3, 0)
    assert (good.taken_by, good.acknowledged_s, good.arrived_s, good.closed_s) == ("user:kari-test", 30, 90, 150)
    assert good.breaches == ()
    assert [(b.limit, b.limit_s, round(b.late_s or 0), b.lasts) for b in bad.breaches] == [
        ("acknowledge", 120, 80, False)
    ]
    assert (false.delivered_s, false.false_alarm, told.total.undelivered) == (2, True, 2)
    assert (told.total.late, told.total.false_alarms) == (1, 1)
    assert told.total.breaches == dict.fromkeys(BREACHES, 0) | {"acknowledge": 1}
    assert {name: figures.raised for name, figures in told.groups.items()} == {"nord-1": 2, "nord-2": 1}
    desk.clock.go_on(3600)
    late = (await ask(desk)).incidents[1]
    assert [(b.limit, b.lasts) for b in late.breaches] == [
        ("acknowledge", False),
        ("arrive", True),
        ("close", True),
    ]


async def test_only_what_was_asked_for_is_counted(desk: DeskCentre) -> None:
    await three(desk)
    doses = Question(since=DAY, until=DAY + dt.timedelta(days=1), kind="dose.not_dispensed", by="resident")
    assert [*(await ask(desk, doses)).groups] == ["r-1017", "r-1018"]
    nord_2 = Question(since=DAY, until=DAY + dt.timedelta(days=1), zone="nord-2", by="kind")
    assert [*(await ask(desk, nord_2)).groups] == ["alarm.pressed"]
    assert (await ask(desk, Question(since=DAY - dt.timedelta(days=1), until=DAY))).total.raised == 0
    first = await ask(desk, WEEK, listed=1)
    assert (len(first.incidents), first.more, first.total.raised) == (1, 2, 3)
    with pytest.raises(RefusedError, match="ends on 2026-11-21"):
        await ask(desk, Question(since=DAY, until=DAY))


async def test_what_else_was_reported_is_found_under_that_kind_too(
    desk: DeskCentre, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in (Kind.FALL_DETECTED, Kind.ALARM_PRESSED):
        await raised(desk, "r-1017", kind=kind)
    for word, count in (("fall.detected", 1), ("alarm.pressed", 1), ("alarm.cancelled", 0)):
        asked = Question(since=DAY, until=DAY + dt.timedelta(days=1), kind=word, by="kind")
        assert {name: one.raised for name, one in (await ask(desk, asked)).groups.items()} == (
            {"alarm.pressed": 1} if count else {}
        )
    words = ["report", "followup", "--store", store_url, "--from", "2026-11-21", "--to", "2026-11-22"]
    assert main([*words, "--list", "--kind", "fall.detected"]) == 0
    assert "alarm.pressed + fall.detected  nobody" in capsys.readouterr().out
    assert main([*words, "--list", "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["kind"], row["also"]) == ("alarm.pressed", "fall.detected")


async def test_the_limits_and_the_shift_are_those_of_then(desk: DeskCentre) -> None:
    await raised(desk, "r-1")  # no limit is written down yet
    desk.clock.go_on(3600)
    await lay(desk, NIGHT)
    await raised(desk, "r-2")  # 21:00 by the clock
    desk.clock.go_on(7200)
    await raised(desk, "r-3")  # 23:00
    desk.clock.go_on(3600)
    await lay(desk, SITE)  # the limits are taken away again: what held then still holds
    told = await ask(desk, Question(since=DAY, until=DAY + dt.timedelta(days=2), by="shift"))
    assert [len(one.breaches) for one in told.incidents] == [0, 3, 3]
    assert [one.within for one in told.incidents] == [None, False, False]
    assert (told.total.within, told.total.late, told.total.unlimited) == (0, 2, 1)
    shifts = [one.shift for one in told.incidents]
    assert len(set(shifts)) == 3
    assert "08:00-22:00" in shifts[1]
    assert "22:00-08:00" in shifts[2]
    assert sum(figures.raised for figures in told.groups.values()) == 3


async def test_a_site_that_was_applied_by_a_clock_that_was_ahead_gives_way_to_the_next(desk: DeskCentre) -> None:
    year = dt.timedelta(days=365)
    desk.clock.at += year
    await lay(desk, SITE)
    desk.clock.at -= year
    desk.clock.go_on(60)
    await lay(desk, LIMITED)
    desk.clock.go_on(60)
    await raised(desk, "r-1")
    (one,) = (await ask(desk)).incidents
    assert one.limits_s == {"acknowledge": 120, "arrive": 600, "close": 1800}


async def test_the_shift_is_that_of_the_first_step_that_is_taken_at_that_hour(desk: DeskCentre) -> None:
    office = '[[rota]]\nzone = "nord-1"\nrole = "office"\nphone = "leader"\ndays = "daily"\n'
    first = 'class = "care"\nsteps = [{ roles = ["office"], hours = "08:00-15:00" }, '
    day = SITE.replace('class = "care"\nsteps = [', first) + office + 'from = "08:00"\nto = "15:00"\n'
    await lay(desk, day)
    await raised(desk, "r-1")  # 21:00 by the clock
    desk.clock.go_on(12 * 3600)
    await raised(desk, "r-2")
    told = await ask(desk, Question(since=DAY, until=DAY + dt.timedelta(days=2), by="shift"))
    assert [one.shift for one in told.incidents] == [
        "duty of nord-1: daily 00:00-24:00",
        "office of nord-1: daily 08:00-15:00",
    ]


async def test_a_site_that_nobody_can_read_any_more_stops_no_report(desk: DeskCentre) -> None:
    await raised(desk, "r-1")
    await desk.store.write(lambda c: c.exec_driver_sql("UPDATE sites SET document = 'gone ='"))
    told = await ask(desk, Question(since=DAY, until=DAY + dt.timedelta(days=1), by="shift"))
    assert [*told.groups] == ["unknown"]


@pytest.mark.parametrize(
    ("day", "hours"), [(dt.date(2026, 3, 29), 23), (dt.date(2026, 10, 25), 25), (dt.date(2026, 12, 31), 24)]
)
async def test_a_day_is_the_local_one_in_both_nights_of_summer_time(
    desk: DeskCentre, day: dt.date, hours: int
) -> None:
    begin = dt.datetime.combine(day, dt.time(), OSLO).astimezone(dt.UTC)
    edges = [begin - dt.timedelta(microseconds=1), begin, begin + dt.timedelta(hours=hours, microseconds=-1)]
    for number, at in enumerate([*edges, begin + dt.timedelta(hours=hours)]):
        desk.clock.at = at
        await raised(desk, f"r-{number}")
    told = await ask(desk, Question(since=day, until=day + dt.timedelta(days=1)))
    assert [one.resident for one in told.incidents] == ["r-1", "r-2"]


async def test_what_a_clock_noted_that_was_ahead_is_not_a_year_late(desk: DeskCentre) -> None:
    await lay(desk, LIMITED)
    before = await raised(desk, "r-1017")
    year = dt.timedelta(days=365)
    desk.clock.go_on(year.total_seconds())
    number = await raised(desk, "r-1018")

    def deliver(tx: Tx) -> None:
        for message in tx.connection.scalars(sa.select(messages.c.id)).all():
            outcome.sent(tx, message, None, "elks", f"ref-{message}")
            row = outcome.find(tx, message)
            assert row is not None
            outcome.arrived(
                tx, row, attempts.of(tx.connection, message)[-1].id, MessageState.DELIVERED, tx.now.utc
            )

    await desk.centre.transact(deliver)
    for one in (before, number):
        await does(desk, one, Event.ACKNOWLEDGE)
        await does(desk, one, Event.CLOSE)
    desk.clock.go_on(60 - year.total_seconds())
    desk.clock.at += year
    await desk.centre.transact(lambda tx: setback.bring_back(tx, year))
    desk.clock.at -= year
    told = [one for one in (await ask(desk)).incidents if one.incident_class == "care"]
    assert [(one.delivered_s, one.acknowledged_s, one.closed_s) for one in told] == [(60, 60, 60), (0, 0, 0)]
    assert [one.within for one in told] == [False, True]  # that its limits passed was noted by that clock
    assert (await desk.store.read(verify)).broken is None


async def test_pages_neither_lose_nor_repeat(desk: DeskCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_PAGE", 2)
    for number in range(7):  # all at one instant, and a few later
        await raised(desk, f"r-{number}")
        desk.clock.go_on(3.0 * (number > 4))
    told = await ask(desk)
    assert [one.resident for one in told.incidents] == [f"r-{number}" for number in range(7)]


async def test_the_inspectors_question_is_one_command(
    desk: DeskCentre, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await three(desk)
    words = ["report", "followup", "--store", store_url, "--from", "2026-11-21", "--to", "2026-11-22"]
    assert main([*words, "--kind", "dose.not_dispensed", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:7] == [
        "1",
        "2026-11-21",
        "20:00:00",
        "nord-1",
        "r-1017",
        "dose.not_dispensed",
        "user:kari-test",
    ]
    assert lines[1].endswith("0:30   1:30     2:30    within")
    assert "user:kari-test  3:20" in lines[2]
    assert "acknowledge 1:20 late" in lines[2]
    assert lines[-1].startswith("2 raised: 1 within the limits, 1 not (acknowledge 1")
    assert main([*words, "--format", "csv", "--list"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["number"], row["within"]) for row in rows] == [("1", "within"), ("2", "late"), ("3", "within")]
    assert rows[0]["raised_at"] == "2026-11-21T20:00:00+01:00"
    assert main([*words, "--format", "csv", "--by", "class"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["group"], row["raised"], row["late"]) for row in rows] == [("care", "3", "1"), ("all", "3", "1")]
    assert main([*words, "--format", "json", "--list"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [one["within"] for one in answer["incidents"]] == [True, False, True]
    assert answer["total"]["legs"]["closed"] == {"count": 2, "median_s": 0.0, "p95_s": 150.0}
    assert main([*words, "--kind", "dose.eaten"]) == 1
    assert "there is no such kind" in capsys.readouterr().err
    assert main([*words, "--zone", "nord-9"]) == 1
    assert "there is no such zone" in capsys.readouterr().err
    await lay(desk, SITE.replace("nord-2", "sor-2"))
    assert main([*words, "--zone", "nord-2"]) == 0  # it has left the site
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 raised")
    assert main([*words, "--zone", "sor-2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 raised")


async def test_who_took_it_and_went_no_further_and_who_came_instead(
    desk: DeskCentre, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await lay(desk, SITE.replace('class = "care"\n', 'class = "care"\nacknowledge_s = 180\n'))
    number = await raised(desk, "r-1017")
    desk.clock.go_on(30)
    await does(desk, number, Event.ACKNOWLEDGE, actor="sms:nord-1-duty")
    await desk.pass_time(3970)
    await does(desk, number, Event.ACKNOWLEDGE)
    desk.clock.go_on(300)
    await does(desk, number, Event.ARRIVE)
    words = ["report", "followup", "--store", store_url, "--from", "2026-11-21", "--to", "2026-11-22"]
    assert main([*words, "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "sms:nord-1-duty 0:30-10:30 expired, user:kari-test 1:06:40-  0:30" in lines[1]
    assert lines[1].endswith("within, on_the_way: time passed")
    assert "1 within the limits, 0 not (on_the_way 1); 1 taken by somebody who went no further;" in lines[-1]
    assert main([*words, "--format", "csv", "--list"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["taken_by"], row["within"], row["led_nowhere"]) == ("sms:nord-1-duty", "within", "1")
    assert row["takings"] == "sms:nord-1-duty 30-630 expire; user:kari-test 4000-"
    assert main([*words, "--format", "csv"]) == 0
    figures = [*csv.DictReader(io.StringIO(capsys.readouterr().out))][-1]
    assert (figures["within"], figures["led_nowhere"], figures["on_the_way_breaches"]) == ("1", "1", "1")
    assert main([*words, "--format", "json", "--list"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["incidents"]
    assert (one["taken_by"], one["within"], one["led_nowhere"]) == ("sms:nord-1-duty", True, 1)
    assert [taking["by"] for taking in one["takings"]] == ["sms:nord-1-duty", "user:kari-test"]
    assert one["takings"][0] == {"by": "sms:nord-1-duty", "taken_s": 30.0, "until_s": 630.0, "end": "expire"}


async def test_a_report_finds_its_period_by_an_index(desk: DeskCentre) -> None:
    wanted = report._wanted(WEEK, OSLO)
    query = sa.select(incidents.c.id).where(wanted).order_by(incidents.c.opened_at, incidents.c.id)

    def plan(connection: sa.Connection) -> str:
        explain = "EXPLAIN QUERY PLAN " if desk.store.is_sqlite else "EXPLAIN "
        if not desk.store.is_sqlite:  # a table of no rows is read whole otherwise
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
        return str(connection.exec_driver_sql(explain + str(compiled)).all())

    assert "ix_incidents_opened" in await desk.store.read(plan)
