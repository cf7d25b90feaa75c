"""The site in the store: applied in one transaction, read back by every centre."""

from collections.abc import Iterable

import sqlalchemy as sa

from hub.central.audit.incidents import SITE_APPLIED, digest
from hub.central.auth import audit
from hub.central.commissioning import service
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.central.site.model import Site
from hub.central.store import sql
from hub.central.store.tables import devices, due, hubs, sites
from hub.domain.clock import Now
from hub.domain.errors import RefusedError

CHANGED = "site.changed"
_SUBJECT = "site"


def apply(connection: sa.Connection, text: str, site: Site, now: Now, applied_by: str) -> int:
    """Store a site that was checked, and tell running centres that it holds now.

    Hubs and devices that were there keep the time since which they are supervised; new ones begin now. A device
    that is assigned otherwise than before is no longer in service.

    Args:
        connection: An open transaction of the store.
        text: The document, kept as it is.
        site: What it says.
        now: This moment.
        applied_by: Who applies it, for the audit trail.

    Returns:
        The site's version.
    """
    # The time is the number: hubs ignore a lower one than they hold, also from a store that was begun anew.
    version = max(int(now.utc.timestamp()), (newest_version(connection) or 0) + 1)
    connection.execute(
        sites.insert().values(version=version, applied_at=now.utc, applied_by=applied_by[:64], document=text)
    )
    _assign(connection, hubs, hubs.c.hub_id, (hub.id for hub in site.hubs), now)
    _assign(connection, devices, devices.c.device_id, (device.id for device in site.devices), now)
    service.rewire(connection, site, now, applied_by)
    audit.note(connection, now, applied_by[:64], SITE_APPLIED, f"site:{version}", digest(text))
    notice = {"at": now.utc, "attempts": 0, "leased_by": None, "leased_until": None}
    connection.execute(
        sql.insert(connection, due)
        .values(kind=CHANGED, subject=_SUBJECT, **notice)
        .on_conflict_do_update(index_elements=["kind", "subject"], set_=notice)
    )
    return version


def newest_version(connection: sa.Connection) -> int | None:
    """Return the version of the site that was applied last."""
    version: int | None = connection.scalar(sa.select(sa.func.max(sites.c.version)))
    return version


def load_current(connection: sa.Connection) -> Directory | None:
    """Return the site that was applied last, or ``None`` when none ever was.

    Raises:
        DocumentError: This version of the hub cannot read it.
    """
    row = connection.execute(
        sa.select(sites.c.version, sites.c.document).order_by(sites.c.version.desc()).limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Directory(load(row.document, f"site version {row.version}"), row.version)


def export(connection: sa.Connection) -> str:
    """Return the document that was applied last, as it was given.

    Raises:
        RefusedError: None ever was.
    """
    document = connection.scalar(sa.select(sites.c.document).order_by(sites.c.version.desc()).limit(1))
    if document is None:
        raise RefusedError("no site was applied to this store yet")
    return str(document)


def _assign(
    connection: sa.Connection, table: sa.Table, name: sa.Column[str], wanted: Iterable[str], now: Now
) -> None:
    """Give each of the wanted a row, and take the rows of the others."""
    ids = set(wanted)
    known = set(connection.scalars(sa.select(name)))
    for gone in known - ids:
        connection.execute(sa.delete(table).where(name == gone))
    online = {"online": False} if "online" in table.c else {}
    for new in sorted(ids - known):
        row = {name.name: new, "assigned_at": now.utc, **online}
        connection.execute(sql.insert(connection, table).values(row).on_conflict_do_nothing())
