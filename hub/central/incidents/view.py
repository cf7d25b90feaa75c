"""Incidents as people read them: what is open, most urgent first, and the whole story of one."""

import datetime as dt
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from hub.central.incidents.lifecycle import State
from hub.central.notify.message import FYI
from hub.central.store import tables

_NOBODY = ""
T = TypeVar("T", bound=msgspec.Struct)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a message; without a provider it waits to leave."""

    provider: str | None
    state: str
    reason: str
    provider_ref: str | None
    created_at: dt.datetime
    sent_at: dt.datetime | None
    delivered_at: dt.datetime | None
    read_at: dt.datetime | None
    ended_at: dt.datetime | None

    @property
    def at(self) -> dt.datetime:
        """When it came to where it stands."""
        return self.ended_at or self.read_at or self.delivered_at or self.sent_at or self.created_at


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A message that went, or is to go, to a phone about an incident."""

    id: int
    zone: str
    role: str
    phone: str
    channel: str
    state: str
    reason: str
    plan_round: int
    plan_step: int
    created_at: dt.datetime
    sent_at: dt.datetime | None
    delivered_at: dt.datetime | None
    made: tuple[Attempt, ...] = ()


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it stands. ``id`` is the number that people use for it, ``also`` what else was reported."""

    id: int
    incident_class: str
    kind: str
    also: tuple[str, ...]
    severity: int
    state: str
    zone: str
    resident_id: str | None
    device_id: str | None
    hub_id: str | None
    room: str | None
    unprotected: tuple[str, ...]
    test: bool
    flags: tuple[str, ...]
    reason: str
    occurred_at: dt.datetime
    opened_at: dt.datetime
    presses: int
    taken_by: str | None
    taken_at: dt.datetime | None
    closed_at: dt.datetime | None
    closed_by: str | None
    outcome: str | None
    cause: str | None

    @property
    def alerting(self) -> bool:
        """Whether nobody has taken it."""
        return self.state == State.ALERTING


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """An open incident and the last message to each phone that was told."""

    incident: Incident
    told: tuple[Told, ...]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an incident's history."""

    at: dt.datetime
    event: str
    actor: str
    detail: str


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An observation that belongs to an incident."""

    time: dt.datetime
    timequality: str
    received_at: dt.datetime
    kind: str
    value: str | None
    unit: str | None
    device_id: str
    hub_id: str
    flags: tuple[str, ...]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one incident, the newest last."""

    incident: Incident
    lines: tuple[Line, ...]
    messages: tuple[Told, ...]
    observations: tuple[Seen, ...]


def open_cards(connection: sa.Connection) -> list[Card]:
    """Return the open incidents, the most urgent first."""
    still_open = tables.incidents.c.state != State.CLOSED
    found = [_read(Incident, row) for row in connection.execute(sa.select(tables.incidents).where(still_open))]
    told: dict[int, dict[str, Told]] = {}
    of_these = tables.messages.c.incident_id.in_(sa.select(tables.incidents.c.id).where(still_open))
    for row in connection.execute(_messages(of_these & (tables.messages.c.channel != FYI))):
        message = _read(Told, row, made=())
        # The last one to a phone tells how it stands; where it was first told, it stays in the list.
        told.setdefault(row.incident_id, {})[message.phone] = message
    cards = [Card(incident=incident, told=tuple(told.get(incident.id, {}).values())) for incident in found]
    return sorted(cards, key=lambda card: urgency(card.incident))


def urgency(incident: Incident) -> tuple[bool, int, dt.datetime, int]:
    """Return what incidents are sorted by: alerting before taken, then severity, then how long it has waited.

    It is the centre's own time that counts here: a device's clock may show 1970.
    """
    return not incident.alerting, -incident.severity, incident.opened_at, incident.id


def open_about(connection: sa.Connection, **columns: str) -> list[Incident]:
    """Return the open incidents about a resident, a hub or a device (``resident_id="r-0017"``)."""
    query = sa.select(tables.incidents).where(tables.incidents.c.state != State.CLOSED)
    for name, value in columns.items():
        query = query.where(tables.incidents.c[name] == value)
    return sorted((_read(Incident, row) for row in connection.execute(query)), key=urgency)


def story(connection: sa.Connection, number: int) -> Story | None:
    """Return one incident with all that belongs to it, ``None`` when there is none of this number."""
    row = connection.execute(sa.select(tables.incidents).where(tables.incidents.c.id == number)).one_or_none()
    if row is None:
        return None
    events, links, observations = tables.incident_events, tables.incident_observations, tables.observations
    lines = sa.select(events).where(events.c.incident_id == number).order_by(events.c.id)
    seen = (
        sa.select(observations)
        .join(links, links.c.observation_id == observations.c.id)
        .where(links.c.incident_id == number)
        .order_by(observations.c.received_at, observations.c.id)
    )
    of_these = tables.messages.c.incident_id == number
    messages = _messages(of_these)
    made: dict[int, list[Attempt]] = {}
    tried = sa.select(tables.attempts).join(tables.messages).where(of_these).order_by(tables.attempts.c.id)
    for attempt in connection.execute(tried):
        made.setdefault(attempt.message_id, []).append(_read(Attempt, attempt))
    return Story(
        incident=_read(Incident, row),
        lines=tuple(_read(Line, row) for row in connection.execute(lines)),
        messages=tuple(_read(Told, row, made=tuple(made.get(row.id, ()))) for row in connection.execute(messages)),
        observations=tuple(_read(Seen, row) for row in connection.execute(seen)),
    )


def _messages(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(tables.messages).where(condition).order_by(tables.messages.c.id)


def _read(kind: type[T], row: sa.Row[Any], **more: object) -> T:
    """Make a struct of the columns of the same names and ``more``; words with a blank between become a tuple."""
    columns = (field for field in kind.__struct_fields__ if field not in more)
    values: dict[str, Any] = more | {field: row._mapping[field] for field in columns}  # noqa: SLF001 - SQLAlchemy's own public name
    for field in ("also", "flags", "unprotected"):
        if field in values:
            values[field] = tuple((values[field] or _NOBODY).split())
    return kind(**values)
