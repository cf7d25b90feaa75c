import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.central.escalation.plan import (
    NOBODY_WAIT_S,
    Position,
    channel_for,
    choose,
    followed,
    move,
    past,
    role_place,
    steps_of,
)
from hub.central.site.model import Phone, Site, Step
from hub.domain.clock import UTC
from tests.unit.escalation.makers import CARE, directory, document, shift

NOON = dt.datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
NIGHT = dt.datetime(2026, 11, 24, 23, 0, tzinfo=UTC)


def site(plans: list[dict[str, Any]]) -> Site:
    return msgspec.convert(document(plans), Site)


def plan(zone: str, severity: int, incident_class: str = "care") -> dict[str, Any]:
    return {
        "zone": zone,
        "class": incident_class,
        "min_severity": severity,
        "steps": [{"roles": [f"{zone.replace('*', 'any')}-{severity}"]}],
    }


def test_a_zones_plan_goes_before_everybodys_then_the_highest_severity() -> None:
    plans = site([plan("*", 0), plan("*", 30), plan("nord-1", 0), plan("nord-1", 20), plan("nord-2", 30)])
    chosen = {
        (zone, severity): choose(plans, zone, "care", severity).steps[0].roles[0]
        for zone in ("nord-1", "nord-2")
        for severity in (10, 20, 40)
    }
    assert chosen == {
        ("nord-1", 10): "nord-1-0",
        ("nord-1", 20): "nord-1-20",
        ("nord-1", 40): "nord-1-20",
        ("nord-2", 10): "any-0",
        ("nord-2", 20): "any-0",
        ("nord-2", 40): "nord-2-30",
    }


def test_an_incident_below_every_severity_takes_the_lowest_plan() -> None:
    plans = site([plan("*", 30), plan("*", 40), plan("*", 0, "technical")])
    assert choose(plans, "nord-1", "care", 10).min_severity == 30


def test_every_class_and_severity_has_the_plan_that_it_follows() -> None:
    plans = site([plan("*", 0), plan("nord-1", 20), plan("*", 30, "technical")])
    assert [(each, int(level), chosen.steps[0].roles[0]) for each, level, chosen in followed(plans, "nord-1")] == [
        ("care", 0, "any-0"),
        ("care", 10, "any-0"),
        ("care", 20, "nord-1-20"),
        ("care", 30, "nord-1-20"),
        ("care", 40, "nord-1-20"),
        *(("technical", level, "any-30") for level in (0, 10, 20, 30, 40)),
    ]


@given(st.sampled_from(["care", "technical"]), st.sampled_from([0, 10, 20, 30, 40]))
def test_there_is_always_a_plan_and_it_ends_with_the_last_resort(incident_class: str, severity: int) -> None:
    chosen = choose(site([]), "nord-1", incident_class, severity)
    assert chosen.incident_class == incident_class
    assert steps_of(chosen, "nord-1")[-1].roles == ("last-resort",)


def test_the_last_resort_is_added_only_where_the_plan_does_not_name_it() -> None:
    named = site([{"class": "care", "steps": [{"roles": ["last-resort"]}, {"roles": ["duty"]}]}]).plans[0]
    other = site([{"class": "care", "steps": [{"roles": ["nord-2:last-resort"]}]}]).plans[0]
    assert [step.roles for step in steps_of(named, "nord-1")] == [("last-resort",), ("duty",)]
    assert [step.roles for step in steps_of(other, "nord-1")] == [("nord-2:last-resort",), ("last-resort",)]


def test_a_role_of_another_zone_is_named_after_the_first_colon() -> None:
    assert role_place("nord-1", "duty") == ("nord-1", "duty")
    assert role_place("nord-1", "nord-2:duty:late") == ("nord-2", "duty:late")


def test_the_first_step_tells_the_phone_on_duty() -> None:
    found = move(directory(), "nord-1", "care", 40, NIGHT, Position(0, 0))
    assert found.position == Position(0, 0)
    assert found.wait_s == 100
    assert found.reasons == ()
    (target,) = found.targets
    assert (target.zone, target.role, target.phone.id, target.channel) == ("nord-1", "duty", "duty-1", "sms")
    assert target.reason == "duty of nord-1: daily 15:00-08:00"


def test_a_step_that_reaches_only_a_landline_is_passed_over_at_once_with_the_reason() -> None:
    found = move(directory(), "nord-1", "care", 40, NOON, Position(0, 0))
    assert found.position == Position(0, 1)
    assert [target.phone.id for target in found.targets] == ["duty-2"]
    assert found.wait_s == 200
    assert found.reasons == (
        "duty of nord-1: daily 08:00-15:00; phone desk is a landline and takes no sms",
        "step 1 reaches nobody and is passed over",
    )


