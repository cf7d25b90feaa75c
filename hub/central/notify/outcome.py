"""What became of an attempt, noted in one transaction each: its row, its message, what is due, the history."""

import datetime as dt
from typing import Any, NamedTuple

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation import engine
from hub.central.incidents import record
from hub.central.notify import attempts, order
from hub.central.notify.attempts import RECEIPT, SEND
from hub.central.notify.message import ANSWER, FYI, UNDERWAY, WITHDRAWN, MessageState, further
from hub.central.notify.outbox import send_now
from hub.central.notify.ways import Ways
from hub.central.store.tables import incidents, messages

SENDER = "sender"
# After so many attempts (three and a half minutes) what is for information, or answers a text, is old news.
FLEETING_ATTEMPTS = 10

# When every provider has failed so often, the next of the plan is told too. Once may be a moment's trouble.
_HOPELESS = 2
# No delivery reported after this: the next way is tried (reference: one minute to the next channel).
RECEIPT_WAIT = dt.timedelta(seconds=60)
# A call rings and is read out twice before anybody can say what became of it.
CALL_WAIT = dt.timedelta(seconds=90)

# Made once: to make a statement takes longer than to ask it.
_OF = sa.select(messages.c.incident_id).where(messages.c.id == sa.bindparam("message_id"))
_LOCK_INCIDENT = sa.select(incidents.c.id).where(incidents.c.id == _OF.scalar_subquery()).with_for_update()
_LOCK = sa.select(messages).where(messages.c.id == sa.bindparam("message_id")).with_for_update()


class Fault(NamedTuple):
    """An attempt that led nowhere: whose it was, why, and whether that provider will ever carry the message."""

    provider: str
    reason: str
    final: bool


def find(tx: Tx, message_id: int) -> sa.Row[Any] | None:
    """Return a message, locked for this transaction, its incident locked before it as everywhere."""
    tx.connection.execute(_LOCK_INCIDENT, {"message_id": message_id})
    return tx.connection.execute(_LOCK, {"message_id": message_id}).one_or_none()


def sent(tx: Tx, message_id: int, attempt_id: int | None, provider: str, provider_ref: str) -> None:
    """The provider accepted it. Its receipt is awaited from now on."""
    row = find(tx, message_id)
    if row is None:
        return
    attempt = attempts.get(tx, attempt_id)
    waited = attempt is not None and attempt.state == MessageState.QUEUED
    # A report that was faster than this note has said what became of it.
    reported = not waited and attempts.named(tx, provider, provider_ref, message_id) is not None
    noted = {"provider": provider, "provider_ref": provider_ref, "sent_at": tx.now.utc}
    if attempt is not None and not reported and attempt.state in WITHDRAWN | {MessageState.QUEUED}:
        attempts.change(tx, attempt.id, state=MessageState.SENT, reason="", ended_at=None, **noted)
    elif not reported:  # two processes sent it, or one did before the attempts were kept: each sending is a row
        attempts.add(tx, message_id, MessageState.SENT, **noted)
    state = attempts.settle(
        tx,
        message_id,
        reason="",
        provider_ref=provider_ref,
        attempts=row.attempts + 1,
        sent_at=row.sent_at or tx.now.utc,
    )
    if state is MessageState.SENT and row.channel != FYI and not reported:
        clockwork.schedule(
            tx, tx.now.utc + (CALL_WAIT if row.channel == "voice" else RECEIPT_WAIT), RECEIPT, str(message_id)
        )
    _note(tx, row, "sent", f"attempt {row.attempts + 1}")


