"""Public holidays of a country."""

import datetime as dt
from functools import cache

import holidays

from hub.domain.errors import MalformedError


class Calendar:
    """The public holidays of one country, a year at a time.

    Args:
        country: ISO 3166-1 code of two letters.

    Raises:
        MalformedError: The holidays of this country are not known.
    """

    def __init__(self, country: str) -> None:
        if len(country) != 2 or country not in holidays.list_supported_countries():
            raise MalformedError(f"country {country!r}: write its two letters, such as NO")
        self._country = country
        self._years: dict[int, frozenset[dt.date]] = {}

    def is_holiday(self, date: dt.date) -> bool:
        """Tell whether a date is a public holiday."""
        days = self._years.get(date.year)
        if days is None:
            # One object for each year: the library fills a shared one while another thread already asks it.
            days = frozenset(holidays.country_holidays(self._country, years=date.year))
            self._years[date.year] = days
        return date in days


@cache
def calendar(country: str) -> Calendar:
    """Return the calendar of a country; the first call reads the country's rules.

    Raises:
        MalformedError: The holidays of this country are not known.
    """
    return Calendar(country)
