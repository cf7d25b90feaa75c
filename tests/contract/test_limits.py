"""The site's own limits: each that passes is an event, and so is by how much what came after was late."""

from collections.abc import AsyncIterator

import pytest

from hub.central.escalation.limits import LIMIT
from hub.central.escalation.limits import arm as renewed
from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.store.tables import due, incident_events
from hub.domain.codes import Kind
from tests.fakes.centre import DeskCentre
from tests.fakes.site import SITE

CARE = '[[plans]]\nclass = "care"\n'
DOCUMENT = SITE.replace(CARE, CARE + "acknowledge_s = 300\narrive_s = 900\nclose_s = 1800\n")


@pytest.fixture
async def desk(store_url: str) -> AsyncIterator[DeskCentre]:
    centre = DeskCentre(store_url, document=DOCUMENT)
    yield centre
    centre.store.close()


async def act(desk: DeskCentre, event: Event) -> None:
    outcome, cause = (Outcome.HELP_GIVEN, Cause.NEED) if event is Event.CLOSE else (None, None)
    await desk.centre.transact(lambda tx: acts.act(tx, 1, event, "sms:nord-1-duty", outcome=outcome, cause=cause))


async def limits(desk: DeskCentre) -> list[tuple[str, str]]:
    rows = await desk.rows(incident_events, incident_events.c.event.in_(["breach", "late"]))
    return [(row.event, row.detail) for row in sorted(rows, key=lambda row: row.id)]


async def test_within_the_limits_nothing_is_noted(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    for event, seconds in ((Event.ACKNOWLEDGE, 299), (Event.DEPART, 100), (Event.ARRIVE, 500), (Event.CLOSE, 900)):
        await desk.pass_time(seconds)
        await act(desk, event)
    assert await limits(desk) == []
    assert await desk.rows(due, due.c.kind == LIMIT) == []


async def test_each_limit_that_passes_is_an_event_and_lateness_is_told_in_seconds(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    await desk.pass_time(299)
    assert await limits(desk) == []
    await desk.pass_time(1)
    assert await limits(desk) == [("breach", "acknowledge: 300 s passed")]
    await desk.pass_time(42)
    await act(desk, Event.DEPART)
    await desk.pass_time(1000)
    await act(desk, Event.ARRIVE)
    await act(desk, Event.CLOSE)
    assert await limits(desk) == [
        ("breach", "acknowledge: 300 s passed"),
        ("late", "acknowledge: 42 s late"),
        ("breach", "arrive: 900 s passed"),
        ("late", "arrive: 442 s late"),
    ]


async def test_a_centre_that_slept_over_a_limit_notes_it_with_the_act(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    desk.clock.go_on(2000)
    await act(desk, Event.ARRIVE)
    await act(desk, Event.CLOSE)
    assert await limits(desk) == [
        ("breach", "acknowledge: 300 s passed"),
        ("late", "acknowledge: 1700 s late"),
        ("breach", "arrive: 900 s passed"),
        ("late", "arrive: 1100 s late"),
        ("breach", "close: 1800 s passed"),
        ("late", "close: 200 s late"),
    ]


async def test_a_second_acknowledgement_after_one_that_ran_out_is_not_late(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    await act(desk, Event.ACKNOWLEDGE)
    await desk.pass_time(700)
    await act(desk, Event.ACKNOWLEDGE)
    assert await limits(desk) == [("breach", "on_the_way: time passed")]


async def test_an_incident_that_becomes_more_severe_has_the_limits_of_its_new_plan(desk: DeskCentre) -> None:
    graver = '[[plans]]\nclass = "care"\nmin_severity = 30\nacknowledge_s = 60\nsteps = [{ roles = ["duty"] }]\n'
    desk.move_in(SITE.replace(CARE, graver + CARE))
    await raised(desk, 20)
    await desk.pass_time(30)
    assert await desk.rows(due, due.c.kind == LIMIT) == []
    await raised(desk, 30)
    await desk.pass_time(29)
    assert await limits(desk) == []
    await desk.pass_time(1)
    assert await limits(desk) == [("breach", "acknowledge: 60 s passed")]


async def test_what_is_open_gets_the_limits_of_a_site_that_is_applied_meanwhile(store_url: str) -> None:
    desk = DeskCentre(store_url, document=SITE)
    await raised(desk, 20)
    await desk.pass_time(100)
    desk.move_in(DOCUMENT)
    await desk.centre.transact(renewed)
    await desk.pass_time(199)
    assert await limits(desk) == []
    await desk.pass_time(1)
    assert await limits(desk) == [("breach", "acknowledge: 300 s passed")]
    desk.store.close()


async def raised(desk: DeskCentre, severity: int) -> None:
    finding = acts.Finding(
        incident_class="care",
        kind=Kind.DOSE_UNKNOWN,
        severity=severity,
        need="care:r-1017:dose:1",
        reason="a dose",
        zone="nord-1",
        occurred_at=desk.clock.at,
    )
    await desk.centre.transact(lambda tx: acts.raise_incident(tx, finding))
