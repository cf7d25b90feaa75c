"""Links: made with a text, found by their token, used for one step of one incident.

The token is 128 random bits and stands only in the text that left; the store keeps its SHA-256. A link is dead
when its time is over or its incident closed, and a dead one looks like one that never was.
"""

import datetime as dt
import hashlib
import hmac

import msgspec
import sqlalchemy as sa

from hub.central.auth import audit
from hub.central.centre import Tx
from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Event, State
from hub.central.links.tokens import digest
from hub.central.notify import outbox, outcome
from hub.central.notify.message import BY_TEXT, MessageState
from hub.central.store.tables import incidents, links
from hub.domain.errors import RefusedError

# What a link may do. All else takes somebody who has signed in.
ACTS = (Event.ACKNOWLEDGE, Event.DEPART)


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What a link shows: nothing that the text which brought it did not say."""

    incident_id: int
    phone: str
    kind: str
    also: str
    state: str
    resident_id: str | None
    room: str | None
    occurred_at: dt.datetime
    presses: int
    taken_by: str | None
    taken_at: dt.datetime | None


def find(connection: sa.Connection, token: str, now: dt.datetime) -> Link | None:
    """Return what a token shows, ``None`` when it is unknown or dead. Changes nothing."""
    query = (
        sa.select(links.c.incident_id, links.c.phone, incidents)
        .join(incidents, incidents.c.id == links.c.incident_id)
        .where(
            links.c.token_hash == digest(token),
            links.c.expires_at > now,
            incidents.c.state != State.CLOSED,
        )
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Link(**{name: row._mapping[name] for name in Link.__struct_fields__})  # noqa: SLF001 - SQLAlchemy's own public name


def act(tx: Tx, token: str, event: Event) -> Link:
    """Take the link's incident a step further, as the phone it was sent to; return what it shows now.

    Raises:
        RefusedError: The link is dead, or the incident does not take this event; the sentence says who took it.
    """
    link = find(tx.connection, token, tx.now.utc)
    if link is None:
        raise RefusedError("the link is dead")
    if event not in ACTS:
        raise RefusedError(f"a link cannot {event}")
    # The phone's own name for what it answers: by text or by link, it is the same phone that took it.
    actor = f"{BY_TEXT}{link.phone}"
    desk.act(tx, link.incident_id, event, actor, note="by link")
    brought_by = outbox.last(tx, link.incident_id, link.phone)
    if brought_by is not None:
        outcome.answered(tx, brought_by.id, MessageState.ACCEPTED)
    audit.note(tx.connection, tx.now, actor, f"incident.{event}", f"incident:{link.incident_id}", "by link")
    return msgspec.structs.replace(link, state=_state(tx, link.incident_id), taken_by=actor, taken_at=tx.now.utc)


def form_token(token: str) -> str:
    """Return what the form of a link's page must bring back: only who has opened the page knows it."""
    return hashlib.sha256(f"form:{token}".encode()).hexdigest()


def is_form_token(token: str, brought: str) -> bool:
    """Tell whether a form was that of this link's page."""
    return hmac.compare_digest(form_token(token).encode(), brought.encode())


def _state(tx: Tx, number: int) -> str:
    return str(tx.connection.execute(sa.select(incidents.c.state).where(incidents.c.id == number)).scalar_one())
