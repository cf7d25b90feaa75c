"""The layers of a rota: weekly rules, days off, temporary schedules, overrides; each read from the site's rows.

A shift belongs to the local date on which it starts, and so does the layer that it comes from: the last night of a
schedule lasts into the morning after.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from hub.central.escalation.calendar import DayOff
from hub.central.escalation.days import (
    MINUTES,
    Days,
    instant,
    local_instant,
    parse_date,
    parse_days,
    parse_local,
    parse_time,
)
from hub.central.site.model import Override, Phone, Schedule, WeeklyRule
from hub.domain.errors import MalformedError


class OnCall(NamedTuple):
    """Which phone, and why; ``phone`` is ``None`` where the rota has nobody."""

    phone: Phone | None
    reason: str


class Span(NamedTuple):
    """From one instant up to, not including, another the same phones are on call, in this order."""

    start: dt.datetime
    end: dt.datetime
    order: tuple[OnCall, ...]

    @property
    def on_call(self) -> OnCall:
        """The first of them."""
        return self.order[0]


class Rule(NamedTuple):
    """A weekly rule, read: on which days, from and to which minute after the midnight before, and who."""

    days: Days
    start: int
    end: int
    order: tuple[OnCall, ...]


class Temporary(NamedTuple):
    """A schedule, read: the dates on which its rules hold instead of the weekly ones."""

    first: dt.date
    last: dt.date
    rules: tuple[Rule, ...]


class Ordered(Protocol):
    """A row of the site that names one phone or several."""

    @property
    def phone(self) -> str | None:
        """One phone."""

    @property
    def phones(self) -> tuple[str, ...]:
        """Several, in their order."""

    @property
    def order(self) -> tuple[str, ...]:
        """Whichever was written."""


def shifts_of(rule: Rule, date: dt.date, off: DayOff | None, zone: ZoneInfo) -> Iterator[Span]:
    """Yield the shift of a rule that starts on a local date, if one does.

    On half a day off a weekday's shift ends when the holiday begins, and a holiday's shift begins no earlier.
    """
    start, end, order = rule.start, rule.end, rule.order
    if not rule.days.daily:
        weekday, holiday = bool(rule.days.weekdays >> date.weekday() & 1), rule.days.holidays
        if off is None or (weekday and holiday):
            held = weekday
        elif holiday:
            held, start = True, max(start, off.start)
        else:
            held, end = weekday, min(end, off.start)
        if not held:
            return
        if holiday and off is not None:
            order = tuple(OnCall(one.phone, f"{one.reason} ({off.name})") for one in order)
    first, last = instant(date, start, zone), instant(date, end, zone)
    if first < last:  # else half a day off leaves nothing of it, or it lies in the hour that the clock skips
        yield Span(first, last, order)


def weekly_rule(row: WeeklyRule, phones: Mapping[str, Phone], whose: str) -> Rule:
    """Read a weekly rule; ``whose`` begins its reason.

    Raises:
        MalformedError: Its days, times or phones cannot be read.
    """
    start, end = shift_minutes(row)
    reason = f"{whose}{row.days} {row.start}-{row.end}"
    return Rule(parse_days(row.days), start, end, _order(row, phones, reason))


def temporary(row: Schedule, phones: Mapping[str, Phone]) -> Temporary:
    """Read a schedule.

    Raises:
        MalformedError: Its dates or a rule cannot be read.
    """
    first, last = schedule_dates(row)
    whose = f"{row.role} of {row.zone}: {row.name}, "
    return Temporary(first, last, tuple(weekly_rule(rule, phones, whose) for rule in row.rules))


def override_shift(row: Override, phones: Mapping[str, Phone], zone: ZoneInfo) -> Span:
    """Read an override.

    Raises:
        MalformedError: Its times or phones cannot be read.
    """
    start, end = override_span(row, zone)
    kind = "override" if row.kind == "other" else f"override ({row.kind})"
    return Span(start, end, _order(row, phones, f"{row.role} of {row.zone}: {kind}, {row.reason}"))


def named_phones(row: Ordered) -> tuple[str, ...]:
    """Return the phones that a row names, in their order.

    Raises:
        MalformedError: It names none, one twice, or both ``phone`` and ``phones``.
    """
    if row.phone is not None and row.phones:
        raise MalformedError("write phone, or phones for several in their order, not both")
    if not row.order:
        raise MalformedError('no phone is named; write phone = "...", or phones = ["...", "..."]')
    if len(set(row.order)) < len(row.order):
        raise MalformedError("one phone is named twice in phones; name it once, in its place")
    return row.order


def shift_minutes(row: WeeklyRule) -> tuple[int, int]:
    """Return start and end of a shift in minutes after the midnight before its day, 24 hours apart at most.

    Raises:
        MalformedError: A time cannot be read.
    """
    start, end = parse_time(row.start), parse_time(row.end, end=True)
    return start, end if end > start else end + MINUTES


def override_span(row: Override, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """Return the instants between which an override holds.

    Raises:
        MalformedError: A time cannot be read, or it ends before it starts.
    """
    start = local_instant(parse_local(row.start), zone)
    end = local_instant(parse_local(row.end), zone)
    if end <= start:
        raise MalformedError(f"override {row.start} to {row.end}: it ends before it starts")
    return start, end


def schedule_dates(row: Schedule) -> tuple[dt.date, dt.date]:
    """Return the first and the last date of a schedule.

    Raises:
        MalformedError: A date cannot be read, or it ends before it starts.
    """
    first, last = parse_date(row.start), parse_date(row.until)
    if last < first:
        raise MalformedError(f"schedule {row.start} to {row.until}: it ends before it starts")
    return first, last


def latest_first(spans: Sequence[Span]) -> list[Span]:
    """Return spans in the order in which they go before each other: the latest start first."""
    return sorted(spans, key=lambda span: span.start, reverse=True)


def _order(row: Ordered, phones: Mapping[str, Phone], reason: str) -> tuple[OnCall, ...]:
    names = named_phones(row)
    missing = next((name for name in names if name not in phones), None)
    if missing is not None:
        raise MalformedError(f"rota: phone {missing!r} is not in [[phones]]")
    return tuple(
        OnCall(phones[name], reason if number == 1 else f"{reason}, phone {number} of {len(names)}")
        for number, name in enumerate(names, start=1)
    )
