"""Delivery reports: what the provider says became of a message, once, twice, too early or never."""

import datetime as dt
import logging
from enum import StrEnum

import sqlalchemy as sa

from hub.central.centre import Tx
from hub.central.escalation import engine
from hub.central.notify import outcome
from hub.central.notify.message import MessageState
from hub.central.store.tables import messages
from hub.domain.errors import RefusedError, TransientError

log = logging.getLogger(__name__)


class ReceiptStatus(StrEnum):
    """What a delivery report can say."""

    SENT = "sent"  # on its way; nothing new
    DELIVERED = "delivered"
    FAILED = "failed"


def delivered(
    tx: Tx,
    channel: str,
    provider_ref: str,
    status: ReceiptStatus,
    at: dt.datetime,
    *,
    message_id: int | None = None,
) -> None:
    """Note a delivery report. Repeated reports change nothing.

    Args:
        tx: The transaction.
        channel: Channel of the message.
        provider_ref: The provider's name for it.
        status: What it reports.
        at: When that was, by the provider's clock.
        message_id: The message, where the report names it. It then counts even before we noted what the
            provider calls the message.

    Raises:
        TransientError: It is too early to tell which attempt failed; the provider is to report again.
        RefusedError: There is no such message.
    """
    found = message_id if message_id is not None else _named(tx, channel, provider_ref)
    row = None if found is None else outcome.find(tx, found)
    if row is None or row.channel != channel:
        raise RefusedError(f"no message of channel {channel} is called {provider_ref!r}")
    if status is ReceiptStatus.DELIVERED and row.state != MessageState.DELIVERED:
        outcome.delivered(tx, row, provider_ref, at)
    elif status is ReceiptStatus.FAILED:
        _failed(tx, row.id, row.state, row.provider_ref, provider_ref)


def overdue(tx: Tx, message_id: int) -> None:
    """No report came in time (the work of a due ``message.receipt``): escalation waits no longer."""
    engine.no_receipt(tx, message_id)


def _named(tx: Tx, channel: str, provider_ref: str) -> int | None:
    query = sa.select(messages.c.id).where(messages.c.channel == channel, messages.c.provider_ref == provider_ref)
    return tx.connection.scalar(query.limit(1))


def _failed(tx: Tx, message_id: int, state: str, noted: str | None, provider_ref: str) -> None:
    if state == MessageState.QUEUED:
        raise TransientError(f"message {message_id} is being sent; report again")
    if noted != provider_ref:  # an earlier attempt; a later one may still arrive
        log.info("message %d: failure of an earlier attempt", message_id)
        return
    outcome.undeliverable(tx, message_id, "the provider reports that it failed")
