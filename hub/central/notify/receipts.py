"""Delivery reports: what the provider says became of a message, once, twice, too early or never."""

import logging
from typing import Any

import sqlalchemy as sa

from hub.central.centre import Tx
from hub.central.notify import attempts, outcome
from hub.central.notify.channels.base import Provider, ReceiptStatus, Report
from hub.central.notify.message import MessageState
from hub.central.notify.ways import Ways
from hub.domain.errors import RefusedError, TransientError

log = logging.getLogger(__name__)

_ARRIVED = {ReceiptStatus.DELIVERED: MessageState.DELIVERED, ReceiptStatus.READ: MessageState.READ}


def reported(tx: Tx, provider: Provider, report: Report, ways: Ways) -> None:
    """Note a delivery report. Repeated reports change nothing.

    Where the report names our message it counts even before we noted what the provider calls it.

    Raises:
        TransientError: It is too early to tell which attempt failed; the provider is to report again.
        RefusedError: There is no such message.
    """
    row = _message(tx, provider, report)
    # Named only now that the message is locked: its sending, or the same report, was perhaps just being noted.
    attempt = attempts.named(tx, provider.name, report.provider_ref, row.id)
    if report.status in _ARRIVED:
        number = attempt.id if attempt is not None else _unnamed(tx, row.id, provider.name)
        named = {"provider": provider.name, "provider_ref": report.provider_ref}
        outcome.arrived(tx, row, number, _ARRIVED[report.status], report.at, **named)
    elif report.status is ReceiptStatus.FAILED:
        _failed(tx, row, attempt, provider.name, report, ways)


def _message(tx: Tx, provider: Provider, report: Report) -> sa.Row[Any]:
    """Return the message that a report means, locked for this transaction."""
    message_id = report.message_id
    if message_id is None:
        attempt = attempts.named(tx, provider.name, report.provider_ref, None)
        message_id = None if attempt is None else attempt.message_id
    row = None if message_id is None else outcome.find(tx, message_id)
    if row is None or row.channel != provider.channel:
        raise RefusedError(f"no message that {provider.name} carries is called {report.provider_ref!r}")
    return row


def overdue(tx: Tx, message_id: int, ways: Ways) -> None:
    """No report came in time (the work of a due ``message.receipt``): escalation waits no longer."""
    outcome.no_receipt(tx, message_id, ways)


def _unnamed(tx: Tx, message_id: int, provider: str) -> int:
    """Return the attempt that a report must mean whose name for it we have not noted.

    The provider's answer was lost on its way to us; or the attempt is under way; or whoever made it was killed
    before it was noted.
    """
    made = attempts.of(tx.connection, message_id)
    lost = [row.id for row in made if row.provider == provider and row.provider_ref is None]
    waiting = [row.id for row in made if row.state == MessageState.QUEUED]
    known = lost[:1] or waiting[:1]
    return known[0] if known else attempts.add(tx, message_id)


def _failed(
    tx: Tx, row: sa.Row[Any], attempt: sa.Row[Any] | None, provider: str, report: Report, ways: Ways
) -> None:
    reason = report.reason or "the provider reports that it failed"
    if attempt is not None and report.person:
        outcome.not_taken(tx, row, attempt, reason)
    elif attempt is not None:
        outcome.not_delivered(tx, row, attempt, reason, ways)
    elif row.state == MessageState.QUEUED or _is_being_sent(tx, row.id):
        raise TransientError(f"message {row.id} is being sent; report again")
    else:  # whoever made it was killed, or has yet to note it; another may still arrive
        log.info("message %d: failure of an attempt that is not known", row.id)
        outcome.lost(tx, row, provider, report.provider_ref, reason)


def _is_being_sent(tx: Tx, message_id: int) -> bool:
    return any(made.state == MessageState.QUEUED for made in attempts.of(tx.connection, message_id))
