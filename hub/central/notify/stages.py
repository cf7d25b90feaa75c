"""What a message passes before it may leave: small decisions, each with its reason, in one order.

They are asked before every attempt, so that a text that waited for the provider does not ring a phone for an
incident that somebody took in the meantime.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

import msgspec

from hub.central.incidents.lifecycle import TAKEN, State
from hub.central.notify.channels.base import Subscription
from hub.central.notify.message import FYI, MessageState, withdrawn
from hub.central.notify.order import Past


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it stands before an attempt.

    Attributes:
        id: Its number.
        phone: Whose it is.
        number: Where to.
        text: What it says.
        channel: By which channel.
        waiting: An attempt at it is to be made.
        attempt_id: That attempt; ``None`` when the version that queued it kept none.
        past: The attempts so far.
        incident_state: Where its incident stands; ``None`` when it belongs to none.
        taken_by: Who took the incident last.
        overtaken: A newer text about the same incident waits for the same phone.
        kind: What its incident is; ``None`` when it belongs to none.
        incident_id: That incident's number.
        subscriptions: Where the phone takes pushes; empty on every other channel.
    """

    id: int
    phone: str
    number: str
    text: str
    channel: str
    waiting: bool
    attempt_id: int | None
    past: tuple[Past, ...]
    incident_state: State | None
    taken_by: str | None
    overtaken: bool
    kind: str | None = None
    incident_id: int | None = None
    subscriptions: tuple[Subscription, ...] = ()


class Held(NamedTuple):
    """A message does not leave: what becomes of the attempt, and why."""

    state: MessageState
    reason: str


Stage = Callable[[Draft, Collection[str]], Held | None]


def unsent(draft: Draft, _channels: Collection[str]) -> Held | None:
    """What has left, or never will, is not sent again."""
    return None if draft.waiting else Held(MessageState.CANCELLED, "no attempt at it is to be made")


def needed(draft: Draft, _channels: Collection[str]) -> Held | None:
    """An alert is for an incident that nobody has taken; what is for information stays true."""
    if draft.channel == FYI:
        return None
    if draft.incident_state is State.CLOSED:
        return Held(MessageState.CANCELLED, "the incident is closed")
    if draft.incident_state in TAKEN:
        return Held(withdrawn(draft.phone, draft.taken_by), f"taken by {draft.taken_by}")
    return None


def newest(draft: Draft, _channels: Collection[str]) -> Held | None:
    """After an outage of the provider a phone rings once for an incident, not once for every round."""
    if draft.overtaken and draft.channel != FYI:  # that it was raised and that it is closed are two pieces of news
        return Held(MessageState.CANCELLED, "a newer text about the incident waits for the same phone")
    return None


def possible(draft: Draft, channels: Collection[str]) -> Held | None:
    """Somebody serves its channel."""
    if draft.channel not in channels:
        return Held(MessageState.UNDELIVERABLE, f"this centre has no channel {draft.channel}")
    return None


STAGES: tuple[Stage, ...] = (unsent, needed, newest, possible)


def held(draft: Draft, channels: Collection[str]) -> Held | None:
    """Return why a message does not leave, or ``None`` when it may."""
    for stage in STAGES:
        verdict = stage(draft, channels)
        if verdict is not None:
            return verdict
    return None
