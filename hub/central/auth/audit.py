"""The audit trail: who did and who saw what, when. Rows are only ever added, each chained to the one before it."""

from typing import Any

import sqlalchemy as sa

from hub.central.audit import chain
from hub.central.audit.chain import GENESIS, Entry
from hub.central.store import sql
from hub.central.store.tables import audit, audit_head, microseconds
from hub.domain.clock import Now

# The one row of the table of heads.
CHAIN = "audit"

# Statements are made once: to make one takes longer than to ask it.
_HEAD = sa.select(audit_head.c.length, audit_head.c.hash).where(audit_head.c.name == CHAIN).with_for_update()
_ADD = audit.insert()
_MOVE_HEAD = audit_head.update().where(audit_head.c.name == CHAIN)


def note(connection: sa.Connection, now: Now, actor: str, action: str, subject: str, detail: str = "") -> None:
    """Add one row.

    The head of the chain is locked until the transaction ends, so that several centres keep one chain: note last
    in a transaction, after whatever it locks otherwise.

    Args:
        connection: The transaction in which it happened.
        now: When.
        actor: ``user:…``, ``phone:…`` or a part of the system.
        action: What was done (``incident.read``, ``login.failed``).
        subject: To what (``incident:47``, ``resident:r-0017``).
        detail: Anything that helps to understand it later; no names, no numbers of phones.
    """
    head = lock(connection)
    # Without a head somebody took it away. Nobody's alarm waits for that; whoever verifies the trail finds it.
    length, previous = (head.length, head.hash) if head else (0, GENESIS)
    entry = Entry(microseconds(now.utc), actor, action, subject[:96], detail)
    digest = chain.hash_of(entry, previous)
    added = connection.execute(
        _ADD,
        {
            "at": now.utc,
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "detail": entry.detail,
            "previous": previous,
            "hash": digest,
        },
    )
    end = {"length": length + 1, "last_id": sql.new_id(added), "hash": digest}
    if head:
        connection.execute(_MOVE_HEAD, end)
    else:
        connection.execute(audit_head.insert(), {"name": CHAIN, **end})


def lock(connection: sa.Connection) -> Any:  # noqa: ANN401 - a row with length and hash
    """Lock the head of the chain until the transaction ends, and return it; ``None`` when it is gone."""
    return connection.execute(_HEAD).one_or_none()
