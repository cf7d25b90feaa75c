"""What a channel is: something that takes a text for a phone and says whether its provider accepted it."""

from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec


class Capability(StrEnum):
    """What a channel can do. What is not in its set, it cannot."""

    SMS = "sms"
    VOICE = "voice"
    TWO_WAY = "two_way"  # an answer from the phone comes back
    LANDLINE = "landline"  # it reaches a phone that takes calls only


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to send a message.

    Attributes:
        message_id: Its number in the store.
        number: Where to, E.164.
        text: What to say.
        key: The same for every attempt at this message: a provider that knows such keys sends it once.
        receipt_url: Where the provider reports what became of it.
    """

    message_id: int
    number: str
    text: str
    key: str
    receipt_url: str


class Accepted(NamedTuple):
    """The provider took the message over. That proves nothing about the phone."""

    provider_ref: str


class Channel(Protocol):
    """A way to a phone."""

    @property
    def name(self) -> str:
        """What plans and messages call it."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do."""
        ...

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand a message to the provider, once.

        Raises:
            TransientError: It is not known whether the provider has it, or it is busy: try again.
            RefusedError: The provider does not take this message or this number.
            PermanentError: The provider takes no message from us: credentials, credit, address.
        """
        ...
