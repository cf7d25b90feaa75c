"""What is reported, and who comes on duty, while an alarm is open: on both databases."""

from functools import partial
from typing import Any

import msgspec

from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import Event
from hub.central.site.directory import Directory
from hub.central.store.tables import messages
from hub.domain.codes import Kind
from tests.fakes.centre import DeskCentre
from tests.fakes.site import DUTY, LEADER, NEIGHBOUR, TECHNICIAN

PRESS = Kind.ALARM_PRESSED


async def act(desk: DeskCentre, number: int, event: Event, **more: Any) -> None:
    await desk.centre.transact(lambda tx: acts.act(tx, number, event, "sms:nord-1-duty", **more))


async def texts(desk: DeskCentre, number: int) -> list[str]:
    rows = await desk.rows(messages, messages.c.incident_id == number)
    return [row.text for row in sorted(rows, key=lambda row: row.id)]


async def test_what_else_is_reported_is_told_to_whoever_was_told_and_the_plan_goes_on(desk: DeskCentre) -> None:
    await desk.keep(desk.event("door-1", Kind.HEAT_DETECTED))
    await desk.pass_time(180)
    before = await desk.next_action(1)
    await desk.pass_time(10)
    await desk.keep(desk.event("door-1", Kind.CO_DETECTED))
    assert await desk.told(1) == [DUTY, NEIGHBOUR, DUTY, NEIGHBOUR]
    assert all("KULLOS meldt + Sterk varme meldt" in text for text in (await texts(desk, 1))[2:])
    assert (await texts(desk, 1))[2].startswith("IGJEN, meldt")
    assert (await desk.next_action(1)).at == before.at
    # What was told already is counted, and nobody is rung for it.
    await desk.keep(desk.event("door-1", Kind.HEAT_DETECTED), desk.event("door-1", Kind.CO_DETECTED))
    assert len(await desk.told(1)) == 4
    (incident,) = await desk.incidents()
    assert (incident.kind, incident.also, incident.presses) == (Kind.CO_DETECTED, Kind.HEAT_DETECTED, 4)


async def test_what_is_reported_of_a_taken_incident_is_in_the_text_that_goes_past_the_taker(
    desk: DeskCentre,
) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    await act(desk, 1, Event.ACKNOWLEDGE)
    await desk.keep(desk.event("pendant-1", Kind.FALL_DETECTED))
    assert await desk.told(1) == [DUTY, DUTY, NEIGHBOUR]
    assert all("Mulig fall + Trygghetsalarm" in text for text in (await texts(desk, 1))[1:])


async def test_what_is_graver_takes_the_place_of_what_was_reported_and_what_is_less_grave_does_not(
    desk: DeskCentre,
) -> None:
    def found(kind: Kind, severity: int) -> acts.Finding:
        return acts.Finding(
            incident_class="care",
            kind=kind,
            severity=severity,
            need="care:r-1017:dose:1",
            reason="a dose",
            zone="nord-1",
            occurred_at=desk.clock.at,
        )

    for kind, severity, named in (
        (Kind.DOSE_UNKNOWN, 20, Kind.DOSE_UNKNOWN),
        (Kind.DOSE_NOT_DISPENSED, 30, Kind.DOSE_NOT_DISPENSED),
        (Kind.DOSE_NOT_CONFIRMED, 20, Kind.DOSE_NOT_DISPENSED),
    ):
        finding = found(kind, severity)
        await desk.centre.transact(partial(acts.raise_incident, finding=finding))
        (incident,) = await desk.incidents()
        assert (incident.kind, incident.also) == (named, "")
    assert "Dose ikke tatt ut:" in (await texts(desk, 1))[-1]


async def test_a_shift_that_begins_while_an_alarm_goes_unanswered_is_told_with_the_next_step(
    desk: DeskCentre,
) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    site = desk.centre.site.site
    shifts = [
        msgspec.structs.replace(shift, phone="technician")
        if (shift.zone, shift.role) == ("nord-1", "duty")
        else shift
        for shift in site.rota
    ]
    desk.centre.site = Directory(msgspec.structs.replace(site, rota=tuple(shifts)), 2)
    await desk.pass_time(180)
    assert await desk.told(1) == [DUTY, NEIGHBOUR, TECHNICIAN]
    await desk.pass_time(120)
    assert (await desk.told(1))[3:] == [LEADER]
