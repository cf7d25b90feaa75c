"""The site as it stood when an incident was raised: its limits, and whose shift it was."""

import datetime as dt
from bisect import bisect_right
from itertools import accumulate

import sqlalchemy as sa

from hub.central.escalation import plan
from hub.central.reports.followup import EPOCH, LIMITS
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.central.store.tables import sites
from hub.domain.errors import HubError

UNKNOWN = "unknown"
NOBODY = "nobody on call"


class Then:
    """Every version of the site, each read when it is first asked for.

    Args:
        connection: To the store, for as long as questions are asked.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        at = sa.type_coerce(sites.c.applied_at, sa.BigInteger)
        # Versions only ever rise; whatever a clock said that was ahead, each gives way when the next is applied.
        rows = connection.execute(sa.select(sites.c.version, at).order_by(sites.c.version)).all()
        self._versions = [row[0] for row in rows]
        self._since = [*accumulate((row[1] for row in reversed(rows)), min)][::-1]
        self._read: dict[int, Directory | None] = {}
        self._limits: dict[tuple[int, str, str, int], dict[str, int]] = {}

    def limits(self, at: int, zone: str, incident_class: str, severity: int) -> dict[str, int]:
        """Return the limits of an incident's plan in seconds, by name; only those that it has."""
        place = self._place(at)
        key = (place, zone, incident_class, severity)
        if key not in self._limits:
            directory = self._directory(place)
            chosen = plan.choose(directory.site, zone, incident_class, severity) if directory else None
            found = {name: getattr(chosen, f"{name}_s", None) for name in LIMITS}
            self._limits[key] = {name: seconds for name, seconds in found.items() if seconds is not None}
        return self._limits[key]

    def shift(self, at: int, zone: str, incident_class: str, severity: int) -> str:
        """Return whose shift it was, in the words of the rota: who the first step of that hour tells first."""
        directory = self._directory(self._place(at))
        if directory is None:
            return UNKNOWN
        then, local = EPOCH + dt.timedelta(microseconds=at), directory.rota.zone
        steps = plan.steps_of(plan.choose(directory.site, zone, incident_class, severity), zone)
        # The last one is taken at all hours.
        roles = next(step for step in steps if plan.taken(step, then, local)).roles
        of, role = plan.role_place(zone, roles[0] if roles else plan.LAST_RESORT)
        if role == plan.LAST_RESORT:
            return f"last resort of {of}"
        on_call = directory.rota.who(of, role, then)
        return NOBODY if on_call.phone is None else on_call.reason

    def _place(self, at: int) -> int:
        return max(0, bisect_right(self._since, at) - 1)

    def _directory(self, place: int) -> Directory | None:
        """Return a version; ``None`` when there is none, or this version of the hub cannot read it any more."""
        if place not in self._read:
            self._read[place] = self._load(self._versions[place]) if self._versions else None
        return self._read[place]

    def _load(self, version: int) -> Directory | None:
        document = self._connection.scalar(sa.select(sites.c.document).where(sites.c.version == version))
        try:
            return Directory(load(str(document), f"site version {version}"), version)
        except HubError:
            return None
