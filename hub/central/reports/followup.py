"""What became of one incident: pure, from its row, its history and its messages.

All times count from when the incident was raised, by the centre's own clock, as the site's limits do.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.domain.clock import UTC

EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
_US = 1_000_000

LIMITS = ("acknowledge", "arrive", "close")
# What whoever took it was to say next, when the time for that passed: breaches too, but none of the site's limits.
STEPS = ("on_the_way", "arrived", "closed")
BREACHES = (*LIMITS, *STEPS)
# Events of an incident's history that its follow-up is made of.
TAKES = frozenset({Event.ACKNOWLEDGE, Event.DEPART, Event.ARRIVE})
AGAIN = "alerts_again"
BREACH = "breach"
# After these nobody has it any more.
ENDS = (Event.EXPIRE, Event.PASS_ON, AGAIN)
TAKEN_OVER, CLOSED = "taken_over", "closed"
# The centre's clock had been ahead and was put right, as hub.central.setback notes it.
PUT_RIGHT = "brought_back"
EVENTS = (*sorted(TAKES), *ENDS, BREACH, CLOSED, PUT_RIGHT)
FALSE = frozenset({Cause.MISTAKE, Cause.FALSE_ALARM})

# As hub.central.escalation.limits notes it; how long the limit was stands in it, whatever the site says since.
_NOTED = re.compile(rf"({'|'.join(LIMITS)}): (\d+) s passed")
# As hub.central.escalation.engine notes it.
_EXPIRED = re.compile(rf"({'|'.join(STEPS)}): time passed")


class Row(NamedTuple):
    """An incident as the store keeps it; instants are microseconds since 1970."""

    id: int
    incident_class: str
    kind: str
    severity: int
    zone: str
    resident_id: str | None
    device_id: str | None
    opened_at: int
    presses: int
    closed_at: int | None
    closed_by: str | None
    outcome: str | None
    cause: str | None
    also: str = ""  # what else was reported, with blanks between


class Noted(NamedTuple):
    """A line of an incident's history; ``at`` is microseconds since 1970."""

    at: int
    event: str
    actor: str
    detail: str


class Told(NamedTuple):
    """When the first message of an incident was sent, and when the first was delivered, if any was."""

    sent_at: int | None = None
    delivered_at: int | None = None


class Breach(msgspec.Struct, frozen=True):
    """A limit that was passed, or the time of somebody who took it.

    Attributes:
        limit: One of :data:`LIMITS`; or what whoever took it did not say in time, one of :data:`STEPS`.
        limit_s: How long it was; ``None`` for a step.
        late_s: By how much it was passed; so far, when ``lasts``; ``None`` for a step: then it alerts again.
        lasts: What it is about has not happened yet.
    """

    limit: str
    limit_s: int | None
    late_s: float | None
    lasts: bool


class Taking(msgspec.Struct, frozen=True):
    """Somebody had an incident; seconds are from when it was raised.

    Attributes:
        by: Who.
        taken_s: From when on.
        until_s: Until when; ``None``: that one has it still.
        end: Why no longer: ``expire`` (time passed), ``pass_on`` (handed back), ``alerts_again`` (it was reported
            again, or forgotten), ``taken_over`` (somebody else went further with it) or ``closed``.
    """

    by: str
    taken_s: float
    until_s: float | None
    end: str | None


