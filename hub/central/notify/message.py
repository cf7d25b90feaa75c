"""The life of one outgoing message and of each attempt at it, in the words of IHE ACM's dissemination status.

A message stands where its attempts have brought it: :func:`standing` is the only place that says so.
"""

from collections.abc import Iterable
from enum import StrEnum

# Who acted, where it was a phone: by a text, or by a key in a call.
BY_TEXT = "sms:"
BY_KEY = "call:"

# The channel of messages for whoever else wants to know. No hope rests on them: nobody reports what became of
# one, nobody can answer one, and none of them moves an incident.
FYI = "fyi"

# The role in messages that answer a text, or tell a phone that another one has taken over what it had.
ANSWER = "answer"


class MessageState(StrEnum):
    """Where a message, or one attempt at it, stands."""

    QUEUED = "queued"
    SENT = "sent"  # the provider accepted it; that proves nothing about the phone
    DELIVERED = "delivered"  # the provider reports that the phone has it
    READ = "read"  # the phone reports that somebody has seen it
    ACCEPTED = "accepted"  # that phone took the incident
    REJECTED = "rejected"  # that phone said no
    UNDELIVERABLE = "undeliverable"
    CANCELLED = "cancelled"  # it was no longer needed before it left
    CANCELLED_BY_OTHER = "cancelled_by_other"  # another phone took the incident before it left


S = MessageState

# The phone has it, by whatever we know.
REACHED = frozenset({S.DELIVERED, S.READ, S.ACCEPTED, S.REJECTED})
# It never left.
WITHDRAWN = frozenset({S.CANCELLED, S.CANCELLED_BY_OTHER})
# It left, and an answer to it can still come: who took it may say no after all, and who said no may take it.
UNDERWAY = frozenset({S.SENT, S.DELIVERED, S.READ, S.ACCEPTED, S.REJECTED})

# The furthest attempt says where the message stands. One that was withdrawn goes before one that failed:
# somebody decided that no more was to be tried.
_FURTHEST_FIRST = (
    S.ACCEPTED,
    S.REJECTED,
    S.READ,
    S.DELIVERED,
    S.SENT,
    S.QUEUED,
    S.CANCELLED_BY_OTHER,
    S.CANCELLED,
    S.UNDELIVERABLE,
)


def standing(attempts: Iterable[MessageState]) -> MessageState:
    """Return where a message stands, by its attempts; without any it has yet to leave."""
    return min(attempts, key=_FURTHEST_FIRST.index, default=S.QUEUED)


def further(one: MessageState, other: MessageState) -> bool:
    """Tell whether one state is further than another: a late report never takes anything back."""
    return _FURTHEST_FIRST.index(one) < _FURTHEST_FIRST.index(other)


def phone_of(actor: str) -> str | None:
    """Return the phone that acted (``sms:p-duty``, ``call:p-duty``), or ``None`` when it was no phone."""
    for prefix in (BY_TEXT, BY_KEY):
        if actor.startswith(prefix):
            return actor.removeprefix(prefix)
    return None


def withdrawn(phone: str, taken_by: str | None) -> MessageState:
    """Return how a message to a phone is cancelled when somebody takes its incident, or nobody needs it."""
    by = phone_of(taken_by or "")
    return S.CANCELLED if by is None or by == phone else S.CANCELLED_BY_OTHER
