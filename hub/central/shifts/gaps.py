"""Gaps that open up while the centre runs: a technical incident two weeks, a day and an hour before each.

Each gap is judged by itself. Those of a role that are told at one instant with one severity are one incident, so
that a role that nobody has at night is one text and not fourteen; later each is told by itself.

``hub check`` refuses a site with a gap in the next year; a site that nobody applied since then, or an override
that was taken away, may still come to one. At any instant with nobody the plan's last resort answers.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation import hours
from hub.central.escalation.plan import LAST_RESORT, followed, role_place
from hub.central.escalation.rota import Place, Span
from hub.central.incidents import desk
from hub.central.incidents.desk import Finding
from hub.central.incidents.lifecycle import Outcome
from hub.central.site.directory import Directory
from hub.central.site.model import Site
from hub.central.store.tables import due, incidents
from hub.domain.clock import UTC
from hub.domain.codes import Kind, Severity

GAP = "rota.gap"

# How long before a gap it is told, and how severe it has become; being told again needs a higher severity.
WARNINGS = (
    (dt.timedelta(days=14), Severity.NORMAL),
    (dt.timedelta(days=1), Severity.MODERATE),
    (dt.timedelta(hours=1), Severity.SERIOUS),
)
_AHEAD = WARNINGS[0][0]
# So far back the beginning of a gap that lasts is looked for: it is the same gap with every look.
_BACK = _AHEAD
_LOOK_AGAIN = dt.timedelta(days=1)
# Of the column that tells where, which here tells when.
_ROOM = 64


class _Said(NamedTuple):
    """What was told of a role's gaps: its need, whether it is open, how severe it became and how it ended."""

    need: str
    open_key: str | None
    severity: int
    outcome: str | None


# Made once. What was raised longer ago tells of gaps that are over, unless it is open still.
_ROWS = (
    sa.select(incidents.c.need, incidents.c.open_key, incidents.c.severity, incidents.c.outcome)
    .where(
        incidents.c.kind == Kind.ROTA_GAP,
        sa.or_(incidents.c.opened_at >= sa.bindparam("since"), incidents.c.open_key.is_not(None)),
    )
    .order_by(incidents.c.id)
)


def roles_of(site: Site) -> dict[Place, set[str | None]]:
    """Return the zones and roles that plans name, with the hours of the steps that do; ``None`` is always.

    A plan that no incident of a zone follows, for one of its own goes before it, names nobody there.
    """
    zones = [zone.id for zone in site.zones]
    places: dict[Place, set[str | None]] = {}
    for zone in zones:
        for step in (step for _, _, plan in followed(site, zone) for step in plan.steps):
            for place in (role_place(zone, role) for role in step.roles):
                if place[0] in zones and place[1] != LAST_RESORT:
                    places.setdefault(place, set()).add(step.hours)
    return places


def arm(tx: Tx) -> None:
    """Look at every role that plans name, now: the site is new, or the centre was away."""
    wanted = {f"{zone}:{role}" for zone, role in roles_of(tx.site.site)}
    armed = set(tx.connection.scalars(sa.select(due.c.subject).where(due.c.kind == GAP)))
    for gone in armed - wanted:
        clockwork.unschedule(tx, GAP, gone)
        _clear(tx, _said(tx, _place(gone)), "no plan names the role any more")
    for name in sorted(wanted):
        clockwork.schedule(tx, tx.now.utc, GAP, name)


def gap_due(tx: Tx, name: str) -> None:
    """Tell of each gap of a role that has come nearer, clear what was told of those that are gone; look again."""
    place, now = _place(name), tx.now.utc
    since = now - _BACK
    near = (gap for gap in _gaps(tx.site, place, since, now + _AHEAD + _LOOK_AGAIN) if gap.end > now)
    gaps = {_stamp(gap, since): gap for gap in near}
    said = _said(tx, place)
    over = [row for row in said if not any(_covers(place, row, stamp) for stamp in gaps)]
    _clear(tx, over, "it is over, or somebody is on call then")
    nearer: dict[Severity, dict[str, Span]] = {}
    for stamp, gap in gaps.items():
        severity = _severity(gap, now)
        if severity is not None and not _told(place, said, stamp, severity):
            nearer.setdefault(severity, {})[stamp] = gap
    for severity, told in nearer.items():
        _tell(tx, place, told, severity)
    clockwork.schedule(tx, _next_look(gaps.values(), now), GAP, name)


def next_gap(site: Directory, place: Place, since: dt.datetime, until: dt.datetime) -> Span | None:
    """Return the first gap of a role in the hours in which a step names it."""
    return next(iter(_gaps(site, place, since, until)), None)


