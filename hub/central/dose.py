"""Dose windows: given in time, not given, or unknown, which is neither.

A window is a rule of the day in local time. Each is there exactly once a local day, both nights of summer time
included; :func:`hub.central.escalation.days.instant` says how.
"""

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation.days import instant, parse_days, parse_time
from hub.central.incidents import desk
from hub.central.incidents.desk import Finding
from hub.central.site.directory import Directory
from hub.central.site.model import Dose
from hub.central.store.tables import devices, hubs, incidents, observations
from hub.domain.clock import UTC, TimeQuality
from hub.domain.codes import Kind, Severity
from hub.domain.errors import RefusedError
from rules.conditions import NO_TIME

WINDOW = "dose.window"

# A dispenser's own clock may be this much ahead of ours when it gives a dose.
_EARLY = dt.timedelta(minutes=5)
# And this much behind, or slow, when it says that a window has passed without its dose.
_LATE = dt.timedelta(minutes=5)
# Of what ended while the centre was down, a day's windows are judged; a clock that was set may seem to be years.
_LOOK_BACK = dt.timedelta(days=1)
# A hub without its clock dates by one that lags as long as it was off, or by none.
_ASTRAY = dt.timedelta(days=31)
_NO_CLOCK = dt.datetime(2026, 1, 1, tzinfo=UTC)
_UNDATED = "one was, and nobody knows when"
_MINUTE = "%Y%m%dT%H%MZ"


class Window(NamedTuple):
    """One window of one dispenser, as instants."""

    device_id: str
    start: dt.datetime
    end: dt.datetime


def windows(doses: list[Dose], device_id: str, zone: ZoneInfo, since: dt.datetime, days: int) -> list[Window]:
    """Return the windows of a dispenser that start on the local day of ``since`` and the days after it."""
    found = []
    first = since.astimezone(zone).date()
    for ahead in range(days):
        date = first + dt.timedelta(days=ahead)
        for dose in doses:
            if parse_days(dose.days).hold(date, holiday=False):
                start = instant(date, parse_time(dose.at), zone)
                found.append(Window(device_id, start, start + dt.timedelta(minutes=dose.window_min)))
    return sorted(found, key=lambda window: window.start)


def following(site: Directory, device_id: str, after: dt.datetime) -> Window | None:
    """Return the first window of a dispenser that ends after an instant, or ``None`` when it has no plan."""
    # A week has every weekday; a day more on both sides covers windows over midnight.
    candidates = windows(site.doses.get(device_id, []), device_id, _zone(site), after - dt.timedelta(days=1), 9)
    return next((window for window in candidates if window.end > after), None)


def current(
    site: Directory, device_id: str, at: dt.datetime, late: dt.timedelta = dt.timedelta(0)
) -> Window | None:
    """Return the window that what happened at an instant is about, or ``None`` when none had begun within a week.

    It is the one that had begun last; where one follows soon, the earlier until ``late`` after its end.
    """
    candidates = windows(site.doses.get(device_id, []), device_id, _zone(site), at - dt.timedelta(days=7), 9)
    begun = [window for window in candidates if window.start - _EARLY <= at]
    return next((window for window in begun if at < window.end + late), begun[-1] if begun else None)


def need(site: Directory, device_id: str, at: dt.datetime, kind: Kind) -> str:
    """Name the need of the dose an observation is about: dispenser and clock then raise one incident."""
    # That a dose was not given is said at the end of its window, when the next one may have begun.
    late = dt.timedelta(0) if kind is Kind.DOSE_DISPENSED else _LATE
    window = current(site, device_id, at, late)
    return _need(window) if window else f"care:{device_id}:dose:{at:%Y-%m-%d}"


def arm(tx: Tx) -> None:
    """Put the next window of each dispenser into the list of what is due."""
    for device_id in tx.site.doses:
        _schedule(tx, following(tx.site, device_id, tx.now.utc))


def window_ended(tx: Tx, subject: str) -> None:
    """Decide about a window that is over, and put the next one into the list."""
    window = _parse(subject)
    _schedule(tx, following(tx.site, window.device_id, max(window.end, tx.now.utc - _LOOK_BACK)))
    if not _planned(tx.site, window):
        return
    settled = tx.connection.execute(
        sa.select(incidents.c.id).where(incidents.c.need == _need(window)).limit(1)
    ).first()
    if settled is not None:
        return
    given = _given(tx, window)
    if not given:
        _raise(tx, window, _silence(tx, window) if given is False else _UNDATED)


