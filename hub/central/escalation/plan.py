"""The plan: who is told next about an incident. Decides, and says why; sending is another's work."""

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hub.central.site.model import ChannelName, IncidentClass, Phone, PhoneKind, Plan, Site, Step, Zone

if TYPE_CHECKING:
    from hub.central.site.directory import Directory

LAST_RESORT = "last-resort"
EVERY_ZONE = "*"
# When nobody at all can be reached the whole plan is tried again after this; a shift may have begun.
NOBODY_WAIT_S = 60

# Which phones a channel reaches. A landline cannot take a text.
SUITS: dict[ChannelName, frozenset[PhoneKind]] = {"sms": frozenset({"mobile"})}

_FINAL_STEP = Step(roles=(LAST_RESORT,))


class Position(NamedTuple):
    """Where an escalation stands: which time round, which step of the plan; both from 0."""

    round: int
    step: int


class Target(NamedTuple):
    """Somebody who is told: the phone that fills a zone's role now, the channel that suits it, and why."""

    zone: str
    role: str
    phone: Phone
    channel: str
    reason: str = ""


class Move(msgspec.Struct, frozen=True):
    """What an escalation does now.

    Attributes:
        position: The step that is taken; the next move starts one step after it.
        targets: Who is told, none twice. Empty: nobody can be reached, and ``reasons`` say why.
        wait_s: Seconds until the next move.
        reasons: Which steps and roles were passed over, and why, in order; ``targets`` bear their own.
        plan: The plan that was followed.
    """

    position: Position
    targets: tuple[Target, ...]
    wait_s: int
    reasons: tuple[str, ...]
    plan: Plan


def choose(site: Site, zone: str, incident_class: IncidentClass | str, severity: int) -> Plan:
    """Return the plan for an incident.

    A plan of the zone goes before one for every zone, then the highest ``min_severity`` that the incident
    reaches. When it reaches none, the lowest there is serves; a site without any gets the last resort.
    """
    plans = [plan for plan in site.plans if plan.incident_class == incident_class]
    for reached in (True, False):
        for place in (zone, EVERY_ZONE):
            fit = [plan for plan in plans if plan.zone == place]
            if reached:
                fit = [plan for plan in fit if plan.min_severity <= severity]
            if fit:
                return max(fit, key=lambda plan: plan.min_severity * (1 if reached else -1))
    return Plan(incident_class="technical" if incident_class == "technical" else "care", steps=(_FINAL_STEP,))


def steps_of(plan: Plan, zone: str) -> tuple[Step, ...]:
    """Return a plan's steps for a zone; where none names the zone's last resort, that is the final one."""
    named = any(role_place(zone, role) == (zone, LAST_RESORT) for step in plan.steps for role in step.roles)
    return plan.steps if named else (*plan.steps, _FINAL_STEP)


def role_place(zone: str, role: str) -> tuple[str, str]:
    """Return zone and role of what a step names: ``duty`` of the incident's zone, or ``nord-2:duty``."""
    other, colon, name = role.partition(":")
    return (other, name) if colon else (zone, role)


def channel_for(phone: Phone, step: Step) -> ChannelName | None:
    """Return the first channel of a step that suits a phone."""
    return next((channel for channel in step.channels if phone.kind in SUITS[channel]), None)


def move(
    directory: "Directory",
    zone: str,
    incident_class: IncidentClass | str,
    severity: int,
    at: dt.datetime,
    start: Position,
) -> Move:
    """Return the next move of an escalation: the first step at or after ``start`` that reaches somebody.

    A step that reaches nobody is passed over at once. After the last one the plan starts again, without end.

    Args:
        directory: The site as it stands.
        zone: Whose incident it is.
        incident_class: ``care`` or ``technical``.
        severity: Its VKP severity.
        at: This moment, for the rota.
        start: The first step that may be taken.
    """
    reasons: list[str] = []
    if zone not in directory.zones and directory.zones:
        # The zone was taken out of the site while its incident is open: the first one answers for it.
        stand_in = next(iter(directory.zones))
        reasons.append(f"zone {zone} is no longer in the site; {stand_in} answers for it")
        zone = stand_in
    plan = choose(directory.site, zone, incident_class, severity)
    steps = steps_of(plan, zone)
    for count in range(len(steps)):
        place = start.step + count if start.step < len(steps) else len(steps) + count
        position = Position(start.round + place // len(steps), place % len(steps))
        step = steps[position.step]
        found, said = _reach(directory, zone, step, at)
        reasons += said
        if found:
            return Move(position, found, step.wait_s, tuple(reasons), plan)
        reasons.append(f"step {position.step + 1} reaches nobody and is passed over")
    reasons.append(f"nobody at all can be reached; tried again in {NOBODY_WAIT_S} s")
    last = Position(start.round + (start.step >= len(steps)), len(steps) - 1)
    return Move(last, (), NOBODY_WAIT_S, tuple(reasons), plan)


def _reach(directory: "Directory", zone: str, step: Step, at: dt.datetime) -> tuple[tuple[Target, ...], list[str]]:
    """Return whom a step reaches at this moment, and why others are not reached."""
    found: dict[tuple[str, str], Target] = {}
    reasons: list[str] = []
    for named in step.roles:
        of, role = role_place(zone, named)
        phone, reason = _fill(directory, of, role, at)
        if phone is None:
            reasons.append(reason)
            continue
        channel = channel_for(phone, step)
        if channel is None:
            ways = " or ".join(step.channels)
            reasons.append(f"{reason}; phone {phone.id} is a {phone.kind} and takes no {ways}")
            continue
        found.setdefault((phone.number, channel), Target(of, role, phone, channel, reason))
    return tuple(found.values()), reasons


def _fill(directory: "Directory", zone: str, role: str, at: dt.datetime) -> tuple[Phone | None, str]:
    if role == LAST_RESORT:
        place: Zone | None = directory.zones.get(zone)
        phone = directory.phones.get(place.last_resort) if place else None
        return phone, f"last resort of {zone}" if phone else f"zone {zone} has no last resort"
    on_call = directory.rota.who(zone, role, at)
    return on_call.phone, on_call.reason
