"""Messages that must leave: written in the transaction that makes them necessary."""

from typing import Any

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation.plan import Position, Target
from hub.central.notify import attempts
from hub.central.notify.attempts import RECEIPT, SEND
from hub.central.notify.message import ANSWER, FYI, MessageState, withdrawn
from hub.central.store import sql, tables
from hub.central.store.tables import messages

__all__ = ["RECEIPT", "SEND", "cancel", "last", "queue", "send_now"]

# Made once: to make a statement takes longer than to ask it.
_QUEUE = messages.insert()
_LAST = (
    sa.select(messages)
    .where(
        messages.c.incident_id == sa.bindparam("incident_id"),
        messages.c.phone == sa.bindparam("phone"),
        messages.c.channel != FYI,
    )
    .order_by(messages.c.id.desc())
    .limit(1)
)
_QUEUED = (tables.attempts.c.message_id == messages.c.id) & (tables.attempts.c.state == MessageState.QUEUED)
_WAITING = (
    sa.select(messages.c.id, messages.c.phone, tables.attempts.c.id.label("attempt_id"))
    .select_from(messages.outerjoin(tables.attempts, _QUEUED))
    .where(
        messages.c.incident_id == sa.bindparam("incident_id"),
        messages.c.channel != FYI,
        sa.or_(tables.attempts.c.id.is_not(None), messages.c.state == MessageState.QUEUED),
    )
)


def last(tx: Tx, incident_id: int, phone: str) -> sa.Row[Any] | None:
    """Return the last message about an incident to a phone: the one that its answer means."""
    return tx.connection.execute(_LAST, {"incident_id": incident_id, "phone": phone}).one_or_none()


def queue(tx: Tx, incident_id: int | None, target: Target, text: str, position: Position) -> int:
    """Write a message and the duty to send it. It leaves right after the commit, or after a restart.

    Without an incident it is about something else, such as a shift.
    """
    message_id = _write(
        tx,
        incident_id=incident_id,
        zone=target.zone,
        role=target.role,
        phone=target.phone.id,
        number=target.phone.number,
        channel=target.channel,
        text=text,
        plan_round=position.round,
        plan_step=position.step,
    )
    _leave(tx, message_id)
    return message_id


def inform(tx: Tx, incident_id: int, zone: str, name: str, text: str) -> int:
    """Write a message for information only. Clockwork takes it up, behind what leaves right after the commit.

    It belongs to no step of a plan, and to no number: nobody can answer it.

    Args:
        tx: The transaction.
        incident_id: What it is about.
        zone: Whose incident that is.
        name: Who is told, by the name of the address in the settings.
        text: What it says.
    """
    message_id = _write(
        tx,
        incident_id=incident_id,
        zone=zone,
        role=FYI,
        phone=name,
        number="",
        channel=FYI,
        text=text,
        plan_round=-1,
        plan_step=-1,
    )
    clockwork.schedule(tx, tx.now.utc, SEND, str(message_id))
    return message_id


def send_now(tx: Tx, message_id: int) -> None:
    """Let a message leave right after the commit."""
    clockwork.unschedule(tx, SEND, str(message_id))
    _leave(tx, message_id)


def answer(tx: Tx, phone: str, number: str, text: str) -> int:
    """Write what a phone is told and nobody awaits an answer to, such as the answer to its own text.

    It belongs to no step of a plan, and an answer never means it.

    Args:
        tx: The transaction that makes it necessary.
        phone: The phone's id, or what is said of one that nobody knows.
        number: Where to.
        text: What it says.
    """
    message_id = _write(
        tx,
        incident_id=None,
        zone="",
        role=ANSWER,
        phone=phone,
        number=number,
        channel="sms",
        text=text,
        plan_round=-1,
        plan_step=-1,
    )
    _leave(tx, message_id)
    return message_id


def _leave(tx: Tx, message_id: int) -> None:
    clockwork.lease_new(tx, SEND, str(message_id))
    tx.effects.outgoing.append(message_id)


def _write(tx: Tx, **columns: object) -> int:
    new = {"state": MessageState.QUEUED, "reason": "", "attempts": 0, "created_at": tx.now.utc}
    message_id = sql.new_id(tx.connection.execute(_QUEUE, columns | new))
    attempts.add(tx, message_id)
    return message_id


def cancel(tx: Tx, incident_id: int, reason: str, taken_by: str | None = None) -> int:
    """Cancel what has not left yet, because nobody needs it any more; return how many messages that were.

    Args:
        tx: The transaction.
        incident_id: Whose messages.
        reason: Why, as a sentence.
        taken_by: Who took the incident (``sms:p-duty``), if that is why.
    """
    waiting = tx.connection.execute(_WAITING, {"incident_id": incident_id}).all()
    for row in waiting:
        state = withdrawn(row.phone, taken_by)
        if row.attempt_id is None:  # a centre of the version before this one queued it
            attempts.add(tx, row.id, state, reason=reason, ended_at=tx.now.utc)
        else:
            attempts.withdraw(tx, row.id, state, reason)
        attempts.settle(tx, row.id, reason=reason)
    return len(waiting)
