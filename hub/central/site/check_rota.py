"""Checks of the rota: every row can be read, none contradicts another, whoever is told can be."""

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import msgspec

from hub.central.escalation.calendar import calendar, local_holiday
from hub.central.escalation.days import parse_days
from hub.central.escalation.plan import LAST_RESORT, SUITS, channel_for
from hub.central.escalation.rota import Place, Rota, Span, time_zone
from hub.central.escalation.rota_layers import named_phones, override_span, schedule_dates, shift_minutes
from hub.central.site.directory import Directory
from hub.central.site.model import Phone, Site, Step, WeeklyRule, Zone
from hub.document import Collector, Finding, Path
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name

Period = tuple[dt.datetime, dt.datetime]
Steps = Mapping[Place, Mapping[tuple[int, int], Step]]  # which steps name a role, by index of plan and step

# 128 bits in base64url: whoever has the address of a calendar needs nothing else.
_KEY_LENGTH = 22
_KEY = f"write at least {_KEY_LENGTH} random characters, such as `openssl rand -hex 16` prints"


def read_rota(site: Site, found: Collector) -> Directory | None:
    """Return the site with what can be read of its rota laid out; what cannot is found here."""
    try:
        zone = time_zone(site.site.timezone)
        calendar(site.site.country)
    except MalformedError:  # found among the settings
        return None
    rows: dict[str, list[Any]] = {"holidays": [], "rota": [], "schedules": [], "overrides": []}
    for number, holiday in enumerate(site.holidays):
        if found.read(("holidays", number), partial(local_holiday, holiday)):
            rows["holidays"].append(holiday)
    for number, shift in enumerate(site.rota):
        path = ("rota", number)
        _role(shift.role, path, found)
        if _rule(site, shift, path, found):
            rows["rota"].append(shift)
    for number, schedule in enumerate(site.schedules):
        path = ("schedules", number)
        _role(schedule.role, path, found)
        dates = found.read(path, partial(schedule_dates, schedule))
        whole = [_rule(site, rule, (*path, "rules", at), found) for at, rule in enumerate(schedule.rules)]
        if not whole:
            found.error((*path, "rules"), "it has none, so nobody is on call; write [[schedules.rules]] tables")
        if dates and all(whole):
            rows["schedules"].append(schedule)
    for number, override in enumerate(site.overrides):
        path = ("overrides", number)
        _role(override.role, path, found)
        span = found.read(path, partial(override_span, override, zone))
        if _phones(site, override, path, found) and span is not None:
            rows["overrides"].append(override)
    return Directory(msgspec.structs.replace(site, **{name: tuple(kept) for name, kept in rows.items()}), 0)


def check(site: Site, rota: Rota, used: Steps, period: Period, found: Collector) -> None:
    """Check the rota as it was laid out, for a period.

    Args:
        site: The site as it was read.
        rota: What could be read of its rota.
        used: The zones and roles that plans name, each with the steps that do.
        period: From when to when it must hold.
        found: Takes what is wrong.
    """
    for place in rota.places:
        _contradictions(rota, place, period, found)
        if place not in used:
            found.findings.append(Finding("warning", _words(place), "no plan names this role", ("rota",)))
    _landlines(site, used, found)
    _mailed(site, used, found)
    for number, zone in enumerate(site.zones):
        _shift_check(rota, (number, zone), period, found)
        if zone.calendar_key is not None and len(zone.calendar_key) < _KEY_LENGTH:
            found.error(("zones", number, "calendar_key"), _KEY, zone.id)


def _role(role: str, path: Path, found: Collector) -> None:
    found.read((*path, "role"), partial(checked_name, role, "role"))
    if role == LAST_RESORT:
        found.error((*path, "role"), "the last resort is a key of its zone; name this role otherwise")


def _rule(site: Site, rule: WeeklyRule, path: Path, found: Collector) -> bool:
    days = found.read((*path, "days"), partial(parse_days, rule.days))
    hours = found.read(path, partial(shift_minutes, rule))
    return _phones(site, rule, path, found) and days is not None and hours is not None


def _phones(site: Site, row: Any, path: Path, found: Collector) -> bool:  # noqa: ANN401 - a rule or an override
    named = found.read(path, partial(named_phones, row))
    known = {phone.id for phone in site.phones}
    missing = [name for name in named or () if name not in known]
    for name in missing:
        key = "phone" if row.phone is not None else "phones"
        found.error((*path, key), f"there is no phone {name!r}; write it in [[phones]], or correct the name")
    return named is not None and not missing


