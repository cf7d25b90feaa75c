"""The time of a database that several centres share: one with a wrong clock does nothing too early or too late."""

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa

from hub.domain.clock import UTC, Now, TimeQuality, boottime, one_moment, wall_time

# Not now(), which stands still for a transaction. PostgreSQL counts in microseconds, as our instants do.
_NOW = sa.text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
# An answer that took longer may have been said long before it was read: the process was frozen in between.
_PROMPT_S = 1.0
_TRIES = 3
# A machine's clock this far from the database's is reported; the same as SteadyClock follows.
_TOLERATED_S = 2.0


class DatabaseClock:
    """Tells PostgreSQL's time: asked as every transaction begins, counted on by monotonic time until the next.

    Args:
        wall: Unix time, as this machine believes it; only to tell how far it is off.
        mono: Monotonic seconds, which count on while the process is frozen.
    """

    def __init__(self, wall: Callable[[], float] = wall_time, mono: Callable[[], float] = boottime) -> None:
        self._wall = wall
        self._mono = mono
        self._offset = wall() - mono()

    def ask(self, connection: sa.Connection) -> None:
        """Set it by the database."""
        for _ in range(_TRIES):
            asked = self._mono()
            microseconds = connection.execute(_NOW).scalar_one()
            answered = self._mono()
            self._offset = microseconds / 1e6 - answered
            if answered - asked < _PROMPT_S:
                return

    @property
    def jump_s(self) -> float:
        """How far this machine's clock is ahead of the database's, in seconds; 0 for what NTP leaves."""
        wall, mono = one_moment(self._wall, self._mono)
        error = wall - mono - self._offset
        return error if abs(error) > _TOLERATED_S else 0.0

    def now(self) -> Now:
        """Return this moment."""
        mono = self._mono()
        return Now(dt.datetime.fromtimestamp(mono + self._offset, tz=UTC), mono, TimeQuality.SYNCED)
