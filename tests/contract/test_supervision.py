"""Absence: hubs, devices and the centre's own ears."""

import datetime as dt

from hub.central.presence import write
from hub.central.supervision import hub_need
from hub.domain.codes import Kind
from tests.fakes.centre import DeskCentre
from tests.fakes.site import SITE, TECHNICIAN

HUB_LONG = "[supervision]\nhub_silent_s = 86400\n"


async def heard(desk: DeskCentre, *devices: str, hub: bool = True) -> None:
    if hub:
        desk.presence.heard_hub("h-1", desk.clock.at)
    for device in devices:
        desk.presence.heard_device(device, desk.clock.at, "device.alive", 80, -60)
    news = desk.presence.take()
    await desk.store.write(lambda connection: write(connection, news))


async def test_a_silent_hub_is_one_incident_that_names_its_residents(desk: DeskCentre) -> None:
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    await desk.pass_time(89)
    assert await desk.incidents() == []
    await desk.pass_time(2 * 3600)
    lost = [row for row in await desk.incidents() if row.incident_class == "technical"]
    assert [(row.kind, row.unprotected) for row in lost] == [(Kind.HUB_LOST, "r-1018 r-1017")] or [
        (row.kind, row.unprotected) for row in lost
    ] == [(Kind.HUB_LOST, "r-1017 r-1018")]
    assert lost[0].opened_at == lost[0].occurred_at + dt.timedelta(seconds=90)
    assert (await desk.told(lost[0].id))[0] == TECHNICIAN


async def test_a_hub_that_is_lost_soon_after_it_was_first_heard_is_reported_in_time(desk: DeskCentre) -> None:
    await desk.arm()
    await desk.pass_time(20)
    await heard(desk)
    await desk.pass_time(89)
    assert await desk.incidents() == []
    await desk.pass_time(1)
    assert [row.kind for row in await desk.incidents()] == [Kind.HUB_LOST]


async def test_a_hub_that_is_heard_in_time_is_never_reported(desk: DeskCentre) -> None:
    await heard(desk)
    await desk.arm()
    for _ in range(20):
        await desk.pass_time(80)
        await heard(desk)
    assert await desk.incidents() == []


async def test_a_hub_that_returns_clears_its_incident_and_gives_its_devices_time(desk: DeskCentre) -> None:
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    await desk.pass_time(3 * 3600)
    await heard(desk)
    await desk.centre.transact(lambda tx: desk.supervision.returned(tx, hub_need("h-1"), "h-1", tx.now.utc))
    desk.presence.lost.discard(hub_need("h-1"))
    technical = [row for row in await desk.incidents() if row.incident_class == "technical"]
    assert [(row.state, row.outcome) for row in technical] == [("closed", "cleared")]
    for _ in range(44):
        await desk.pass_time(80)
        await heard(desk)
    assert len([row for row in await desk.incidents() if row.incident_class == "technical"]) == 1


async def test_old_news_of_a_hub_clears_no_incident_about_its_silence_since(desk: DeskCentre) -> None:
    await heard(desk)
    await desk.arm()
    heard_at = desk.clock.at
    await desk.pass_time(90)
    desk.presence.lost.discard(hub_need("h-1"))  # it is told by who heard it then and stood still since
    await desk.centre.transact(lambda tx: desk.supervision.returned(tx, hub_need("h-1"), "h-1", heard_at))
    assert [(row.kind, row.state) for row in await desk.incidents()] == [(Kind.HUB_LOST, "alerting")]
    assert hub_need("h-1") in desk.presence.lost


async def test_a_hub_or_device_that_was_never_seen_is_reported_from_its_first_day(desk: DeskCentre) -> None:
    await desk.arm()
    await desk.pass_time(3599)
    assert [row for row in await desk.incidents() if row.incident_class == "technical"] == []
    await desk.pass_time(2)
    (lost,) = [row for row in await desk.incidents() if row.incident_class == "technical"]
    assert (lost.kind, lost.hub_id) == (Kind.HUB_LOST, "h-1")


async def test_a_device_that_falls_silent_under_a_living_hub_is_reported_once(desk: DeskCentre) -> None:
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    for _ in range(100):
        await desk.pass_time(80)
        await heard(desk, "door-1", "dispenser-1")
    (lost,) = [row for row in await desk.incidents() if row.kind == Kind.DEVICE_LOST]
    assert (lost.device_id, lost.resident_id) == ("pendant-1", "r-1017")


async def test_a_button_that_is_silent_for_its_days_is_reported_though_the_broker_is_restarted_every_night(
    desk: DeskCentre,
) -> None:
    quiet, _, _ = SITE.replace("supervision_s = 3600", "supervision_s = 259200", 1).partition("[[doses]]")
    desk.move_in(quiet.replace("[[zones]]", f"{HUB_LONG}[[zones]]", 1))
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    for half_hour in range(3 * 48):
        if half_hour % 48 == 46:
            desk.presence.listening_since = desk.clock.at
        await desk.pass_time(1800)
        await heard(desk, "door-1", "dispenser-1")
    (lost,) = [row for row in await desk.incidents() if row.incident_class == "technical"]
    assert (lost.kind, lost.device_id) == (Kind.DEVICE_LOST, "pendant-1")
    assert lost.opened_at == lost.occurred_at + dt.timedelta(days=3)


