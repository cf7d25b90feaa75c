"""The rows of attempts: each time a message is to be handed to a provider, with what became of it.

While a message waits to leave, one attempt of it is queued and a ``message.send`` is due; the two come and go
together. Which provider carries it is chosen when it leaves.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.incidents import record
from hub.central.notify.message import MessageState, standing
from hub.central.notify.order import Past
from hub.central.store import sql
from hub.central.store.tables import attempts, messages

SEND = "message.send"
RECEIPT = "message.receipt"

# Statements are made once: to make one takes longer than to ask it.
_OF = sa.select(attempts).where(attempts.c.message_id == sa.bindparam("message_id")).order_by(attempts.c.id)
_STATES = _OF.with_only_columns(attempts.c.state)
_GET = sa.select(attempts).where(attempts.c.id == sa.bindparam("attempt_id"))
_NAMED = (
    sa.select(attempts)
    .where(
        attempts.c.provider == sa.bindparam("provider"), attempts.c.provider_ref == sa.bindparam("provider_ref")
    )
    .order_by(attempts.c.id.desc())
    .limit(1)
)
_NAMED_OF = _NAMED.where(attempts.c.message_id == sa.bindparam("message_id"))
_ADD = attempts.insert()
_CHANGE = attempts.update().where(attempts.c.id == sa.bindparam("attempt_id"))
_WITHDRAW = attempts.update().where(
    attempts.c.message_id == sa.bindparam("of_message"), attempts.c.state == MessageState.QUEUED
)
_SETTLE = messages.update().where(messages.c.id == sa.bindparam("message_id")).returning(messages.c.incident_id)


def add(tx: Tx, message_id: int, state: MessageState = MessageState.QUEUED, **columns: object) -> int:
    """Write an attempt and return its number."""
    values = {"message_id": message_id, "state": state, "reason": "", "final": False, "created_at": tx.now.utc}
    return sql.new_id(tx.connection.execute(_ADD, values | columns))


def of(connection: sa.Connection, message_id: int) -> Sequence[sa.Row[Any]]:
    """Return the attempts at a message, the oldest first."""
    return connection.execute(_OF, {"message_id": message_id}).all()


def past(rows: Iterable[sa.Row[Any]]) -> tuple[Past, ...]:
    """Return attempts as :mod:`hub.central.notify.order` takes them."""
    return tuple(
        Past(row.provider, MessageState(row.state), row.final, row.ended_at or row.created_at) for row in rows
    )


def get(tx: Tx, attempt_id: int | None) -> sa.Row[Any] | None:
    """Return an attempt, ``None`` when there is none of this number."""
    return tx.connection.execute(_GET, {"attempt_id": attempt_id}).one_or_none()


def named(tx: Tx, provider: str, provider_ref: str, message_id: int | None) -> sa.Row[Any] | None:
    """Return the newest attempt that a provider calls so, of one message where that is known.

    The newest, because some providers count in small numbers and begin again.
    """
    name = {"provider": provider, "provider_ref": provider_ref}
    if message_id is None:
        return tx.connection.execute(_NAMED, name).one_or_none()
    return tx.connection.execute(_NAMED_OF, name | {"message_id": message_id}).one_or_none()


def change(tx: Tx, attempt_id: int, **columns: object) -> None:
    """Change an attempt."""
    tx.connection.execute(_CHANGE, {"attempt_id": attempt_id, **columns})


def withdraw(tx: Tx, message_id: int, state: MessageState, reason: str) -> bool:
    """Take back the attempt that has yet to leave; tell whether there was one."""
    ended = {"state": state, "reason": reason, "ended_at": tx.now.utc}
    return tx.connection.execute(_WITHDRAW, {"of_message": message_id, **ended}).rowcount > 0


def settle(tx: Tx, message_id: int, **columns: object) -> MessageState:
    """Bring a message to where its attempts stand, and keep its ``message.send`` only while one is queued.

    Returns:
        Where it stands now.
    """
    states = [MessageState(state) for (state,) in tx.connection.execute(_STATES, {"message_id": message_id})]
    state = standing(states)
    if MessageState.QUEUED not in states:
        clockwork.unschedule(tx, SEND, str(message_id))
    if state is not MessageState.SENT:
        clockwork.unschedule(tx, RECEIPT, str(message_id))
    standing_now = {"message_id": message_id, "state": state, **columns}
    incident_id = tx.connection.execute(_SETTLE, standing_now).scalar_one()
    if incident_id is not None:
        record.announce(tx, incident_id)
    return state
