"""What a message passes before it may leave: small decisions, each with its reason, in one order.

They are asked before every attempt, so that a text that waited for the provider does not ring a phone for an
incident that somebody took in the meantime.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from hub.central.incidents.lifecycle import TAKEN, State
from hub.central.notify.channels.base import Capability, Channel
from hub.central.notify.message import MessageState


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it stands before an attempt.

    Attributes:
        id: Its number.
        number: Where to.
        text: What it says.
        channel: By which channel.
        state: Where it stands.
        incident_state: Where its incident stands; ``None`` when it belongs to none.
        taken_by: Who took the incident last.
        overtaken: A newer text about the same incident waits for the same phone.
    """

    id: int
    number: str
    text: str
    channel: str
    state: MessageState
    incident_state: State | None
    taken_by: str | None
    overtaken: bool


class Held(NamedTuple):
    """A message does not leave: what becomes of it, and why."""

    state: MessageState
    reason: str


Stage = Callable[[Draft, Mapping[str, Channel]], Held | None]


def unsent(draft: Draft, _channels: Mapping[str, Channel]) -> Held | None:
    """What has left, or never will, is not sent again."""
    if draft.state is not MessageState.QUEUED:
        return Held(draft.state, f"it is {draft.state}")
    return None


def needed(draft: Draft, _channels: Mapping[str, Channel]) -> Held | None:
    """An alert is for an incident that nobody has taken."""
    if draft.incident_state is State.CLOSED:
        return Held(MessageState.CANCELLED, "the incident is closed")
    if draft.incident_state in TAKEN:
        return Held(MessageState.CANCELLED, f"taken by {draft.taken_by}")
    return None


def newest(draft: Draft, _channels: Mapping[str, Channel]) -> Held | None:
    """After an outage of the provider a phone rings once for an incident, not once for every round."""
    if draft.overtaken:
        return Held(MessageState.CANCELLED, "a newer text about the incident waits for the same phone")
    return None


def possible(draft: Draft, channels: Mapping[str, Channel]) -> Held | None:
    """There is a channel of that name, and it can carry a text."""
    channel = channels.get(draft.channel)
    if channel is None:
        return Held(MessageState.UNDELIVERABLE, f"this centre has no channel {draft.channel}")
    if Capability.SMS not in channel.capabilities:
        return Held(MessageState.UNDELIVERABLE, f"channel {draft.channel} cannot carry a text")
    return None


STAGES: tuple[Stage, ...] = (unsent, needed, newest, possible)


def held(draft: Draft, channels: Mapping[str, Channel]) -> Held | None:
    """Return why a message does not leave, or ``None`` when it may."""
    for stage in STAGES:
        verdict = stage(draft, channels)
        if verdict is not None:
            return verdict
    return None
