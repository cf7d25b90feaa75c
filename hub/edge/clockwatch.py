"""Notices when somebody sets the clock: wall time against monotonic time."""

import asyncio
import datetime as dt

from hub.domain.clock import Clock, Now
from hub.domain.codes import Kind
from hub.edge.recorder import Recorder

JUMP_S = 2.0
CHECK_S = 5.0


def jump(before: Now, after: Now) -> tuple[dt.datetime, dt.datetime] | None:
    """Return from where to where the wall clock jumped between two moments, or ``None``."""
    expected = before.utc + dt.timedelta(seconds=after.mono - before.mono)
    if abs((after.utc - expected).total_seconds()) <= JUMP_S:
        return None
    return expected, after.utc


class ClockWatch:
    """Journals ``hub.clock_set`` when the clock jumps by more than two seconds.

    Args:
        clock: The clock that is watched.
        recorder: Where it is told.
    """

    def __init__(self, clock: Clock, recorder: Recorder) -> None:
        self._clock = clock
        self._recorder = recorder
        self._before = clock.now()

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            await asyncio.sleep(CHECK_S)
            await self.check()

    async def check(self) -> None:
        """Compare with the last time."""
        now = self._clock.now()
        jumped = jump(self._before, now)
        self._before = now
        if jumped:
            value = {"from": jumped[0].isoformat(), "to": jumped[1].isoformat()}
            await self._recorder.say(Kind.HUB_CLOCK_SET, value)
