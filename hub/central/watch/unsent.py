"""Since when a message waits that no provider has. Reads the store; changes nothing."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from hub.central.notify.attempts import SEND
from hub.central.notify.message import FYI, MessageState
from hub.central.notify.outcome import FLEETING_ATTEMPTS
from hub.central.store.tables import Instant, attempts, due, messages

# What is for information and was written longer ago is nobody's any more.
_FYI_CONCERNS = dt.timedelta(days=1)


def text_since(connection: sa.Connection) -> dt.datetime | None:
    """Return since when the oldest text waits that no provider has, or ``None``.

    One that a provider accepted has its provider, whoever tries it again for want of a receipt. Where that one
    reports that it failed, the text waits from its next attempt on.
    """
    since: dt.datetime | None = connection.scalar(_TEXT)
    return since


def fyi_since(connection: sa.Connection, now: dt.datetime) -> dt.datetime | None:
    """Return since when somebody who wants to know is told nothing, or ``None``.

    A message that was given up still counts until that recipient takes a later one: else each would be a trouble
    of its own, and the incident about it would bring forth the next. What a provider refused was answered.
    """
    since: dt.datetime | None = connection.scalar(_FYI, {"begin": now - _FYI_CONCERNS})
    return since


def _text() -> sa.Select[Any]:
    of_it = attempts.c.message_id == messages.c.id
    accepted = sa.select(sa.func.max(attempts.c.id)).where(of_it, attempts.c.sent_at.is_not(None))
    later = attempts.c.id > sa.func.coalesce(accepted.correlate(messages).scalar_subquery(), 0)
    first = sa.select(sa.func.min(attempts.c.created_at)).where(of_it, later).correlate(messages)
    # The version before this one kept no attempts.
    since = sa.func.coalesce(first.scalar_subquery(), messages.c.created_at)
    return (
        sa.select(sa.func.min(since, type_=Instant()))
        .select_from(due)
        .join(messages, messages.c.id == sa.cast(due.c.subject, sa.BigInteger))
        .where(due.c.kind == SEND, messages.c.state == MessageState.QUEUED, messages.c.channel != FYI)
    )


def _fyi() -> sa.Select[Any]:
    taken = messages.alias()
    recent = sa.bindparam("begin", type_=Instant())
    answers = sa.select(taken.c.id).where(
        # By the index over numbers: such a message has none.
        taken.c.number == "",
        taken.c.created_at > recent,
        taken.c.channel == FYI,
        taken.c.phone == messages.c.phone,
        taken.c.sent_at > messages.c.created_at,
    )
    given_up = (messages.c.state == MessageState.UNDELIVERABLE) & (messages.c.attempts >= FLEETING_ATTEMPTS)
    return sa.select(sa.func.min(messages.c.created_at, type_=Instant())).where(
        messages.c.number == "",
        messages.c.created_at > recent,
        messages.c.channel == FYI,
        sa.or_(messages.c.state == MessageState.QUEUED, given_up),
        ~answers.exists(),
    )


# Made once: to make a statement takes longer than to ask it.
_TEXT, _FYI = _text(), _fyi()
