"""What a site must satisfy as a whole. Nothing that is found here may be met for the first time by an alarm."""

import datetime as dt
import re
from functools import partial

from hub.central.commissioning import route
from hub.central.escalation.calendar import calendar
from hub.central.escalation.plan import EVERY_ZONE
from hub.central.escalation.rota import time_zone
from hub.central.notify.channels.mailbox import mailbox
from hub.central.site import check_devices, check_plans
from hub.central.site.model import Site
from hub.document import Collector, Finding
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name

# ITU-T E.164, section 6.2.1: a plus sign, a country code that does not begin with 0, 15 digits at most.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")

_NAMED = {
    "phones": "phone",
    "zones": "zone",
    "fyi": "recipient",
    "residents": "resident",
    "hubs": "hub",
    "devices": "device",
}

# Table, its key, and the table whose id it names.
_REFERENCES = (
    ("zones", "last_resort", "phones"),
    ("rota", "zone", "zones"),
    ("schedules", "zone", "zones"),
    ("overrides", "zone", "zones"),
    ("residents", "zone", "zones"),
    ("hubs", "zone", "zones"),
    ("devices", "hub", "hubs"),
    ("devices", "resident", "residents"),
    ("doses", "device", "devices"),
)


def findings(site: Site, since: dt.date) -> list[Finding]:
    """Return everything that is wrong with a site, errors first.

    Args:
        site: The site as it was read.
        since: Local date from which the rota must hold for a year.
    """
    found = Collector()
    _settings(site, found)
    _names(site, found)
    _references(site, found)
    _phones(site, found)
    check_devices.check(site, found)
    check_plans.check(site, since, found)
    _fyi(site, found)
    _unused(site, found)
    return sorted(found.findings, key=lambda finding: finding.level != "error")


def errors(found: list[Finding]) -> list[Finding]:
    """Return the findings that keep a site from being applied."""
    return [finding for finding in found if finding.level == "error"]


def _settings(site: Site, found: Collector) -> None:
    found.read(("site", "timezone"), lambda: time_zone(site.site.timezone))
    found.read(("site", "country"), lambda: calendar(site.site.country))
    _test_phone(site, found)
    times = site.supervision
    for key in ("hub_silent_s", "never_seen_s", "alive_s"):
        found.seconds(("supervision", key), getattr(times, key))
    if times.dose_grace_s:
        found.seconds(("supervision", "dose_grace_s"), times.dose_grace_s)
    if times.hub_silent_s < 2 * times.alive_s:
        text = f"a hub would count as silent between two signs of life; write at least {2 * times.alive_s:g}"
        found.error(("supervision", "hub_silent_s"), text)
    if not site.zones:
        found.error(("zones",), "there is none; nobody would answer. Write a [[zones]] table")


def _test_phone(site: Site, found: Collector) -> None:
    name, path = site.site.test_phone, ("site", "test_phone")
    phone = next((phone for phone in site.phones if phone.id == name), None)
    if name is not None and phone is None:
        found.error(path, f"there is no phone {name!r}; write it in [[phones]], or correct the name")
    elif phone is not None and not route.can_be_told(phone):
        found.error(path, f"phone {name!r} is a {phone.kind} and takes no text")


def _names(site: Site, found: Collector) -> None:
    for table, what in _NAMED.items():
        known: dict[str, int] = {}
        for number, row in enumerate(getattr(site, table)):
            path = (table, number, "id")
            if row.id in known:
                found.error(path, f"{row.id!r} is also the id of #{known[row.id] + 1}; give each its own", row.id)
            known.setdefault(row.id, number)
            try:
                checked_name(row.id, what)
            except MalformedError as error:
                found.error(path, str(error), row.id)
    hubs = {hub.id for hub in site.hubs}
    for number, device in enumerate(site.devices):
        if device.id in hubs:
            text = "a hub has this id; it speaks of itself under it. Give the device another"
            found.error(("devices", number, "id"), text, device.id)


def _references(site: Site, found: Collector) -> None:
    known = {table: {row.id for row in getattr(site, table)} for table in _NAMED}
    for table, key, target in _REFERENCES:
        for number, row in enumerate(getattr(site, table)):
            value = getattr(row, key)
            if value is not None and value not in known[target]:
                text = f"there is no {_NAMED[target]} {value!r}; write it in [[{target}]], or correct the name"
                found.error((table, number, key), text, getattr(row, "id", ""))


def _phones(site: Site, found: Collector) -> None:
    known: dict[str, str] = {}
    for number, phone in enumerate(site.phones):
        path = ("phones", number, "number")
        if not _E164.fullmatch(phone.number):
            text = "write the number with + and country code, without blanks, such as +4700000012"
            found.error(path, text, phone.id)
        elif phone.number in known:
            text = f"phone {known[phone.number]!r} has the same number; use one phone in both places"
            found.error(path, text, phone.id)
        known.setdefault(phone.number, phone.id)
        if phone.email is not None:
            found.read(("phones", number, "email"), partial(mailbox, phone.email), phone.id)


def _fyi(site: Site, found: Collector) -> None:
    zones = {zone.id for zone in site.zones}
    for number, one in enumerate(site.fyi):
        path = ("fyi", number)
        for zone in one.zones:
            if zone != EVERY_ZONE and zone not in zones:
                text = f'there is no zone {zone!r}; write zones, or "*" for every one'
                found.error((*path, "zones"), text, one.id)
        for key in ("zones", "events"):
            if not getattr(one, key):
                found.error((*path, key), "it is empty, so nothing is ever told; write at least one", one.id)
        check_plans.severity((*path, "min_severity"), one.min_severity, found)


def _unused(site: Site, found: Collector) -> None:
    """Warn of what is there and serves nobody."""
    inhabited = {resident.zone for resident in site.residents}
    for number, zone in enumerate(site.zones):
        if zone.id not in inhabited:
            found.warning(("zones", number), "no resident belongs to it", zone.id)
    with_devices = {device.hub for device in site.devices}
    for number, hub in enumerate(site.hubs):
        if hub.id not in with_devices:
            found.warning(("hubs", number), "no device belongs to it", hub.id)
    protected = {device.resident for device in site.devices}
    for number, resident in enumerate(site.residents):
        if resident.id not in protected:
            text = "no device belongs to this resident, who cannot call for help"
            found.warning(("residents", number), text, resident.id)