def test_after_the_last_step_the_plan_starts_again() -> None:
    here = directory()
    start = Position(0, 0)
    told = []
    for _ in range(7):
        found = move(here, "nord-1", "care", 40, NIGHT, start)
        told.append((found.position.round, [target.phone.id for target in found.targets]))
        start = Position(found.position.round, found.position.step + 1)
    assert told == [
        (0, ["duty-1"]),
        (0, ["duty-2"]),
        (0, ["watch"]),
        (1, ["duty-1"]),
        (1, ["duty-2"]),
        (1, ["watch"]),
        (2, ["duty-1"]),
    ]


def test_a_plan_that_became_shorter_is_begun_again() -> None:
    assert move(directory(), "nord-1", "care", 40, NIGHT, Position(4, 9)).position == Position(5, 0)


def test_nobody_is_told_twice_in_one_step() -> None:
    plans = [{"class": "care", "steps": [{"roles": ["duty", "nord-1:duty", "nord-2:duty", "last-resort"]}]}]
    found = move(directory(plans), "nord-1", "care", 40, NIGHT, Position(0, 0))
    assert [target.phone.id for target in found.targets] == ["duty-1", "duty-2", "watch"]


def test_when_nobody_can_be_reached_it_says_so_and_tries_again_soon() -> None:
    zones = [{"id": "nord-1", "last_resort": "desk"}, {"id": "nord-2", "last_resort": "desk"}]
    here = directory(zones=zones, rota=[])
    found = move(here, "nord-1", "care", 40, NIGHT, Position(3, 1))
    assert (found.targets, found.wait_s) == ((), NOBODY_WAIT_S)
    assert found.position == Position(3, 2)
    assert found.reasons[0].startswith("nobody is duty of nord-2")
    assert found.reasons[-1] == "nobody at all can be reached; tried again in 60 s"
    # The next move begins the next round.
    assert move(here, "nord-1", "care", 40, NIGHT, Position(3, 3)).position == Position(4, 2)


def test_an_incident_of_a_zone_that_left_the_site_is_answered_by_the_first() -> None:
    found = move(directory(), "gone", "care", 40, NIGHT, Position(0, 0))
    assert [target.phone.id for target in found.targets] == ["duty-1"]
    assert found.reasons[0] == "zone gone is no longer in the site; nord-1 answers for it"


@given(
    st.sampled_from(["nord-1", "nord-2", "gone"]),
    st.integers(0, 2 * 366 * 24 * 60),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_every_move_goes_forward_and_reaches_somebody(zone: str, minute: int, turn: int, step: int) -> None:
    start = Position(turn, step)
    found = move(SHARED, zone, "care", 40, NOON + dt.timedelta(minutes=minute), start)
    assert found.position >= start
    assert found.targets
    assert found.wait_s > 0
    assert all(target.phone.kind == "mobile" for target in found.targets)


SHARED = directory()


@pytest.mark.parametrize("begin", [0, 1, 2])
def test_the_last_resort_is_told_on_every_round(begin: int) -> None:
    start = Position(0, begin)
    rounds: dict[int, set[str]] = {}
    for _ in range(9):
        found = move(SHARED, "nord-1", "care", 40, NOON, start)
        rounds.setdefault(found.position.round, set()).update(target.phone.id for target in found.targets)
        start = Position(found.position.round, found.position.step + 1)
    assert all("watch" in told for told in list(rounds.values())[:-1])


def test_one_by_one_each_role_is_a_leg_of_its_own_with_its_own_wait() -> None:
    step = {
        "roles": ["duty", "nord-2:duty", "last-resort"],
        "order": "one-by-one",
        "between_s": 30,
        "wait_s": 100,
    }
    here = directory([{"class": "care", "steps": [step, {"roles": ["nord-2:duty"], "wait_s": 7}]}])
    told, start = [], Position(0, 0)
    for _ in range(5):
        found = move(here, "nord-1", "care", 40, NIGHT, start)
        told.append(([target.phone.id for target in found.targets], found.wait_s))
        start = Position(found.position.round, found.position.step + 1)
    assert told == [(["duty-1"], 30), (["duty-2"], 30), (["watch"], 100), (["duty-2"], 7), (["duty-1"], 30)]


def test_one_by_one_whoever_cannot_be_reached_gives_way_at_once_and_the_step_keeps_its_number() -> None:
    step = {"roles": ["duty", "nord-2:duty"], "order": "one-by-one"}
    found = move(directory([{"class": "care", "steps": [step]}]), "nord-1", "care", 40, NOON, Position(0, 0))
    assert [target.phone.id for target in found.targets] == ["duty-2"]
    assert found.wait_s == 180  # nobody of the step is left
    assert found.reasons[-1] == "step 1, duty reaches nobody and is passed over"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("all", [(["duty-2", "desk", "duty-1"], 180), (["watch"], 180)]),
        ("one-by-one", [(["duty-2"], 60), (["desk"], 60), (["duty-1"], 180), (["watch"], 180)]),
    ],
)
def test_the_phones_of_a_role_are_told_at_once_or_in_their_order(
    order: str, expected: list[tuple[list[str], int]]
) -> None:
    both = shift("nord-1", "", "00:00", "24:00") | {"phones": ["duty-2", "desk", "duty-1"]}
    del both["phone"]
    step = {"roles": ["duty"], "order": order, "channels": ["sms", "voice"]}
    here = directory([{"class": "care", "steps": [step]}], rota=[both])
    told, start = [], Position(0, 0)
    for _ in expected:
        found = move(here, "nord-1", "care", 40, NIGHT, start)
        told.append(([target.phone.id for target in found.targets], found.wait_s))
        start = Position(found.position.round, found.position.step + 1)
    assert told == expected
    assert move(here, "nord-1", "care", 40, NIGHT, start).position == Position(1, 0)


