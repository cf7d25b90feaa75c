"""Holds what reports read against what was noted: each incident's row, and each version of the site."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import sqlalchemy as sa

from hub.central.audit import facts
from hub.central.audit.chain import Break
from hub.central.audit.facts import OPENED, Facts, Line
from hub.central.store.tables import audit, incident_events, incidents, sites

# Incidents that are read at once.
_PAGE = 500
SITE_APPLIED = "site.applied"


class Said(NamedTuple):
    """What the trail says of an incident: in which row, up to which line of its history, and what."""

    row: int
    last: int
    facts: Facts


class Compared(NamedTuple):
    """What a comparison came to.

    Attributes:
        incidents: How many were looked at.
        bare: Those of them whose history was anchored before the facts were: of these only the history speaks.
        altered: Those that are not what was noted, that are gone, or that nobody opened.
    """

    incidents: int
    bare: int
    altered: tuple[Break, ...]


def compare(connection: sa.Connection, said: Mapping[int, Sequence[Said]], begin: int, reach: int) -> Compared:
    """Compare each incident with its history and with what the trail says of it.

    Args:
        connection: A connection to the store.
        said: What the trail says, by the incident's number, the oldest first.
        begin: Incidents of which nothing is said are passed over when this line of the history, or one before it,
            opened them.
        reach: The last line of the history that is anchored.
    """
    count = bare = 0
    altered: list[Break] = []
    for now, lines in _all(connection):
        known = said.get(now.id, ())
        opened = [line.id for line in lines if line.event == OPENED]
        if not known and opened and opened[0] <= begin:
            continue
        count += 1
        bare += bool(not known and opened and opened[0] <= reach)
        found = facts.story(now, lines) or _drift(known, now, lines)
        if found is not None:
            altered.append(found)
    return Compared(count, bare, (*altered, *_gone(connection, begin)))


def altered_sites(connection: sa.Connection, after: int) -> Iterator[Break]:
    """Yield the versions of the site that are not what was applied: limits and shifts of then are read from them.

    Args:
        connection: A connection to the store.
        after: Rows of the trail up to this one are taken as they are.
    """
    # Asked before the trail: one that is applied meanwhile stands in the trail as well.
    versions = connection.scalars(sa.select(sites.c.version).order_by(sites.c.version)).all()
    at = sa.type_coerce(audit.c.at, sa.BigInteger)
    applied = sa.select(audit.c.id, at, audit.c.subject, audit.c.detail).where(audit.c.action == SITE_APPLIED)
    found = connection.execute(applied.order_by(audit.c.id)).all()
    since = sa.type_coerce(sites.c.applied_at, sa.BigInteger)
    for row, then, subject, detail in found:
        version = int(subject.partition(":")[2])
        if row <= after:
            continue
        site = connection.execute(
            sa.select(since, sites.c.document).where(sites.c.version == version)
        ).one_or_none()
        if site is None:
            yield Break("missing", f"site version {version}: row {row} of the trail says that it was applied")
        elif site[0] != then or detail not in {"", digest(site[1])}:
            yield Break("altered", f"site version {version}: not what row {row} of the trail says")
    known = {subject for _, _, subject, _ in found}
    for version in versions:
        if f"site:{version}" not in known:
            yield Break("inserted", f"site version {version}: the trail does not say that it was applied")


def digest(document: str) -> str:
    """Return what the trail says of a site's document: its SHA-256."""
    return f"sha256:{hashlib.sha256(document.encode()).hexdigest()}"


def _all(connection: sa.Connection) -> Iterator[tuple[Facts, list[Line]]]:
    after = 0
    while True:
        page = list(facts.with_lines(connection, after, _PAGE))
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1][0].id


def _drift(known: Sequence[Said], now: Facts, lines: list[Line]) -> Break | None:
    for before, after in pairwise([*known, Said(0, 0, now)]):
        events = {line.event for line in lines if line.id > before.last}
        found = facts.drift(before.facts, after.facts, events, before.row)
        if found is not None:
            return found
    return None


def _gone(connection: sa.Connection, begin: int) -> Iterator[Break]:
    query = (
        sa.select(incident_events.c.incident_id)
        .join(incidents, incidents.c.id == incident_events.c.incident_id, isouter=True)
        .where(incidents.c.id.is_(None), incident_events.c.id > begin)
        .distinct()
        .order_by(incident_events.c.incident_id)
    )
    for number in connection.scalars(query):
        yield Break("missing", f"incident {number}: it has a history")
