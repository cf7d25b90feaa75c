"""Hours of the day in local time, such as ``22:00-07:00``: whether they hold, and when they begin next."""

import datetime as dt
import math
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from hub.central.escalation.days import MINUTES, instant, parse_hours

_DAY = dt.timedelta(days=1)

Hours = tuple[dt.datetime, dt.datetime]


def until(hours: str, at: dt.datetime, zone: ZoneInfo) -> int:
    """Return the seconds until the hours begin, rounded up; 0: they hold at this instant.

    On the nights of summer time an hour begins and ends by the clock on the wall, as in a rota.

    Args:
        hours: Two times of day with a dash between; the end may lie on the next day.
        at: This moment.
        zone: Whose local time is meant.

    Raises:
        MalformedError: They are no hours.
    """
    today = at.astimezone(zone).date()
    # Tomorrow may be the day on which the clock skips them.
    days = _days(hours, today - _DAY, today + 2 * _DAY, zone)
    begin = next(begin for begin, end in days if at < end)
    return max(math.ceil((begin - at).total_seconds()), 0)


def within(hours: str, begin: dt.datetime, end: dt.datetime, zone: ZoneInfo) -> Iterator[Hours]:
    """Yield the times between two instants in which the hours hold, in order.

    Raises:
        MalformedError: They are no hours.
    """
    first, last = begin.astimezone(zone).date() - _DAY, end.astimezone(zone).date()
    for start, stop in _days(hours, first, last, zone):
        if max(start, begin) < min(stop, end):
            yield max(start, begin), min(stop, end)


def _days(hours: str, first: dt.date, last: dt.date, zone: ZoneInfo) -> Iterator[Hours]:
    start, end = parse_hours(hours)
    if end <= start:
        end += MINUTES
    for number in range((last - first).days + 1):
        date = first + number * _DAY
        begin, over = instant(date, start, zone), instant(date, end, zone)
        if begin < over:  # hours within those that the clock skips do not take place
            yield begin, over
