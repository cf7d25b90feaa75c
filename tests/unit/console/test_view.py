"""The order of the board, and which message stands for a phone."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from hub.central.incidents import view
from hub.central.incidents.lifecycle import State
from hub.central.store import tables
from hub.domain.clock import UTC

AT = dt.datetime(2026, 11, 21, 2, 10, tzinfo=UTC)


def incident(connection: sa.Connection, number: int, **more: Any) -> None:
    row = {
        "id": number,
        "incident_class": "care",
        "kind": "alarm.pressed",
        "severity": 40,
        "state": State.ALERTING,
        "zone": "nord-1",
        "unprotected": "",
        "test": False,
        "flags": "",
        "reason": "pressed",
        "occurred_at": AT,
        "opened_at": AT,
        "also": "",
        "presses": 1,
        "need": f"need-{number}",
        "plan_round": 0,
        "plan_step": 0,
    }
    connection.execute(sa.insert(tables.incidents).values(row | more))


def message(connection: sa.Connection, incident_id: int, phone: str, state: str) -> None:
    connection.execute(
        sa.insert(tables.messages).values(
            incident_id=incident_id,
            zone="nord-1",
            role="duty",
            phone=phone,
            number="+4700000012",
            channel="sms",
            text="",
            plan_round=0,
            plan_step=0,
            state=state,
            reason="",
            attempts=1,
            created_at=AT,
        )
    )


def test_alerting_goes_before_taken_then_severity_then_age(connection: sa.Connection) -> None:
    later = AT + dt.timedelta(minutes=5)
    year_1970 = dt.datetime(1970, 1, 1, tzinfo=UTC)
    incident(connection, 1, state=State.ACKNOWLEDGED)
    incident(connection, 2, severity=20)
    incident(connection, 3, opened_at=later, occurred_at=year_1970)  # a clock without a battery goes not first
    incident(connection, 4)
    incident(connection, 5, state=State.CLOSED)
    assert [card.incident.id for card in view.open_cards(connection)] == [4, 3, 2, 1]


def test_the_last_message_tells_how_a_phone_stands(connection: sa.Connection) -> None:
    incident(connection, 1)
    message(connection, 1, "duty", "undeliverable")
    message(connection, 1, "leader", "sent")
    message(connection, 1, "duty", "delivered")
    (card,) = view.open_cards(connection)
    assert [(told.phone, told.state) for told in card.told] == [("duty", "delivered"), ("leader", "sent")]


def test_a_story_is_whole_or_not_there(connection: sa.Connection) -> None:
    assert view.story(connection, 1) is None
    incident(connection, 1, flags="counter_back time_unknown", unprotected="r-1 r-2")
    story = view.story(connection, 1)
    assert story is not None
    assert story.incident.flags == ("counter_back", "time_unknown")
    assert story.incident.unprotected == ("r-1", "r-2")


def test_what_is_open_about_somebody(connection: sa.Connection) -> None:
    incident(connection, 1, resident_id="r-1")
    incident(connection, 2, resident_id="r-2")
    incident(connection, 3, resident_id="r-1", state=State.CLOSED)
    assert [found.id for found in view.open_about(connection, resident_id="r-1")] == [1]
