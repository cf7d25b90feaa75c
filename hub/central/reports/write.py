"""A report as JSON, as CSV and as lines of text."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from hub.central.incidents.lifecycle import Event
from hub.central.reports.figures import LEGS, Figures
from hub.central.reports.followup import AGAIN, BREACHES, CLOSED, LIMITS, TAKEN_OVER, FollowUp, Taking
from hub.central.reports.report import Report

_MINUTE_S, _HOUR_S = 60, 3600
TOTAL = "all"
_WITHIN = {True: "within", False: "late", None: "no limit"}
_END = {
    Event.EXPIRE: "expired",
    Event.PASS_ON: "passed on",
    AGAIN: "alerted again",
    TAKEN_OVER: "taken over",
    CLOSED: "closed",
}

_GROUP_HEAD = (
    "group",
    "raised",
    *(name for leg in LEGS for name in (leg, f"{leg}_median_s", f"{leg}_p95_s")),
    "undelivered",
    "false_alarms",
    "silent",
    "within",
    "late",
    "unlimited",
    *(f"{limit}_breaches" for limit in BREACHES),
    "repeats",
    "led_nowhere",
)
_INCIDENT_HEAD = (
    *("number", "raised_at", "class", "kind", "severity", "zone", "resident", "device"),
    *(f"{leg}_s" for leg in LEGS),
    *("taken_by", "closed_by", "outcome", "cause", "presses", "repeats", "within"),
    *(f"{limit}_late_s" for limit in LIMITS),
    *("takings", "led_nowhere", "also"),
)


def as_json(report: Report, zone: ZoneInfo) -> str:
    """Return a report as one JSON object; each incident tells besides who took it first and how it stands."""
    document = msgspec.to_builtins(report)
    for one, told in zip(report.incidents, document["incidents"], strict=True):
        told["raised_at"] = one.raised_at.astimezone(zone).isoformat()
        told |= {"taken_by": one.taken_by, "within": one.within, "led_nowhere": one.led_nowhere}
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def as_csv(report: Report, zone: ZoneInfo, *, incidents: bool) -> str:
    """Return a report's groups and their total, or its incidents, as CSV (RFC 4180, but lines end with LF)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if incidents:
        writer.writerow(_INCIDENT_HEAD)
        writer.writerows(_incident(one, zone) for one in report.incidents)
    else:
        writer.writerow(_GROUP_HEAD)
        writer.writerows(_group(name, figures) for name, figures in report.groups.items())
        writer.writerow(_group(TOTAL, report.total))
    return out.getvalue()


def as_lines(report: Report, zone: ZoneInfo, *, incidents: bool) -> Iterator[str]:
    """Yield a report as text: each incident on a line when they are asked for, the groups, and the verdict."""
    if incidents:
        head = ("NO", "RAISED", "ZONE", "RESIDENT", "KIND", "TAKEN BY", "AFTER", "ARRIVED", "CLOSED", "LIMIT")
        yield from table([head, *(_line(one, zone) for one in report.incidents)])
        yield ""
    by = report.question.by.upper()
    columns = (by, "RAISED", "DELIVERED", "ACKNOWLEDGED", "ARRIVED", "CLOSED", "LATE", "FALSE", "SILENT")
    groups = [*report.groups.items(), (TOTAL, report.total)]
    yield from table([columns, *(_row(name, figures) for name, figures in groups)])
    yield "counts, with median and 95th percentile by nearest rank"
    yield verdict(report)


def verdict(report: Report) -> str:
    """Return the answer to the inspector's question in one sentence."""
    total = report.total
    still = total.raised - total.legs["closed"].count
    passed = ", ".join(f"{limit} {count}" for limit, count in total.breaches.items() if count)
    sentence = f"{total.raised} raised: {total.within} within the limits, {total.late} not"
    sentence += f" ({passed})" if passed else ""
    sentence += f", {total.unlimited} for which the site had set no limit" if total.unlimited else ""
    sentence += f"; {total.led_nowhere} taken by somebody who went no further" if total.led_nowhere else ""
    sentence += f"; {still} still open" if still else "; all closed"
    return sentence + (f"; {report.tests} tests left out" if report.tests else "")