async def test_a_device_that_is_due_has_an_hour_to_be_heard_when_the_centre_hears_again(desk: DeskCentre) -> None:
    quiet, _, _ = SITE.replace("supervision_s = 3600", "supervision_s = 86400", 1).partition("[[doses]]")
    desk.move_in(quiet.replace("[[zones]]", f"{HUB_LONG}[[zones]]", 1))
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    desk.presence.listening_since = None
    await desk.pass_time(2 * 86400)
    desk.presence.listening_since = desk.clock.at
    await heard(desk, "door-1", "dispenser-1")
    await desk.pass_time(3599)
    assert [row for row in await desk.incidents() if row.incident_class == "technical"] == []
    await desk.pass_time(1)
    assert "pendant-1" in [row.device_id for row in await desk.incidents() if row.kind == Kind.DEVICE_LOST]


async def test_a_shorter_interval_holds_from_when_its_site_is_applied(desk: DeskCentre) -> None:
    long = "supervision_s = 2592000"
    desk.move_in(SITE.replace("supervision_s = 3600", long, 1).replace("[[zones]]", f"{HUB_LONG}[[zones]]", 1))
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    await desk.pass_time(80)
    await heard(desk, "door-1", "dispenser-1")
    desk.move_in(SITE)
    await desk.arm()
    for _ in range(44):
        await desk.pass_time(80)
        await heard(desk, "door-1", "dispenser-1")
    (lost,) = [row for row in await desk.incidents() if row.kind == Kind.DEVICE_LOST]
    assert (lost.device_id, lost.opened_at) == ("pendant-1", lost.occurred_at + dt.timedelta(seconds=3600))
    await desk.pass_time(90)
    assert [row.hub_id for row in await desk.incidents() if row.kind == Kind.HUB_LOST] == ["h-1"]


async def test_a_deaf_centre_blames_nobody_and_reports_itself(desk: DeskCentre) -> None:
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    desk.presence.listening_since = None
    await desk.pass_time(7200)
    assert [row.kind for row in await desk.incidents() if row.kind == Kind.HUB_LOST] == []
    desk.presence.listening_since = desk.clock.at
    await desk.pass_time(89)
    assert [row.kind for row in await desk.incidents() if row.kind == Kind.HUB_LOST] == []
    await desk.pass_time(2)
    assert [row.kind for row in await desk.incidents() if row.kind == Kind.HUB_LOST] == [Kind.HUB_LOST]


async def frozen(desk: DeskCentre, seconds: float) -> None:
    """Stop the centre; what wakes first is the list of what is due."""
    desk.presence.awake(desk.clock.at)
    desk.clock.go_on(seconds)
    await desk.clockwork._round()
    desk.presence.awake(desk.clock.at)
    await desk.clockwork._round()


async def awake(desk: DeskCentre, seconds: int) -> None:
    """Let the centre live on."""
    for _ in range(seconds):
        await desk.pass_time(1)
        desk.presence.awake(desk.clock.at)


async def test_a_centre_that_was_frozen_reads_what_came_before_it_blames_anybody(desk: DeskCentre) -> None:
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    await frozen(desk, 120)
    await awake(desk, 1)
    assert await desk.incidents() == []
    await heard(desk)
    await awake(desk, 88)
    assert await desk.incidents() == []


async def test_a_hub_that_fell_silent_while_the_centre_was_frozen_is_reported_soon_after(desk: DeskCentre) -> None:
    await heard(desk)
    await desk.arm()
    await frozen(desk, 120)
    await awake(desk, 1)
    assert await desk.incidents() == []
    await awake(desk, 1)
    assert [row.kind for row in await desk.incidents()] == [Kind.HUB_LOST]


async def test_what_is_heard_and_not_written_yet_counts(desk: DeskCentre) -> None:
    await heard(desk, "pendant-1", "door-1", "dispenser-1")
    await desk.arm()
    await desk.pass_time(89)
    desk.presence.heard_hub("h-1", desk.clock.at)
    await desk.pass_time(89)
    assert await desk.incidents() == []
    await desk.pass_time(1)
    assert [row.kind for row in await desk.incidents()] == [Kind.HUB_LOST]


async def test_deaf_for_too_long_is_one_incident_for_everybody(desk: DeskCentre) -> None:
    await desk.centre.transact(lambda tx: desk.supervision.deaf_due(tx, "centre"))
    (incident,) = await desk.incidents()
    assert (incident.kind, incident.unprotected) == (Kind.CENTRE_DEAF, "r-1017 r-1018")
