"""A clock that a test sets."""

import datetime as dt

from hub.domain.clock import UTC, Now, TimeQuality

# A Saturday evening: the duty phone's hours in every zone.
EVENING = dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is told to go on."""

    def __init__(self, at: dt.datetime = EVENING, quality: TimeQuality = TimeQuality.SYNCED) -> None:
        self.at = at
        self.mono = 1000.0
        self.quality = quality

    def now(self) -> Now:
        return Now(self.at, self.mono, self.quality)

    def go_on(self, seconds: float) -> None:
        self.at += dt.timedelta(seconds=seconds)
        self.mono += seconds
