"""Messages that must leave: written in the transaction that makes them necessary."""

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation.plan import Position, Target
from hub.central.notify.message import MessageState
from hub.central.store import sql
from hub.central.store.tables import messages

SEND = "message.send"
RECEIPT = "message.receipt"


def queue(tx: Tx, incident_id: int, target: Target, text: str, position: Position) -> int:
    """Write a message and the duty to send it. It leaves right after the commit, or after a restart."""
    result = tx.connection.execute(
        messages.insert(),
        {
            "incident_id": incident_id,
            "zone": target.zone,
            "role": target.role,
            "phone": target.phone.id,
            "number": target.phone.number,
            "channel": target.channel,
            "text": text,
            "plan_round": position.round,
            "plan_step": position.step,
            "state": MessageState.QUEUED,
            "reason": "",
            "attempts": 0,
            "created_at": tx.now.utc,
        },
    )
    message_id = sql.new_id(result)
    clockwork.lease_new(tx, SEND, str(message_id))
    tx.effects.outgoing.append(message_id)
    return message_id


def cancel(tx: Tx, incident_id: int, reason: str) -> int:
    """Cancel what has not left yet, because nobody needs it any more; return how many that were."""
    waiting = list(
        tx.connection.scalars(
            sa.select(messages.c.id).where(
                messages.c.incident_id == incident_id, messages.c.state == MessageState.QUEUED
            )
        )
    )
    for message_id in waiting:
        clockwork.unschedule(tx, SEND, str(message_id))
    tx.connection.execute(
        messages.update().where(messages.c.id.in_(waiting)).values(state=MessageState.CANCELLED, reason=reason)
    )
    return len(waiting)
