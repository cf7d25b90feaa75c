"""Reading and noting incidents inside a transaction."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from hub.central.bulletin import News
from hub.central.centre import Tx
from hub.central.store.tables import incident_events, incident_observations, incidents
from hub.domain.errors import RefusedError

Incident = sa.Row[Any]

# Statements are made once: to make one takes longer than to ask it.
_GET = sa.select(incidents).where(incidents.c.id == sa.bindparam("number")).with_for_update()
_OPEN_FOR = sa.select(incidents).where(incidents.c.open_key == sa.bindparam("need")).with_for_update()
_CHANGE = incidents.update().where(incidents.c.id == sa.bindparam("number"))
_NOTE = incident_events.insert()
_LINK = incident_observations.insert()


def get(tx: Tx, number: int) -> Incident:
    """Return an incident, locked for this transaction.

    Raises:
        RefusedError: There is none of this number.
    """
    row = tx.connection.execute(_GET, {"number": number}).one_or_none()
    if row is None:
        raise RefusedError(f"there is no incident {number}")
    return row


def open_for(tx: Tx, need: str) -> Incident | None:
    """Return the open incident for a need, locked for this transaction, or ``None``."""
    return tx.connection.execute(_OPEN_FOR, {"need": need}).one_or_none()


def open_needs(tx: Tx, needs: Collection[str]) -> set[str]:
    """Return for which of these needs an incident is open."""
    if not needs:
        return set()
    return set(tx.connection.scalars(sa.select(incidents.c.open_key).where(incidents.c.open_key.in_(needs))))


def change(tx: Tx, number: int, **columns: object) -> None:
    """Change an incident and tell whoever watches."""
    tx.connection.execute(_CHANGE, {"number": number, **columns})
    announce(tx, number)


def note(tx: Tx, number: int, event: str, actor: str, detail: str = "") -> None:
    """Add a line to an incident's history. Nothing is ever taken away from it."""
    tx.connection.execute(
        _NOTE,
        {"incident_id": number, "at": tx.now.utc, "event": event, "actor": actor, "detail": detail},
    )
    announce(tx, number)


def link(tx: Tx, number: int, observation_id: int | None) -> None:
    """Note that an observation belongs to an incident."""
    if observation_id is not None:
        tx.connection.execute(_LINK, {"incident_id": number, "observation_id": observation_id})


def announce(tx: Tx, number: int) -> None:
    """Tell whoever watches that this incident changed, once a transaction."""
    news = News("incident", str(number))
    if news not in tx.effects.news:
        tx.effects.news.append(news)
