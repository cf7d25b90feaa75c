"""Whether the auditor itself can be relied on: it looks, and what it saw could be said."""

import logging
from collections.abc import Callable

from hub.domain.errors import TransientError

log = logging.getLogger(__name__)


class Fitness:
    """Told by the auditor's thread, asked by the event loop.

    Args:
        mono: Tells monotonic seconds.
        asleep_s: Without a look for so long, the auditor sleeps, or hangs.
    """

    def __init__(self, mono: Callable[[], float], asleep_s: float) -> None:
        self._mono = mono
        self._asleep_s = asleep_s
        self._looked = mono()
        self._failed: list[str] = []
        self._unsaid: str | None = None

    def slept(self) -> bool:
        """Tell whether the last look was too long ago."""
        return self._mono() - self._looked > self._asleep_s

    def failed(self, what: str, error: Exception) -> None:
        """Note what this look cannot do, and why."""
        self._failed.append(f"cannot {what}: {error}")
        if isinstance(error, TransientError):
            log.critical("the auditor cannot %s: %s", what, error)
        else:
            log.critical("the auditor cannot %s", what, exc_info=error)

    def looked(self) -> None:
        """Note that a look has ended."""
        self._unsaid = next(iter(self._failed), None)
        self._failed.clear()
        self._looked = self._mono()

    def unfit(self) -> str | None:
        """Return why nobody may rely on the auditor now, or ``None``."""
        if self.slept():
            return f"no look for {self._mono() - self._looked:.0f} s"
        return self._unsaid
