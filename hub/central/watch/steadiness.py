"""Whether a connection holds: one that breaks again and again is open often enough to be taken for a good one."""

import threading
from collections.abc import Callable

from hub.domain.clock import boottime

# A broker that is started anew ends a connection once, and a network that fails twice in a row is no pattern.
_BREAKS = 3


class Steadiness:
    """How often a connection has broken since it last held. Any thread may tell and ask.

    Args:
        mono: Tells monotonic seconds.
    """

    def __init__(self, mono: Callable[[], float] = boottime) -> None:
        self._mono = mono
        self._opened: float | None = None
        self._since = 0.0
        self._breaks = 0
        self._lock = threading.Lock()

    def opened(self) -> None:
        """Note that the connection stands."""
        with self._lock:
            self._opened = self._mono()

    def broke(self, hold_s: float) -> None:
        """Note that the connection is gone; one that held for ``hold_s`` begins to be counted anew."""
        with self._lock:
            if self._held(hold_s):
                self._breaks = 0
            if not self._breaks:
                self._since = self._mono()
            self._opened = None
            self._breaks += 1

    def breaking_s(self, hold_s: float) -> float | None:
        """Return for how many seconds it has broken again and again and never held for ``hold_s``, or ``None``."""
        with self._lock:
            lasts_s = self._mono() - self._since
            if self._breaks < _BREAKS or lasts_s < 2 * hold_s or self._held(hold_s):
                return None
            return lasts_s

    def _held(self, hold_s: float) -> bool:
        return self._opened is not None and self._mono() - self._opened >= hold_s
