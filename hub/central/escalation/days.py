"""Rules of the day: names of days, times of day, and where a local time lies among the instants."""

import datetime as dt
import re
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hub.domain.clock import UTC
from hub.domain.errors import MalformedError

MINUTES = 24 * 60
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ALL_WEEK = 0b111_1111
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MINUTE = dt.timedelta(minutes=1)
# What lies outside is a slip of the finger, and would leave the calendar in another time zone.
YEARS = range(2000, 2200)


class Days(NamedTuple):
    """The days on which a rule holds.

    Attributes:
        weekdays: Bit 0 is Monday.
        holidays: It holds on a public holiday, whatever weekday that is.
        daily: It holds on every day, public holidays too.
    """

    weekdays: int
    holidays: bool = False
    daily: bool = False

    def hold(self, date: dt.date, *, holiday: bool) -> bool:
        """Tell whether the rule holds on a date."""
        if self.daily:
            return True
        return self.holidays if holiday else bool(self.weekdays >> date.weekday() & 1)


def parse_days(text: str) -> Days:
    """Read ``daily``, or names and ranges with commas between: ``mon-fri``, ``sat,sun,holiday``.

    Raises:
        MalformedError: A word is no day.
    """
    weekdays, holidays = 0, False
    words = [word.strip() for word in text.lower().split(",")]
    if words == ["daily"]:
        return Days(_ALL_WEEK, holidays=True, daily=True)
    for word in words:
        if word == "holiday":
            holidays = True
            continue
        first, dash, last = word.partition("-")
        last = last if dash else first
        if first not in WEEKDAYS or last not in WEEKDAYS:
            raise MalformedError(
                f"days {text!r}: {word!r} is no day; write daily, holiday, or names as in mon-fri or sat,sun"
            )
        day, end = WEEKDAYS.index(first), WEEKDAYS.index(last)
        for step in range((end - day) % 7 + 1):
            weekdays |= 1 << (day + step) % 7
    return Days(weekdays, holidays)


def parse_time(text: str, *, end: bool = False) -> int:
    """Read ``HH:MM`` as minutes after midnight; ``24:00`` may end something.

    Raises:
        MalformedError: It is no time of day.
    """
    if end and text == "24:00":
        return MINUTES
    found = _TIME.fullmatch(text)
    if not found:
        raise MalformedError(f"time {text!r}: write HH:MM, from 00:00 to {'24:00' if end else '23:59'}")
    return int(found[1]) * 60 + int(found[2])


def parse_hours(text: str) -> tuple[int, int]:
    """Read ``22:00-06:00`` as minutes after midnight.

    Raises:
        MalformedError: It is no such pair, or lasts no time at all.
    """
    start, dash, end = text.partition("-")
    if not dash or start == end:
        raise MalformedError(f"hours {text!r}: write two different times such as 22:00-06:00")
    return parse_time(start), parse_time(end, end=True)


def parse_date(text: str) -> dt.date:
    """Read a date such as ``2026-12-24``.

    Raises:
        MalformedError: It is none, or not of our time.
    """
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        date = None
    if date is None or date.year not in YEARS or len(text) != len("2026-12-24"):
        raise MalformedError(f"date {text!r}: write it as 2026-12-24")
    return date


def parse_local(text: str) -> dt.datetime:
    """Read a local date and time such as ``2026-12-24T15:00``.

    Raises:
        MalformedError: It is none, or names an offset: the site has one time zone.
    """
    try:
        local = dt.datetime.fromisoformat(text)
    except ValueError:
        local = None
    if local is None or local.tzinfo is not None or local.year not in YEARS or len(text) < len("2026-12-24T15:00"):
        raise MalformedError(f"local time {text!r}: write it as 2026-12-24T15:00, without an offset")
    return local


# The same few times of day are asked for each day of a year, for every zone and role.
@lru_cache(maxsize=8192)
def instant(date: dt.date, minute: int, zone: ZoneInfo) -> dt.datetime:
    """Return the instant of a local time, ``minute`` minutes by the clock after the midnight before ``date``.

    A time that the clock skips (02:30 on the last Sunday of March) becomes the moment at which the clock goes
    on; of one that it shows twice, the first is meant. So later local times never come before earlier ones:
    what is without gap or overlap by the clock is so in fact.
    """
    naive = dt.datetime.combine(date, dt.time()) + minute * _MINUTE
    return local_instant(naive, zone)


def local_instant(local: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the instant of a naive local time; see :func:`instant`."""
    local = local.replace(tzinfo=zone, fold=0)
    late = local.astimezone(UTC)
    if late.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return late
    # Skipped: fold 0 counts with the offset before the change, fold 1 with the one after it.
    early = local.replace(fold=1).astimezone(UTC)
    before = early.astimezone(zone).utcoffset()
    while late - early > dt.timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
