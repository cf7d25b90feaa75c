"""Checks of rota and plans: at every instant of the next year, every step that is taken must reach somebody."""

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import partial

from hub.central.escalation.days import instant, parse_hours
from hub.central.escalation.hours import within
from hub.central.escalation.plan import (
    CLASSES,
    EVERY_ZONE,
    LAST_RESORT,
    QUIET,
    channel_for,
    followed,
    role_place,
    steps_of,
)
from hub.central.escalation.rota import Place, Rota, Span
from hub.central.site import check_rota, one_phone
from hub.central.site.gaps import sentences
from hub.central.site.model import Phone, Plan, Site, Step, Zone
from hub.document import Collector, Finding, Level, Path
from hub.domain.codes import Severity
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name

YEAR_DAYS = 366
LINK_MAX_H = 7 * 24
# Fewer hubs that fall silent together are no sign of a network that is down.
LEAST_NETWORK = 2


def check(site: Site, since: dt.date, found: Collector) -> None:
    """Check shifts, overrides and plans, and that the rota holds for a year from a local date."""
    _site(site, found)
    for number, plan in enumerate(site.plans):
        _plan(site, number, plan, found)
    directory = check_rota.read_rota(site, found)
    if directory is None or not site.zones:
        return
    rota = directory.rota
    begin = instant(since, 0, rota.zone)
    end = instant(since + dt.timedelta(days=YEAR_DAYS), 0, rota.zone)
    _unfollowed(site, found)
    used = _used(site)
    for place, steps in used.items():
        _gaps(rota, place, {step.hours for step in steps.values()}, (begin, end), found)
    check_rota.check(site, rota, used, (begin, end), found)
    one_phone.check(directory, (begin, end), found)
    told = _last_resorts(site)
    for number, zone in enumerate(site.zones):
        _last_resort(site, (number, zone), told.get(zone.id, ()), found)


def _site(site: Site, found: Collector) -> None:
    url = site.site.public_url
    if url is not None and (not url.startswith("https://") or url.endswith("/") or "?" in url or "#" in url):
        found.error(("site", "public_url"), "write it as https://hub.example, without a slash at the end")
    if site.site.links and url is None:
        found.error(("site", "links"), "links in texts need the address that phones reach; write public_url")
    if not 1 <= site.site.link_h <= LINK_MAX_H:
        found.error(("site", "link_h"), f"write 1 to {LINK_MAX_H} hours")
    found.seconds(("supervision", "network_within_s"), site.supervision.network_within_s)
    if site.supervision.network_hubs < LEAST_NETWORK:
        found.error(
            ("supervision", "network_hubs"), f"write {LEAST_NETWORK} or more; one silent hub is that hub's"
        )


def _plan(site: Site, number: int, plan: Plan, found: Collector) -> None:
    path = ("plans", number)
    zones = {zone.id for zone in site.zones}
    if plan.zone != EVERY_ZONE and plan.zone not in zones:
        found.error((*path, "zone"), f'there is no zone {plan.zone!r}; write a zone, or "*" for every one')
    severity((*path, "min_severity"), plan.min_severity, found)
    _limits(path, plan, found)
    if not plan.steps:
        found.error((*path, "steps"), "it has no step and tells nobody; write a [[plans.steps]] table")
    for place, step in enumerate(plan.steps):
        _step((*path, "steps", place), step, zones, found)
    _quiet_roles(path, plan, found)


def _by_push(step: Step) -> bool:
    """Tell whether a mobile gets a push in a step, and nothing else: a step uses one channel for each phone."""
    return next((channel for channel in step.channels if channel != "email"), None) == "push"


def _quiet_roles(path: Path, plan: Plan, found: Collector) -> None:
    """Find roles that a plan tells by push alone, whatever other channels its steps name."""
    pushed, loud = set(), set()
    for step in plan.steps:
        places = {role_place(plan.zone, role) for role in step.roles}
        if _by_push(step):
            pushed |= places
        elif step.hours is None:
            loud |= places
    for zone, role in sorted(pushed - loud):
        named = role if zone == plan.zone else f"{zone}:{role}"
        text = f"role {named!r} gets push alone; name it in a later step too, with sms or voice, at all hours"
        found.error((*path, "steps"), text)


def severity(path: Path, value: int, found: Collector) -> None:
    """Find a severity that VKP has not."""
    if value not in set(Severity):
        levels = ", ".join(str(int(level)) for level in Severity)
        found.error(path, f"{value} is no severity; write one of {levels}")


def _limits(path: Path, plan: Plan, found: Collector) -> None:
    for key in ("on_the_way_s", "arrived_s", "closed_s", "acknowledge_s", "arrive_s", "close_s"):
        if getattr(plan, key) is not None:
            found.seconds((*path, key), getattr(plan, key))
    if plan.always_severity not in set(Severity):
        found.error((*path, "always_severity"), f"{plan.always_severity} is no severity")
    if plan.hours is not None:
        found.read((*path, "hours"), partial(parse_hours, plan.hours))
        if plan.incident_class == "care":
            found.error((*path, "hours"), "care waits for no hours; give hours to its steps")


