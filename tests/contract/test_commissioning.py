"""From a test press to a device that is in service; and a test that nobody took."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.central.centre import Tx
from hub.central.commissioning import mode
from hub.central.escalation import engine
from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import Event
from hub.central.maintenance import service as maintenance
from hub.central.notify.channels.base import Inbound
from hub.central.notify.replies import receive
from hub.central.site.apply import apply, load_current
from hub.central.site.load import load
from hub.central.store.tables import audit, device_tests, devices, due, messages, observations
from hub.domain.clock import TimeQuality
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError, RefusedError
from tests.fakes.centre import DeskCentre
from tests.fakes.site import DUTY, SITE, TECHNICIAN

PRESS = Kind.ALARM_PRESSED
PENDANT = "pendant-1"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[DeskCentre]:
    """A centre on SQLite: what the databases spell apart is tried in the first tests."""
    centre = DeskCentre(f"sqlite:///{tmp_path}/central.db")
    yield centre
    centre.store.close()


@pytest.fixture
async def each_desk(store_url: str) -> AsyncIterator[DeskCentre]:
    """A centre on each of the databases."""
    centre = DeskCentre(store_url)
    yield centre
    centre.store.close()


async def begin(desk: DeskCentre, device: str = PENDANT, minutes: int = 30, phone: str = "technician") -> None:
    await desk.centre.transact(lambda tx: mode.start(tx, device, phone, minutes, "user:kari-test"))


async def answer(desk: DeskCentre, text: str, sender: str = TECHNICIAN) -> str:
    ref = f"s-{text}-{desk.clock.mono}"
    inbound = Inbound(
        provider="46elks", provider_ref=ref, sender=sender, recipient="+4700000001", text=text, at=desk.clock.at
    )
    return await desk.centre.transact(lambda tx: receive(tx, inbound))


async def acknowledge(desk: DeskCentre, number: int) -> None:
    await desk.centre.transact(lambda tx: acts.act(tx, number, Event.ACKNOWLEDGE, "user:kari-test"))


async def service_of(desk: DeskCentre, device: str = PENDANT) -> Any:
    (row,) = await desk.rows(devices, devices.c.device_id == device)
    return row


async def put_in_service(desk: DeskCentre) -> None:
    await begin(desk)
    await desk.keep(desk.event(PENDANT, PRESS))
    await answer(desk, "OK 1")


async def test_a_press_that_the_test_phone_answered_puts_the_device_in_service(each_desk: DeskCentre) -> None:
    desk = each_desk
    await begin(desk)
    await desk.keep(desk.event(PENDANT, PRESS))
    (incident,) = await desk.incidents()
    assert (incident.test, incident.incident_class, incident.state) == (True, "technical", "alerting")
    assert await desk.told(1) == [TECHNICIAN]
    (text,) = await desk.rows(messages)
    assert text.text.startswith("TEST 1 Trygghetsalarm: pendant-1 r-1017, stue")
    assert (await service_of(desk)).in_service_at is None
    assert await answer(desk, "OK 1") == "Test 1 er kvittert. pendant-1 er i drift."
    row = await service_of(desk)
    assert (row.in_service_at, row.in_service_by, row.in_service_incident) == (desk.clock.at, "sms:technician", 1)
    (incident,) = await desk.incidents()
    assert (incident.state, incident.outcome, incident.cause) == ("closed", "no_help_needed", "test")
    assert [row.test for row in await desk.rows(observations)] == [True]
    actions = [row.action for row in await desk.rows(audit, audit.c.subject == f"device:{PENDANT}")]
    assert actions == ["device.test_started", "device.in_service"]
    await desk.pass_time(3600)
    assert len(await desk.incidents()) == 1


async def test_at_the_console_it_counts_only_when_the_text_has_reached_the_phone(desk: DeskCentre) -> None:
    await begin(desk)
    for number in (1, 2):
        await desk.keep(desk.event(PENDANT, PRESS))
        if number == 2:
            await desk.store.write(
                lambda connection: connection.execute(
                    messages.update().where(messages.c.incident_id == 2).values(state="delivered")
                )
            )
        await acknowledge(desk, number)
        assert ((await service_of(desk)).in_service_at is not None) is (number == 2)
    assert "not_in_service" in await desk.story(1)
    assert "in_service" in await desk.story(2)


async def test_a_device_that_is_declared_broken_goes_into_service_only_after_that(desk: DeskCentre) -> None:
    until = desk.clock.at + dt.timedelta(days=20)
    await desk.centre.transact(
        lambda tx: maintenance.add(tx, "device", PENDANT, "broken: sends by itself", "user:x", until=until)
    )
    await begin(desk)
    await desk.keep(desk.event(PENDANT, PRESS))
    assert await answer(desk, "OK 1") == "Test 1 er kvittert. pendant-1 er ikke i drift."
    assert (await service_of(desk)).in_service_at is None
    await desk.centre.transact(lambda tx: maintenance.end(tx, 1, "user:x"))
    await begin(desk)
    await desk.keep(desk.event(PENDANT, PRESS))
    assert await answer(desk, "OK 2") == "Test 2 er kvittert. pendant-1 er i drift."


async def test_test_mode_ends_by_itself_and_the_next_press_is_real(desk: DeskCentre) -> None:
    await begin(desk, minutes=5)
    await desk.pass_time(299)
    assert len(await desk.rows(device_tests, device_tests.c.running.is_not(None))) == 1
    await desk.pass_time(1)
    (test,) = await desk.rows(device_tests)
    assert (test.running, test.ended_at, test.ended_by) == (None, desk.clock.at, "centre")
    await desk.keep(desk.event(PENDANT, PRESS))
    (incident,) = await desk.incidents()
    assert (incident.test, await desk.told(1)) == (False, [DUTY])


async def test_a_centre_that_was_away_when_it_ended_takes_nothing_for_a_test(desk: DeskCentre) -> None:
    await begin(desk, minutes=5)
    desk.clock.go_on(301)
    await desk.keep(desk.event(PENDANT, PRESS))
    assert [row.test for row in await desk.incidents()] == [False]


async def test_a_test_that_nobody_took_becomes_the_alarm_that_it_may_have_been(each_desk: DeskCentre) -> None:
    desk = each_desk
    await begin(desk)
    pressed_at = desk.clock.at
    await desk.keep(desk.event(PENDANT, PRESS))
    await desk.pass_time(60)
    await desk.keep(desk.event(PENDANT, PRESS))  # puts nothing off
    await desk.pass_time(119)
    assert len(await desk.incidents()) == 1
    assert await desk.told(1) == [TECHNICIAN] * 3
    await desk.pass_time(1)
    test, real = await desk.incidents()
    assert (test.state, test.outcome) == ("closed", "cleared")
    assert (real.test, real.kind, real.incident_class, real.state) == (False, PRESS, "care", "alerting")
    assert (real.resident_id, real.occurred_at, real.presses) == ("r-1017", pressed_at, 2)
    assert real.reason.endswith("It came in test mode, and nobody took the test.")
    assert await desk.told(real.id) == [DUTY]
    assert await desk.store.read(engine.unattended) == []
    # Nobody looks at the test phone: what is pressed next is real at once.
    await desk.keep(desk.event(PENDANT, PRESS))
    assert [row.presses for row in await desk.incidents()] == [2, 3]


async def test_a_test_phone_that_cannot_be_reached_is_not_waited_for(desk: DeskCentre) -> None:
    await begin(desk)
    await desk.keep(desk.event(PENDANT, PRESS))

    def fail(tx: Tx) -> None:
        tx.connection.execute(messages.update().values(state="undeliverable"))
        engine.message_failed(tx, 1, "no such number")

    await desk.centre.transact(fail)
    await desk.pass_time(0)
    assert [(row.test, row.state) for row in await desk.incidents()] == [(True, "closed"), (False, "alerting")]
    assert await desk.told(2) == [DUTY]


async def test_what_would_raise_nothing_is_a_trigger_too_and_ends_without_alarm(desk: DeskCentre) -> None:
    noon = desk.clock.at + dt.timedelta(hours=16)
    desk.clock.go_on(16 * 3600)
    await begin(desk, "door-1")
    await desk.keep(
        desk.event("door-1", Kind.DOOR_OPENED, at=noon), desk.event("door-1", Kind.DOOR_CLOSED, at=noon)
    )
    (incident,) = await desk.incidents()
    assert (incident.severity, incident.presses) == (10, 2)
    await desk.pass_time(180)
    (incident,) = await desk.incidents()
    assert incident.state == "closed"
    assert (await service_of(desk, "door-1")).in_service_at is None


@pytest.mark.parametrize("kind", [Kind.DEVICE_ALIVE, Kind.BATTERY_LEVEL, Kind.MAINS_RESTORED])
async def test_what_a_device_says_of_itself_is_no_trigger(desk: DeskCentre, kind: Kind) -> None:
    await begin(desk)
    await desk.keep(desk.event(PENDANT, kind))
    assert await desk.incidents() == []
    assert [row.test for row in await desk.rows(observations)] == [False]


async def test_what_is_odd_or_older_or_from_elsewhere_is_never_taken_for_a_test(desk: DeskCentre) -> None:
    early = desk.clock.at
    desk.clock.go_on(60)
    await begin(desk)
    await desk.keep(
        desk.event(PENDANT, PRESS, flags=("counter_back",)),
        desk.event(PENDANT, PRESS, quality=TimeQuality.UNKNOWN),
        desk.event(PENDANT, PRESS, at=early),
        desk.event("door-1", Kind.DEVICE_TAMPER),
        desk.event(PENDANT, PRESS, hub="h-9"),
    )
    rows = await desk.incidents()
    assert [row.test for row in rows] == [False] * 3
    assert [row.presses for row in rows] == [3, 1, 1]


async def test_the_devices_own_test_is_told_to_the_sites_test_phone_and_proves_nothing(desk: DeskCentre) -> None:
    text = SITE.replace('language = "nb"', 'language = "nb"\ntest_phone = "technician"')
    await change_site(desk, text)
    await desk.keep(desk.event(PENDANT, PRESS, test=True))
    assert await desk.told(1) == [TECHNICIAN]
    assert await answer(desk, "OK 1") == "Test 1 er kvittert. pendant-1 er ikke i drift."
    await desk.keep(desk.event(PENDANT, PRESS, test=True, flags=("wrong_mac",)))
    assert await desk.told(2) == [DUTY]


async def change_site(desk: DeskCentre, text: str) -> None:
    now = desk.clock.now()
    await desk.store.write(lambda connection: apply(connection, text, load(text), now, "ward-office"))
    directory = await desk.store.read(load_current)
    assert directory is not None
    desk.centre.site = directory


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ('address = "01020304"', 'address = "01020305"', False),
        ('resident = "r-1017"\nroom = "stue"', 'resident = "r-1018"\nroom = "stue"', False),
        ('room = "stue"', 'room = "bad"', True),
        ("supervision_s = 3600", "supervision_s = 7200", True),
    ],
)
async def test_a_device_that_is_assigned_otherwise_is_out_of_service(
    desk: DeskCentre, old: str, new: str, kept: bool
) -> None:
    await put_in_service(desk)
    assert (await service_of(desk)).in_service_at is not None
    assert old in SITE
    await change_site(desk, SITE.replace(old, new, 1))
    assert ((await service_of(desk)).in_service_at is not None) is kept
    out = [row for row in await desk.rows(audit) if row.action == "device.out_of_service"]
    assert len(out) == (not kept)


async def test_an_assignment_that_changed_during_the_test_is_not_what_was_tested(desk: DeskCentre) -> None:
    await begin(desk)
    await desk.keep(desk.event(PENDANT, PRESS))
    await change_site(desk, SITE.replace("01020304", "01020305"))
    await answer(desk, "OK 1")
    assert (await service_of(desk)).in_service_at is None


@pytest.mark.parametrize("meanwhile", [None, SITE.replace('id = "pendant-1"', 'id = "pendant-2"')])
async def test_who_gets_a_device_that_was_in_test_mode_is_not_testing_it(
    desk: DeskCentre, meanwhile: str | None
) -> None:
    await begin(desk, minutes=60)
    if meanwhile is not None:
        await change_site(desk, meanwhile)
    await change_site(desk, SITE.replace('r-1017"\nroom = "stue"', 'r-1018"\nroom = "stue"'))
    await desk.keep(desk.event(PENDANT, PRESS))
    (incident,) = await desk.incidents()
    assert (incident.test, incident.resident_id, await desk.told(1)) == (False, "r-1018", [DUTY])
    (test,) = await desk.rows(device_tests)
    assert (test.running, test.ended_at, test.ended_by) == (None, desk.clock.at, "ward-office")
    await desk.pass_time(3600)
    actions = [row.action for row in await desk.rows(audit, audit.c.subject == f"device:{PENDANT}")]
    assert actions.count("device.test_ended") == 1


async def test_a_test_phone_that_left_the_site_leaves_the_ordinary_plan(desk: DeskCentre) -> None:
    await begin(desk)
    gone = SITE.replace(f'[[phones]]\nid = "technician"\nnumber = "{TECHNICIAN}"\n', "")
    await change_site(desk, gone.replace('phone = "technician"', 'phone = "leader"'))
    await desk.keep(desk.event(PENDANT, PRESS))
    assert len(await desk.told(1)) == 1
    await desk.pass_time(180)
    assert [row.test for row in await desk.incidents()] == [True, False]


async def test_an_alarm_of_a_device_that_was_never_tested_is_as_any_and_says_so(desk: DeskCentre) -> None:
    await desk.keep(desk.event(PENDANT, PRESS))
    (incident,) = await desk.incidents()
    assert incident.flags == ""
    assert "not_in_service" in await desk.story(1)
    await acknowledge(desk, 1)
    assert (await service_of(desk)).in_service_at is None


async def test_what_cannot_be_tested_is_refused_in_a_sentence(desk: DeskCentre) -> None:
    for device, phone, minutes, complaint in (
        ("pendant-9", "technician", 30, "none of this name"),
        (PENDANT, "nobody", 30, "phone 'nobody'"),
        (PENDANT, "technician", 0, "1 to 120"),
        (PENDANT, "technician", 121, "1 to 120"),
    ):
        with pytest.raises(MalformedError, match=complaint):
            await begin(desk, device, minutes, phone)
    with pytest.raises(MalformedError, match="test_phone"):
        await desk.centre.transact(lambda tx: mode.start(tx, PENDANT, None, 30, "user:kari"))
    await desk.keep(desk.event(PENDANT, PRESS))
    with pytest.raises(RefusedError, match="incident 1 of device pendant-1 is open"):
        await begin(desk)
    assert await desk.rows(device_tests) == []


async def test_a_device_that_reported_an_open_incident_again_cannot_be_tested(desk: DeskCentre) -> None:
    pendant = SITE[SITE.index('[[devices]]\nid = "pendant-1"') : SITE.index('[[devices]]\nid = "door-1"')]
    cord = pendant.replace("pendant-1", "cord-1").replace("01020304", "01020305")
    await change_site(desk, SITE.replace("[[doses]]", f"{cord}[[doses]]"))
    await desk.keep(desk.event(PENDANT, PRESS), desk.event("cord-1", PRESS))
    assert [row.presses for row in await desk.incidents()] == [2]
    with pytest.raises(RefusedError, match="incident 1 of device cord-1 is open"):
        await begin(desk, "cord-1")


async def test_beginning_anew_ends_the_first_and_leaves_one_end_to_come(desk: DeskCentre) -> None:
    await begin(desk, minutes=10)
    await desk.pass_time(300)
    await begin(desk, minutes=10)
    assert len(await desk.rows(due, due.c.kind == mode.END)) == 1
    await desk.pass_time(599)
    assert len(await desk.rows(device_tests, device_tests.c.running.is_not(None))) == 1
    await desk.pass_time(1)
    assert len(await desk.rows(device_tests, device_tests.c.running.is_not(None))) == 0