class FollowUp(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one incident; seconds are from when it was raised, ``None`` for what never happened.

    Attributes:
        also: Other kinds that were reported of it.
        sent_s: A provider had accepted the first message.
        delivered_s: A provider reported that the first message was delivered.
        acknowledged_s: Somebody took it, or closed it straight away.
        takings: Everybody who took it, in order.
        limits_s: The limits that held for it, in seconds; empty: the site had set none.
        breaches: Those that were passed, and the times of those who took it and went no further.
        repeats: How often its plan began anew: who took it went no further or passed it on, or it was
            reported again.
        shift: Whose shift it was, in the words of the rota; empty when nobody asked.
    """

    number: int
    incident_class: str
    kind: str
    severity: int
    zone: str
    resident: str | None
    device: str | None
    raised_at: dt.datetime
    sent_s: float | None
    delivered_s: float | None
    acknowledged_s: float | None
    on_the_way_s: float | None
    arrived_s: float | None
    closed_s: float | None
    takings: tuple[Taking, ...]
    closed_by: str | None
    outcome: str | None
    cause: str | None
    presses: int
    repeats: int
    limits_s: dict[str, int]
    breaches: tuple[Breach, ...]
    shift: str = ""
    also: tuple[str, ...] = ()

    @property
    def taken_by(self) -> str | None:
        """Who took it first, ``None``: nobody did."""
        return self.takings[0].by if self.takings else None

    @property
    def within(self) -> bool | None:
        """Whether it was followed up within its limits; ``None``: there were none to keep."""
        return all(breach.limit in STEPS for breach in self.breaches) if self.limits_s else None

    @property
    def led_nowhere(self) -> int:
        """How often somebody took it and let the time pass; with such a one *within* is not the whole story."""
        return sum(taking.end == Event.EXPIRE for taking in self.takings)

    @property
    def false_alarm(self) -> bool:
        """Whether it was closed as a mistake, or as a false alarm of the device."""
        return self.cause in FALSE

    @property
    def silent(self) -> bool:
        """Whether it was closed as a silent alarm: nobody answered, and nothing was found."""
        return self.cause == Cause.SILENT


def follow_up(
    row: Row, history: Iterable[Noted], told: Told, limits: Mapping[str, int], now: int, shift: str = ""
) -> FollowUp:
    """Return what became of an incident.

    Args:
        row: The incident.
        history: Its lines of :data:`EVENTS`, the oldest first; others are passed over.
        told: Its messages.
        limits: The limits of its plan, in seconds, by name; one that a breach was noted for is taken from there.
        now: This moment, in microseconds: how long a limit has been passed that is not reached yet.
        shift: Whose shift it was.
    """
    row, lines = _put_right(row, list(history))
    first, repeats, expired, noted = _read(lines)
    limits_s = {**limits, **noted}
    had = _had(row, lines)
    taken_at = had[0][0].at if had else None
    late = _breaches(row, limits_s, set(noted), taken_at, first.get(Event.ARRIVE), now)

    def since(at: int | None) -> float | None:
        return None if at is None else _since(row, at)

    return FollowUp(
        number=row.id,
        incident_class=row.incident_class,
        kind=row.kind,
        severity=row.severity,
        zone=row.zone,
        resident=row.resident_id,
        device=row.device_id,
        raised_at=EPOCH + dt.timedelta(microseconds=row.opened_at),
        sent_s=since(told.sent_at),
        delivered_s=since(told.delivered_at),
        acknowledged_s=since(taken_at),
        on_the_way_s=since(first.get(Event.DEPART)),
        arrived_s=since(first.get(Event.ARRIVE)),
        closed_s=since(row.closed_at),
        takings=tuple(
            Taking(took.actor, _since(row, took.at), since(end.at if end else None), end.event if end else None)
            for took, end in had
        ),
        closed_by=row.closed_by,
        outcome=row.outcome,
        cause=row.cause,
        presses=row.presses,
        repeats=repeats,
        limits_s=limits_s,
        breaches=(*late, *expired),
        shift=shift,
        also=tuple(row.also.split()),
    )


def _put_right(row: Row, lines: list[Noted]) -> tuple[Row, list[Noted]]:
    """Return what a clock noted that was ahead as of when it was put right: none of it came later."""
    if all(line.event != PUT_RIGHT for line in lines):
        return row, lines
    found: list[Noted] = []
    for line in reversed(lines):
        found.append(line._replace(at=min(line.at, found[-1].at if found else line.at)))
        if line.event == CLOSED:
            row = row._replace(closed_at=found[-1].at)
    return row, found[::-1]


class _Story(NamedTuple):
    """What a history says: when each act was done first, how often the plan began anew, and what passed."""

    first: dict[str, int]
    repeats: int
    expired: list[Breach]
    noted: dict[str, int]  # the limits that passed, in seconds


def _read(lines: Iterable[Noted]) -> _Story:
    first: dict[str, int] = {}
    repeats = 0
    expired: list[Breach] = []
    noted: dict[str, int] = {}
    for line in lines:
        if line.event in TAKES:
            first.setdefault(line.event, line.at)
        elif line.event == AGAIN:
            repeats += 1
        elif line.event == BREACH and (found := _NOTED.match(line.detail)):
            noted[found[1]] = int(found[2])
        elif line.event == BREACH and (found := _EXPIRED.match(line.detail)):
            expired.append(Breach(found[1], None, None, lasts=False))
    return _Story(first, repeats, expired, noted)


def _had(row: Row, lines: Iterable[Noted]) -> list[tuple[Noted, Noted | None]]:
    """Return who had it in turn: the line with which each took it, and the one with which that ended."""
    found: list[tuple[Noted, Noted | None]] = []
    holder: Noted | None = None
    for line in lines:
        if line.event in TAKES and holder is None:
            holder = line
        elif line.event in TAKES and holder is not None and holder.actor != line.actor:
            found.append((holder, line._replace(event=TAKEN_OVER)))
            holder = line
        elif line.event in ENDS and holder is not None:
            found.append((holder, line))
            holder = None
    closed = None if row.closed_at is None else Noted(row.closed_at, CLOSED, row.closed_by or "", "")
    if holder is None and row.outcome != Outcome.CLEARED:
        holder = closed
    if holder is not None:
        found.append((holder, closed))
    return found


def _since(row: Row, at: int) -> float:
    # A centre whose clock was behind must not make a follow-up that came before its alarm.
    return max(0, at - row.opened_at) / _US


def _breaches(
    row: Row, limits_s: Mapping[str, int], noted: set[str], taken_at: int | None, arrived_at: int | None, now: int
) -> list[Breach]:
    reached = {
        "acknowledge": _earlier(taken_at, row.closed_at),
        "arrive": _earlier(arrived_at, row.closed_at),
        "close": row.closed_at,
    }
    found: list[Breach] = []
    for name, at in reached.items():
        if name in limits_s:
            late = (now if at is None else at) - row.opened_at - limits_s[name] * _US
            if late > 0 or name in noted:
                found.append(Breach(name, limits_s[name], max(0, late) / _US, at is None))
    return found


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((at for at in (one, other) if at is not None), default=None)
