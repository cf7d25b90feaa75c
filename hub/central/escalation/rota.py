"""The rota: which phones fill a role of a zone at an instant, in which order, and why.

Small calculators laid on each other: weekly rules in local time, days off, temporary schedules, overrides. What
lies higher goes before what lies lower; within a layer, what started last.
"""

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.central.escalation.calendar import DayOff, DaysOff
from hub.central.escalation.rota_layers import (
    OnCall,
    Rule,
    Span,
    Temporary,
    latest_first,
    override_shift,
    override_span,
    shift_minutes,
    shifts_of,
    temporary,
    weekly_rule,
)
from hub.central.site.model import Site
from hub.domain.errors import MalformedError

__all__ = ["OnCall", "Place", "Rota", "Span", "override_span", "shift_minutes", "time_zone"]

_DAY = dt.timedelta(days=1)
# Days that are kept laid out: a year of twenty zones with three roles each fits.
_KEPT_DAYS = 24_000

Place = tuple[str, str]  # zone and role


class _Day(NamedTuple):
    """The shifts that start on a local date, the latest first, and whether a schedule laid them."""

    temporary: bool
    spans: list[Span]


class Rota:
    """The rota of a site.

    Args:
        site: Whose rules, days off, schedules and overrides are laid out.

    Raises:
        MalformedError: A row cannot be read; ``hub check`` finds every one of them.
    """

    def __init__(self, site: Site) -> None:
        self.zone = time_zone(site.site.timezone)
        self._days_off = DaysOff(site.site.country, site.holidays)
        self._rules: dict[Place, list[Rule]] = {}
        self._schedules: dict[Place, list[Temporary]] = {}
        self._overrides: dict[Place, list[Span]] = {}
        self._days: dict[tuple[str, str, dt.date], _Day] = {}
        phones = {phone.id: phone for phone in site.phones}
        for shift in site.rota:
            rule = weekly_rule(shift, phones, f"{shift.role} of {shift.zone}: ")
            self._rules.setdefault((shift.zone, shift.role), []).append(rule)
        for schedule in site.schedules:
            self._schedules.setdefault((schedule.zone, schedule.role), []).append(temporary(schedule, phones))
        for override in site.overrides:
            span = override_shift(override, phones, self.zone)
            self._overrides.setdefault((override.zone, override.role), []).append(span)

    @property
    def places(self) -> list[Place]:
        """Every zone and role that the rota knows, in the file's order."""
        return list(dict.fromkeys([*self._rules, *self._schedules, *self._overrides]))

    def who(self, zone: str, role: str, at: dt.datetime) -> OnCall:
        """Return who is told first for a role of a zone at an instant; see :meth:`who_all`."""
        return self.who_all(zone, role, at)[0]

    def who_all(self, zone: str, role: str, at: dt.datetime) -> tuple[OnCall, ...]:
        """Return who fills a role of a zone at an instant: the first to be told first, each with its reason.

        The answer is never empty: where nobody is on call it is one ``OnCall`` without a phone, whose reason
        says so. An override goes before a temporary schedule, and that before the weekly rules; of several in
        one layer the one that started last holds, and ``hub check`` refuses those that contradict each other.
        """
        held = self.overrides(zone, role, at) or self.shifts(zone, role, at)
        if held:
            return held[0].order
        local = at.astimezone(self.zone)
        return (OnCall(None, f"nobody is {role} of {zone} on {local:%a %Y-%m-%d} at {local:%H:%M}"),)

    def overrides(self, zone: str, role: str, at: dt.datetime) -> list[Span]:
        """Return the overrides that hold at an instant, the latest start first."""
        spans = self._overrides.get((zone, role))
        return latest_first([span for span in spans if span.start <= at < span.end]) if spans else []

    def shifts(self, zone: str, role: str, at: dt.datetime) -> list[Span]:
        """Return the shifts that hold at an instant, the latest start first: a schedule's, else weekly ones."""
        date = at.astimezone(self.zone).date()
        # A shift lasts 24 hours at most, so only those of this day and the one before can reach here.
        near = (self._laid(zone, role, date), self._laid(zone, role, date - _DAY))
        for layer in (True, False):
            days = [day for day in near if day.temporary is layer]
            held = [span for day in days for span in day.spans if span.start <= at < span.end]
            if held:
                return held
        return []

    def schedules(self, zone: str, role: str, date: dt.date) -> list[Temporary]:
        """Return the schedules that hold on a local date; the first lays its shifts."""
        rows = self._schedules.get((zone, role))
        held = [row for row in rows if row.first <= date <= row.last] if rows else []
        return sorted(held, key=lambda row: row.first, reverse=True)

    def day_off(self, date: dt.date) -> DayOff | None:
        """Return from when on a local date is a holiday, and its name, or ``None``."""
        return self._days_off.on(date)

    def is_holiday(self, date: dt.date) -> bool:
        """Tell whether a whole local date is a holiday."""
        off = self.day_off(date)
        return off is not None and off.start == 0

    def edges(self, zone: str, role: str, since: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
        """Return ``since``, ``until`` and every instant between at which a shift or override starts or ends."""
        bounds = {since, until}
        first, last = since.astimezone(self.zone).date(), until.astimezone(self.zone).date()
        for number in range(-1, (last - first).days + 1):
            for span in self._laid(zone, role, first + number * _DAY).spans:
                bounds.update((span.start, span.end))
        for span in self._overrides.get((zone, role), ()):
            bounds.update((span.start, span.end))
        return sorted(bound for bound in bounds if since <= bound <= until)

    def spans(self, zone: str, role: str, since: dt.datetime, until: dt.datetime) -> Iterator[Span]:
        """Yield who is on call from ``since`` to ``until``, without break; neighbours differ."""
        start, order = since, self.who_all(zone, role, since)
        for edge in self.edges(zone, role, since, until)[1:]:
            after = self.who_all(zone, role, edge)
            if edge == until or not _same(order, after):
                yield Span(start, edge, order)
                start, order = edge, after

    def gaps(self, zone: str, role: str, since: dt.datetime, until: dt.datetime) -> list[Span]:
        """Return when nobody fills a role, from ``since`` to ``until``."""
        return [span for span in self.spans(zone, role, since, until) if span.on_call.phone is None]

    def _laid(self, zone: str, role: str, date: dt.date) -> _Day:
        """Return the shifts that start on a local date."""
        key = (zone, role, date)
        laid = self._days.get(key)
        if laid is None:
            if len(self._days) >= _KEPT_DAYS:
                self._days.clear()
            schedules = self.schedules(zone, role, date)
            rules = schedules[0].rules if schedules else self._rules.get((zone, role), ())
            off = self.day_off(date)
            spans = [span for rule in rules for span in shifts_of(rule, date, off, self.zone)]
            laid = self._days[key] = _Day(bool(schedules), latest_first(spans))
        return laid


def time_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone.

    Raises:
        MalformedError: There is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MalformedError(f"timezone {name!r}: write an IANA name such as Europe/Oslo") from error


def _same(one: tuple[OnCall, ...], other: tuple[OnCall, ...]) -> bool:
    # Why nobody is on call names the minute, which makes it no other gap.
    return one == other or (one[0].phone is None and other[0].phone is None)
