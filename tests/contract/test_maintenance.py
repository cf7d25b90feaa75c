"""Maintenance: with a reason and an end; faults are held and counted, care never is, and it ends by itself."""

import datetime as dt

import pytest

from hub.central.maintenance import service
from hub.central.maintenance.service import Subject
from hub.central.presence import write
from hub.central.store.tables import audit, due, maintenances, observations
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError
from tests.fakes.centre import DeskCentre
from tests.fakes.site import DUTY, SITE, TECHNICIAN

HOUR = dt.timedelta(hours=1)


async def begin(
    desk: DeskCentre, kind: Subject, subject: str, reason: str = "new battery", hours: float = 4
) -> service.Maintenance:
    until = desk.clock.at + hours * HOUR
    return await desk.centre.transact(lambda tx: service.add(tx, kind, subject, reason, "user:x", until=until))


async def heard(desk: DeskCentre, *devices: str) -> None:
    desk.presence.heard_hub("h-1", desk.clock.at)
    for device in devices:
        desk.presence.heard_device(device, desk.clock.at, "device.alive", 80, -60)
    news = desk.presence.take()
    await desk.store.write(lambda connection: write(connection, news))


@pytest.mark.parametrize(
    ("kind", "subject", "reason", "hours", "complaint"),
    [
        ("hub", "h-9", "new battery", 1, "no hub h-9"),
        ("device", "h-1", "new battery", 1, "no device h-1"),
        ("hub", "h-1", " \n", 1, "write a reason"),
        ("hub", "h-1", "x" * 501, 1, "write a reason"),
        ("hub", "h-1", "new battery", 0, "must lie after"),
        ("hub", "h-1", "new battery", 30 * 24 + 1, "at most 30 days"),
    ],
)
async def test_without_reason_subject_or_end_there_is_none(
    desk: DeskCentre, kind: Subject, subject: str, reason: str, hours: float, complaint: str
) -> None:
    with pytest.raises(RefusedError, match=complaint):
        await begin(desk, kind, subject, reason, hours)
    assert await desk.store.read(service.listed) == []


@pytest.mark.parametrize(("kind", "subject"), [("hub", "h-1"), ("zone", "nord-1")])
async def test_a_silent_hub_is_held_and_told_when_the_end_comes(
    desk: DeskCentre, kind: Subject, subject: str
) -> None:
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    begun = await begin(desk, kind, subject, hours=0.5)
    await desk.pass_time(1799)
    assert [row for row in await desk.incidents() if row.incident_class == "technical"] == []
    (row,) = await desk.store.read(service.listed)
    assert (row.id, row.held > 10) == (begun.id, True)
    await desk.pass_time(1)
    (lost,) = [row for row in await desk.incidents() if row.incident_class == "technical"]
    assert lost.kind == Kind.HUB_LOST
    assert (await desk.told(lost.id)) == [TECHNICIAN]
    assert await desk.store.read(service.listed) == []
    assert await desk.rows(due, due.c.kind == "maintenance.end") == []
    trail = [row.action for row in await desk.rows(audit) if row.action.startswith("maintenance")]
    assert trail == ["maintenance.added", "maintenance.ended"]


async def test_a_fault_that_was_held_is_raised_once_at_the_end(desk: DeskCentre) -> None:
    begun = await begin(desk, "device", "door-1")
    await desk.keep(desk.event("door-1", Kind.BATTERY_LOW), desk.event("door-1", Kind.BATTERY_LOW))
    assert await desk.incidents() == []
    assert len(await desk.rows(observations)) == 2
    assert (await desk.rows(maintenances))[0].held == 2
    await desk.centre.transact(lambda tx: service.end(tx, begun.id, "user:x"))
    (fault,) = await desk.incidents()
    assert (fault.kind, fault.incident_class) == (Kind.BATTERY_LOW, "technical")
    assert f"held by maintenance {begun.id}" in fault.reason
    with pytest.raises(RefusedError, match="ended at"):
        await desk.centre.transact(lambda tx: service.end(tx, begun.id, "user:x"))


@pytest.mark.parametrize(("kind", "subject"), [("hub", "h-1"), ("zone", "nord-1"), ("device", "pendant-1")])
async def test_care_is_raised_all_the_same_and_its_story_says_so(
    desk: DeskCentre, kind: Subject, subject: str
) -> None:
    await begin(desk, kind, subject)
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    (incident,) = await desk.incidents()
    assert (incident.incident_class, incident.state) == ("care", "alerting")
    assert await desk.told(1) == [DUTY]
    assert "maintenance" in await desk.story(1)


async def test_a_press_of_a_broken_device_is_stored_and_told_as_a_fault_with_its_story(desk: DeskCentre) -> None:
    await begin(desk, "device", "pendant-1", "Broken: sends by itself")
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED), desk.event("pendant-1", Kind.ALARM_PRESSED))
    (incident,) = await desk.incidents()
    assert (incident.incident_class, incident.resident_id, incident.presses) == ("technical", "r-1017", 2)
    assert "declared broken" in incident.reason
    assert await desk.told(incident.id) == [TECHNICIAN]
    assert len(await desk.rows(observations)) == 2
    assert (await desk.rows(maintenances))[0].held == 2


async def test_a_press_of_a_broken_device_waits_for_the_hours_of_no_plan(desk: DeskCentre) -> None:
    technical = 'class = "technical"\n'
    hours = technical + 'hours = "08:00-16:00"\nalways_severity = 40\n'
    desk.move_in(SITE.replace(technical, hours))
    await begin(desk, "device", "pendant-1", "broken: sends by itself")
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    (incident,) = await desk.incidents()
    assert await desk.told(incident.id) == [TECHNICIAN]


@pytest.mark.parametrize("reason", ["broken strap, the button works", "brokenness", "not broken: painting"])
async def test_only_what_is_said_to_be_broken_is(desk: DeskCentre, reason: str) -> None:
    await begin(desk, "device", "pendant-1", reason)
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    (incident,) = await desk.incidents()
    assert incident.incident_class == "care"


async def test_fire_is_believed_of_a_broken_device_too(desk: DeskCentre) -> None:
    await begin(desk, "device", "door-1", "broken: its contact")
    await desk.keep(desk.event("door-1", Kind.SMOKE_DETECTED))
    (incident,) = await desk.incidents()
    assert incident.incident_class == "care"


async def test_it_holds_for_its_own_subject_and_time_only(desk: DeskCentre) -> None:
    at = desk.clock.at
    await desk.centre.transact(
        lambda tx: service.add(tx, "device", "door-1", "painting", "user:x", since=at + HOUR, until=at + 2 * HOUR)
    )
    await desk.keep(desk.event("pendant-1", Kind.BATTERY_LOW))
    await desk.keep(desk.event("door-1", Kind.BATTERY_LOW))
    assert len(await desk.incidents()) == 2
    await desk.pass_time(3600)
    await desk.keep(desk.event("door-1", Kind.DEVICE_FAULT))
    assert len(await desk.incidents()) == 2
