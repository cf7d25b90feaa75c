"""How often a password may be tried."""

from collections import OrderedDict


class Throttle:
    """A small limiter that slows guessing down and never locks anybody out for good.

    After ``burst`` attempts at once a key earns one more every ``every_s`` seconds. (The generic cell rate
    algorithm, ITU-T I.371: one number a key.)

    Args:
        burst: Attempts that may follow each other at once.
        every_s: Seconds for each further one.
        most: Keys that are remembered; the one that was longest unused is forgotten first.
    """

    def __init__(self, burst: int = 5, every_s: float = 30.0, most: int = 10_000) -> None:
        self._slack_s = (burst - 1) * every_s
        self._every_s = every_s
        self._most = most
        self._paid_until: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, at_s: float) -> float:
        """Count one attempt at monotonic second ``at_s``.

        Returns:
            0.0 when it may go ahead, else the seconds until the next one may; that attempt is not counted.
        """
        paid_until = max(self._paid_until.get(key, at_s), at_s)
        wait_s = paid_until - self._slack_s - at_s
        if wait_s > 0:
            return wait_s
        self._paid_until[key] = paid_until + self._every_s
        self._paid_until.move_to_end(key)
        while len(self._paid_until) > self._most:
            self._paid_until.popitem(last=False)
        return 0.0

    def forgive(self, key: str) -> None:
        """Forget a key: its last attempt succeeded."""
        self._paid_until.pop(key, None)
