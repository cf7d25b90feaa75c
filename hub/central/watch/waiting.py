"""How long the oldest thing in a queue has waited, told by the queue and asked by another thread."""

import threading
from collections.abc import Callable, Hashable

from hub.domain.clock import boottime


class Waiting:
    """What waits in one queue, and since when. Any thread may tell and ask.

    Args:
        mono: Tells monotonic seconds.
    """

    def __init__(self, mono: Callable[[], float] = boottime) -> None:
        self._mono = mono
        self._since: dict[Hashable, float] = {}  # in the order in which they came
        self._lock = threading.Lock()

    def begin(self, thing: Hashable) -> None:
        """Note that a thing has come; one that is there already keeps its place."""
        with self._lock:
            self._since.setdefault(thing, self._mono())

    def end(self, thing: Hashable) -> None:
        """Note that a thing is done with, if it is there."""
        with self._lock:
            self._since.pop(thing, None)

    def since(self) -> float | None:
        """Return since when the oldest has waited, in monotonic seconds; ``None``: nothing waits."""
        with self._lock:
            return next(iter(self._since.values()), None)

    def age_s(self) -> float:
        """Return how long the oldest has waited, 0 when nothing waits."""
        since = self.since()
        return 0.0 if since is None else max(0.0, self._mono() - since)
