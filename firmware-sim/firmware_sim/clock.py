"""Time, for simulators. The only module here that reads a clock."""

import datetime as dt
import time
from dataclasses import dataclass
from typing import Protocol

UTC = dt.UTC


class Clock(Protocol):
    """What tells the time: the machine's clock, or a test's."""

    def wall_s(self) -> float:
        """Return Unix seconds, as the machine believes them."""
        ...

    def mono_s(self) -> float:
        """Return seconds that never jump."""
        ...


class SystemClock:
    """The machine's clock."""

    def wall_s(self) -> float:
        """Return Unix seconds, as the machine believes them."""
        return time.time()

    def mono_s(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()


@dataclass
class FixedClock:
    """A clock that a test moves by hand."""

    at_s: float = 1_795_000_000.0

    def wall_s(self) -> float:
        """Return the Unix seconds it was set to."""
        return self.at_s

    def mono_s(self) -> float:
        """Return the same seconds: they only ever go forward."""
        return self.at_s


def utc(wall_s: float) -> dt.datetime:
    """Return Unix seconds as an instant."""
    return dt.datetime.fromtimestamp(wall_s, tz=UTC)
