"""``hub rota show`` and ``hub rota import``: who has a role and why, and lists of shifts into the site file."""

import datetime as dt
from pathlib import Path

import tomlkit

from hub.central.commands import Say
from hub.central.commands.files import read_raw, read_text, replace
from hub.central.escalation.days import local_instant
from hub.central.escalation.rota import OnCall, Rota
from hub.central.rota.lists import Entry, from_csv, from_ics
from hub.central.site.check import findings
from hub.central.site.load import load
from hub.central.site.model import Site
from hub.document import Lines, report
from hub.domain.errors import MalformedError

_ICS = ".ics"


def show(path: Path, zone: str, at: dt.datetime, days: int, say: Say) -> int:
    """Say who fills each role of a zone at a time, and why; then every change in the days that follow.

    A time without a zone is the site's local time, wherever this machine is.

    Raises:
        HubError: The file cannot be read, or the zone is not in it.
    """
    site = load(read_text(path), str(path))
    _known(site, zone)
    rota = Rota(site)
    since = at if at.tzinfo else local_instant(at, rota.zone)
    until = since + dt.timedelta(days=days)
    for place in (place for place in rota.places if place[0] == zone):
        say(f"{place[1]} of {zone} on {_when(since, rota)}: {_who(rota.who_all(*place, since))}")
        for span in list(rota.spans(*place, since, until))[1:] if days else ():
            say(f"  from {_when(span.start, rota)}: {_who(span.order)}")
    return 0


def take_in(path: Path, source: Path, place: tuple[str, str], since: dt.date, say: Say) -> int:
    """Append a list of shifts to a site file as overrides; with errors nothing is written, and 1 returned.

    What is in the file already is left out, so that a list may be taken in again when it has grown.

    Args:
        path: The site file.
        source: A CSV, or an ``.ics``.
        place: Zone and role.
        since: Local date from which the rota must hold for a year.
        say: Takes each line.

    Raises:
        HubError: A file cannot be read or written, or a line of the list not be understood.
    """
    path = path.resolve()  # a link stays one
    before, text = read_raw(path)
    site = load(text, str(path))
    zone, role = place
    _known(site, zone)
    entries = _entries(source, role, Rota(site))
    known = {(row.zone, row.role, row.start, row.end, row.order) for row in site.overrides}
    named = [(entry, _phones(site, entry)) for entry in entries]
    new = [
        {"zone": zone, "role": role, "phones": list(phones), "from": entry.start, "to": entry.end}
        | {"kind": entry.kind, "reason": entry.reason}
        for entry, phones in named
        if (zone, role, entry.start, entry.end, phones) not in known
    ]
    if not new:
        say(f"{path}: left as it was; all {len(named)} of {source.name} are in it")
        return 0
    after = text.rstrip("\n") + "\n\n" + tomlkit.dumps({"overrides": new})
    if _say_findings(path, after, len(site.overrides), since, say):
        say(f"{path}: left as it was; correct {source.name} first")
        return 1
    replace(path, before, after.replace("\n", "\r\n") if b"\r\n" in before else after)
    say(f"{path}: {len(new)} overrides for {role} of {zone}; {len(named) - len(new)} were in it")
    say(f"next: hub site apply {path} --store URL")
    return 0


def _entries(source: Path, role: str, rota: Rota) -> list[Entry]:
    raw, text = read_raw(source)
    if source.suffix.lower() == _ICS:
        return from_ics(raw, source.name, role, rota.zone)
    return from_csv(text, source.name)


def _phones(site: Site, entry: Entry) -> tuple[str, ...]:
    """Return the ids of the phones that a list names by id or number."""
    numbers = {phone.number: phone.id for phone in site.phones}
    ids = {phone.id for phone in site.phones}
    phones = tuple(numbers.get(name, name) for name in entry.phones)
    odd = next((name for name in phones if name not in ids), None)
    if odd is not None or not phones:
        named = f"there is no phone {odd!r}" if odd is not None else "it names no phone"
        raise MalformedError(f"{entry.where}: {named}; write the id of a phone in [[phones]], nobody's name")
    return phones


def _say_findings(path: Path, text: str, first: int, since: dt.date, say: Say) -> int:
    """Say every error of the file as it would be, and warnings of what is new; return how many errors."""
    lines = Lines(text)
    wrong = 0
    for finding in findings(load(text, str(path)), since):
        new = finding.path[:1] == ("overrides",) and len(finding.path) > 1 and int(finding.path[1]) >= first
        if finding.level == "error" or new:
            say(report(str(path), finding, lines))
            wrong += finding.level == "error"
    return wrong


def _known(site: Site, zone: str) -> None:
    if zone not in {known.id for known in site.zones}:
        raise MalformedError(f"--zone: there is no zone {zone!r} in the file")


def _who(order: tuple[OnCall, ...]) -> str:
    return "; ".join(f"{one.phone.id} ({one.reason})" if one.phone else f"NOBODY ({one.reason})" for one in order)


def _when(at: dt.datetime, rota: Rota) -> str:
    return f"{at.astimezone(rota.zone):%a %Y-%m-%d %H:%M}"
