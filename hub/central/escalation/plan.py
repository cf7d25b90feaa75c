"""The plan: who is told next about an incident. Decides, and says why; sending is another's work."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from hub.central.escalation import hours
from hub.central.escalation.rota_layers import OnCall
from hub.central.site.model import ChannelName, IncidentClass, Phone, PhoneKind, Plan, Site, Step
from hub.domain.codes import Severity

if TYPE_CHECKING:
    from hub.central.site.directory import Directory

LAST_RESORT = "last-resort"
EVERY_ZONE = "*"
CLASSES: tuple[IncidentClass, ...] = ("care", "technical")
# When nobody at all can be reached the whole plan is tried again after this; a shift may have begun.
NOBODY_WAIT_S = 60

# Which phones a channel reaches. A landline cannot take a text.
SUITS: dict[ChannelName, frozenset[PhoneKind]] = {
    "sms": frozenset({"mobile"}),
    "voice": frozenset({"mobile", "landline"}),
    "push": frozenset({"mobile"}),
    "email": frozenset({"mobile", "landline"}),  # those with an address, wherever it is read
}
# They wake nobody for certain: a mail lies unread, a push comes to a phone that is silent or saves its battery.
QUIET: frozenset[ChannelName] = frozenset({"push", "email"})

_FINAL_STEP = Step(roles=(LAST_RESORT,))


class Position(NamedTuple):
    """Where an escalation stands: which time round, which leg of the plan; both from 0.

    ``step`` is -1 while an incident waits for its plan's hours and nothing was taken yet.
    """

    round: int
    step: int


class Target(NamedTuple):
    """Somebody who is told: the phone that fills a zone's role now, the channel that suits it, and why."""

    zone: str
    role: str
    phone: Phone
    channel: str
    reason: str = ""


class Leg(NamedTuple):
    """What is done at one position: a whole step, or one phone of a step that tells its phones one by one."""

    number: int  # of the step, from 1, as the site file counts
    step: Step
    roles: tuple[str, ...]
    place: int | None = None  # which of a role's phones, from 0; None: all of them

    @property
    def name(self) -> str:
        """What reasons call it."""
        return f"step {self.number}" if self.place is None else f"step {self.number}, {self.roles[0]}"


class Move(msgspec.Struct, frozen=True):
    """What an escalation does now.

    Attributes:
        position: The step that is taken; the next move starts one step after it.
        targets: Who is told, none twice. Empty: nobody can be reached, or it waits for its hours; ``reasons`` say.
        wait_s: Seconds until the next move.
        reasons: Which steps and roles were passed over, and why, in order; ``targets`` bear their own.
    """

    position: Position
    targets: tuple[Target, ...]
    wait_s: int
    reasons: tuple[str, ...]


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
                best = max if reached else min
                return best(fit, key=lambda plan: plan.min_severity)
    return Plan(incident_class="technical" if incident_class == "technical" else "care", steps=(_FINAL_STEP,))


def followed(site: Site, zone: str) -> Iterator[tuple[IncidentClass, Severity, Plan]]:
    """Yield each class and severity, the lowest first, with the plan that such an incident of a zone follows."""
    for incident_class in CLASSES:
        for severity in Severity:
            yield incident_class, severity, choose(site, zone, incident_class, severity)


def steps_of(plan: Plan, zone: str) -> tuple[Step, ...]:
    """Return a plan's steps for a zone; where none names its last resort at all hours, that is the final one."""
    named = any(
        role_place(zone, role) == (zone, LAST_RESORT)
        for step in plan.steps
        if step.hours is None
        for role in step.roles
    )
    return plan.steps if named else (*plan.steps, _FINAL_STEP)


def legs_of(site: Site, plan: Plan, zone: str) -> tuple[Leg, ...]:
    """Return what is done one after another: the steps, and within a step one by one its phones."""
    legs: list[Leg] = []
    for number, step in enumerate(steps_of(plan, zone), start=1):
        if step.order == "all":
            legs.append(Leg(number, step, step.roles))
            continue
        for role in step.roles:
            legs += [Leg(number, step, (role,), place) for place in range(_most(site, role_place(zone, role)))]
    return tuple(legs)