def test_a_call_reaches_a_landline_and_the_first_channel_that_suits_is_taken() -> None:
    plans = [{"class": "care", "steps": [{"roles": ["duty"], "channels": ["sms", "voice"]}]}]
    by_day = move(directory(plans), "nord-1", "care", 40, NOON, Position(0, 0))
    by_night = move(directory(plans), "nord-1", "care", 40, NIGHT, Position(0, 0))
    assert [(t.phone.id, t.channel) for t in by_day.targets] == [("desk", "voice")]
    assert [(t.phone.id, t.channel) for t in by_night.targets] == [("duty-1", "sms")]


def test_only_a_phone_with_an_address_gets_e_mail() -> None:
    step = Step(roles=("duty",), channels=("email",))
    phone = Phone(id="desk", number="+4700000013", kind="landline")
    assert channel_for(phone, step) is None
    addressed = msgspec.structs.replace(phone, email="desk@nord.example")
    assert channel_for(addressed, step) == "email"


def test_a_step_outside_its_hours_is_passed_over_at_once() -> None:
    night_step = {"roles": ["duty"], "hours": "22:00-07:00", "channels": ["voice"]}
    here = directory([{"class": "care", "steps": [night_step, {"roles": ["nord-2:duty"]}]}])
    assert move(here, "nord-1", "care", 40, NIGHT, Position(0, 0)).position == Position(0, 0)
    found = move(here, "nord-1", "care", 40, NOON, Position(0, 0))
    assert found.position == Position(0, 1)
    assert found.reasons[0] == "it is taken in the hours 22:00-07:00 only"


def test_a_last_resort_that_is_named_for_some_hours_only_is_still_the_final_step() -> None:
    step = {"roles": ["last-resort"], "hours": "22:00-07:00"}
    named = site([{"class": "care", "steps": [step]}]).plans[0]
    assert [found.roles for found in steps_of(named, "nord-1")] == [("last-resort",), ("last-resort",)]


TECHNICAL = [{"class": "technical", "hours": "07:00-22:00", "steps": [{"roles": ["nord-2:duty"]}]}]


def test_a_technical_incident_waits_for_its_hours_with_a_next_action_and_nothing_skipped() -> None:
    here = directory(TECHNICAL)
    found = move(here, "nord-1", "technical", 20, NIGHT, Position(0, 0))
    assert (found.targets, found.position) == ((), Position(0, -1))
    assert found.wait_s == 7 * 3600  # NIGHT is midnight in Oslo
    assert found.reasons == ("it waits 25200 s for the hours 07:00-22:00 of its plan",)
    morning = NIGHT + dt.timedelta(seconds=found.wait_s)
    begun = move(here, "nord-1", "technical", 20, morning, Position(0, found.position.step + 1))
    assert begun.position == Position(0, 0)
    assert begun.targets


@pytest.mark.parametrize(("incident_class", "severity"), [("technical", 30), ("technical", 40)])
def test_what_is_severe_waits_for_no_hours(incident_class: str, severity: int) -> None:
    assert move(directory(TECHNICAL), "nord-1", incident_class, severity, NIGHT, Position(0, 0)).targets


def test_care_waits_for_no_hours_whatever_its_plan_says() -> None:
    plans = [TECHNICAL[0] | {"class": "care"}]
    assert move(directory(plans), "nord-1", "care", 0, NIGHT, Position(0, 0)).targets


def test_past_somebody_the_same_step_and_the_next_are_told_at_once() -> None:
    here = directory()
    found = past(here, "nord-1", "care", 40, NIGHT, Position(1, 0))
    assert [target.phone.id for target in found.targets] == ["duty-1", "duty-2"]
    assert (found.position, found.wait_s) == (Position(1, 1), 200)
    last = past(here, "nord-1", "care", 40, NIGHT, Position(1, 2))
    assert [target.phone.id for target in last.targets] == ["watch", "duty-1"]
    assert last.position == Position(2, 0)


