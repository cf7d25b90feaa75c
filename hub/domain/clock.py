"""Time. The only module that reads a clock; everything else is told the time.

Three times that must not be mixed up:

- an *instant* is UTC and timezone-aware: when something happened;
- *monotonic* seconds are for waiting: they do not jump when somebody sets the clock, and they count on
  through a suspended machine (``CLOCK_BOOTTIME``);
- a *rule of the day* (a shift, a dose window) is local time in an IANA zone and belongs to the rota.
"""

import ctypes
import datetime as dt
import functools
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

UTC = dt.UTC


class TimeQuality(StrEnum):
    """How far the wall clock behind an instant can be believed."""

    SYNCED = "synced"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class Now(NamedTuple):
    """One moment, as the instant it is believed to be and as monotonic seconds."""

    utc: dt.datetime
    mono: float
    quality: TimeQuality = TimeQuality.SYNCED


class Clock(Protocol):
    """What tells the time: the machine's clock, or a test's."""

    def now(self) -> Now:
        """Return this moment."""
        ...


def boottime() -> float:
    """Return seconds since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Return the name of this boot, within which :func:`boottime` counts on; empty where the kernel has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def wall_time() -> float:
    """Return the system's idea of the Unix time, right or wrong."""
    return time.time()


# adjtimex(2): the kernel's answer when no time daemon has set the clock yet.
_TIME_ERROR = 5
# The kernel's `struct timex` is 208 bytes on 64-bit machines and 128 on 32-bit ones; a zeroed buffer
# (modes = 0) only reads.
_TIMEX_BYTES = 256


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def kernel_says_synced() -> bool:
    """Tell whether NTP, chrony or timesyncd has set the clock since boot, as the kernel knows it."""
    state: int = _libc().adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return 0 <= state < _TIME_ERROR


class SystemClock:
    """The machine's own clock, believed as far as the kernel and a floor allow.

    Args:
        floor: An instant that has certainly passed (the last journalled one, or the build). A clock that
            shows less is wrong: a Pi has no battery behind its clock and may boot in 1970.
        synced: Asks the kernel whether the clock was set.
    """

    def __init__(
        self,
        floor: dt.datetime = dt.datetime(2026, 1, 1, tzinfo=UTC),
        synced: Callable[[], bool] = kernel_says_synced,
    ) -> None:
        self._floor = floor
        self._synced = synced

    def now(self) -> Now:
        """Return this moment with how far it can be believed."""
        utc = dt.datetime.now(tz=UTC)
        if utc < self._floor:
            quality = TimeQuality.UNKNOWN
        elif self._synced():
            quality = TimeQuality.SYNCED
        else:
            quality = TimeQuality.ESTIMATED
        return Now(utc, boottime(), quality)


# Far longer than it takes to read a clock twice, and far shorter than a jump.
_ONE_MOMENT_S = 0.1


def one_moment(wall: Callable[[], float], mono: Callable[[], float]) -> tuple[float, float]:
    """Read both clocks at one moment: a process that was stopped between the two reads them again."""
    while True:
        before = mono()
        shows = wall()
        if mono() - before < _ONE_MOMENT_S:
            return shows, before


class SteadyClock:
    """A wall clock that follows small corrections and refuses jumps.

    The centre keeps deadlines as instants. When somebody sets its clock by an hour, no deadline may move:
    the clock then goes on counting from where it was, and says so through ``jump_s``.

    Args:
        wall: Unix time, as the system believes it.
        mono: Monotonic seconds.
        follow_s: Largest correction that is followed; NTP slews stay far below it.
        since: Unix time that has certainly come, as far as the store knows. A clock that shows less begins there.
        synced: Asks the kernel whether a time daemon has set the clock.
    """

    def __init__(
        self,
        wall: Callable[[], float] = wall_time,
        mono: Callable[[], float] = boottime,
        follow_s: float = 2.0,
        *,
        since: float | None = None,
        synced: Callable[[], bool] = kernel_says_synced,
    ) -> None:
        self._wall = wall
        self._mono = mono
        self._follow_s = follow_s
        self._synced = synced
        began, began_mono = one_moment(self._wall, self._mono)
        self._held = since is not None and began < since - follow_s
        self._offset = (since if since is not None and self._held else began) - began_mono
        self.jump_s = 0.0

    def now(self) -> Now:
        """Return this moment; ``jump_s`` then tells how far the system's clock is away from it."""
        wall, mono = one_moment(self._wall, self._mono)
        error = wall - mono - self._offset
        # Begun where the store stood, it is behind by as long as the machine was off; a daemon knows how long.
        if abs(error) <= self._follow_s or (self._held and error > 0 and self._synced()):
            self._held = False
            self._offset += error
            self.jump_s = 0.0
        else:
            self.jump_s = error
        utc = dt.datetime.fromtimestamp(mono + self._offset, tz=UTC)
        return Now(utc, mono, TimeQuality.ESTIMATED if self.jump_s else TimeQuality.SYNCED)

    @property
    def ahead_s(self) -> float:
        """By how much it was ahead in an earlier run, as a time daemon knows now, in seconds; 0: it was not."""
        self.now()
        return -self.jump_s if self._held and self.jump_s < 0 and self._synced() else 0.0

    def believe(self) -> None:
        """Take the system's clock as it is, whatever was before."""
        self._held = False
        wall, mono = one_moment(self._wall, self._mono)
        self._offset = wall - mono