def _gaps(site: Directory, place: Place, since: dt.datetime, until: dt.datetime) -> list[Span]:
    """Return the gaps of a role in the hours in which a step names it, in order and apart from each other."""
    named = roles_of(site.site).get(place, set())
    gaps = site.rota.gaps(*place, since, until)
    if None in named:
        return gaps
    parts = (
        Span(start, end, gap.order)
        for gap in gaps
        for words in filter(None, named)
        for start, end in hours.within(words, gap.start, gap.end, site.rota.zone)
    )
    joined: list[Span] = []
    for part in sorted(parts, key=lambda part: part.start):
        if joined and part.start <= joined[-1].end:  # the hours of two steps overlap
            joined[-1] = joined[-1]._replace(end=max(part.end, joined[-1].end))
        else:
            joined.append(part)
    return joined


def _of(place: Place) -> str:
    return f"technical:{place[0]}:{place[1]}:rota"


def _need(place: Place, stamps: Sequence[str]) -> str:
    """Name what belongs together: a role, and the first and the last of the gaps that are told as one."""
    ends = "/".join(dict.fromkeys((stamps[0], stamps[-1])))
    return f"{_of(place)}:{ends}" if ends else _of(place)


def _place(name: str) -> Place:
    zone, _, role = name.partition(":")
    return zone, role


def _stamp(gap: Span, since: dt.datetime) -> str:
    """Name a gap by its beginning, so that they sort as they come; empty: it began before what was looked at."""
    return f"{gap.start.astimezone(UTC):%Y-%m-%dT%H:%MZ}" if gap.start > since else ""


def _said(tx: Tx, place: Place) -> list[_Said]:
    """Return what was told of a role's gaps, by this centre or before it was started anew."""
    rows = tx.connection.execute(_ROWS, {"since": tx.now.utc - _BACK - _AHEAD - _LOOK_AGAIN})
    return [_Said(*row) for row in rows if f"{row.need}:".startswith(f"{_of(place)}:")]


def _covers(place: Place, row: _Said, stamp: str) -> bool:
    first, _, last = row.need.removeprefix(_of(place)).removeprefix(":").partition("/")
    return first <= stamp <= (last or first)


def _told(place: Place, said: Iterable[_Said], stamp: str, severity: Severity) -> bool:
    """Tell whether a gap was told as it is now; somebody may even have closed that."""
    held = (row for row in said if row.outcome != Outcome.CLEARED and row.severity >= severity)
    return any(_covers(place, row, stamp) for row in held)


def _clear(tx: Tx, said: Iterable[_Said], reason: str) -> None:
    for row in said:
        if row.open_key is not None:
            desk.clear(tx, row.need, reason)


def _severity(gap: Span, now: dt.datetime) -> Severity | None:
    """Return how severe a gap is by now, or ``None`` when it is too far away to be told."""
    reached = [severity for before, severity in WARNINGS if gap.start - now <= before]
    return reached[-1] if reached else None


def _next_look(gaps: Iterable[Span], now: dt.datetime) -> dt.datetime:
    """Return when a gap is told next or is over, or when another one may have come in sight."""
    instants = chain.from_iterable((gap.end, *(gap.start - before for before, _ in WARNINGS)) for gap in gaps)
    return min([now + _LOOK_AGAIN, *(at for at in instants if at > now)])


def _tell(tx: Tx, place: Place, gaps: dict[str, Span], severity: Severity) -> None:
    zone, role = place
    first, *others = gaps.values()
    start, end = (instant.astimezone(tx.site.rota.zone) for instant in (first.start, first.end))
    count = more = ""
    if others:
        last = others[-1].end.astimezone(tx.site.rota.zone)
        count, more = f" +{len(others)}", f", and {len(others)} times more until {last:%a %Y-%m-%d %H:%M}"
    when = f"{role} {start.day}.{start.month}. {start:%H:%M}"
    desk.raise_incident(
        tx,
        Finding(
            incident_class="technical",
            kind=Kind.ROTA_GAP,
            severity=severity,
            need=_need(place, list(gaps)),
            reason=(
                f"nobody is {role} of {zone} from {start:%a %Y-%m-%d %H:%M} to {end:%a %Y-%m-%d %H:%M}{more}; "
                "write a shift or an override for it and apply the site. Until then the last resort is told"
            ),
            zone=zone if zone in tx.site.zones else tx.site.site.zones[0].id,
            occurred_at=tx.now.utc,
            room=when[: _ROOM - len(count)] + count,
        ),
    )
