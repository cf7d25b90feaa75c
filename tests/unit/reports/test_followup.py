"""What became of one incident, and when that was too late."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.reports.followup import EPOCH, LIMITS, FollowUp, Noted, Row, Told, follow_up

S = 1_000_000
RAISED = 1_772_000_000 * S
LIMIT_S = {"acknowledge": 180, "arrive": 900, "close": 3600}


def at(seconds: float) -> int:
    return RAISED + int(seconds * S)


def row(closed_s: float | None = None, **more: object) -> Row:
    ended = (
        {}
        if closed_s is None
        else {"closed_at": at(closed_s), "closed_by": "user:kari-test", "outcome": "help_given"}
    )
    values: dict[str, object] = {
        "id": 47,
        "incident_class": "care",
        "kind": "dose.not_dispensed",
        "severity": 30,
        "zone": "nord-1",
        "resident_id": "r-1",
        "device_id": "d-1",
        "opened_at": RAISED,
        "presses": 1,
        "closed_at": None,
        "closed_by": None,
        "outcome": None,
        "cause": None,
        **ended,
        **more,
    }
    return Row(**values)  # type: ignore[arg-type] # a test's shorthand


def line(seconds: float, event: str, detail: str = "", actor: str = "sms:nord-1-duty") -> Noted:
    return Noted(at(seconds), event, actor, detail)


def late(one: FollowUp) -> dict[str, tuple[float | None, bool]]:
    return {breach.limit: (breach.late_s, breach.lasts) for breach in one.breaches}


def test_an_incident_that_went_well() -> None:
    history = [line(60, Event.ACKNOWLEDGE), line(120, Event.DEPART), line(600, Event.ARRIVE)]
    one = follow_up(row(1200), history, Told(at(1), at(3.5)), LIMIT_S, at(99_999))
    assert (one.sent_s, one.delivered_s, one.acknowledged_s) == (1, 3.5, 60)
    assert (one.on_the_way_s, one.arrived_s, one.closed_s) == (120, 600, 1200)
    assert (one.taken_by, one.closed_by) == ("sms:nord-1-duty", "user:kari-test")
    assert one.raised_at == EPOCH + dt.timedelta(microseconds=RAISED)
    assert (one.breaches, one.within, one.limits_s) == ((), True, LIMIT_S)


def test_without_a_limit_nothing_is_late_and_nothing_within() -> None:
    assert follow_up(row(99_999), [], Told(), {}, at(99_999)).within is None
    assert follow_up(row(99_999), [], Told(), LIMIT_S, at(99_999)).within is False


@pytest.mark.parametrize(
    ("reached_s", "expected"),
    [(180, {}), (180.5, {"acknowledge": (0.5, False)}), (400, {"acknowledge": (220, False)})],
)
def test_a_limit_is_passed_when_it_is_over_and_not_before(reached_s: float, expected: dict[str, object]) -> None:
    one = follow_up(row(800), [line(reached_s, Event.ACKNOWLEDGE)], Told(), LIMIT_S, at(99_999))
    assert late(one) == expected


def test_what_has_not_happened_yet_is_late_so_far() -> None:
    one = follow_up(row(), [line(10, Event.ACKNOWLEDGE)], Told(), LIMIT_S, at(1000))
    assert late(one) == {"arrive": (100, True)}
    assert late(follow_up(row(), [], Told(), LIMIT_S, at(180))) == {}


def test_closing_ends_every_limit() -> None:
    one = follow_up(row(100), [], Told(), LIMIT_S, at(99_999))
    assert (one.acknowledged_s, one.taken_by, one.arrived_s) == (100, "user:kari-test", None)
    assert one.breaches == ()
    assert late(follow_up(row(1000), [], Told(), LIMIT_S, at(99_999))) == {
        "acknowledge": (820, False),
        "arrive": (100, False),
    }


def test_what_cleared_by_itself_was_taken_by_nobody() -> None:
    one = follow_up(row(100, outcome=Outcome.CLEARED, closed_by="centre"), [], Told(), LIMIT_S, at(99_999))
    assert (one.acknowledged_s, one.taken_by, one.closed_s) == (None, None, 100)


def test_the_limit_that_was_noted_then_counts_whatever_the_site_says_now() -> None:
    history = [line(300, "breach", "acknowledge: 300 s passed", "limits"), line(330, Event.ACKNOWLEDGE)]
    for limits in ({}, {"acknowledge": 10}, {"acknowledge": 9999}):
        assert late(follow_up(row(400), history, Told(), limits, at(500))) == {"acknowledge": (30, False)}


def expiry(seconds: float, missed: str) -> list[Noted]:
    """What the escalation notes when whoever took it let the time pass."""
    lines = (
        ("breach", f"{missed}: time passed"),
        (Event.EXPIRE, "it led nowhere"),
        ("alerts_again", "no further"),
    )
    return [line(seconds, event, detail, "escalation") for event, detail in lines]


def had_it(one: FollowUp) -> list[tuple[str, float, float | None, str | None]]:
    return [(taking.by, taking.taken_s, taking.until_s, taking.end) for taking in one.takings]


def test_whoever_took_it_is_named_in_order_and_until_when() -> None:
    history = [
        line(30, Event.ACKNOWLEDGE),
        *expiry(630, "on_the_way"),
        line(4000, Event.ACKNOWLEDGE, actor="sms:nord-2-duty"),
        line(4300, Event.ARRIVE, actor="sms:nord-2-duty"),
    ]
    one = follow_up(row(4400), history, Told(), {"acknowledge": 180}, at(5000))
    first = ("sms:nord-1-duty", 30, 630, "expire")
    assert had_it(one) == [first, ("sms:nord-2-duty", 4000, 4400, "closed")]
    assert (one.taken_by, one.acknowledged_s, one.repeats) == ("sms:nord-1-duty", 30, 1)
    assert had_it(follow_up(row(), history, Told(), {}, at(5000)))[1][2:] == (None, None)


def test_a_taking_that_ran_out_is_a_breach_of_its_own_and_not_late() -> None:
    history = [line(30, Event.ACKNOWLEDGE), *expiry(630, "on_the_way")]
    history += [line(700, Event.DEPART), *expiry(2500, "arrived"), line(2600, Event.ARRIVE)]
    one = follow_up(row(6200), [*history, *expiry(6200, "closed")], Told(), {"acknowledge": 180}, at(9999))
    assert [breach.limit for breach in one.breaches] == ["on_the_way", "arrived", "closed"]
    assert {(breach.limit_s, breach.late_s, breach.lasts) for breach in one.breaches} == {(None, None, False)}
    assert (one.within, one.led_nowhere) == (True, 3)
    late_too = follow_up(row(6200), history, Told(), {"acknowledge": 10}, at(9999))
    assert [breach.limit for breach in late_too.breaches] == ["acknowledge", "on_the_way", "arrived"]
    assert (late_too.within, late_too.led_nowhere) == (False, 2)
    assert follow_up(row(700), history[:4], Told(), {}, at(800)).within is None


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        ([line(100, "pass_on"), line(100, "alerts_again", "", "escalation")], "pass_on"),
        ([line(100, "alerts_again", "it was pressed again", "escalation")], "alerts_again"),
        ([line(100, Event.DEPART, actor="user:kari-test")], "taken_over"),
    ],
)
def test_who_no_longer_had_it_without_letting_the_time_pass_led_nowhere_is_not_said(
    ended: list[Noted], why: str
) -> None:
    one = follow_up(row(), [line(10, Event.ACKNOWLEDGE), line(20, Event.DEPART), *ended], Told(), {}, at(800))
    assert had_it(one)[0] == ("sms:nord-1-duty", 10, 100, why)
    assert (one.led_nowhere, one.breaches) == (0, ())
    assert had_it(one)[1:] == ([("user:kari-test", 100, None, None)] if why == "taken_over" else [])


def test_whoever_closes_what_nobody_has_took_it_too() -> None:
    history = [line(30, Event.ACKNOWLEDGE), *expiry(630, "on_the_way")]
    one = follow_up(row(4400), history, Told(), {}, at(5000))
    assert had_it(one)[1:] == [("user:kari-test", 4400, 4400, "closed")]
    cleared = follow_up(row(4400, outcome=Outcome.CLEARED, closed_by="centre"), history, Told(), {}, at(5000))
    assert len(cleared.takings) == 1


def test_a_clock_that_was_behind_makes_no_time_below_nought() -> None:
    one = follow_up(row(-5), [line(-9, Event.ACKNOWLEDGE)], Told(at(-1)), LIMIT_S, at(-20))
    assert (one.sent_s, one.acknowledged_s, one.closed_s, one.breaches) == (0, 0, 0, ())


def test_what_was_noted_by_a_clock_that_was_ahead_came_before_that_was_put_right() -> None:
    year = 365 * 86_400
    history = [line(year + 30, Event.ACKNOWLEDGE), line(year + 60, "closed"), line(90, "brought_back")]
    one = follow_up(row(year + 60), history, Told(), LIMIT_S, at(99_999))
    assert (one.acknowledged_s, one.closed_s, one.breaches) == (90, 90, ())
    assert had_it(one) == [("sms:nord-1-duty", 90, 90, "closed")]
    history = [line(year + 30, Event.ACKNOWLEDGE), line(90, "brought_back"), line(200, Event.ARRIVE)]
    late_one = follow_up(row(5000), [*history, line(5000, "closed")], Told(), LIMIT_S, at(99_999))
    assert (late_one.acknowledged_s, late_one.arrived_s, late_one.closed_s) == (90, 200, 5000)
    assert late(late_one) == {"close": (1400, False)}


def test_false_and_silent_alarms_are_known_by_their_cause() -> None:
    def closed(cause: str | None) -> FollowUp:
        return follow_up(row(10, cause=cause), [], Told(), {}, at(20))

    assert [cause for cause in Cause if closed(cause).false_alarm] == [Cause.MISTAKE, Cause.FALSE_ALARM]
    assert [cause for cause in Cause if closed(cause).silent] == [Cause.SILENT]
    assert not closed(None).false_alarm


TIMES = st.integers(0, 5000)


@given(
    ack=st.none() | TIMES,
    arrive=st.none() | TIMES,
    closed=st.none() | TIMES,
    limits=st.dictionaries(st.sampled_from(LIMITS), TIMES),
    now=TIMES,
)
def test_within_the_limits_means_that_each_was_reached_in_time(
    ack: int | None, arrive: int | None, closed: int | None, limits: dict[str, int], now: int
) -> None:
    lines = [(ack, Event.ACKNOWLEDGE), (arrive, Event.ARRIVE)]
    history = sorted(line(seconds, event) for seconds, event in lines if seconds is not None)
    one = follow_up(row(closed), history, Told(), limits, at(now))
    ends = {"acknowledge": [ack, arrive, closed], "arrive": [arrive, closed], "close": [closed]}
    expected = set()
    for name, seconds in limits.items():
        reached = [end for end in ends[name] if end is not None]
        if (min(reached) if reached else now) > seconds:
            expected.add(name)
    assert {breach.limit for breach in one.breaches} == expected
    assert all((breach.late_s or 0) > 0 for breach in one.breaches)
