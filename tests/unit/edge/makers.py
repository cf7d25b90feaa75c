"""What the edge's tests are made of: fixed times, events, a clock that stands still."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from drivers.base import Heard
from hub.domain.clock import UTC, Now, SystemClock, TimeQuality
from hub.domain.codes import Kind, lane
from hub.domain.ids import uuid7
from hub.domain.observation import Observation
from hub.edge.journal import Draft, Entry, Journal, Limits
from hub.edge.opening import open_journal
from hub.edge.recorder import Recorder
from hub.wire import envelope

T0 = dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
HUB = "h-0042"


class StandingClock:
    """A clock that moves when it is told to."""

    def __init__(self, utc: dt.datetime = T0, mono: float = 1000.0) -> None:
        self.utc, self.mono = utc, mono
        self.quality = TimeQuality.SYNCED

    def now(self) -> Now:
        return Now(self.utc, self.mono, self.quality)

    def advance(self, seconds: float) -> None:
        self.mono += seconds
        self.utc += dt.timedelta(seconds=seconds)


def heard(kind: Kind = Kind.ALARM_PRESSED, value: int = 0, device: str = "d-pendant-1") -> Heard:
    return Heard(device, Observation(kind=kind, time=T0, value=value))


def draft(kind: Kind = Kind.ALARM_PRESSED, value: int = 0) -> Draft:
    event = envelope.event(
        Observation(kind=kind, time=T0, value=value),
        event_id=uuid7(T0),
        hub_id=HUB,
        device_id="d-pendant-1",
        quality=TimeQuality.SYNCED,
        epoch="",
        seq=0,
    )
    return Draft(lane(kind), event)


def reading(value: int = 0) -> Draft:
    return draft(Kind.MOTION_DETECTED, value)


def event_of(entry: Entry) -> envelope.Event:
    events, rejected = envelope.decode(entry.payload, HUB)
    assert not rejected
    return events[0]


def value_of(entry: Entry) -> object:
    return event_of(entry).data.value


@asynccontextmanager
async def recording(folder: Path) -> AsyncIterator[Recorder]:
    """Give a recorder that journals into a folder."""

    def opened() -> Journal:
        # How much room this machine's disk has left is not what a test is about.
        return open_journal(folder, limits=Limits(reserve_bytes=0))

    recorder = Recorder(opened(), reopen=opened, hub_id=HUB, clock=SystemClock())
    recorder.start()
    try:
        yield recorder
    finally:
        await recorder.close()


async def until(true: Callable[[], object], within_s: float = 10.0) -> None:
    """Wait until something is true that no event tells of: it belongs to another thread or process."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 -- see above
            await asyncio.sleep(0.005)