def span(seconds: float | None) -> str:
    """Return a length of time for a table: ``3:20`` is minutes and seconds, ``1:03:20`` has hours."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    hours, minutes = whole // _HOUR_S, whole % _HOUR_S // _MINUTE_S
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, its columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _row(name: str, figures: Figures) -> tuple[str, ...]:
    def leg(which: str) -> str:
        found = figures.legs[which]
        return f"{found.count} {span(found.median_s)} {span(found.p95_s)}" if found.count else "0"

    legs = (leg("delivered"), leg("acknowledged"), leg("arrived"), leg("closed"))
    counts = (str(figures.late), str(figures.false_alarms), str(figures.silent))
    return (name, str(figures.raised), *legs, *counts)


def _line(one: FollowUp, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        str(one.number),
        f"{one.raised_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
        one.zone,
        one.resident or "-",
        " + ".join((one.kind, *one.also)),
        ", ".join(_takings(one)) or "nobody",
        span(one.acknowledged_s),
        span(one.arrived_s),
        span(one.closed_s),
        ", ".join(_stands(one)),
    )


def _takings(one: FollowUp) -> Iterable[str]:
    """Yield everybody who took it and how long they had it; the table's own columns tell that of a single one."""
    if len(one.takings) == 1 and one.takings[0].end in {None, CLOSED}:
        yield one.takings[0].by
        return
    for taking in one.takings:
        until = "" if taking.until_s is None else span(taking.until_s)
        yield f"{taking.by} {span(taking.taken_s)}-{until} {_END.get(taking.end or '', '')}".rstrip()


def _stands(one: FollowUp) -> Iterable[str]:
    """Yield how it stands with its limits, and the time of whom that passed besides."""
    if one.within is not False:
        yield _WITHIN[one.within]
    for breach in one.breaches:
        if breach.late_s is None:
            yield f"{breach.limit}: time passed"
        else:
            so_far = " so far" if breach.lasts else ""
            yield f"{breach.limit} {span(breach.late_s)} late{so_far}"


def _group(name: str, figures: Figures) -> list[Any]:
    legs = [cell for leg in LEGS for cell in _leg_cells(figures, leg)]
    breaches = [figures.breaches[limit] for limit in BREACHES]
    counts = [figures.undelivered, figures.false_alarms, figures.silent, figures.within, figures.late]
    return [
        name,
        figures.raised,
        *legs,
        *counts,
        figures.unlimited,
        *breaches,
        figures.repeats,
        figures.led_nowhere,
    ]


def _leg_cells(figures: Figures, leg: str) -> tuple[Any, ...]:
    found = figures.legs[leg]
    return found.count, found.median_s, found.p95_s


def _incident(one: FollowUp, zone: ZoneInfo) -> list[Any]:
    late = {breach.limit: breach.late_s for breach in one.breaches}
    raised: dt.datetime = one.raised_at.astimezone(zone)
    return [
        *(one.number, raised.isoformat(), one.incident_class, one.kind, one.severity),
        *(one.zone, one.resident, one.device),
        *(getattr(one, f"{leg}_s") for leg in LEGS),
        *(one.taken_by, one.closed_by, one.outcome, one.cause, one.presses, one.repeats),
        _WITHIN[one.within],
        *(late.get(limit) for limit in LIMITS),
        *("; ".join(map(_seconds, one.takings)), one.led_nowhere, " ".join(one.also)),
    ]


def _seconds(taking: Taking) -> str:
    """Write a taking for a file: ``sms:nord-1-duty 30-630 expire``."""
    until = "" if taking.until_s is None else f"{taking.until_s:.0f}"
    return f"{taking.by} {taking.taken_s:.0f}-{until} {taking.end or ''}".rstrip()
