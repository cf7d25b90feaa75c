"""Runs a fleet in one loop and measures what the centre makes of it."""

import asyncio
import heapq
import json
from collections.abc import Callable, Iterator

from firmware_sim.clock import Clock
from firmware_sim.fleet.homes import HomeOf, Seen, day, homes
from firmware_sim.wirehub import WireHub

_SOONEST_S = 0.002
_LOOK_S = 0.1
_REPORT_S = 5.0


class Measured(WireHub):
    """A hub that notes how long each receipt took."""

    def __init__(self, hub_id: str, port: int, clock: Clock, took_s: list[float], *, seed: int) -> None:
        super().__init__(hub_id, port, seed=seed)
        self._clock = clock
        self._took_s = took_s
        self._since: dict[int, float] = {}

    def noted(self, seq: int) -> None:
        """Begin to measure."""
        self._since[seq] = self._clock.mono_s()

    def _received(self, topic: str, payload: bytes) -> None:
        super()._received(topic, payload)
        for seq in [seq for seq in self._since if seq not in self.journal]:
            self._took_s.append(self._clock.mono_s() - self._since.pop(seq))


class Fleet:
    """Homes that live.

    Args:
        count: How many.
        port: The broker's, on 127.0.0.1.
        seed: Makes what happens repeatable.
        pace: How many times faster than life readings come.
        clock: The simulator's time.
    """

    def __init__(self, count: int, port: int, *, seed: int, pace: float, clock: Clock) -> None:
        self._clock = clock
        self.took_s: list[float] = []
        self._hubs = [(home, self._hub(home, port, seed)) for home in homes(count)]
        self._days = {home.hub: day(home, seed, pace) for home, _ in self._hubs}

    def _hub(self, home: HomeOf, port: int, seed: int) -> Measured:
        return Measured(home.hub, port, self._clock, self.took_s, seed=seed)

    async def run(self, seconds: float, tell: Callable[[dict[str, object]], None]) -> dict[str, object]:
        """Let the homes live for a while, then wait for the last receipts; return the figures."""
        began = self._clock.mono_s()
        started = self._clock.wall_s()
        happens: list[tuple[float, int, Seen]] = []
        for place, (home, hub) in enumerate(self._hubs):
            hub.start(started + place / len(self._hubs))  # a thousand connections at once are no life
            self._next(happens, place, home, started)
        reported = began
        while self._clock.mono_s() - began < seconds:
            now = self._clock.wall_s()
            while happens and happens[0][0] <= now:
                at, place, seen = heapq.heappop(happens)
                home, hub = self._hubs[place]
                hub.noted(hub.observe(now, seen.device, seen.kind, seen.value))
                self._next(happens, place, home, at)
            self._tick(now)
            if self._clock.mono_s() - reported >= _REPORT_S:
                reported = self._clock.mono_s()
                tell(self.figures(reported - began))
            following = happens[0][0] - self._clock.wall_s() if happens else _LOOK_S
            await asyncio.sleep(min(max(following, _SOONEST_S), _LOOK_S))
        lived = self._clock.mono_s() - began
        await self._settle()
        return self.figures(lived)

    def _next(self, happens: list[tuple[float, int, Seen]], place: int, home: HomeOf, after: float) -> None:
        source: Iterator[Seen] = self._days[home.hub]
        seen = next(source)
        heapq.heappush(happens, (after + seen.after_s, place, seen))

    def _tick(self, now: float) -> None:
        for _, hub in self._hubs:
            if hub.next_s <= now:
                hub.tick(now)

    async def _settle(self, within_s: float = 60.0) -> None:
        until = self._clock.mono_s() + within_s
        while any(hub.journal for _, hub in self._hubs) and self._clock.mono_s() < until:
            self._tick(self._clock.wall_s())
            await asyncio.sleep(_LOOK_S)
        for _, hub in self._hubs:
            hub.stop()

    def figures(self, seconds: float) -> dict[str, object]:
        """Return how it went until now."""
        observed = sum(hub.observed for _, hub in self._hubs)
        waiting = sum(len(hub.journal) for _, hub in self._hubs)
        took = sorted(self.took_s)
        return {
            "homes": len(self._hubs),
            "up": sum(hub.up for _, hub in self._hubs),
            "seconds": round(seconds, 1),
            "observed": observed,
            "receipted": observed - waiting,
            "waiting": waiting,
            "resent": sum(hub.resent for _, hub in self._hubs),
            "per_s": round(observed / seconds, 1) if seconds else 0.0,
            "receipt_ms": {"p50": _share(took, 0.5), "p99": _share(took, 0.99)},
        }


def _share(ordered: list[float], share: float) -> float | None:
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 1) if ordered else None


def said(figures: dict[str, object]) -> str:
    """Return figures as one line."""
    return json.dumps(figures)
