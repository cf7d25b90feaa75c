"""Says in a few sentences when nobody is on call, however many times a year that is."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

from hub.central.escalation.days import MINUTES, WEEKDAYS
from hub.central.escalation.rota import Span

_NAMED_DATES = 3
_HOLIDAYS = "public holidays"

Hours = tuple[int, int]  # minutes after local midnight


def sentences(
    gaps: Iterable[Span], zone: ZoneInfo, dates: Sequence[dt.date], is_holiday: Callable[[dt.date], bool]
) -> list[str]:
    """Return one sentence for each part of the day that has gaps, the most frequent first.

    Args:
        gaps: When nobody is on call.
        zone: The site's time zone.
        dates: The local dates that were looked at.
        is_holiday: Tells whether one is a public holiday.
    """
    by_date: dict[dt.date, list[Hours]] = {}
    for gap in gaps:
        for date, hours in _by_day(gap, zone):
            by_date.setdefault(date, []).append(hours)
    kinds: dict[str, set[dt.date]] = {}
    for date in dates:
        kinds.setdefault(_HOLIDAYS if is_holiday(date) else WEEKDAYS[date.weekday()], set()).add(date)
    found = sorted(_by_hours(by_date), key=lambda entry: (-len(entry[1]), entry[0]))
    return [
        f"nobody {_clock(hours[0])}-{_clock(hours[1])} on {_days(bare, kinds)}, first on "
        f"{min(bare):%a %Y-%m-%d}; write a [[rota]] shift for these hours, or lengthen one"
        for hours, bare in found
    ]


def _by_day(gap: Span, zone: ZoneInfo) -> Iterable[tuple[dt.date, Hours]]:
    start, end = gap.start.astimezone(zone), gap.end.astimezone(zone)
    date = start.date()
    while date <= end.date():
        first = _minute(start) if date == start.date() else 0
        last = _minute(end) if date == end.date() else MINUTES
        if date == start.date() == end.date() and last <= first:
            # Within the hour that the clock shows twice.
            last = min(MINUTES, first + int((gap.end - gap.start).total_seconds() // 60))
        if first < last:
            yield date, (first, last)
        date += dt.timedelta(days=1)


def _minute(local: dt.datetime) -> int:
    return local.hour * 60 + local.minute


def _by_hours(by_date: dict[dt.date, list[Hours]]) -> list[tuple[Hours, set[dt.date]]]:
    """Return the parts of the day with the dates on which they are bare; neighbours differ in their dates."""
    cuts = sorted({minute for hours in by_date.values() for pair in hours for minute in pair})
    parts: list[tuple[Hours, set[dt.date]]] = []
    for first, last in pairwise(cuts):
        bare = {date for date, hours in by_date.items() if any(a <= first < b for a, b in hours)}
        if parts and parts[-1][0][1] == first and parts[-1][1] == bare:
            parts[-1] = ((parts[-1][0][0], last), bare)
        elif bare:
            parts.append(((first, last), bare))
    return parts


def _days(bare: set[dt.date], kinds: dict[str, set[dt.date]]) -> str:
    whole = [kind for kind, dates in kinds.items() if dates <= bare]
    if len(whole) == len(kinds):
        return "any day"
    words = _ranges([day for day in WEEKDAYS if day in whole])
    if _HOLIDAYS in whole:
        words.append(_HOLIDAYS)
    rest = sorted(bare.difference(*(kinds[kind] for kind in whole)) if whole else bare)
    if rest:
        named = ", ".join(f"{date:%Y-%m-%d}" for date in rest[:_NAMED_DATES])
        more = len(rest) - _NAMED_DATES
        words.append(f"{named} and {more} more" if more > 0 else named)
    return ", ".join(words)


def _ranges(days: list[str]) -> list[str]:
    """Join neighbours: mon, tue, wed become mon-wed."""
    found: list[list[str]] = []
    for day in days:
        if found and WEEKDAYS.index(found[-1][-1]) + 1 == WEEKDAYS.index(day):
            found[-1].append(day)
        else:
            found.append([day])
    return [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(run) for run in found]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