def _most(site: Site, place: tuple[str, str]) -> int:
    """Return how many phones a role of a zone has at most, at any instant; 1 where nobody fills it."""
    most = [1]
    most += [len(shift.order) for shift in site.rota if (shift.zone, shift.role) == place]
    most += [len(override.order) for override in site.overrides if (override.zone, override.role) == place]
    for schedule in site.schedules:
        if (schedule.zone, schedule.role) == place:
            most += [len(rule.order) for rule in schedule.rules]
    return max(most)


def role_place(zone: str, role: str) -> tuple[str, str]:
    """Return zone and role of what a step names: ``duty`` of the incident's zone, or ``nord-2:duty``."""
    other, colon, name = role.partition(":")
    return (other, name) if colon else (zone, role)


def channel_for(phone: Phone, step: Step) -> ChannelName | None:
    """Return the first channel of a step that suits a phone."""
    return next((channel for channel in step.channels if _suits(phone, channel)), None)


def _suits(phone: Phone, channel: ChannelName) -> bool:
    return phone.kind in SUITS[channel] and (channel != "email" or phone.email is not None)


def move(
    directory: "Directory",
    zone: str,
    incident_class: IncidentClass | str,
    severity: int,
    at: dt.datetime,
    start: Position,
    told: Collection[str] | None = None,
) -> Move:
    """Return the next move of an escalation: the first step at or after ``start`` that reaches somebody.

    A step that reaches nobody is passed over at once. After the last one the plan starts again, without end.
    Whoever an earlier step of this round would reach by now, and has not been told, is told with it: a shift
    has begun since.

    Args:
        directory: The site as it stands.
        zone: Whose incident it is.
        incident_class: ``care`` or ``technical``.
        severity: Its VKP severity.
        at: This moment, for the rota.
        start: The first step that may be taken.
        told: Numbers that were told of it so far; ``None``: nobody is looked for in earlier steps.
    """
    reasons: list[str] = []
    if zone not in directory.zones and directory.zones:
        # The zone was taken out of the site while its incident is open: the first one answers for it.
        stand_in = next(iter(directory.zones))
        reasons.append(f"zone {zone} is no longer in the site; {stand_in} answers for it")
        zone = stand_in
    plan = choose(directory.site, zone, incident_class, severity)
    resting_s = _rests(plan, severity, at, directory)
    if resting_s:
        reasons.append(f"it waits {resting_s} s for the hours {plan.hours} of its plan")
        return Move(Position(start.round, start.step - 1), (), resting_s, tuple(reasons))
    legs = legs_of(directory.site, plan, zone)
    first = min(start.step, len(legs))  # a plan that became shorter is begun again
    for place in range(first, first + len(legs)):
        position = Position(start.round + place // len(legs), place % len(legs))
        leg = legs[position.step]
        found, said = _reach(directory, zone, leg, at)
        reasons += said
        if told is not None and position.round == start.round:
            known = {*told, *(target.phone.number for target in found)}
            found += _newcomers(directory, zone, legs[: position.step], at, known)
        if found:
            more = (later for later in legs[position.step + 1 :] if later.number == leg.number)
            others = any(_reach(directory, zone, later, at)[0] for later in more)
            wait_s = leg.step.between_s if others else leg.step.wait_s
            return Move(position, found, wait_s, tuple(reasons))
        if said:
            reasons.append(f"{leg.name} reaches nobody and is passed over")
    reasons.append(f"nobody at all can be reached; tried again in {NOBODY_WAIT_S} s")
    last = Position(start.round + first // len(legs), len(legs) - 1)
    return Move(last, (), NOBODY_WAIT_S, tuple(reasons))


def past(
    directory: "Directory",
    zone: str,
    incident_class: IncidentClass | str,
    severity: int,
    at: dt.datetime,
    start: Position,
) -> Move:
    """Return a move past somebody: the first step from ``start`` that reaches anybody and the next one, at once.

    The arguments are those of :func:`move`; ``start`` is the step at which whoever took the incident was told.
    """
    here = move(directory, zone, incident_class, severity, at, start)
    if not here.targets:
        return here
    following = Position(here.position.round, here.position.step + 1)
    beyond = move(directory, zone, incident_class, severity, at, following)
    reasons = (*here.reasons, *beyond.reasons)
    return Move(beyond.position, _once((*here.targets, *beyond.targets)), beyond.wait_s, reasons)


def reached(
    directory: "Directory", zone: str, incident_class: IncidentClass | str, severity: int, at: dt.datetime
) -> frozenset[str]:
    """Return the numbers that one whole round of a plan surely tells, were it this moment all the time.

    A mail or a push alone is not sure. It is empty when the plan waits for its hours, or reaches nobody; the
    arguments are those of :func:`move`.
    """
    plan = choose(directory.site, zone, incident_class, severity)
    if _rests(plan, severity, at, directory):
        return frozenset()
    targets = (_reach(directory, zone, leg, at)[0] for leg in legs_of(directory.site, plan, zone))
    return frozenset(one.phone.number for told in targets for one in told if one.channel not in QUIET)


def _rests(plan: Plan, severity: int, at: dt.datetime, directory: "Directory") -> int:
    """Return for how many seconds an incident waits for its plan's hours; 0: it does not wait.

    Care never waits, whatever the plan says.
    """
    if plan.hours is None or plan.incident_class == "care" or severity >= plan.always_severity:
        return 0
    return hours.until(plan.hours, at, directory.rota.zone)


def taken(step: Step, at: dt.datetime, zone: ZoneInfo) -> bool:
    """Tell whether a step is taken at an instant, by its hours in the site's time zone."""
    return step.hours is None or not hours.until(step.hours, at, zone)


def _reach(directory: "Directory", zone: str, leg: Leg, at: dt.datetime) -> tuple[tuple[Target, ...], list[str]]:
    """Return whom a leg reaches at this moment, and why others are not reached."""
    found: list[Target] = []
    reasons: list[str] = []
    step = leg.step
    if not taken(step, at, directory.rota.zone):
        return (), [f"it is taken in the hours {step.hours} only"]
    for named in leg.roles:
        of, role = role_place(zone, named)
        on_call = _fill(directory, of, role, at)
        for phone, reason in on_call if leg.place is None else on_call[leg.place : leg.place + 1]:
            channel = channel_for(phone, step) if phone else None
            if phone is None:
                reasons.append(reason)
            elif channel is None:
                ways = " or ".join(step.channels)
                reasons.append(f"{reason}; phone {phone.id} is a {phone.kind} and takes no {ways}")
            else:
                found.append(Target(of, role, phone, channel, reason))
    return _once(found), reasons


def _newcomers(
    directory: "Directory", zone: str, earlier: Sequence[Leg], at: dt.datetime, told: Collection[str]
) -> tuple[Target, ...]:
    """Return whom earlier legs reach at this moment, and did not when their turn was."""
    reached = (target for leg in earlier for target in _reach(directory, zone, leg, at)[0])
    return _once(target for target in reached if target.phone.number not in told)


def _once(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Return targets, none of them twice by one channel."""
    found: dict[tuple[str, str], Target] = {}
    for target in targets:
        found.setdefault((target.phone.number, target.channel), target)
    return tuple(found.values())


def _fill(directory: "Directory", zone: str, role: str, at: dt.datetime) -> tuple[OnCall, ...]:
    if role != LAST_RESORT:
        return directory.rota.who_all(zone, role, at)
    place = directory.zones.get(zone)
    phone = directory.phones.get(place.last_resort) if place else None
    return (OnCall(phone, f"last resort of {zone}" if phone else f"zone {zone} has no last resort"),)
