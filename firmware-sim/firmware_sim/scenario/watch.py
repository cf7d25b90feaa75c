"""Hears all that hubs and centre say to each other: what is under way is not to be leapt over."""

import json
from collections import defaultdict
from collections.abc import Callable

from firmware_sim.mqtt import Connection


class Watch:
    """Listens at the broker, as a technician with a sniffer would.

    Args:
        port: The broker's.
        now_s: Tells the scenario's time.

    Attributes:
        alive_s: When each hub gave a sign of life last.
    """

    def __init__(self, port: int, now_s: Callable[[], float]) -> None:
        self._port = port
        self._now_s = now_s
        self._unreceipted: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        channels = ("up/alarm", "up/reading", "up/alive", "down/receipt")
        topics = [f"wt/1/+/{channel}" for channel in channels]
        self._line = Connection("scenario-watch", self._received, subscriptions=topics)
        self.alive_s: dict[str, float] = {}
        self._heard = self._noted = 0

    def tick(self) -> None:
        """Connect where it is not connected."""
        if self._line.up:
            return
        self._line.cut()
        self._unreceipted.clear()
        try:
            self._line.connect(self._port)
        except OSError:
            return  # the broker is down

    def under_way(self, hub: str) -> int:
        """Return how many observations of a hub were published and not receipted."""
        return len(self._unreceipted[hub])

    def news(self) -> bool:
        """Tell whether anything was heard since this was asked last."""
        new = self._heard != self._noted
        self._noted = self._heard
        return new

    def close(self) -> None:
        """Stop listening."""
        self._line.close()

    def _received(self, topic: str, payload: bytes) -> None:
        self._heard += 1
        _, _, hub, _, channel = topic.split("/")
        if channel == "alive":
            self.alive_s[hub] = self._now_s()
            return
        told = json.loads(payload)
        if channel == "receipt":
            for first, last in told["stored"]:
                self._unreceipted[hub] -= {(told["epoch"], seq) for seq in range(first, last + 1)}
            return
        events = told if isinstance(told, list) else [told]
        self._unreceipted[hub] |= {(event["epoch"], event["seq"]) for event in events}
