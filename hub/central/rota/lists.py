"""Lists of shifts from elsewhere, a CSV or an .ics, read as the overrides that they mean."""

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from icalendar import Calendar, Component

from hub.central.escalation.days import local_instant, parse_local
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError

KINDS = ("swap", "sick", "longer", "other")
_NEEDED = ("from", "to", "phone")
_COLUMNS = (*_NEEDED, "kind", "reason")
_CANCELLED = "CANCELLED"
_REPEATS = ("RRULE", "RDATE", "RECURRENCE-ID")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One shift of a list.

    Attributes:
        start: Local time as in the site file.
        end: Local time as in the site file.
        phones: Ids or numbers of phones, in their order.
        kind: Kind of the override.
        reason: Its reason.
        where: Its place in the list, for whoever must correct it.
    """

    start: str
    end: str
    phones: tuple[str, ...]
    kind: str = "other"
    reason: str
    where: str


def from_csv(text: str, name: str) -> list[Entry]:
    """Read a table with a heading ``from,to,phone`` and, if wanted, ``kind`` and ``reason``.

    Commas or semicolons separate; several phones have blanks between.

    Raises:
        MalformedError: A column or a value is missing or unknown; the line is named.
    """
    text = text.removeprefix("\ufeff")  # as spreadsheets begin
    first = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first else ",", strict=True)
    try:
        rows.fieldnames = _columns(rows.fieldnames or (), name)
        return [_row(row, f"{name}: line {rows.line_num}", name) for row in rows]
    except csv.Error as error:
        raise MalformedError(f"{name}: line {max(rows.line_num, 1)} or after: {error}") from error


def from_ics(data: bytes, name: str, role: str, zone: ZoneInfo) -> list[Entry]:
    """Read the events of a calendar, each of which names a phone in its summary: ``nord-1-duty``.

    ``duty: nord-1-duty`` is an event of that role, as in the feed of a zone; events of other roles are left out,
    and so are cancelled ones.

    Raises:
        MalformedError: It is no calendar, or an event repeats, has no end or no local time of its own.
    """
    try:
        calendar = Calendar.from_ical(data)
    except ValueError as error:
        raise MalformedError(f"{name}: is no iCalendar file: {error}") from error
    events = enumerate(calendar.walk("VEVENT"), 1)
    return [entry for number, event in events for entry in _event(event, f"{name}: event {number}", role, zone)]


def _columns(heading: Sequence[str], name: str) -> list[str]:
    columns = [column.strip().lower() for column in heading]
    unknown = [f"column {column!r} is not known" for column in columns if column not in _COLUMNS]
    missing = [f"there is no column {column!r}" for column in _NEEDED if column not in columns]
    twice = [f"column {column!r} is there twice" for column in columns if columns.count(column) > 1]
    for odd in (*unknown, *missing, *twice):
        raise MalformedError(f"{name}: line 1: {odd}; write from,to,phone and, if wanted, kind,reason")
    return columns


def _row(row: dict[str | None, str | None], where: str, name: str) -> Entry:
    if None in row or None in row.values():
        raise MalformedError(f"{where}: it has not as many values as the heading has columns")
    values = {key: (value or "").strip() for key, value in row.items() if key is not None}
    kind = values.get("kind") or "other"
    if kind not in KINDS:
        raise MalformedError(f"{where}: kind {kind!r}: write one of {', '.join(KINDS)}")
    times = []
    for key in ("from", "to"):
        try:
            times.append(parse_local(values[key]))
        except MalformedError as error:
            raise MalformedError(f"{where}: {error}") from error
    return Entry(
        start=_written(times[0]),
        end=_written(times[1]),
        phones=tuple(values["phone"].split()),
        kind=kind,
        reason=values.get("reason") or f"from {name}",
        where=where,
    )


def _event(event: Component, where: str, role: str, zone: ZoneInfo) -> Iterator[Entry]:
    if str(event.get("STATUS")).upper() == _CANCELLED:
        return
    repeats = next((word for word in _REPEATS if word in event), None)
    if repeats is not None:
        raise MalformedError(f"{where}: it has {repeats}; export single events, or write a [[rota]] rule")
    of, colon, phones = str(event.get("SUMMARY", "")).partition(":")
    if colon and of.strip() != role:
        return
    if "DTSTART" not in event or "DTEND" not in event:
        raise MalformedError(f"{where}: it needs DTSTART and DTEND")
    yield Entry(
        start=_local(event["DTSTART"], zone, where),
        end=_local(event["DTEND"], zone, where),
        phones=tuple((phones if colon else of).split()),
        reason=f"from {where.rpartition(':')[0]}",
        where=where,
    )


def _local(prop: Any, zone: ZoneInfo, where: str) -> str:  # noqa: ANN401 - a list where there are several
    """Return a time of a calendar as the site file writes it."""
    if isinstance(prop, list):
        raise MalformedError(f"{where}: it has several times of one name; write one DTSTART and one DTEND")
    at: dt.date = prop.dt
    if not isinstance(at, dt.datetime):
        return _written(dt.datetime.combine(at, dt.time()))
    if at.tzinfo is None and "TZID" in prop.params:
        # The calendar does not say what it means; taken as ours it may be hours away.
        raise MalformedError(f"{where}: time zone {prop.params['TZID']!r} is not known; export the times in UTC")
    if at.tzinfo is None:
        return _written(at)
    local = at.astimezone(zone).replace(tzinfo=None)
    if local_instant(local, zone) != at.astimezone(UTC):
        # The second time round of the hour that the clock shows twice.
        raise MalformedError(f"{where}: {local:%Y-%m-%d %H:%M} comes twice that night; move it by an hour")
    return _written(local)


def _written(local: dt.datetime) -> str:
    return local.isoformat(timespec="minutes" if not local.second else "seconds")