def failed(tx: Tx, message_id: int, attempt_id: int | None, fault: Fault, ways: Ways) -> None:
    """The attempt led nowhere: the next provider at once, or all again later, without end while needed."""
    row = find(tx, message_id)
    if row is None:
        clockwork.unschedule(tx, SEND, str(message_id))
        return
    attempt = attempts.get(tx, attempt_id)
    ended = {
        "provider": fault.provider,
        "reason": fault.reason,
        "final": fault.final,
        "ended_at": tx.now.utc,
    }
    if clockwork.overtaken(tx, SEND, str(message_id)):  # what is queued is the other centre's attempt
        attempts.add(tx, message_id, MessageState.UNDELIVERABLE, **ended)
        attempts.settle(tx, message_id)
        return
    if attempt is None:
        attempts.add(tx, message_id, MessageState.UNDELIVERABLE, **ended)
    elif attempt.state == MessageState.QUEUED:
        attempts.change(tx, attempt.id, state=MessageState.UNDELIVERABLE, **ended)
    else:  # it was cancelled, or its receipt came while the answer was lost
        attempts.settle(tx, message_id)
        return
    count = row.attempts + 1
    goes_on = _go_on(tx, row, ways, reason=fault.reason, attempts=count)
    if goes_on and count & (count - 1) == 0:  # 1, 2, 4, 8…: an outage of a day must not fill the history
        _note(tx, row, "send_failed", f"attempt {count}: {fault.reason}")


def not_delivered(tx: Tx, row: sa.Row[Any], attempt: sa.Row[Any], reason: str, ways: Ways) -> None:
    """The provider took an attempt and reports that it failed: the next provider has its turn."""
    if attempt.state == MessageState.SENT:
        _never(tx, attempt, reason)
        if _go_on(tx, row, ways, reason=reason):
            _note(tx, row, "send_failed", reason)


def lost(tx: Tx, row: sa.Row[Any], provider: str, provider_ref: str, reason: str) -> None:
    """The provider reports the failure of what nobody has noted: whoever does so later finds it failed."""
    named = {"provider": provider, "provider_ref": provider_ref}
    attempts.add(tx, row.id, MessageState.UNDELIVERABLE, reason=reason, final=True, ended_at=tx.now.utc, **named)


def not_taken(tx: Tx, row: sa.Row[Any], attempt: sa.Row[Any], reason: str) -> None:
    """The phone rang and nobody took the call: the next person has their turn, not the next provider."""
    if attempt.state == MessageState.SENT:
        _never(tx, attempt, reason)
        # Another centre may be about to make the call again. That is not cancelled: somebody still has to be told.
        attempts.withdraw(tx, row.id, MessageState.UNDELIVERABLE, reason)
        _ended(tx, row, attempts.settle(tx, row.id, reason=reason), reason)


def no_receipt(tx: Tx, message_id: int, ways: Ways) -> None:
    """No delivery was reported in time: another provider has its turn, while the first may still deliver."""
    row = find(tx, message_id)
    engine.no_receipt(tx, message_id)
    if row is not None and row.state == MessageState.SENT and row.channel != FYI:
        _go_on(tx, row, ways)


def undeliverable(tx: Tx, message_id: int, reason: str) -> None:
    """Nobody here can carry it: escalation decides at once what comes instead."""
    row = find(tx, message_id)
    if row is None:
        return
    if not attempts.withdraw(tx, message_id, MessageState.UNDELIVERABLE, reason):
        attempts.add(tx, message_id, MessageState.UNDELIVERABLE, reason=reason, ended_at=tx.now.utc)
    _ended(tx, row, attempts.settle(tx, message_id, reason=reason), reason)


def cancelled(tx: Tx, message_id: int, state: MessageState, reason: str) -> None:
    """Nobody needs it any more; what has not left never does."""
    row = find(tx, message_id)
    if row is None:
        clockwork.unschedule(tx, SEND, str(message_id))
        return
    waited = attempts.withdraw(tx, message_id, state, reason)
    if attempts.settle(tx, message_id) in WITHDRAWN and waited:  # else it was one more attempt at what has left
        tx.connection.execute(messages.update().where(messages.c.id == message_id).values(reason=reason))
        _note(tx, row, "withheld", reason)


