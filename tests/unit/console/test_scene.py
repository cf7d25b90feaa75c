"""What the parts of a page show: a short history that loses nothing, and devices behind a silent hub."""

import datetime as dt
import zoneinfo

import pytest
import sqlalchemy as sa

from hub.central.console import equipment, scene
from hub.central.console.render import Reader
from hub.central.console.words import Words
from hub.central.incidents.view import Incident, Line, Story
from hub.central.site.directory import Directory
from hub.central.store import tables
from hub.domain.clock import UTC, Now
from tests.fakes.site import site

AT = dt.datetime(2026, 11, 21, 2, 10, tzinfo=UTC)
NOW = Now(AT, 0.0)
HUB, DEVICE = "h-1", "pendant-1"


def line(event: str, actor: str) -> Line:
    return Line(at=AT, event=event, actor=actor, detail="")


def test_people_and_decisions_are_shown_and_the_rest_is_a_tap_away() -> None:
    lines = (
        line("opened", "centre"),
        line("told", "escalation"),
        line("sent", "sender"),
        line("delivered", "sender"),
        line("acknowledge", "sms:nord-1-duty"),
    )
    shown = scene.timeline(lines)
    assert [kept.event for kept in shown.lines] == ["opened", "told", "acknowledge"]
    assert shown.everything == lines


def test_what_adds_nothing_is_not_offered() -> None:
    assert scene.timeline((line("opened", "centre"),)).everything == ()


def heard(connection: sa.Connection, *, hub: dt.datetime | None, device: dt.datetime | None, online: bool) -> None:
    connection.execute(sa.insert(tables.hubs).values(hub_id=HUB, assigned_at=AT, last_seen_at=hub, online=online))
    connection.execute(sa.insert(tables.devices).values(device_id=DEVICE, assigned_at=AT, last_seen_at=device))


def states(connection: sa.Connection) -> tuple[str, str]:
    row = next(row for row in equipment.hub_rows(connection, Directory(site(), 1), NOW) if row.id == HUB)
    return row.state, next(device.state for device in row.devices if device.id == DEVICE)


AGO = AT - dt.timedelta(seconds=5)
LONG_AGO = AT - dt.timedelta(hours=2)


@pytest.mark.parametrize(
    ("hub", "device", "online", "shown"),
    [
        (AGO, AGO, True, ("online", "heard")),
        (AGO, LONG_AGO, True, ("online", "overdue")),  # under maintenance, or its incident was closed: no matter
        (AGO, AGO, False, ("silent", "behind")),  # the broker lost it
        (LONG_AGO, LONG_AGO, True, ("silent", "behind")),  # it merely fell silent
        (LONG_AGO, None, True, ("silent", "never")),
        (None, None, False, ("never", "never")),
    ],
)
def test_a_device_behind_a_silent_hub_is_not_said_to_be_well(
    connection: sa.Connection,
    hub: dt.datetime | None,
    device: dt.datetime | None,
    online: bool,
    shown: tuple[str, str],
) -> None:
    heard(connection, hub=hub, device=device, online=online)
    assert states(connection) == shown


def test_who_was_without_protection_is_told_in_the_past_once_it_is_over() -> None:
    def titled(closed_at: dt.datetime | None) -> str:
        incident = Incident(
            **dict.fromkeys(Incident.__struct_fields__, None)  # type: ignore[arg-type]  # nothing else is asked
            | {"id": 7, "state": "closed" if closed_at else "alerting", "presses": 1, "unprotected": ("r-1017",)}
            | {"closed_at": closed_at}
        )
        parts = scene.incident(Story(incident=incident, lines=(), messages=(), observations=()))["incident"]
        reader = Reader(words=Words("nb"), zone=zoneinfo.ZoneInfo("Europe/Oslo"), now=NOW)
        return next(str(part.html(reader)) for part in parts if part.id == "people")

    assert "Uten vern nå" in titled(None)
    over = titled(AT)
    assert "Var uten vern" in over
    assert "r-1017" in over
