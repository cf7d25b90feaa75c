"""Whether a provider is worth trying first: its breaker opens when it fails again and again.

A breaker changes the order in which providers are tried, and nothing else: it never holds a message back. It
lives in memory, because a restart may as well find out anew.
"""

import datetime as dt
from collections import deque
from enum import StrEnum

# Three in a row within two minutes: one lost answer is chance, three are an outage.
OPENS_AFTER = 3
WINDOW = dt.timedelta(minutes=2)
# An alarm is the probe, so probes are few: after 15 s, then twice as long each time, at most 5 minutes.
FIRST_PAUSE = dt.timedelta(seconds=15)
LONGEST_PAUSE = dt.timedelta(minutes=5)
# A little more than any attempt takes: a probe of which nothing was heard is forgotten.
PROBE = dt.timedelta(seconds=20)


class Condition(StrEnum):
    """What is thought of a provider."""

    CLOSED = "closed"  # it works, as far as we know
    HALF_OPEN = "half_open"  # one message may find out whether it works again
    OPEN = "open"  # it failed again and again


class Breaker:
    """The breaker of one provider.

    Attributes:
        errors: How often it has failed since it last answered.
    """

    def __init__(self) -> None:
        self.errors = 0
        self._lately: deque[dt.datetime] = deque(maxlen=OPENS_AFTER)
        self._pause = FIRST_PAUSE
        self._until: dt.datetime | None = None
        self._probing = False

    def condition(self, now: dt.datetime) -> Condition:
        """Return what is thought of the provider at this moment."""
        if self._until is None:
            return Condition.CLOSED
        return Condition.OPEN if now < self._until else Condition.HALF_OPEN

    def began(self, now: dt.datetime) -> None:
        """A message is handed to it. When it is half open, that is the probe, and others wait for its end."""
        if self.condition(now) is Condition.HALF_OPEN:
            self._probing = True
            self._until = now + PROBE

    def failed(self, now: dt.datetime) -> bool:
        """It did not answer, or not as itself; tell whether that opened the breaker."""
        self.errors += 1
        self._lately.append(now)
        if self._probing:
            self._probing = False
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            self._until = now + self._pause
        elif self._until is None and len(self._lately) == OPENS_AFTER and now - self._lately[0] <= WINDOW:
            self._until = now + self._pause
            return True
        return False

    def answered(self) -> bool:
        """It took a message, or refused one with reason; tell whether that closed the breaker."""
        was_open = self._until is not None
        self.errors, self._pause, self._until, self._probing = 0, FIRST_PAUSE, None, False
        self._lately.clear()
        return was_open
