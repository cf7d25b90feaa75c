"""The audit trail: who did and who saw what, when. Rows are only ever added."""

import sqlalchemy as sa

from hub.central.store import tables
from hub.domain.clock import Now


def note(connection: sa.Connection, now: Now, actor: str, action: str, subject: str, detail: str = "") -> None:
    """Add one row.

    Args:
        connection: The transaction in which it happened.
        now: When.
        actor: ``user:…``, ``phone:…`` or a part of the system.
        action: What was done (``incident.read``, ``login.failed``).
        subject: To what (``incident:47``, ``resident:r-0017``).
        detail: Anything that helps to understand it later; no names, no numbers of phones.
    """
    connection.execute(
        sa.insert(tables.audit).values(at=now.utc, actor=actor, action=action, subject=subject[:96], detail=detail)
    )
