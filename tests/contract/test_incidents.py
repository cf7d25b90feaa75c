"""From observation to incident to the next action, on both databases."""

import datetime as dt
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from hub.central.escalation import engine
from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.ingest import Parcel, keep
from hub.central.notify import outcome
from hub.central.store.tables import dead_letters, due, incident_observations, messages, observations
from hub.domain.clock import TimeQuality
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError
from hub.wire import envelope
from tests.fakes.centre import RULES, DeskCentre
from tests.fakes.site import DUTY, LEADER, NEIGHBOUR, TECHNICIAN

PRESS = Kind.ALARM_PRESSED


async def act(desk: DeskCentre, number: int, event: Event, **more: Any) -> None:
    await desk.centre.transact(lambda tx: acts.act(tx, number, event, "sms:nord-1-duty", **more))


async def test_a_press_becomes_one_incident_one_text_and_one_next_action(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    (incident,) = await desk.incidents()
    assert (incident.kind, incident.state, incident.resident_id, incident.severity) == (
        PRESS,
        "alerting",
        "r-1017",
        40,
    )
    assert await desk.told(incident.id) == [DUTY]
    action = await desk.next_action(incident.id)
    assert action.at == desk.clock.at + dt.timedelta(seconds=180)


async def test_repeated_and_reordered_delivery_changes_nothing(desk: DeskCentre) -> None:
    first, second = desk.event("pendant-1", PRESS), desk.event("pendant-1", PRESS)
    for events in ([second, first], [first], [first, second], [second]):
        await desk.keep(*events)
    (incident,) = await desk.incidents()
    assert incident.presses == 2
    assert len(await desk.rows(observations)) == 2
    assert len(await desk.told(incident.id)) == 1


async def test_what_a_rescued_journal_sends_again_under_a_new_epoch_is_the_same(desk: DeskCentre) -> None:
    alarm, reading = desk.event("pendant-1", PRESS), desk.event("door-1", Kind.DOOR_CLOSED)
    await desk.keep(alarm, reading)
    rescued = [msgspec.structs.replace(event, epoch="rescued0", seq=event.seq + 7) for event in (alarm, reading)]
    await desk.keep(*rescued)
    assert len(await desk.rows(observations)) == 2
    assert [row.presses for row in await desk.incidents()] == [1]


async def test_dull_readings_are_stored_once(desk: DeskCentre) -> None:
    reading = desk.event("door-1", Kind.DOOR_CLOSED)
    await desk.keep(reading, reading)
    await desk.keep(reading)
    assert len(await desk.rows(observations)) == 1
    assert await desk.incidents() == []


async def test_a_late_alarm_is_raised_with_its_age(desk: DeskCentre) -> None:
    yesterday = desk.clock.at - dt.timedelta(days=1)
    await desk.keep(desk.event("pendant-1", PRESS, at=yesterday))
    (incident,) = await desk.incidents()
    assert incident.opened_at - incident.occurred_at == dt.timedelta(days=1)


@pytest.mark.parametrize(
    "at", [dt.datetime(1970, 1, 1, 0, 5, tzinfo=dt.UTC), dt.datetime(2031, 1, 1, tzinfo=dt.UTC)]
)
async def test_a_wrong_clock_delays_nothing_and_is_flagged(desk: DeskCentre, at: dt.datetime) -> None:
    await desk.keep(desk.event("pendant-1", PRESS, at=at, quality=TimeQuality.UNKNOWN))
    (incident,) = await desk.incidents()
    assert incident.occurred_at == desk.clock.at
    assert "time_unknown" in incident.flags
    assert (await desk.next_action(incident.id)).at == desk.clock.at + dt.timedelta(seconds=180)


async def test_unanswered_it_goes_round_the_plan_without_end(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    (incident,) = await desk.incidents()
    await desk.pass_time(3 * (180 + 120 + 180) - 1)
    told = await desk.told(incident.id)
    assert told == [DUTY, NEIGHBOUR, LEADER] * 3
    assert await desk.next_action(incident.id) is not None


async def test_an_acknowledgement_that_leads_nowhere_expires_and_alerts_again(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    await act(desk, 1, Event.ACKNOWLEDGE)
    await desk.pass_time(599)
    assert await desk.told(1) == [DUTY]
    await desk.pass_time(1)
    assert await desk.told(1) == [DUTY, DUTY]
    (incident,) = await desk.incidents()
    assert incident.state == "alerting"
    assert "expire" in await desk.story(1)
    assert "tatt uten at noen kom" in (await desk.rows(messages))[-1].text


async def test_each_taken_state_has_its_own_deadline(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    for event, seconds in ((Event.ACKNOWLEDGE, 600), (Event.DEPART, 1800), (Event.ARRIVE, 3600)):
        await act(desk, 1, event)
        action = await desk.next_action(1)
        assert (action.kind, action.at - desk.clock.at) == (engine.DEADLINE, dt.timedelta(seconds=seconds))
    await act(desk, 1, Event.CLOSE, outcome=Outcome.HELP_GIVEN, cause=Cause.NEED)
    assert await desk.next_action(1) is None


async def test_a_press_on_an_acknowledged_incident_alerts_past_whoever_took_it(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    await act(desk, 1, Event.ACKNOWLEDGE)
    await desk.keep(desk.event("pendant-1", PRESS))
    (incident,) = await desk.incidents()
    assert (incident.state, incident.presses) == ("alerting", 2)
    assert await desk.told(1) == [DUTY, DUTY, NEIGHBOUR]
    action = await desk.next_action(1)
    assert (action.kind, action.at - desk.clock.at) == (engine.STEP, dt.timedelta(seconds=120))
    await desk.pass_time(120)
    assert await desk.told(1) == [DUTY, DUTY, NEIGHBOUR, LEADER]


@pytest.mark.parametrize(
    ("taker", "expected"),
    [("sms:nord-2-duty", [NEIGHBOUR, LEADER]), ("user:kari", [DUTY, NEIGHBOUR])],
)
async def test_the_press_alerts_whoever_took_it_and_the_step_after(
    desk: DeskCentre, taker: str, expected: list[str]
) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    await desk.pass_time(180)
    await desk.centre.transact(lambda tx: acts.act(tx, 1, Event.ACKNOWLEDGE, taker))
    before = await desk.told(1)
    await desk.keep(desk.event("pendant-1", PRESS))
    assert (await desk.told(1))[len(before) :] == expected
    texts = [row.text for row in await desk.rows(messages) if row.id > len(before)]
    assert all("meldt på nytt" in text for text in texts)


async def says_no(desk: DeskCentre, phone: str) -> None:
    (*_, last) = sorted(row.id for row in await desk.rows(messages, messages.c.phone == phone))
    await desk.centre.transact(lambda tx: outcome.passed_on(tx, last, f"sms:{phone}", "reply in-1"))


@pytest.mark.parametrize("so_far", [[], [Event.DEPART], [Event.ARRIVE]])
async def test_who_hands_it_back_makes_room_for_the_next_at_once(desk: DeskCentre, so_far: list[Event]) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    for event in (Event.ACKNOWLEDGE, *so_far):
        await act(desk, 1, event)
    await says_no(desk, "nord-1-duty")
    assert (await desk.incidents())[0].state == "alerting"
    assert await desk.told(1) == [DUTY, NEIGHBOUR]
    assert (await desk.rows(messages))[-1].text.startswith("IGJEN, gitt videre: 1 ")
    assert (await desk.story(1))[-3:] == ["pass_on", "alerts_again", "told"]
    action = await desk.next_action(1)
    assert (action.kind, action.at - desk.clock.at) == (engine.STEP, dt.timedelta(seconds=120))
    await desk.pass_time(120)
    assert await desk.told(1) == [DUTY, NEIGHBOUR, LEADER]


async def test_the_plan_goes_on_after_whoever_handed_it_back_however_far_it_had_come(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    await desk.pass_time(180 + 120)
    await act(desk, 1, Event.ACKNOWLEDGE)
    await says_no(desk, "nord-1-duty")
    assert await desk.told(1) == [DUTY, NEIGHBOUR, LEADER, NEIGHBOUR]
    await desk.pass_time(120)
    assert (await desk.told(1))[-1] == LEADER


async def test_handed_back_by_the_last_it_begins_again_soon_and_not_in_the_same_breath(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    await desk.pass_time(180 + 120)
    await desk.centre.transact(lambda tx: acts.act(tx, 1, Event.ACKNOWLEDGE, "sms:leader"))
    await says_no(desk, "leader")
    assert await desk.told(1) == [DUTY, NEIGHBOUR, LEADER]
    action = await desk.next_action(1)
    assert (action.kind, action.at - desk.clock.at) == (engine.STEP, dt.timedelta(seconds=30))
    await desk.pass_time(30)
    assert await desk.told(1) == [DUTY, NEIGHBOUR, LEADER, DUTY]


async def test_the_other_open_incidents_of_a_phone_are_listed_in_its_text(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS), desk.event("door-1", Kind.DOOR_OPENED))
    first, second = [row.text for row in await desk.rows(messages)]
    assert "åpne" not in first.replace("Dør åpnet", "")
    assert ". Også åpne: 1. Svar OK 2." in second
    await act(desk, 1, Event.CLOSE, outcome=Outcome.HELP_GIVEN, cause=Cause.NEED)
    await desk.pass_time(180)
    assert "Også" not in (await desk.rows(messages, messages.c.incident_id == 2))[-1].text


async def test_a_press_after_closing_is_a_new_incident(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    await act(desk, 1, Event.CLOSE, outcome=Outcome.NO_HELP_NEEDED, cause=Cause.MISTAKE)
    await desk.keep(desk.event("pendant-1", PRESS))
    assert [row.state for row in await desk.incidents()] == ["closed", "alerting"]


async def test_closing_needs_outcome_and_cause_and_the_second_taker_is_told_who_was_first(
    desk: DeskCentre,
) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    with pytest.raises(RefusedError, match="outcome and a cause"):
        await act(desk, 1, Event.CLOSE)
    await act(desk, 1, Event.ACKNOWLEDGE)
    with pytest.raises(RefusedError, match="sms:nord-1-duty"):
        await act(desk, 1, Event.ACKNOWLEDGE)
    with pytest.raises(RefusedError, match="no incident 99"):
        await act(desk, 99, Event.ACKNOWLEDGE)


async def test_taking_it_cancels_what_has_not_left(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))
    await act(desk, 1, Event.ACKNOWLEDGE)
    (message,) = await desk.rows(messages)
    assert message.state == "cancelled"
    assert await desk.rows(due, due.c.kind == "message.send") == []


async def test_two_residents_are_two_incidents_and_two_tests_never_touch_the_real_one(desk: DeskCentre) -> None:
    await desk.keep(
        desk.event("pendant-1", PRESS),
        desk.event("door-1", Kind.DEVICE_TAMPER),
        desk.event("pendant-1", PRESS, test=True),
    )
    rows = await desk.incidents()
    assert [(row.resident_id, row.test) for row in rows] == [
        ("r-1017", False),
        ("r-1018", False),
        ("r-1017", True),
    ]


async def test_a_cancelled_alarm_is_noted_and_closes_nothing(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS), desk.event("pendant-1", Kind.ALARM_CANCELLED))
    (incident,) = await desk.incidents()
    assert incident.state == "alerting"
    assert "news" in await desk.story(1)


async def test_the_door_matters_by_night_only(desk: DeskCentre) -> None:
    await desk.keep(desk.event("door-1", Kind.DOOR_OPENED))
    (incident,) = await desk.incidents()
    assert incident.kind == Kind.DOOR_OPENED
    noon = desk.clock.at.replace(hour=11)
    await desk.keep(desk.event("door-1", Kind.DOOR_OPENED, at=noon))
    assert len(await desk.incidents()) == 1


@pytest.mark.parametrize(
    ("device", "hub", "flag"),
    [
        ("stranger-1", "h-1", "unknown_device"),
        ("pendant-1", "h-9", "unknown_hub"),
    ],
)
async def test_an_alarm_from_nowhere_is_raised_and_flagged(
    desk: DeskCentre, device: str, hub: str, flag: str, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.keep(desk.event(device, PRESS, hub=hub))
    await desk.keep(desk.event(device, PRESS, hub=hub))
    assert caplog.text.count("is not in the site") == 1
    (incident,) = await desk.incidents()
    assert (incident.incident_class, incident.zone) == ("care", "nord-1")
    assert flag in incident.flags
    assert await desk.told(incident.id) == [DUTY]


async def test_a_door_at_night_over_another_hub_is_raised_and_flagged_and_by_day_is_for_the_technician(
    desk: DeskCentre,
) -> None:
    await desk.keep(desk.event("door-1", Kind.DOOR_OPENED, hub="h-9", at=desk.clock.at.replace(hour=11)))
    await desk.keep(desk.event("door-1", Kind.DOOR_OPENED, hub="h-9"))
    by_day, by_night = await desk.incidents()
    assert by_day.incident_class == "technical"
    assert (by_night.incident_class, by_night.kind, by_night.resident_id) == ("care", "door.opened", "r-1018")
    assert "unknown_hub" in by_night.flags
    assert await desk.told(by_night.id) == [DUTY]


async def test_a_reading_from_nowhere_is_for_the_technician(desk: DeskCentre) -> None:
    await desk.keep(desk.event("stranger-1", Kind.MOTION_DETECTED), desk.event("stranger-1", Kind.MOTION_DETECTED))
    (incident,) = await desk.incidents()
    assert (incident.incident_class, incident.presses) == ("technical", 2)
    assert await desk.told(incident.id) == [TECHNICIAN]


async def test_malformed_is_buried_told_and_its_alarm_raised_all_the_same(desk: DeskCentre) -> None:
    good = desk.event("pendant-1", PRESS)
    bad = envelope.encode(good).replace(b'"seq":1', b'"seq":7').replace(b'"test":false', b'"test":"perhaps"')
    events, rejected = envelope.decode(b"[" + bad + b',{"a":1},' + envelope.encode(good) + b"]", "h-1")
    assert [len(events), len(rejected)] == [1, 2]
    assert (rejected[0].seq, rejected[0].kind) == (7, PRESS)
    parcel = Parcel("wt/1/h-1/up/alarm", "h-1", events, rejected)
    await desk.centre.transact(lambda tx: keep(tx, [parcel], RULES))
    assert len(await desk.rows(dead_letters)) == 2
    kinds = sorted((row.incident_class, row.flags) for row in await desk.incidents())
    assert kinds == [("care", ""), ("care", "malformed"), ("technical", "")]


async def test_no_open_incident_is_ever_without_a_next_action(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS), desk.event("door-1", Kind.DEVICE_TAMPER))
    assert await desk.store.read(engine.unattended) == []
    await desk.store.write(lambda connection: connection.execute(due.delete().where(due.c.subject == "1")))
    assert await desk.store.read(engine.unattended) == [1]


async def test_a_failed_last_hope_starts_the_next_step_at_once(desk: DeskCentre) -> None:
    await desk.keep(desk.event("pendant-1", PRESS))

    async def fail(message_id: int) -> None:
        await desk.store.write(
            lambda connection: connection.execute(
                messages.update().where(messages.c.id == message_id).values(state="undeliverable")
            )
        )
        await desk.centre.transact(lambda tx: engine.message_failed(tx, message_id, "no such number"))

    for message_id, expected in (
        (1, [DUTY, NEIGHBOUR]),
        (2, [DUTY, NEIGHBOUR, LEADER]),
        (3, [DUTY, NEIGHBOUR, LEADER]),
    ):
        await fail(message_id)
        assert await desk.told(1) == expected
    assert (await desk.next_action(1)).at == desk.clock.at + dt.timedelta(seconds=30)
    await desk.pass_time(30)
    assert (await desk.told(1))[-1] == DUTY
    (technical,) = [row for row in await desk.incidents() if row.incident_class == "technical"]
    assert (technical.kind, technical.zone) == (Kind.PHONE_UNREACHABLE, "nord-1")


async def test_each_observation_stands_with_its_incident(desk: DeskCentre) -> None:
    await desk.keep(*[desk.event("pendant-1", PRESS) for _ in range(3)])
    count = await desk.store.read(
        lambda connection: connection.scalar(sa.select(sa.func.count()).select_from(incident_observations))
    )
    assert count == 3
