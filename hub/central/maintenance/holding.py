"""What maintenance holds back. Decides about each finding, before an incident is raised, and says why.

Technical faults of the subject are held: kept once for each need, and counted. Care is raised all the same and its
story says what is under way. The one exception is a device that was itself declared broken: what it sends goes to
the technician as a fault, with its resident named; fire and gas never do.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import sqlalchemy as sa

from hub.central.centre import Tx
from hub.central.store import sql
from hub.central.store.tables import held_findings, maintenances
from hub.domain.codes import Kind, Severity

if TYPE_CHECKING:
    from hub.central.incidents.desk import Finding

END = "maintenance.end"
# The first word, before a colon, of the reason of a device that must not be believed any more.
BROKEN = "broken"
# Whatever the state of the device, these are believed.
_ALWAYS = frozenset({Kind.SMOKE_DETECTED, Kind.CO_DETECTED, Kind.HEAT_DETECTED})

# Made once: they are asked with every finding.
_RUNNING = (
    sa.select(maintenances)
    .where(
        maintenances.c.ended_at.is_(None),
        maintenances.c.starts_at <= sa.bindparam("now"),
        maintenances.c.ends_at > sa.bindparam("now"),
    )
    .order_by(maintenances.c.id)
)
_WIDE = _RUNNING.where(maintenances.c.kind.in_(["hub", "zone"]))


class Verdict(NamedTuple):
    """What becomes of a finding: what is raised, ``None`` if nothing is, and a line for the incident's story."""

    finding: "Finding | None"
    said: str = ""


def decide(tx: Tx, finding: "Finding") -> Verdict:
    """Return what becomes of a finding while maintenance is running; what is held is stored and counted."""
    if finding.test_id is not None or finding.test_phone is not None:
        return Verdict(finding)
    row = _covering(tx, finding)
    if row is None:
        return Verdict(finding)
    said = f"{row.kind} {row.subject} is under maintenance {row.id}: {row.reason}"
    technical = finding.incident_class == "technical"
    if not technical and (not is_broken(row.kind, row.reason) or finding.kind in _ALWAYS):
        return Verdict(finding, said)
    if not _hold(tx, row, finding):
        return decide(tx, finding)
    if technical:
        return Verdict(None)
    fault = msgspec.structs.replace(
        finding,
        incident_class="technical",
        severity=Severity.CRITICAL,  # it waits for the hours of no plan
        need=f"technical:device:{row.subject}:held",
        reason=f"{row.subject} is declared broken, so this is no care alarm: {finding.reason}",
    )
    return Verdict(fault, said)


def hubs_held(tx: Tx) -> set[str]:
    """Return the hubs whose silence is expected now."""
    rows = tx.connection.execute(_WIDE, {"now": tx.now.utc}).all()
    zones = {row.subject for row in rows if row.kind == "zone"}
    named = {row.subject for row in rows if row.kind == "hub"}
    return {hub.id for hub in tx.site.site.hubs if hub.id in named or hub.zone in zones}


def _covering(tx: Tx, finding: "Finding") -> sa.Row[Any] | None:
    """Return the maintenance that speaks for a finding: its device's, else its hub's, else its zone's."""
    if finding.device_id is None and finding.hub_id is None:
        return None  # about the centre, the network or a phone: no maintenance of a home explains it
    subjects = {"device": finding.device_id, "hub": finding.hub_id, "zone": finding.zone}
    of = _running(tx, subjects)
    return of.get("device") or of.get("hub") or of.get("zone")


def _running(tx: Tx, subjects: Mapping[str, str | None]) -> dict[str, sa.Row[Any]]:
    """Return the newest maintenance that is running for each of these subjects; both by kind."""
    rows = tx.connection.execute(_RUNNING, {"now": tx.now.utc})
    return {row.kind: row for row in rows if subjects.get(row.kind) == row.subject}


def is_broken(kind: str, reason: str) -> bool:
    """Tell whether a maintenance declares a device broken, so that its care alarms become faults."""
    return kind == "device" and reason.casefold().partition(":")[0].strip() == BROKEN


def declared_broken(tx: Tx, device_id: str) -> bool:
    """Tell whether a device's care alarms become faults now."""
    row = _running(tx, {"device": device_id}).get("device")
    return row is not None and is_broken(row.kind, row.reason)


def _hold(tx: Tx, row: sa.Row[Any], finding: "Finding") -> bool:
    """Keep a finding; ``False``: its maintenance has ended since it was read, and has raised what it held.

    It is counted first: that waits for whoever is just ending it, or lets them wait.
    """
    lasting = (maintenances.c.id == row.id) & maintenances.c.ended_at.is_(None)
    counted = maintenances.update().where(lasting).values(held=maintenances.c.held + 1)
    if not tx.connection.execute(counted).rowcount:
        return False
    kept = {
        "maintenance_id": row.id,
        "at": tx.now.utc,
        "need": finding.need,
        "finding": msgspec.json.encode(finding).decode(),
    }
    tx.connection.execute(sql.insert(tx.connection, held_findings).on_conflict_do_nothing(), kept)
    return True
