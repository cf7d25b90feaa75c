"""What became of a message, noted in one transaction each: the row, what is due, the incident's history."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation import engine
from hub.central.incidents import record
from hub.central.notify.message import MessageState
from hub.central.notify.outbox import RECEIPT, SEND
from hub.central.store.tables import messages

SENDER = "sender"

# No delivery reported after this: the next way is tried (reference: one minute to the next channel).
RECEIPT_WAIT = dt.timedelta(seconds=60)
_BACKOFF_CAP_S = 30

_NOT_NOTED = frozenset({MessageState.QUEUED, MessageState.CANCELLED})


def find(tx: Tx, message_id: int) -> sa.Row[Any] | None:
    """Return a message, locked for this transaction, its incident locked before it as everywhere."""
    query = sa.select(messages).where(messages.c.id == message_id)
    row = tx.connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.incident_id is not None:
        record.get(tx, row.incident_id)
    return tx.connection.execute(query.with_for_update()).one()


def sent(tx: Tx, message_id: int, provider_ref: str) -> None:
    """The provider accepted it. Its receipt is awaited from now on."""
    row = find(tx, message_id)
    if row is None:
        return
    clockwork.unschedule(tx, SEND, str(message_id))
    values: dict[str, object] = {"provider_ref": provider_ref, "attempts": row.attempts + 1}
    values["sent_at"] = row.sent_at or tx.now.utc
    if row.state in _NOT_NOTED:  # else its receipt was faster than this note
        values |= {"state": MessageState.SENT, "reason": ""}
        clockwork.schedule(tx, tx.now.utc + RECEIPT_WAIT, RECEIPT, str(message_id))
    _change(tx, message_id, **values)
    _note(tx, row, "sent", f"attempt {row.attempts + 1}")


def put_off(tx: Tx, message_id: int, reason: str) -> None:
    """The attempt led nowhere: try again later, without end while somebody needs it."""
    row = find(tx, message_id)
    if row is None or row.state != MessageState.QUEUED:
        clockwork.unschedule(tx, SEND, str(message_id))
        return
    attempts = row.attempts + 1
    clockwork.schedule(tx, tx.now.utc + backoff(attempts), SEND, str(message_id))
    _change(tx, message_id, attempts=attempts, reason=reason)
    if attempts & (attempts - 1) == 0:  # 1, 2, 4, 8…: an outage of a day must not fill the history
        _note(tx, row, "send_failed", f"attempt {attempts}: {reason}")


def backoff(attempts: int) -> dt.timedelta:
    """Return how long to wait after this many attempts: 2, 4, 8, 16, then 30 s for ever."""
    return dt.timedelta(seconds=min(2 ** min(attempts, 10), _BACKOFF_CAP_S))


def undeliverable(tx: Tx, message_id: int, reason: str) -> None:
    """It will not reach its phone: escalation decides at once what comes instead."""
    row = find(tx, message_id)
    if row is None or row.state not in {MessageState.QUEUED, MessageState.SENT}:
        return
    clockwork.unschedule(tx, SEND, str(message_id))
    clockwork.unschedule(tx, RECEIPT, str(message_id))
    _change(tx, message_id, state=MessageState.UNDELIVERABLE, reason=reason)
    _note(tx, row, "undeliverable", reason)
    engine.message_failed(tx, message_id, reason)


def cancelled(tx: Tx, message_id: int, reason: str) -> None:
    """Nobody needs it any more; it never leaves."""
    clockwork.unschedule(tx, SEND, str(message_id))
    row = find(tx, message_id)
    if row is None or row.state != MessageState.QUEUED:
        return
    _change(tx, message_id, state=MessageState.CANCELLED, reason=reason)
    _note(tx, row, "withheld", reason)


def delivered(tx: Tx, row: sa.Row[Any], provider_ref: str, at: dt.datetime) -> None:
    """The phone has it, says the provider, even if we had believed otherwise."""
    clockwork.unschedule(tx, SEND, str(row.id))
    clockwork.unschedule(tx, RECEIPT, str(row.id))
    # The provider's clock is not ours: never before it was written, never after now.
    when = min(max(at, row.sent_at or row.created_at), tx.now.utc)
    _change(
        tx,
        row.id,
        state=MessageState.DELIVERED,
        reason="",
        sent_at=row.sent_at or when,
        delivered_at=when,
        provider_ref=row.provider_ref or provider_ref,
    )
    _note(tx, row, "delivered", "")


def _change(tx: Tx, message_id: int, **columns: object) -> None:
    tx.connection.execute(messages.update().where(messages.c.id == message_id).values(**columns))


def _note(tx: Tx, row: sa.Row[Any], event: str, detail: str) -> None:
    if row.incident_id is not None:
        said = f"message {row.id} to {row.phone}"
        record.note(tx, row.incident_id, event, SENDER, f"{said}: {detail}" if detail else said)
