"""What an auditor looks for, and what it calls trouble. Reads the store; changes nothing."""

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from hub.central.escalation import engine
from hub.central.store.tables import due
from hub.central.watch import unsent
from hub.domain.clock import Now

QUEUE_S = 30.0
OVERDUE_S = 60.0
# Its waits grow to a minute: after so many failures in a row a handler has failed for two minutes.
FAILURES = 6

# The queues that the process keeps in its memory.
LOOP, ALARM, READING, WRITER, HISTORY = "loop", "alarm", "reading", "writer", "history"
FYI = "fyi"
BROKER = "broker"
# No resident is the worse for these: they wake nobody.
_CAN_WAIT = frozenset({HISTORY, FYI})


class Row(NamedTuple):
    """The worst row of the list of what is due."""

    kind: str
    subject: str
    at: dt.datetime
    attempts: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the store shows in one moment.

    Attributes:
        unattended: Open incidents without a next action.
        oldest: The row that has been due the longest, whoever has leased it, or ``None``.
        free_since: Since when the oldest row is due that nobody has leased, or ``None``.
        failing: The row that has failed most often, or ``None``.
        unsent_since: Since when the oldest text waits that no provider has, or ``None``.
        untold_since: Since when somebody who wants to know is told nothing, or ``None``.
    """

    unattended: list[int]
    oldest: Row | None
    free_since: dt.datetime | None
    failing: Row | None
    unsent_since: dt.datetime | None
    untold_since: dt.datetime | None


class Trouble(NamedTuple):
    """Something that must not be: its name, one word, and the sentence that says it."""

    name: str
    reason: str

    @property
    def can_wait(self) -> bool:
        """Whether it harms no resident."""
        return self.name in _CAN_WAIT


_SAID = {
    LOOP: "The centre's own loop has stopped.",
    ALARM: "Alarms that came in are not taken up.",
    READING: "Readings that came in are not taken up.",
    WRITER: "What is to be kept waits for the store.",
    HISTORY: "The server of the long history takes nothing.",
    BROKER: "The connection to the broker breaks again and again: a hub that falls silent is not missed.",
    FYI: "Whoever else wants to know is told nothing.",
    "due": "What is due is not taken up.",
    "message": "A text has found no provider.",
    "overdue": "What was due has not been done.",
    "failing": "What was due has failed again and again.",
}


def see(connection: sa.Connection, now: dt.datetime) -> Seen:
    """Look at the store as it is at this moment."""
    row = sa.select(due.c.kind, due.c.subject, due.c.at, due.c.attempts)
    free = sa.or_(due.c.leased_until.is_(None), due.c.leased_until <= now)
    oldest = connection.execute(row.where(due.c.at <= now).order_by(due.c.at).limit(1)).one_or_none()
    failing = connection.execute(
        row.where(due.c.attempts >= FAILURES).order_by(due.c.attempts.desc()).limit(1)
    ).one_or_none()
    return Seen(
        unattended=engine.unattended(connection),
        oldest=oldest and Row(*oldest),
        free_since=connection.scalar(sa.select(due.c.at).where(due.c.at <= now, free).order_by(due.c.at).limit(1)),
        failing=failing and Row(*failing),
        unsent_since=unsent.text_since(connection),
        untold_since=unsent.fyi_since(connection, now),
    )


def queued(ages: Mapping[str, float | None], now: Now, awake: Now) -> list[Trouble]:
    """Judge the queues in memory.

    Args:
        ages: Since when the oldest of each has waited, in monotonic seconds, or ``None``.
        now: This moment.
        awake: Since when the auditor has looked without a break. A machine that slept has not waited.
    """
    waits = {name: now.mono - max(since, awake.mono) for name, since in ages.items() if since is not None}
    return [_waited(name, wait) for name, wait in waits.items() if wait > QUEUE_S]


def breaking(lasts_s: float | None) -> list[Trouble]:
    """Judge the connection to the broker, by how long it has broken again and again, or ``None``."""
    if lasts_s is None:
        return []
    reason = f"{_SAID[BROKER]} So it has for {lasts_s:.0f} s. Perhaps two centres have one name there."
    return [Trouble(BROKER, reason)]


def stored(seen: Seen, now: Now, awake: Now) -> list[Trouble]:
    """Judge what the store shows; the arguments are those of :func:`queued`."""

    def wait_s(since: dt.datetime | None) -> float:
        return 0.0 if since is None else (now.utc - max(since, awake.utc)).total_seconds()

    queues = {"due": seen.free_since, "message": seen.unsent_since, FYI: seen.untold_since}
    found = [_waited(name, wait_s(since)) for name, since in queues.items() if wait_s(since) > QUEUE_S]
    if seen.oldest is not None and wait_s(seen.oldest.at) > OVERDUE_S:
        found.append(_row("overdue", seen.oldest))
    if seen.failing is not None:
        found.append(_row("failing", seen.failing))
    return found


def _waited(name: str, wait_s: float) -> Trouble:
    return Trouble(name, " ".join((_SAID[name], f"The oldest has waited {wait_s:.0f} s.")))


def _row(name: str, row: Row) -> Trouble:
    return Trouble(name, " ".join((_SAID[name], f"It is {row.kind} of {row.subject}.")))