def arrived(
    tx: Tx,
    row: sa.Row[Any],
    attempt_id: int,
    state: MessageState,
    at: dt.datetime,
    **named: str,
) -> None:
    """The phone has it, or has shown it, says the provider, even if we had believed otherwise.

    Args:
        tx: The transaction.
        row: The message, locked.
        attempt_id: Which attempt.
        state: ``DELIVERED`` or ``READ``.
        at: When, by the provider's clock.
        named: ``provider`` and ``provider_ref``, where they were not noted yet.
    """
    attempt = attempts.get(tx, attempt_id)
    if attempt is None or not further(state, MessageState(attempt.state)):
        attempts.settle(tx, row.id)
        return
    # The provider's clock is not ours: never before it was written, never after now.
    when = min(max(at, attempt.sent_at or attempt.created_at), tx.now.utc)
    times = {"sent_at": attempt.sent_at or when, "delivered_at": attempt.delivered_at or when}
    if state is MessageState.READ:
        times["read_at"] = when
    attempts.change(tx, attempt.id, state=state, reason="", ended_at=None, **times, **named)
    attempts.withdraw(tx, row.id, MessageState.CANCELLED, "the phone has it already")
    attempts.settle(
        tx,
        row.id,
        reason="",
        sent_at=row.sent_at or when,
        delivered_at=row.delivered_at or when,
        provider_ref=row.provider_ref or named.get("provider_ref"),
    )
    if row.delivered_at is None:
        _note(tx, row, "delivered", "")
    if state is MessageState.READ:
        _note(tx, row, "read", "")


def answered(tx: Tx, message_id: int, state: MessageState) -> None:
    """Somebody answered from that phone: ``ACCEPTED`` or ``REJECTED``. So it has reached them."""
    for attempt in attempts.of(tx.connection, message_id):
        if attempt.state in UNDERWAY:
            attempts.change(tx, attempt.id, state=state, ended_at=tx.now.utc)
    attempts.withdraw(tx, message_id, MessageState.CANCELLED, "the phone has answered")
    attempts.settle(tx, message_id)


def rejected(tx: Tx, message_id: int) -> None:
    """Somebody answered from that phone that they cannot: the next person is told."""
    answered(tx, message_id, MessageState.REJECTED)
    engine.rejected(tx, message_id)


def passed_on(tx: Tx, message_id: int, actor: str, note: str) -> None:
    """Whoever took the incident answered from that phone that they cannot after all: the next person is told."""
    answered(tx, message_id, MessageState.REJECTED)
    engine.passed_on(tx, message_id, actor, note)


def _go_on(tx: Tx, row: sa.Row[Any], ways: Ways, **columns: object) -> bool:
    """Queue the next attempt at a message, or let escalation know that there is none; tell which.

    Whether anybody still needs it is asked when it is to leave, by :mod:`hub.central.notify.stages` alone.
    """
    made = attempts.past(attempts.of(tx.connection, row.id))
    step = order.following(ways.of(row.channel, tx.now.utc), made, tx.now.utc)
    if isinstance(step, order.Nobody) or _old_news(row):
        _ended(tx, row, attempts.settle(tx, row.id, **columns), str(columns.get("reason", "")))
        return False
    attempts.add(tx, row.id)
    attempts.settle(tx, row.id, **columns)
    if step.at <= tx.now.utc:
        send_now(tx, row.id)
    else:
        clockwork.schedule(tx, step.at, SEND, str(row.id))
    if step.failures >= _HOPELESS:
        engine.delayed(tx, row.id)
    return True


def _never(tx: Tx, attempt: sa.Row[Any], reason: str) -> None:
    ended = {"reason": reason, "final": True, "ended_at": tx.now.utc}
    attempts.change(tx, attempt.id, state=MessageState.UNDELIVERABLE, **ended)


def _old_news(row: sa.Row[Any]) -> bool:
    return (row.channel == FYI or row.role == ANSWER) and int(row.attempts) + 1 >= FLEETING_ATTEMPTS


def _ended(tx: Tx, row: sa.Row[Any], state: MessageState, reason: str) -> None:
    if state is MessageState.UNDELIVERABLE and row.state != state:
        _note(tx, row, "undeliverable", reason)
        if row.channel != FYI:
            engine.message_failed(tx, row.id, reason)


def _note(tx: Tx, row: sa.Row[Any], event: str, detail: str) -> None:
    if row.incident_id is not None:
        said = f"message {row.id} to {row.phone}"
        record.note(tx, row.incident_id, event, SENDER, f"{said}: {detail}" if detail else said)
