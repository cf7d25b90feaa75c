"""The life of an incident: one table, and nothing about legal changes anywhere else.

A care incident is closed by a person with an outcome and a cause. A technical one may also clear itself when
its condition ends. Whatever takes an incident without leading anywhere expires, and it alerts again; so does one
that whoever took it hands back, and one that was found without a next action.
"""

from enum import StrEnum

from hub.domain.errors import RefusedError


class State(StrEnum):
    """Where an incident stands."""

    ALERTING = "alerting"
    ACKNOWLEDGED = "acknowledged"
    ON_THE_WAY = "on_the_way"
    ARRIVED = "arrived"
    CLOSED = "closed"


class Event(StrEnum):
    """What can happen to it."""

    PRESS = "press"  # a further observation of the same need
    ACKNOWLEDGE = "acknowledge"
    DEPART = "depart"
    ARRIVE = "arrive"
    CLOSE = "close"  # by a person, with outcome and cause
    EXPIRE = "expire"  # whoever took it let the time pass
    PASS_ON = "pass_on"  # noqa: S105 - no password: whoever took it says no after all
    RESUME = "resume"  # the auditor found it without a next action
    CLEAR = "clear"  # the condition ended by itself


class Outcome(StrEnum):
    """How an incident ended."""

    HELP_GIVEN = "help_given"
    NO_HELP_NEEDED = "no_help_needed"
    REFERRED = "referred"
    REPAIRED = "repaired"
    CLEARED = "cleared"  # by itself; technical only


class Cause(StrEnum):
    """Why it came up."""

    NEED = "need"
    FALL = "fall"
    MEDICATION = "medication"
    WHERE_IS_MY_VISIT = "where_is_my_visit"
    MISTAKE = "mistake"  # somebody pressed without meaning to
    FALSE_ALARM = "false_alarm"  # the device alarmed by itself
    SILENT = "silent"  # nobody answered, and nothing was found
    TEST = "test"
    TECHNICAL = "technical"


S, E = State, Event

TABLE: dict[State, dict[Event, State]] = {
    S.ALERTING: {
        E.PRESS: S.ALERTING,
        E.ACKNOWLEDGE: S.ACKNOWLEDGED,
        E.DEPART: S.ON_THE_WAY,
        E.ARRIVE: S.ARRIVED,
        E.CLOSE: S.CLOSED,
        E.RESUME: S.ALERTING,
        E.CLEAR: S.CLOSED,
    },
    S.ACKNOWLEDGED: {
        E.PRESS: S.ALERTING,
        E.DEPART: S.ON_THE_WAY,
        E.ARRIVE: S.ARRIVED,
        E.CLOSE: S.CLOSED,
        E.EXPIRE: S.ALERTING,
        E.PASS_ON: S.ALERTING,
        E.RESUME: S.ALERTING,
        E.CLEAR: S.CLOSED,
    },
    S.ON_THE_WAY: {
        E.PRESS: S.ALERTING,
        E.ARRIVE: S.ARRIVED,
        E.CLOSE: S.CLOSED,
        E.EXPIRE: S.ALERTING,
        E.PASS_ON: S.ALERTING,
        E.RESUME: S.ALERTING,
        E.CLEAR: S.CLOSED,
    },
    S.ARRIVED: {
        E.PRESS: S.ALERTING,
        E.CLOSE: S.CLOSED,
        E.EXPIRE: S.ALERTING,
        E.PASS_ON: S.ALERTING,
        E.RESUME: S.ALERTING,
        E.CLEAR: S.CLOSED,
    },
    S.CLOSED: {},
}

OPEN = frozenset(State) - {State.CLOSED}
TAKEN = frozenset({State.ACKNOWLEDGED, State.ON_THE_WAY, State.ARRIVED})

# The outcomes that a person may choose.
OUTCOMES = tuple(outcome for outcome in Outcome if outcome is not Outcome.CLEARED)


def after(state: State, event: Event, incident_class: str) -> State:
    """Return the state that follows.

    Raises:
        RefusedError: This cannot happen to an incident in this state, or of this class.
    """
    if event is Event.CLEAR and incident_class == "care":
        raise RefusedError("a care incident is closed by a person, with an outcome")
    following = TABLE[state].get(event)
    if following is None:
        raise RefusedError(f"an incident that is {state} does not take {event}")
    return following
