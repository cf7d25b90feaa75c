"""The rota: which phone fills a role of a zone at an instant.

Small calculators laid on each other: weekly rules in local time, the public holidays, overrides. A shift
belongs to the day on which it starts; on a public holiday only rules with ``holiday`` (or ``daily``) start.
"""

import datetime as dt
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.central.escalation.calendar import calendar
from hub.central.escalation.days import Days, instant, local_instant, parse_days, parse_local, parse_time
from hub.central.site.model import Override, Phone, Shift, Site
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError

_DAY = dt.timedelta(days=1)
# Days that are kept laid out: a year of twenty zones and roles fits.
_KEPT_DAYS = 8000

Place = tuple[str, str]  # zone and role


class OnCall(NamedTuple):
    """Which phone, and why; ``phone`` is ``None`` where the rota has nobody."""

    phone: Phone | None
    reason: str


class Span(NamedTuple):
    """From one instant up to, not including, another the same phone is on call."""

    start: dt.datetime
    end: dt.datetime
    on_call: OnCall


class _Rule(NamedTuple):
    """A shift, read."""

    days: Days
    start: int
    end: int
    on_call: OnCall


class Rota:
    """The rota of a site.

    Args:
        site: Whose shifts and overrides are laid out.

    Raises:
        MalformedError: A shift or an override cannot be read; ``hub check`` finds every one of them.
    """

    def __init__(self, site: Site) -> None:
        self.zone = time_zone(site.site.timezone)
        self._calendar = calendar(site.site.country)
        self._phones = {phone.id: phone for phone in site.phones}
        self._rules: dict[Place, list[_Rule]] = {}
        self._overrides: dict[Place, list[Span]] = {}
        self._days: dict[tuple[str, str, dt.date], list[Span]] = {}
        for shift in site.rota:
            self._rules.setdefault((shift.zone, shift.role), []).append(self._rule(shift))
        for override in site.overrides:
            self._overrides.setdefault((override.zone, override.role), []).append(self._override(override))

    @property
    def places(self) -> list[Place]:
        """Every zone and role that the rota knows, in the file's order."""
        return list(dict.fromkeys([*self._rules, *self._overrides]))

    def who(self, zone: str, role: str, at: dt.datetime) -> OnCall:
        """Return who fills a role of a zone at an instant.

        Where overrides or shifts overlap, the one that started last holds; ``hub check`` refuses shifts that
        contradict each other.
        """
        held = self.overrides(zone, role, at) or self.shifts(zone, role, at)
        if held:
            return held[0].on_call
        local = at.astimezone(self.zone)
        return OnCall(None, f"nobody is {role} of {zone} on {local:%a %Y-%m-%d} at {local:%H:%M}")

    def overrides(self, zone: str, role: str, at: dt.datetime) -> list[Span]:
        """Return the overrides that hold at an instant, the latest start first."""
        held = [span for span in self._overrides.get((zone, role), ()) if span.start <= at < span.end]
        return sorted(held, key=lambda span: span.start, reverse=True)

    def shifts(self, zone: str, role: str, at: dt.datetime) -> list[Span]:
        """Return the shifts that hold at an instant, the latest start first."""
        date = at.astimezone(self.zone).date()
        # A shift lasts 24 hours at most, so only those of this day and the one before can reach here.
        near = (*self._laid(zone, role, date), *self._laid(zone, role, date - _DAY))
        return [span for span in near if span.start <= at < span.end]

    def is_holiday(self, date: dt.date) -> bool:
        """Tell whether a local date is a public holiday of the site's country."""
        return self._calendar.is_holiday(date)

    def edges(self, zone: str, role: str, since: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
        """Return ``since``, ``until`` and every instant between at which a shift or override starts or ends."""
        bounds = {since, until}
        first, last = since.astimezone(self.zone).date(), until.astimezone(self.zone).date()
        for number in range(-1, (last - first).days + 1):
            for span in self._laid(zone, role, first + number * _DAY):
                bounds.update((span.start, span.end))
        for span in self._overrides.get((zone, role), ()):
            bounds.update((span.start, span.end))
        return sorted(bound for bound in bounds if since <= bound <= until)

    def spans(self, zone: str, role: str, since: dt.datetime, until: dt.datetime) -> Iterator[Span]:
        """Yield who is on call from ``since`` to ``until``, without break; neighbours differ."""
        start = since
        for here, after in pairwise(self.edges(zone, role, since, until)):
            on_call = self.who(zone, role, here)
            if after == until or self.who(zone, role, after) != on_call:
                yield Span(start, after, on_call)
                start = after

    def gaps(self, zone: str, role: str, since: dt.datetime, until: dt.datetime) -> list[Span]:
        """Return when nobody fills a role, from ``since`` to ``until``."""
        return [span for span in self.spans(zone, role, since, until) if span.on_call.phone is None]

    def _laid(self, zone: str, role: str, date: dt.date) -> list[Span]:
        """Return the shifts that start on a local date, the latest first."""
        key = (zone, role, date)
        laid = self._days.get(key)
        if laid is None:
            rules = self._rules.get((zone, role), ())
            laid = [span for rule in rules for span in self._shift(rule, date)]
            laid.sort(key=lambda span: span.start, reverse=True)
            if len(self._days) >= _KEPT_DAYS:
                self._days.clear()
            self._days[key] = laid
        return laid

    def _shift(self, rule: _Rule, date: dt.date) -> Iterator[Span]:
        if rule.days.hold(date, holiday=self._calendar.is_holiday(date)):
            start, end = instant(date, rule.start, self.zone), instant(date, rule.end, self.zone)
            if start < end:  # a shift within the hour that the clock skips does not take place
                yield Span(start, end, rule.on_call)

    def _rule(self, shift: Shift) -> _Rule:
        start, end = shift_minutes(shift)
        reason = f"{shift.role} of {shift.zone}: {shift.days} {shift.start}-{shift.end}"
        return _Rule(parse_days(shift.days), start, end, OnCall(self._phone(shift.phone), reason))

    def _override(self, override: Override) -> Span:
        start, end = override_span(override, self.zone)
        reason = f"{override.role} of {override.zone}: override, {override.reason}"
        return Span(start, end, OnCall(self._phone(override.phone), reason))

    def _phone(self, name: str) -> Phone:
        if name not in self._phones:
            raise MalformedError(f"rota: phone {name!r} is not in [[phones]]")
        return self._phones[name]


def time_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone.

    Raises:
        MalformedError: There is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MalformedError(f"timezone {name!r}: write an IANA name such as Europe/Oslo") from error


def shift_minutes(shift: Shift) -> tuple[int, int]:
    """Return start and end of a shift in minutes after the midnight before its day, 24 hours apart at most.

    Raises:
        MalformedError: A time cannot be read.
    """
    start, end = parse_time(shift.start), parse_time(shift.end, end=True)
    return start, end if end > start else end + 24 * 60


def override_span(override: Override, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    """Return the instants between which an override holds.

    Raises:
        MalformedError: A time cannot be read, or it ends before it starts.
    """
    start = local_instant(parse_local(override.start), zone)
    end = local_instant(parse_local(override.end), zone)
    if end <= start:
        raise MalformedError(f"override {override.start} to {override.end}: it ends before it starts")
    return start.astimezone(UTC), end.astimezone(UTC)
