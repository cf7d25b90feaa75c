"""Reading and noting incidents inside a transaction."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from hub.central.bulletin import News
from hub.central.centre import Tx
from hub.central.store.tables import incident_events, incident_observations, incidents
from hub.domain.errors import RefusedError

Incident = sa.Row[Any]


def get(tx: Tx, number: int) -> Incident:
    """Return an incident, locked for this transaction.

    Raises:
        RefusedError: There is none of this number.
    """
    row = tx.connection.execute(
        sa.select(incidents).where(incidents.c.id == number).with_for_update()
    ).one_or_none()
    if row is None:
        raise RefusedError(f"there is no incident {number}")
    return row


def open_for(tx: Tx, need: str) -> Incident | None:
    """Return the open incident for a need, locked for this transaction, or ``None``."""
    return tx.connection.execute(
        sa.select(incidents).where(incidents.c.open_key == need).with_for_update()
    ).one_or_none()


def open_needs(tx: Tx, needs: Collection[str]) -> set[str]:
    """Return for which of these needs an incident is open."""
    if not needs:
        return set()
    return set(tx.connection.scalars(sa.select(incidents.c.open_key).where(incidents.c.open_key.in_(needs))))


def change(tx: Tx, number: int, **columns: object) -> None:
    """Change an incident and tell whoever watches."""
    tx.connection.execute(incidents.update().where(incidents.c.id == number).values(**columns))
    announce(tx, number)


def note(tx: Tx, number: int, event: str, actor: str, detail: str = "") -> None:
    """Add a line to an incident's history. Nothing is ever taken away from it."""
    tx.connection.execute(
        incident_events.insert(),
        {"incident_id": number, "at": tx.now.utc, "event": event, "actor": actor, "detail": detail},
    )
    announce(tx, number)


def link(tx: Tx, number: int, observation_id: int | None) -> None:
    """Note that an observation belongs to an incident."""
    if observation_id is not None:
        tx.connection.execute(
            incident_observations.insert(), {"incident_id": number, "observation_id": observation_id}
        )


def announce(tx: Tx, number: int) -> None:
    """Tell whoever watches that this incident changed, once a transaction."""
    news = News("incident", str(number))
    if news not in tx.effects.news:
        tx.effects.news.append(news)