def _planned(site: Directory, window: Window) -> bool:
    """Tell whether a window is to be judged: it may have left the plan since it was put into the list.

    One that ends later now stands in the list for that, too. One that ends earlier does not: it is judged here.
    """
    doses = site.doses.get(window.device_id, [])
    today = windows(doses, window.device_id, _zone(site), window.start, 1)
    return any(now.start == window.start and now.end <= window.end for now in today)


def _given(tx: Tx, window: Window) -> bool | None:
    """Tell whether its dose was dispensed; ``None``: one was, and nobody knows when.

    One dose never answers two windows that follow each other.
    """
    begin = window.start - _EARLY
    end = window.end + dt.timedelta(seconds=tx.site.site.supervision.dose_grace_s)
    seen = observations.c
    query = sa.select(seen.time, seen.timequality, seen.received_at, seen.flags).where(
        seen.device_id == window.device_id,
        seen.kind == Kind.DOSE_DISPENSED,
        seen.test.is_(False),
        # Not all of the years: the table is read by this index.
        sa.or_(seen.time >= begin - _ASTRAY, seen.time < _NO_CLOCK),
    )
    undated = False
    for row in tx.connection.execute(query):
        at = min(row.time, row.received_at)
        if row.timequality == TimeQuality.UNKNOWN or NO_TIME.intersection(row.flags.split()):
            undated = undated or row.received_at >= begin
        elif begin <= at <= end:
            meant = current(tx.site, window.device_id, at)
            if meant is not None and meant.start == window.start:
                return True
    return None if undated else False


def _raise(tx: Tx, window: Window, doubt: str | None) -> None:
    device = tx.site.devices[window.device_id]
    if doubt is None:
        kind, severity = Kind.DOSE_NOT_DISPENSED, Severity.SERIOUS
        reason = "the dose was not dispensed by the end of its window"
    else:
        kind, severity = Kind.DOSE_UNKNOWN, Severity.MODERATE
        reason = f"whether the dose was dispensed is unknown: {doubt}"
    desk.raise_incident(
        tx,
        Finding(
            incident_class="care",
            kind=kind,
            severity=severity,
            need=_need(window),
            reason=reason,
            zone=tx.site.zone_of(device.hub, device.resident),
            occurred_at=window.end,
            resident_id=device.resident,
            device_id=device.id,
            hub_id=device.hub,
            room=device.room,
        ),
    )


def _silence(tx: Tx, window: Window) -> str | None:
    """Tell why nothing can be known of a window; ``None`` when the dispenser was in contact all the same."""
    device = tx.site.devices[window.device_id]
    hub_seen = tx.connection.scalar(sa.select(hubs.c.last_seen_at).where(hubs.c.hub_id == device.hub))
    seen = tx.connection.scalar(sa.select(devices.c.last_seen_at).where(devices.c.device_id == device.id))
    silent_s = dt.timedelta(seconds=tx.site.site.supervision.hub_silent_s)
    if hub_seen is None or hub_seen < tx.now.utc - silent_s:
        return f"hub {device.hub} is out of contact"
    if seen is None or seen < tx.now.utc - dt.timedelta(seconds=tx.site.supervision_s(device)):
        return f"dispenser {device.id} is out of contact"
    return None


def _schedule(tx: Tx, window: Window | None) -> None:
    if window is None:
        return
    minutes = (window.end - window.start) // dt.timedelta(minutes=1)
    subject = f"{window.device_id}|{window.start:{_MINUTE}}|{minutes}"
    grace = dt.timedelta(seconds=tx.site.site.supervision.dose_grace_s)
    clockwork.schedule(tx, window.end + grace, WINDOW, subject)


def _parse(subject: str) -> Window:
    try:
        device_id, text, minutes = subject.split("|")
        start = dt.datetime.strptime(text, _MINUTE).replace(tzinfo=UTC)
        return Window(device_id, start, start + dt.timedelta(minutes=int(minutes)))
    except ValueError as error:
        raise RefusedError(f"due {WINDOW} {subject!r}: {error}") from error


def _need(window: Window) -> str:
    return f"care:{window.device_id}:dose:{window.start:{_MINUTE}}"


def _zone(site: Directory) -> ZoneInfo:
    return ZoneInfo(site.site.site.timezone)
