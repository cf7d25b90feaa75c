"""The life of one outgoing message, in the words of IHE ACM's dissemination status."""

from enum import StrEnum


class MessageState(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    SENT = "sent"  # the provider accepted it; that proves nothing about the phone
    DELIVERED = "delivered"  # the provider reports that the phone has it
    UNDELIVERABLE = "undeliverable"
    CANCELLED = "cancelled"  # it was no longer needed before it left


# What may still reach the phone, or has.
ALIVE = frozenset({MessageState.QUEUED, MessageState.SENT, MessageState.DELIVERED})
