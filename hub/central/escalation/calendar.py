"""Days off: the public holidays of a country, and the days or halves of days that a site has of its own."""

import datetime as dt
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import holidays

from hub.central.escalation.days import parse_date, parse_time
from hub.central.site.model import Holiday
from hub.domain.errors import MalformedError


class DayOff(NamedTuple):
    """A date on which the rules for holidays hold, from ``start`` minutes after midnight on."""

    start: int
    name: str


class Calendar:
    """The public holidays of one country, a year at a time, by their names in its own language.

    Args:
        country: ISO 3166-1 code of two letters.

    Raises:
        MalformedError: The holidays of this country are not known.
    """

    def __init__(self, country: str) -> None:
        if len(country) != 2 or country not in holidays.list_supported_countries():
            raise MalformedError(f"country {country!r}: write its two letters, such as NO")
        self._country = country
        # Else the library takes the language of the process: each centre would have another.
        self._language = holidays.country_holidays(country).default_language
        self._years: dict[int, dict[dt.date, str]] = {}

    def holiday(self, date: dt.date) -> str | None:
        """Return the name of the public holiday on a date, or ``None`` when it is none."""
        days = self._years.get(date.year)
        if days is None:
            # One object for each year: the library fills a shared one while another thread already asks it.
            days = dict(holidays.country_holidays(self._country, years=date.year, language=self._language))
            self._years[date.year] = days
        return days.get(date)


@cache
def calendar(country: str) -> Calendar:
    """Return the calendar of a country; the first call reads the country's rules.

    Raises:
        MalformedError: The holidays of this country are not known.
    """
    return Calendar(country)


class DaysOff:
    """The days off of one site.

    Args:
        country: Whose public holidays.
        local: The site's own.

    Raises:
        MalformedError: The country is not known, or a date or time cannot be read.
    """

    def __init__(self, country: str, local: Iterable[Holiday] = ()) -> None:
        self._calendar = calendar(country)
        self._local: dict[dt.date, DayOff] = {}
        for row in local:
            date, off = local_holiday(row)
            self._local[date] = min(off, self._local.get(date, off))

    def on(self, date: dt.date) -> DayOff | None:
        """Return from when on a date is a day off, and why; ``None`` when it is an ordinary day."""
        name = self._calendar.holiday(date)
        return DayOff(0, name) if name is not None else self._local.get(date)


def local_holiday(row: Holiday) -> tuple[dt.date, DayOff]:
    """Read a holiday of the site.

    Raises:
        MalformedError: Its date or its time cannot be read.
    """
    return parse_date(row.date), DayOff(parse_time(row.start), row.name)
