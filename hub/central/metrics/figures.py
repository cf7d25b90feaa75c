"""What the store shows of the chain, in a few bounded queries."""

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa

from hub.central.escalation import engine
from hub.central.incidents.lifecycle import OPEN, State
from hub.central.store.tables import attempts, due, hubs, incidents, rounds
from hub.central.synthetic.rounds import COMPLETE, LEGS

# Attempts of the last hour, and of those the newest only: a scrape stays cheap in a storm.
RECENT = dt.timedelta(hours=1)
RECENT_MOST = 2000


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the store.

    Attributes:
        incidents: How many are open, by state, class, zone and whether they are tests.
        closed: How many were closed since the store was made.
        unattended: Open incidents without a next action.
        due_lag_s: For how many seconds the oldest row of each kind has been due.
        due_waiting: Rows that are due at some time.
        attempts: Attempts of the last hour, by provider and state.
        hubs: How many the broker has, by ``online``.
        round_at: When the last complete round began, or ``None``.
        round_legs: Seconds from its begin to each of its legs.
    """

    incidents: dict[tuple[str, str, str, str], int]
    closed: int
    unattended: int
    due_lag_s: dict[str, float]
    due_waiting: int
    attempts: dict[tuple[str, str], int]
    hubs: dict[str, int]
    round_at: dt.datetime | None
    round_legs: dict[str, float]


def take(connection: sa.Connection, now: dt.datetime, owner: str) -> Figures:
    """Look at the store.

    Args:
        connection: A reader's.
        now: This moment.
        owner: The centre whose rounds are looked at.
    """
    round_at, legs = _round(connection, owner)
    columns = (incidents.c.state, incidents.c.incident_class, incidents.c.zone, incidents.c.test)
    grouped = sa.select(*columns, sa.func.count()).where(incidents.c.state.in_(OPEN)).group_by(*columns)
    closed = sa.select(sa.func.count()).where(incidents.c.state == State.CLOSED)
    lags = sa.select(due.c.kind, sa.func.min(due.c.at, type_=due.c.at.type)).where(due.c.at <= now)
    return Figures(
        incidents={
            (state, cls, zone, str(bool(test)).lower()): count
            for state, cls, zone, test, count in connection.execute(grouped)
        },
        closed=connection.scalar(closed) or 0,
        unattended=len(engine.unattended(connection)),
        due_lag_s={kind: (now - at).total_seconds() for kind, at in connection.execute(lags.group_by(due.c.kind))},
        due_waiting=connection.scalar(sa.select(sa.func.count()).select_from(due)) or 0,
        attempts=_attempts(connection, now),
        hubs={
            "true" if online else "false": count
            for online, count in connection.execute(
                sa.select(hubs.c.online, sa.func.count()).group_by(hubs.c.online)
            )
        },
        round_at=round_at,
        round_legs=legs,
    )


def _attempts(connection: sa.Connection, now: dt.datetime) -> dict[tuple[str, str], int]:
    newest = (
        sa.select(attempts.c.provider, attempts.c.state, attempts.c.created_at)
        .order_by(attempts.c.id.desc())
        .limit(RECENT_MOST)
        .subquery()
    )
    columns = (newest.c.provider, newest.c.state)
    grouped = sa.select(*columns, sa.func.count()).where(newest.c.created_at > now - RECENT).group_by(*columns)
    return {(provider or "none", state): count for provider, state, count in connection.execute(grouped)}


def _round(connection: sa.Connection, owner: str) -> tuple[dt.datetime | None, dict[str, float]]:
    query = sa.select(rounds).where(rounds.c.owner == owner, rounds.c.outcome == COMPLETE)
    row: Any = connection.execute(query.order_by(rounds.c.started_at.desc()).limit(1)).one_or_none()
    if row is None:
        return None, {}
    legs = {leg.removesuffix("_at"): getattr(row, leg) for leg in LEGS}
    return row.started_at, {leg: (at - row.started_at).total_seconds() for leg, at in legs.items()}
