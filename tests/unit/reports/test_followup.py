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


def late(one: FollowUp) -> dict[str, tuple[float, bool]]:
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
    other = [line(10, Event.ACKNOWLEDGE), line(600, "breach", "on_the_way: time passed", "escalation")]
    assert follow_up(row(700), other, Told(), {}, at(800)).breaches == ()


def test_whoever_took_it_first_is_named_and_what_alerted_again_counted() -> None:
    history = [
        line(10, Event.ACKNOWLEDGE),
        line(700, "alerts_again", "went no further", "escalation"),
        line(720, Event.DEPART, actor="user:kari-test"),
        line(800, "alerts_again", "pressed again", "escalation"),
    ]
    one = follow_up(row(), history, Told(), {}, at(800))
    assert (one.taken_by, one.acknowledged_s, one.on_the_way_s, one.repeats) == ("sms:nord-1-duty", 10, 720, 2)


def test_a_clock_that_was_behind_makes_no_time_below_nought() -> None:
    one = follow_up(row(-5), [line(-9, Event.ACKNOWLEDGE)], Told(at(-1)), LIMIT_S, at(-20))
    assert (one.sent_s, one.acknowledged_s, one.closed_s, one.breaches) == (0, 0, 0, ())


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
    assert all(breach.late_s > 0 for breach in one.breaches)