def _contradictions(rota: Rota, place: Place, period: Period, found: Collector) -> None:
    """Find two rows of one layer that name different phones at one instant: nobody could tell which is meant."""
    said: set[frozenset[str]] = set()
    for edge, _ in pairwise(rota.edges(*place, *period)):
        local = edge.astimezone(rota.zone)
        for held in (rota.shifts(*place, edge), rota.overrides(*place, edge)):
            if len(held) < 2 or len({_ids(span) for span in held}) < 2:
                continue
            reasons = frozenset(f"{_why(span)} ({', '.join(_ids(span))})" for span in held)
            if reasons not in said:
                said.add(reasons)
                text = (
                    f"two phones at once on {local:%a %Y-%m-%d} at {local:%H:%M}: "
                    f"{' and '.join(sorted(reasons))}; shorten one of them, or name both as phones of one"
                )
                found.findings.append(Finding("error", _words(place), text, ("rota",)))
        schedules = rota.schedules(*place, local.date())
        dates = frozenset(f"{row.first} to {row.last}" for row in schedules)
        if len(schedules) > 1 and dates not in said:
            said.add(dates)
            text = (
                f"two schedules hold on {local:%a %Y-%m-%d}: {' and '.join(sorted(dates))}; "
                "let one end before the other begins"
            )
            found.findings.append(Finding("error", _words(place), text, ("schedules",)))


def _landlines(site: Site, used: Steps, found: Collector) -> None:
    """Find phones that a step tells by channels which cannot reach them."""
    phones = {phone.id: phone for phone in site.phones}
    for path, place, row in _rows(site):
        order = [phones[name] for name in row.order if name in phones]
        for (plan, number), step in used.get(place, {}).items():
            deaf = [phone for phone in order if step.channels and channel_for(phone, step) is None]
            if not deaf:
                continue
            where = f"zone {place[0]}, role {place[1]}, {row.start} to {row.end}"
            which = f"[[plans]] #{plan + 1} step {number + 1}"
            if len(deaf) == len(order):
                text = f"{where}: {_cannot(deaf[0], step)}, and {which} knows no other way; {_remedy(deaf[0])}"
                found.error((*path, "phone" if row.phone is not None else "phones"), text)
            else:
                text = f"{where}: {_cannot(deaf[0], step)}; {which} passes it over and tells the others"
                found.warning((*path, "phones"), text)
            break


def _mailed(site: Site, used: Steps, found: Collector) -> None:
    """Find landlines that a plan tells by mail alone: they ring for no alarm."""
    phones = {phone.id: phone for phone in site.phones}
    for path, place, row in _rows(site):
        steps = used.get(place, {})
        landlines = [phones[name] for name in row.order if name in phones and phones[name].kind == "landline"]
        for plan in sorted({plan for plan, _ in steps}):
            told = [step for (of, _), step in steps.items() if of == plan]
            silent = (one for one in landlines if {channel_for(one, step) for step in told} - {None} == {"email"})
            for phone in silent:
                text = (
                    f"zone {place[0]}, role {place[1]}: by [[plans]] #{plan + 1} phone {phone.id!r}, a landline, "
                    "gets mails alone, which wake nobody; add channel 'voice' to a step"
                )
                found.warning((*path, "phone" if row.phone is not None else "phones"), text)


def _rows(site: Site) -> Iterator[tuple[Path, Place, Any]]:
    for number, shift in enumerate(site.rota):
        yield ("rota", number), (shift.zone, shift.role), shift
    for number, schedule in enumerate(site.schedules):
        for at, rule in enumerate(schedule.rules):
            yield ("schedules", number, "rules", at), (schedule.zone, schedule.role), rule
    for number, override in enumerate(site.overrides):
        yield ("overrides", number), (override.zone, override.role), override


def _shift_check(rota: Rota, of: tuple[int, Zone], period: Period, found: Collector) -> None:
    """Find roles whose phones could never confirm a shift: a landline takes no text."""
    number, zone = of
    if not zone.shift_check:
        return
    for place in (place for place in rota.places if place[0] == zone.id):
        spans = rota.spans(*place, *period)
        if not any(one.phone and one.phone.kind in SUITS["sms"] for span in spans for one in span.order):
            text = f"no phone of role {place[1]} takes a text, so nobody can be asked to confirm its shifts"
            found.warning(("zones", number, "shift_check"), text, zone.id)


def _words(place: Place) -> str:
    return f"zone {place[0]}, role {place[1]}"


def _cannot(phone: Phone, step: Step) -> str:
    return f"phone {phone.id!r} is a {phone.kind} and takes no {' or '.join(step.channels)}"


def _remedy(phone: Phone) -> str:
    ways = [name for name, kinds in SUITS.items() if phone.kind in kinds]
    return f"put a phone there that takes texts{f', or add channel {ways[0]!r} to the step' if ways else ''}"


def _ids(span: Span) -> tuple[str, ...]:
    return tuple(one.phone.id for one in span.order if one.phone)


def _why(span: Span) -> str:
    return span.on_call.reason.partition(": ")[2]