def _step(path: Path, step: Step, zones: set[str], found: Collector) -> None:
    for key in ("roles", "channels"):
        if not getattr(step, key):
            found.error((*path, key), "it is empty, so this step reaches nobody")
    if step.channels and QUIET.issuperset(step.channels):
        text = f'{" and ".join(step.channels)} alone wake nobody; add "sms" or "voice"'
        found.error((*path, "channels"), text)
    elif step.channels and step.channels[0] == "email":
        text = "whoever has email gets nothing else in this step; put it behind the others"
        found.warning((*path, "channels"), text)
    elif "push" in step.channels and not _by_push(step):
        text = "push is never used: each phone that takes it takes what stands before it; put it first"
        found.warning((*path, "channels"), text)
    for key in ("wait_s", "between_s"):
        found.seconds((*path, key), getattr(step, key))
    if step.hours is not None:
        found.read((*path, "hours"), partial(parse_hours, step.hours))
    for role in step.roles:
        zone, name = role_place(EVERY_ZONE, role)
        if zone != EVERY_ZONE and zone not in zones:
            found.error((*path, "roles"), f"role {role!r}: there is no zone {zone!r}")
        found.read((*path, "roles"), partial(checked_name, name, "role"))


def _followed(site: Site, zone: str) -> list[int]:
    """Return the plans that incidents of a zone follow, as indexes."""
    return sorted({site.plans.index(plan) for _, _, plan in followed(site, zone) if plan in site.plans})


def _used(site: Site) -> dict[Place, dict[tuple[int, int], Step]]:
    """Return the zones and roles that plans tell, each with the steps that do, by index of plan and step."""
    zones = [zone.id for zone in site.zones]
    used: dict[Place, dict[tuple[int, int], Step]] = {}
    plans = [(zone, number) for zone in zones for number in _followed(site, zone)]
    for zone, number in plans:
        for index, step in enumerate(site.plans[number].steps):
            for place in (role_place(zone, role) for role in step.roles):
                if place[0] in zones and place[1] != LAST_RESORT:
                    used.setdefault(place, {})[number, index] = step
    return used


def _unfollowed(site: Site, found: Collector) -> None:
    used = {number for zone in site.zones for number in _followed(site, zone.id)}
    for number in sorted(set(range(len(site.plans))) - used):
        found.warning(("plans", number), "no incident ever follows this plan; another goes before it")
    classes = {plan.incident_class for plan in site.plans}
    for incident_class in CLASSES:
        if incident_class not in classes:
            text = f"there is none of class {incident_class!r}; only the zone's last resort would be told"
            (found.error if incident_class == "care" else found.warning)(("plans",), text)


def _gaps(
    rota: Rota, place: Place, hours: set[str | None], period: tuple[dt.datetime, dt.datetime], found: Collector
) -> None:
    """Find when nobody fills a role in the hours in which steps name it; ``None`` among them is always."""
    if place not in rota.places:
        found.findings.append(_at(place, "no shift of the rota fills it, and a plan names it; write [[rota]]"))
        return
    begin, end = period
    gaps = rota.gaps(*place, begin, end)
    if None not in hours:
        gaps = [gap for words in sorted(filter(None, hours)) for gap in _within(gaps, words, rota)]
    since, until = begin.astimezone(rota.zone).date(), end.astimezone(rota.zone).date()
    dates = [since + dt.timedelta(days=number) for number in range((until - since).days)]
    for sentence in sentences(gaps, rota.zone, dates, rota.is_holiday):
        found.findings.append(_at(place, sentence))


def _within(gaps: list[Span], words: str, rota: Rota) -> Iterator[Span]:
    """Yield the parts of gaps that lie in the hours of a step; unreadable hours are found elsewhere."""
    try:
        parse_hours(words)
    except MalformedError:
        return
    for gap in gaps:
        for start, stop in within(words, gap.start, gap.end, rota.zone):
            yield Span(start, stop, gap.order)


def _last_resorts(site: Site) -> dict[str, list[Step]]:
    """Return the steps that tell the last resort of each zone, those of other zones' plans too."""
    told: dict[str, list[Step]] = {}
    for zone in site.zones:
        for step in (step for _, _, plan in followed(site, zone.id) for step in steps_of(plan, zone.id)):
            for of, role in (role_place(zone.id, role) for role in step.roles):
                if role == LAST_RESORT:
                    told.setdefault(of, []).append(step)
    return told


def _last_resort(site: Site, of: tuple[int, Zone], told: Iterable[Step], found: Collector) -> None:
    number, zone = of
    phone = next((phone for phone in site.phones if phone.id == zone.last_resort), None)
    for step in told:
        if phone and step.channels and channel_for(phone, step) is None:
            text = f"{_cannot(phone, step)}; the last resort must be reached on every round"
            found.error(("zones", number, "last_resort"), text, zone.id)
            return


def _at(place: Place, text: str, level: Level = "error") -> Finding:
    return Finding(level, f"zone {place[0]}, role {place[1]}", text, ("rota",))


def _cannot(phone: Phone, step: Step) -> str:
    return f"phone {phone.id!r} is a {phone.kind} and takes no {' or '.join(step.channels)}"
