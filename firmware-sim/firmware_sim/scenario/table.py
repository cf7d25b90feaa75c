"""Reads values out of tables of a scenario file; what does not fit is named by table and key."""

import datetime as dt
import difflib
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from firmware_sim.errors import Unfit

_DAY = re.compile(r"day (\d+) (\d\d):(\d\d)(?::(\d\d))?")
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d))?")
_HOUR_S = 3600.0


class ScenarioError(Unfit):
    """The scenario file cannot be used; the text says where and why."""


class Table:
    """One table of the file.

    Args:
        content: What is in it.
        place: What an error calls it: ``[[event]] number 3``.
        keys: The keys it may have.

    Raises:
        ScenarioError: It is no table, or has another key.
    """

    def __init__(self, content: object, place: str, keys: str) -> None:
        if not isinstance(content, Mapping):
            raise ScenarioError(f"{place}: must be a table, not {content!r}")
        self.content: Mapping[str, Any] = content
        self.place = place
        known = keys.split()
        for key in content:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
                raise ScenarioError(f"{place}, key {key!r}: unknown; {hint}")

    def wrong(self, key: str, why: str) -> ScenarioError:
        """Return the error of a key."""
        return ScenarioError(f"{self.place}, key {key!r}: {why}")

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text."""
        value = self.content.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "is missing" if value is None else f"must be a text, not {value!r}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number from 0."""
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise self.wrong(key, "is missing" if value is None else f"must be a number from 0, not {value!r}")
        return float(value)

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number from 0."""
        number = self.number(key, default)
        if number != int(number):
            raise self.wrong(key, f"must be a whole number, not {number!r}")
        return int(number)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; one text is a list of one."""
        value = self.content.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, f"must be a list of texts, not {value!r}")
        return tuple(value)

    def one_of(self, key: str, known: Mapping[str, object] | tuple[str, ...], default: str | None = None) -> str:
        """Return a text that is one of those known."""
        value = self.text(key, default)
        if value not in known:
            raise self.wrong(key, f"{value!r} is none of: {', '.join(sorted(known))}")
        return value

    def values(self, key: str) -> Mapping[str, Any]:
        """Return a table in this one, as it is; empty when it is missing."""
        value = self.content.get(key, {})
        if not isinstance(value, Mapping):
            raise self.wrong(key, f"must be a table, not {value!r}")
        return value

    def tables(self, key: str, name: str, keys: str) -> list["Table"]:
        """Return the ``[[name]]`` tables below a key."""
        value = self.content.get(key, [])
        if not isinstance(value, list):
            raise ScenarioError(f"{self.place}: {key!r} must be written as [[{name}]] tables")
        return [Table(item, f"[[{name}]] number {number}", keys) for number, item in enumerate(value, 1)]

    def minute(self, key: str) -> int:
        """Return a time of day, as its minute."""
        value = self.content.get(key)
        found = _TIME.fullmatch(str(value))
        if found is None or int(found[1]) > 23 or int(found[2]) > 59:
            raise self.wrong(key, f'must be a time of day such as "08:00", not {value!r}')
        return int(found[1]) * 60 + int(found[2])


class Calendar:
    """Turns local times of a file into instants.

    A time of day is the first such moment from the scenario's start; ``"day 2 08:00"`` names the day, of which the
    first is the one it starts on; a TOML local date-time stands for itself.
    """

    def __init__(self, start: dt.datetime, zone: ZoneInfo) -> None:
        self._start = start
        self._zone = zone

    def at_s(self, table: Table, key: str, default_s: float | None = None) -> float:
        """Return the instant that a key names."""
        value = table.content.get(key)
        if value is None and default_s is not None:
            return default_s
        local = self._local(value)
        if local is None:
            raise table.wrong(key, f'must be a time ("03:10", "day 2 08:00", 2027-01-13T03:10:00), not {value!r}')
        return local.replace(tzinfo=self._zone).timestamp()

    def _local(self, value: object) -> dt.datetime | None:
        start = self._start
        try:
            if isinstance(value, dt.datetime):
                return value.replace(tzinfo=None)
            if isinstance(value, dt.time):
                value = f"{value:%H:%M:%S}"
            if not isinstance(value, str):
                return None
            if found := _DAY.fullmatch(value):
                date = start.date() + dt.timedelta(days=int(found[1]) - 1)
                return dt.datetime.combine(date, _time(found[2], found[3], found[4]))
            if found := _TIME.fullmatch(value):
                local = dt.datetime.combine(start.date(), _time(found[1], found[2], found[3]))
                return local if local >= start else local + dt.timedelta(days=1)
        except ValueError:
            return None
        return None


def _time(hour: str, minute: str, second: str | None) -> dt.time:
    return dt.time(int(hour), int(minute), int(second or 0))
