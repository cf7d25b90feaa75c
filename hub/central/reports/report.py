"""A report over a period: the incidents stream out of the store, page by page, into their figures."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from hub.central.escalation.days import instant
from hub.central.notify.message import FYI
from hub.central.reports.figures import By, Figures, Sums
from hub.central.reports.followup import EVENTS, FollowUp, Noted, Row, Told, follow_up
from hub.central.reports.then import Then
from hub.central.store.tables import incident_events, incidents, messages, microseconds
from hub.domain.errors import RefusedError

# Incidents that are read at once: their numbers fit into one statement of either database.
_PAGE = 500


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked.

    Attributes:
        since: First local date on which the incidents were raised.
        until: Local date before which they were.
        kind: Only those of which this kind was reported, whatever they are called now; ``None`` for all.
        zone: Only of this zone; ``None`` for all.
        by: What they are grouped by.
    """

    since: dt.date
    until: dt.date
    kind: str | None = None
    zone: str | None = None
    by: By = "zone"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        question: What was asked.
        tests: Test alarms of the period; they are in no figure.
        total: The figures of all.
        groups: The figures of each group, by its name.
        incidents: Each incident, when they were asked for.
        more: How many of them were left out of ``incidents``.
    """

    question: Question
    tests: int
    total: Figures
    groups: dict[str, Figures]
    incidents: tuple[FollowUp, ...]
    more: int


def make(
    connection: sa.Connection, question: Question, zone: ZoneInfo, now: dt.datetime, *, listed: int | None = 0
) -> Report:
    """Answer a question.

    Args:
        connection: To the store.
        question: What is asked.
        zone: The site's time zone.
        now: This moment, for limits that are still being passed.
        listed: How many incidents the answer lists at most; ``None`` for all.

    Raises:
        RefusedError: The period ends before it begins.
    """
    if question.until <= question.since:
        raise RefusedError(f"the period ends on {question.until}, not after it begins on {question.since}")
    wanted = _wanted(question, zone)
    sums = Sums(question.by)
    found: list[FollowUp] = []
    more = 0
    for one in _stream(connection, wanted, microseconds(now), with_shift=question.by == "shift"):
        sums.add(one)
        if listed is None or len(found) < listed:
            found.append(one)
        else:
            more += 1
    tests = connection.scalar(sa.select(sa.func.count()).where(wanted, incidents.c.test)) or 0
    return Report(
        question=question,
        tests=tests,
        total=sums.total(),
        groups=sums.groups(),
        incidents=tuple(found),
        more=more if listed else 0,
    )


def _wanted(question: Question, zone: ZoneInfo) -> sa.ColumnElement[bool]:
    wanted = [
        incidents.c.opened_at >= instant(question.since, 0, zone),
        incidents.c.opened_at < instant(question.until, 0, zone),
    ]
    if question.kind is not None:
        also = (sa.literal(" ") + incidents.c.also + " ").contains(f" {question.kind} ", autoescape=True)
        wanted.append(sa.or_(incidents.c.kind == question.kind, also))
    if question.zone is not None:
        wanted.append(incidents.c.zone == question.zone)
    return sa.and_(*wanted)


def _stream(
    connection: sa.Connection, wanted: sa.ColumnElement[bool], now: int, *, with_shift: bool
) -> Iterator[FollowUp]:
    then = Then(connection)
    for page in _pages(connection, wanted):
        numbers = [row.id for row in page]
        history, told = _history(connection, numbers), _told(connection, numbers)
        for row in page:
            place = (row.opened_at, row.zone, row.incident_class, row.severity)
            shift = then.shift(*place) if with_shift else ""
            yield follow_up(
                row, history.get(row.id, ()), told.get(row.id, Told()), then.limits(*place), now, shift
            )


def _pages(connection: sa.Connection, wanted: sa.ColumnElement[bool]) -> Iterator[list[Row]]:
    columns = [_plain(incidents.c[name]) for name in Row._fields]
    order = (incidents.c.opened_at, incidents.c.id)
    query = sa.select(*columns).where(wanted, sa.not_(incidents.c.test)).order_by(*order).limit(_PAGE)
    after: sa.ColumnElement[bool] = sa.true()
    while True:
        page = [Row(*row) for row in connection.execute(query.where(after))]
        if page:
            yield page
        if len(page) < _PAGE:
            return
        at, number = page[-1].opened_at, page[-1].id
        opened = _plain(incidents.c.opened_at)
        after = sa.or_(opened > at, sa.and_(opened == at, incidents.c.id > number)) & (opened >= at)


def _history(connection: sa.Connection, numbers: list[int]) -> dict[int, list[Noted]]:
    events = incident_events.c
    query = (
        sa.select(events.incident_id, _plain(events.at), events.event, events.actor, events.detail)
        .where(events.incident_id.in_(numbers), events.event.in_(EVENTS))
        .order_by(events.incident_id, events.id)
    )
    found: dict[int, list[Noted]] = {}
    for number, *line in connection.execute(query):
        found.setdefault(number, []).append(Noted(*line))
    return found


def _told(connection: sa.Connection, numbers: list[int]) -> dict[int, Told]:
    first = [sa.func.min(_plain(messages.c[name])) for name in ("sent_at", "delivered_at")]
    query = (
        sa.select(messages.c.incident_id, *first)
        .where(messages.c.incident_id.in_(numbers), messages.c.channel != FYI)
        .group_by(messages.c.incident_id)
    )
    return {number: Told(*told) for number, *told in connection.execute(query)}


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return instants as the integers they are kept as: a datetime for each would take most of the time."""
    return sa.type_coerce(column, sa.BigInteger) if column.name in _INSTANTS else column


_INSTANTS = frozenset({"at", "opened_at", "closed_at", "sent_at", "delivered_at"})