def test_past_somebody_says_of_both_steps_who_was_passed_over() -> None:
    plans = [{"class": "care", "steps": [{"roles": ["nord-2:duty"]}, {"roles": ["nord-1:duty", "last-resort"]}]}]
    found = past(directory(plans), "nord-2", "care", 40, NOON, Position(0, 0))
    assert [(target.zone, target.phone.id) for target in found.targets] == [
        ("nord-2", "duty-2"),
        ("nord-2", "watch"),
    ]
    assert found.reasons == ("duty of nord-1: daily 08:00-15:00; phone desk is a landline and takes no sms",)
    found = past(directory(), "nord-1", "care", 40, NOON, Position(0, 0))
    assert found.reasons[-1] == "step 1 reaches nobody and is passed over"


def test_the_plan_of_the_zone_is_followed() -> None:
    plans = [{"class": "care", "steps": CARE}, {"class": "care", "zone": "nord-2", "steps": [{"roles": ["duty"]}]}]
    here = directory(plans)
    assert move(here, "nord-2", "care", 40, NOON, Position(0, 0)).targets[0].zone == "nord-2"
    assert move(here, "nord-2", "care", 40, NOON, Position(0, 1)).targets[0].role == "last-resort"


def test_a_last_resort_that_is_named_with_its_zone_is_not_told_twice_a_round() -> None:
    here = directory([{"class": "care", "steps": [{"roles": ["nord-1:last-resort"]}]}])
    assert [move(here, "nord-1", "care", 40, NIGHT, Position(0, at)).position for at in (0, 1)] == [(0, 0), (1, 0)]


def test_a_last_resort_says_whose_it_is_and_a_zone_that_has_none_says_so() -> None:
    here = directory([{"class": "care", "steps": [{"roles": ["gone:last-resort"]}]}])
    found = move(here, "nord-1", "care", 40, NIGHT, Position(0, 0))
    assert [(target.phone.id, target.reason) for target in found.targets] == [("watch", "last resort of nord-1")]
    assert found.reasons == ("zone gone has no last resort", "step 1 reaches nobody and is passed over")


def test_whoever_no_channel_suits_is_passed_over_with_all_that_were_tried() -> None:
    here = directory([{"class": "care", "steps": [{"roles": ["duty"], "channels": ["sms", "push"]}]}])
    found = move(here, "nord-1", "care", 40, NOON, Position(0, 0))
    assert found.reasons[0].endswith("phone desk is a landline and takes no sms or push")


roles = st.lists(st.sampled_from(["duty", "nord-2:duty", "nobody", "last-resort"]), min_size=1, max_size=4)
hours_of_day = st.sampled_from([None, "22:00-07:00", "07:00-22:00", "02:30-03:30", "00:00-24:00"])
steps = st.fixed_dictionaries(
    {
        "roles": roles,
        "channels": st.sampled_from([["sms"], ["voice"], ["sms", "voice"]]),
        "order": st.sampled_from(["all", "one-by-one"]),
        "between_s": st.integers(1, 600),
        "wait_s": st.integers(1, 3600),
        "hours": hours_of_day,
    }
)
minutes = st.integers(0, 2 * 366 * 24 * 60)


@settings(max_examples=60)
@given(st.lists(steps, min_size=1, max_size=4), minutes)
def test_any_plan_goes_on_without_end_and_tells_the_last_resort_on_every_round(
    of: list[dict[str, Any]], minute: int
) -> None:
    here = directory([{"class": "care", "steps": of}])
    at, start = NOON + dt.timedelta(minutes=minute), Position(0, 0)
    rounds: dict[int, set[str]] = {}
    while len(rounds) <= 3:
        found = move(here, "nord-1", "care", 40, at, start)
        assert found.targets
        assert found.position >= start
        assert 0 < found.wait_s <= 3600
        assert len({(t.phone.number, t.channel) for t in found.targets}) == len(found.targets)
        rounds.setdefault(found.position.round, set()).update(target.phone.id for target in found.targets)
        start = Position(found.position.round, found.position.step + 1)
        at += dt.timedelta(seconds=found.wait_s)
    assert all("watch" in rounds[number] for number in (0, 1, 2))


def test_a_steps_hours_are_those_of_the_sites_time_zone() -> None:
    here = directory([{"class": "care", "steps": [{"roles": ["nord-2:duty"], "hours": "12:00-13:00"}]}])
    for minute, step in ((0, 0), (59, 0), (60, 1), (-1, 1)):  # NOON is twelve in Oslo
        found = move(here, "nord-1", "care", 40, NOON + dt.timedelta(minutes=minute), Position(0, 0))
        assert found.position.step == step, minute
