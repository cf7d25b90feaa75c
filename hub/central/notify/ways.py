"""The ways out: the providers in the order of the settings, each with its breaker."""

import datetime as dt
from collections.abc import Iterable, Iterator

from hub.central.notify.breaker import Breaker
from hub.central.notify.channels.base import Provider
from hub.central.notify.order import Way


class Ways:
    """Who carries messages, and how well each of them does lately.

    Args:
        providers: In the order in which they are tried; their names differ.
    """

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._breakers = {name: Breaker() for name in self._providers}

    @property
    def channels(self) -> frozenset[str]:
        """The channels that somebody serves."""
        return frozenset(provider.channel for provider in self._providers.values())

    def __iter__(self) -> Iterator[Provider]:
        """Return the providers, in order."""
        return iter(self._providers.values())

    def named(self, name: str) -> Provider | None:
        """Return the provider of a name, ``None`` when there is none."""
        return self._providers.get(name)

    def of(self, channel: str, now: dt.datetime) -> tuple[Way, ...]:
        """Return the providers of a channel in order, as they stand at this moment."""
        return tuple(
            Way(name, self._breakers[name].condition(now), self._breakers[name].errors)
            for name, provider in self._providers.items()
            if provider.channel == channel
        )

    def breaker(self, name: str) -> Breaker:
        """Return a provider's breaker."""
        return self._breakers[name]

    async def close(self) -> None:
        """Let go of every provider's connections."""
        for provider in self._providers.values():
            await provider.close()
