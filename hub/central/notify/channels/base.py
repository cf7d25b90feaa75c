"""What a provider is: a way to a phone on one channel, with what it reports back through its hooks.

A *channel* is a kind of way (``sms``, ``voice``, ``push``, ``email``); plans name channels. One more, ``fyi``, is
for information only and stands in no plan. A *provider* is who carries a message on a channel; the settings name
providers in the order in which they are tried.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from hub.domain.clock import Clock
from hub.domain.errors import MalformedError


class Capability(StrEnum):
    """What a channel can do. What is not in its set, it cannot."""

    SMS = "sms"
    VOICE = "voice"
    TWO_WAY = "two_way"  # an answer from the phone comes back
    ANSWERS = "answers"  # what its call about a text is answered with goes to that phone
    LANDLINE = "landline"  # it reaches a phone that takes calls only


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Where a browser takes pushes (RFC 8030), as it told us (W3C Push API, ``PushSubscription``).

    Attributes:
        id: Its number in the store.
        endpoint: Address at its maker's push service; whoever knows it can try to reach that browser.
        p256dh: The browser's public key, base64url.
        auth: Its authentication secret, base64url.
    """

    id: int
    endpoint: str
    p256dh: str
    auth: str


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to send a message.

    Attributes:
        message_id: Its number in the store.
        number: Where to, E.164; on channel ``email`` an address, empty where the phone has none; on ``fyi`` the
            recipient's id.
        text: What to say.
        key: The same for every attempt at this message: a provider that knows such keys sends it once. Only what
            opens the link in the text differs between attempts, and whichever arrives opens it.
        receipt_url: Where the provider reports what became of it.
        incident_id: What it is about; ``None`` when that is no incident.
        language: Of whoever gets it, ``nb``, ``nn`` or ``en``; ``None``: the phone has none of its own.
        subscriptions: Where to on channel ``push``: every browser that the phone has switched it on in.
    """

    message_id: int
    number: str
    text: str
    key: str
    receipt_url: str
    incident_id: int | None = None
    language: str | None = None
    subscriptions: tuple[Subscription, ...] = ()


class Accepted(NamedTuple):
    """The provider took the message over. That proves nothing about the phone."""

    provider_ref: str


class ReceiptStatus(StrEnum):
    """What a delivery report can say."""

    SENT = "sent"  # on its way; nothing new
    DELIVERED = "delivered"
    READ = "read"  # somebody has seen it, says the phone itself
    FAILED = "failed"


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A call of the provider to us, as it came in.

    Attributes:
        what: The last part of its path: ``delivery``, ``inbound``, ``voice``.
        url: The whole address as the provider called it, for signatures that cover it.
        query: Parameters of the address.
        form: Fields of a form; empty when the body is none.
        body: The body as it came.
        headers: By name in small letters.
        now: When it came.
    """

    what: str
    url: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]
    now: dt.datetime


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message.

    Attributes:
        provider_ref: The provider's name for it.
        status: What is reported.
        at: When that was, by the provider's clock.
        message_id: Our number, where the report bears it.
        reason: Why it failed, in the provider's code and words.
        person: It failed at the person, who did not take the call: another provider would fare no better.
    """

    provider_ref: str
    status: ReceiptStatus
    at: dt.datetime
    message_id: int | None = None
    reason: str = ""
    person: bool = False


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A text that came in.

    Attributes:
        provider: Who passed it on.
        provider_ref: The provider's name for it; the same text may come more than once.
        sender: The phone it came from, E.164.
        recipient: Our number.
        text: What it says.
        at: When the provider got it.
    """

    provider: str
    provider_ref: str
    sender: str
    recipient: str
    text: str
    at: dt.datetime


class Keyed(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was pressed in a call: 1 acknowledge, 2 on the way, 9 next person.

    Attributes:
        provider_ref: The provider's name for the call.
        message_id: The message that was read out.
        digits: What was pressed; empty: nothing was, within the time.
    """

    provider_ref: str
    message_id: int
    digits: str


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A push service says that a subscription is no more.

    Attributes:
        subscription: Which; its number alone may have come to another one meanwhile.
        reason: What was answered.
    """

    subscription: Subscription
    reason: str


Told = Report | Inbound | Keyed | Gone
# Commits what was told. Raises as ``api.hooks.take`` does.
Tell = Callable[[tuple[Told, ...]], Awaitable[None]]


class Reply(NamedTuple):
    """What the provider's call is answered with."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200


class Provider(Protocol):
    """Who carries messages on one channel."""

    @property
    def name(self) -> str:
        """What settings, attempts and figures call it, such as ``46elks``."""
        ...

    @property
    def channel(self) -> str:
        """Which channel it serves."""
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

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Read a call of the provider. Pure.

        Raises:
            RefusedError: It is not the provider's: the signature or the secret does not fit.
            MalformedError: It is not of the provider's form.
        """
        ...

    def reply(self, hook: Hook, told: tuple[Told, ...], text: str) -> Reply:
        """Return what a call is answered with, once what it told is committed.

        Args:
            hook: The call.
            told: What :meth:`hook` read from it.
            text: What is to be said to the phone, or empty.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Hookless:
    """What providers share that never call us, and keep nothing open between two messages."""

    name: str

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Refuse: there is nobody who would call.

        Raises:
            MalformedError: Always.
        """
        raise MalformedError(f"{self.name} has no hook {hook.what!r}")

    def reply(self, _hook: Hook, _told: tuple[Told, ...], _text: str) -> Reply:
        """Answer nothing."""
        return Reply(b"")

    async def close(self) -> None:
        """Do nothing."""


@runtime_checkable
class Listening(Protocol):
    """A provider that tells by itself, without a call to a hook: it is listened to as long as the centre runs."""

    async def listen(self, tell: Tell, clock: Clock) -> None:
        """Listen without end, and tell what is told."""
        ...
