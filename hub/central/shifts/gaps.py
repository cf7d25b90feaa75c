"""Gaps that open up while the centre runs: a technical incident two weeks, a day and an hour before each.

``hub check`` refuses a site with a gap in the next year; a site that nobody applied since then, or an override
that was taken away, may still come to one. At any instant with nobody the plan's last resort answers.
"""

import datetime as dt

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation import hours
from hub.central.escalation.plan import EVERY_ZONE, LAST_RESORT, role_place
from hub.central.escalation.rota import Place, Span
from hub.central.incidents import desk
from hub.central.incidents.desk import Finding
from hub.central.incidents.lifecycle import Outcome
from hub.central.site.directory import Directory
from hub.central.site.model import Site
from hub.central.store.tables import due, incidents
from hub.domain.codes import Kind, Severity

GAP = "rota.gap"

# How long before a gap it is told, and how severe it has become; being told again needs a higher severity.
WARNINGS = (
    (dt.timedelta(days=14), Severity.NORMAL),
    (dt.timedelta(days=1), Severity.MODERATE),
    (dt.timedelta(hours=1), Severity.SERIOUS),
)
_LOOK_AGAIN = dt.timedelta(days=1)
# Of the column that tells where, which here tells when.
_ROOM = 64


def need(place: Place) -> str:
    """Name the need of a gap."""
    return f"technical:{place[0]}:{place[1]}:rota"


def roles_of(site: Site) -> dict[Place, set[str | None]]:
    """Return the zones and roles that plans name, with the hours of the steps that do; ``None`` is always."""
    zones = [zone.id for zone in site.zones]
    places: dict[Place, set[str | None]] = {}
    for plan in site.plans:
        for zone in zones if plan.zone == EVERY_ZONE else [plan.zone]:
            for step in plan.steps:
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
        zone, _, role = gone.partition(":")
        desk.clear(tx, need((zone, role)), "no plan names the role any more")
    for name in sorted(wanted):
        clockwork.schedule(tx, tx.now.utc, GAP, name)


def gap_due(tx: Tx, name: str) -> None:
    """Tell of the next gap of a role as far as it is near, or clear what was told; look again in time."""
    zone, _, role = name.partition(":")
    place, now = (zone, role), tx.now.utc
    ahead = WARNINGS[0][0]
    gap = next_gap(tx.site, place, now, now + ahead + _LOOK_AGAIN)
    severity = _severity(gap, now)
    if gap is None or severity is None:
        desk.clear(tx, need(place), "somebody is on call at every hour of the next two weeks")
    else:
        _tell(tx, place, gap, severity)
    clockwork.schedule(tx, _next_look(gap, now), GAP, name)


def next_gap(site: Directory, place: Place, since: dt.datetime, until: dt.datetime) -> Span | None:
    """Return the first gap of a role in the hours in which a step names it."""
    named = roles_of(site.site).get(place, set())
    gaps = site.rota.gaps(*place, since, until)
    if None not in named:
        parts = (
            Span(start, end, gap.order)
            for gap in gaps
            for words in sorted(filter(None, named))
            for start, end in hours.within(words, gap.start, gap.end, site.rota.zone)
        )
        gaps = sorted(parts, key=lambda gap: gap.start)
    return gaps[0] if gaps else None


def _severity(gap: Span | None, now: dt.datetime) -> Severity | None:
    """Return how severe a gap is by now, or ``None`` when it is too far away to be told."""
    if gap is None:
        return None
    reached = [severity for before, severity in WARNINGS if gap.start - now <= before]
    return reached[-1] if reached else None


def _next_look(gap: Span | None, now: dt.datetime) -> dt.datetime:
    """Return when a gap is told next, or is over; without one, when the next may have come in sight."""
    if gap is None:
        return now + _LOOK_AGAIN
    ahead = [gap.start - before for before, _ in WARNINGS if gap.start - before > now]
    return min(ahead, default=gap.end)


def _tell(tx: Tx, place: Place, gap: Span, severity: Severity) -> None:
    zone, role = place
    start, end = (instant.astimezone(tx.site.rota.zone) for instant in (gap.start, gap.end))
    when = f"{role} {start.day}.{start.month}. {start:%H:%M}"[:_ROOM]
    last = tx.connection.execute(
        sa.select(incidents).where(incidents.c.need == need(place)).order_by(incidents.c.id.desc()).limit(1)
    ).one_or_none()
    if last is not None and last.room == when and last.severity >= severity and last.outcome != Outcome.CLEARED:
        return  # it was told, by this centre or before it was started anew; somebody may even have closed it
    if last is not None and last.room != when:
        desk.clear(tx, need(place), "that gap is over; another one is ahead")
    desk.raise_incident(
        tx,
        Finding(
            incident_class="technical",
            kind=Kind.ROTA_GAP,
            severity=severity,
            need=need(place),
            reason=(
                f"nobody is {role} of {zone} from {start:%a %Y-%m-%d %H:%M} to {end:%a %Y-%m-%d %H:%M}; "
                "write a shift or an override for it and apply the site. Until then the last resort is told"
            ),
            zone=zone if zone in tx.site.zones else tx.site.site.zones[0].id,
            occurred_at=tx.now.utc,
            room=when,
        ),
    )
