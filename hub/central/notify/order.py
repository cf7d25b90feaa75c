"""Which provider carries a message next, when, and why. Pure."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from hub.central.notify.breaker import Condition
from hub.central.notify.message import REACHED, MessageState
from hub.central.watch.kinds import BY_ANOTHER

_BACKOFF_CAP_S = 30


class Way(NamedTuple):
    """A provider as it stands: its name, its breaker's condition, and how often it has failed in a row."""

    provider: str
    condition: Condition = Condition.CLOSED
    errors: int = 0


class Past(NamedTuple):
    """An attempt that was made.

    Attributes:
        provider: By whom; ``None`` when it has yet to be chosen.
        state: Where it stands.
        final: The provider will never carry this message.
        at: When it ended, or began.
    """

    provider: str | None
    state: MessageState
    final: bool
    at: dt.datetime


class Next(NamedTuple):
    """The attempt to make: by whom, not before when, why that one, and how often every provider has failed."""

    provider: str
    at: dt.datetime
    reason: str
    failures: int = 0


class Nobody(NamedTuple):
    """No provider is left that could do anything for the message, and why."""

    reason: str


def following(ways: Sequence[Way], past: Sequence[Past], now: dt.datetime) -> Next | Nobody:
    """Return the next attempt at a message.

    Each provider is tried once, in order, those whose breaker is open after the others; none of them waits.
    When all have failed it begins again from the first, with a wait that grows to half a minute and without end.
    A provider that refused the message is not asked again, and one that has it is not given it twice.

    Args:
        ways: The providers of the message's channel, in order.
        past: The attempts so far.
        now: This moment.
    """
    has = {made.provider for made in past if made.state in REACHED | {MessageState.SENT}}
    refuses = {made.provider for made in past if made.final}
    able = [way for way in ways if way.provider not in has | refuses]
    if not able:
        return Nobody(_why_nobody(len(ways), len(has)))
    failures = {way.provider: _failures(past, way.provider) for way in able}
    chosen = min(
        able,
        key=lambda way: (
            failures[way.provider],
            way.condition is Condition.OPEN,
            way.errors if way.condition is Condition.OPEN else 0,
        ),
    )
    rounds = failures[chosen.provider]
    if rounds and all(count == rounds for count in failures.values()):
        failed_at = max(made.at for made in past if made.provider in failures)
        reason = f"each has failed {rounds} times; begin again"
        return Next(chosen.provider, failed_at + backoff(rounds), reason, rounds)
    return Next(chosen.provider, now, _why(chosen, ways, past))


def turned(ways: Sequence[Way], kind: str | None) -> Sequence[Way]:
    """Put the first provider last for a text about the chain itself, of which it may be what is broken.

    Args:
        ways: The providers of the message's channel, in order.
        kind: What the message's incident is, ``None`` when it belongs to none.
    """
    return (*ways[1:], *ways[:1]) if kind in BY_ANOTHER else ways


def backoff(failures: int) -> dt.timedelta:
    """Return how long to wait after so many rounds: 2, 4, 8, 16, then 30 s for ever."""
    return dt.timedelta(seconds=min(2 ** min(failures, 10), _BACKOFF_CAP_S))


def _failures(past: Sequence[Past], provider: str) -> int:
    return sum(made.provider == provider and made.state is MessageState.UNDELIVERABLE for made in past)


def _why(chosen: Way, ways: Sequence[Way], past: Sequence[Past]) -> str:
    if chosen.condition is Condition.OPEN:
        return "no other is left; of those that fail it is the least bad"
    if chosen.condition is Condition.HALF_OPEN:
        return "it failed for a while; this one finds out whether it works again"
    tried = {made.provider for made in past}
    before = [way.provider for way in ways[: ways.index(chosen)]]
    if not before:
        return "the first in order"
    return " and ".join(f"{name} {'was tried' if name in tried else 'fails'}" for name in before)


def _why_nobody(providers: int, carrying: int) -> str:
    if not providers:
        return "no provider serves the channel"
    return "each that could carry it has it" if carrying else "each provider refuses it"
