import pytest

from hub.central.incidents.lifecycle import OPEN, TABLE, TAKEN, Event, State, after
from hub.domain.errors import RefusedError

LEGAL = {
    (State.ALERTING, Event.PRESS): State.ALERTING,
    (State.ALERTING, Event.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.ALERTING, Event.DEPART): State.ON_THE_WAY,
    (State.ALERTING, Event.ARRIVE): State.ARRIVED,
    (State.ALERTING, Event.CLOSE): State.CLOSED,
    (State.ACKNOWLEDGED, Event.PRESS): State.ALERTING,
    (State.ACKNOWLEDGED, Event.DEPART): State.ON_THE_WAY,
    (State.ACKNOWLEDGED, Event.ARRIVE): State.ARRIVED,
    (State.ACKNOWLEDGED, Event.CLOSE): State.CLOSED,
    (State.ACKNOWLEDGED, Event.EXPIRE): State.ALERTING,
    (State.ON_THE_WAY, Event.PRESS): State.ALERTING,
    (State.ON_THE_WAY, Event.ARRIVE): State.ARRIVED,
    (State.ON_THE_WAY, Event.CLOSE): State.CLOSED,
    (State.ON_THE_WAY, Event.EXPIRE): State.ALERTING,
    (State.ARRIVED, Event.PRESS): State.ALERTING,
    (State.ARRIVED, Event.CLOSE): State.CLOSED,
    (State.ARRIVED, Event.EXPIRE): State.ALERTING,
    **{(state, Event.PASS_ON): State.ALERTING for state in TAKEN},
    **{(state, Event.RESUME): State.ALERTING for state in OPEN},
}
PEOPLES_EVENTS = [event for event in Event if event is not Event.CLEAR]


@pytest.mark.parametrize("incident_class", ["care", "technical"])
@pytest.mark.parametrize("event", PEOPLES_EVENTS)
@pytest.mark.parametrize("state", list(State))
def test_every_state_meets_every_event(state: State, event: Event, incident_class: str) -> None:
    expected = LEGAL.get((state, event))
    if expected is None:
        with pytest.raises(RefusedError, match=str(state)):
            after(state, event, incident_class)
    else:
        assert after(state, event, incident_class) is expected


@pytest.mark.parametrize("state", list(State))
def test_only_a_technical_incident_clears_itself(state: State) -> None:
    with pytest.raises(RefusedError, match=r"^a care incident is closed by a person, with an outcome$"):
        after(state, Event.CLEAR, "care")
    if state is State.CLOSED:
        with pytest.raises(RefusedError):
            after(state, Event.CLEAR, "technical")
    else:
        assert after(state, Event.CLEAR, "technical") is State.CLOSED


def test_nothing_leaves_closed_and_nothing_taken_is_without_an_end() -> None:
    assert not TABLE[State.CLOSED]
    assert {state for state in State if Event.EXPIRE in TABLE[state]} == TAKEN
    assert TAKEN | {State.ALERTING} == OPEN
