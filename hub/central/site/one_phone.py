"""Finds when a single phone is all that a plan tells: with it a whole zone falls silent."""

import datetime as dt
from bisect import bisect
from collections.abc import Iterator
from itertools import chain, pairwise

from hub.central.escalation.days import parse_hours
from hub.central.escalation.hours import Hours, within
from hub.central.escalation.plan import LAST_RESORT, followed, reached, role_place, taken
from hub.central.escalation.rota import Place
from hub.central.site.directory import Directory
from hub.central.site.model import IncidentClass, Plan, Step, Zone
from hub.document import Collector
from hub.domain.codes import Severity
from hub.domain.errors import MalformedError

# Of each plan, by its index: the class, and the highest severity that follows it, for which it rests the least.
_Followed = dict[int, tuple[IncidentClass, Severity]]


def check(directory: Directory, period: Hours, found: Collector) -> None:
    """Find when one phone is every step and the last resort of a plan that a zone's incidents follow.

    Args:
        directory: The site, with what could be read of its rota.
        period: From when to when is looked.
        found: Takes what is found, one warning for plans that are alike in it.
    """
    laid = {
        words: list(within(words, *period, directory.rota.zone))
        for words in dict.fromkeys(chain.from_iterable(map(_hours, directory.site.plans)))
        if _readable(words)
    }
    for number, zone in enumerate(directory.site.zones):
        alike: dict[tuple[Hours, ...], list[int]] = {}
        for index, spells in _alone(directory, zone, period, laid).items():
            alike.setdefault(tuple(spells), []).append(index)
        for times, plans in alike.items():
            which = " and ".join(f"#{index + 1}" for index in plans)
            when = "" if times == (period,) else f", {_times(times, directory)}"
            text = (
                f"by [[plans]] {which} one phone is its every step and its last resort{when}; when that fails, "
                "nobody is reached. Name another phone as last_resort, or in a further step that is taken then"
            )
            found.warning(("zones", number), text, zone.id)


def _alone(
    directory: Directory, zone: Zone, period: Hours, laid: dict[str, list[Hours]]
) -> dict[int, list[Hours]]:
    """Return when one phone is all that a plan tells, by the plan's index."""
    site, rota = directory.site, directory.rota
    whose = _followed(directory, zone, set(laid))
    plans = [site.plans[index] for index in whose]
    places = sorted({place for plan in plans for place, _ in _places(plan, zone)})
    hours = [laid[words] for words in sorted({words for plan in plans for words in _hours(plan)})]
    bounds = {*period, *chain.from_iterable(chain.from_iterable(hours))}
    bounds.update(*(rota.edges(*place, *period) for place in places))
    known: dict[object, list[int]] = {}  # a year has few ways to be staffed: each is looked at once
    alone: dict[int, list[Hours]] = {}
    for start, end in pairwise(sorted(bounds)):
        orders = [[one.phone and one.phone.id for one in rota.who_all(*place, start)] for place in places]
        staffed = (tuple(map(tuple, orders)), tuple(_holds(parts, start) for parts in hours))
        if staffed not in known:
            known[staffed] = [index for index, who in whose.items() if _single(directory, zone, index, who, start)]
        for index in known[staffed]:
            times = alone.setdefault(index, [])
            if times and times[-1][1] == start:
                times[-1] = (times[-1][0], end)
            else:
                times.append((start, end))
    return alone


def _single(
    directory: Directory, zone: Zone, index: int, who: tuple[IncidentClass, Severity], at: dt.datetime
) -> bool:
    """Tell whether a plan tells a single phone; with nobody it is a gap, and found as such."""
    named = (
        place for place, step in _places(directory.site.plans[index], zone) if taken(step, at, directory.rota.zone)
    )
    filled = all(directory.rota.who(*place, at).phone for place in named)
    return filled and len(reached(directory, zone.id, *who, at)) == 1


def _followed(directory: Directory, zone: Zone, readable: set[str]) -> _Followed:
    """Return the plans that a zone's incidents follow, as far as their hours can be read."""
    site = directory.site
    return {
        site.plans.index(plan): (incident_class, severity)
        for incident_class, severity, plan in followed(site, zone.id)
        if plan in site.plans and readable.issuperset(_hours(plan))
    }


def _places(plan: Plan, zone: Zone) -> Iterator[tuple[Place, Step]]:
    """Yield the roles that a plan names, each with its step."""
    for step in plan.steps:
        for role in step.roles:
            place = role_place(zone.id, role)
            if place[1] != LAST_RESORT:
                yield place, step


def _hours(plan: Plan) -> Iterator[str]:
    return filter(None, (plan.hours, *(step.hours for step in plan.steps)))


def _readable(words: str) -> bool:
    try:
        parse_hours(words)
    except MalformedError:  # found among the plans
        return False
    return True


def _holds(parts: list[Hours], at: dt.datetime) -> bool:
    number = bisect(parts, at, key=lambda part: part[0])
    return number > 0 and at < parts[number - 1][1]


def _times(times: tuple[Hours, ...], directory: Directory) -> str:
    start, end = (instant.astimezone(directory.rota.zone) for instant in times[0])
    more = f" and {len(times) - 1} times more" if len(times) > 1 else ""
    return f"first from {start:%a %Y-%m-%d %H:%M} to {end:%a %Y-%m-%d %H:%M}{more}"
