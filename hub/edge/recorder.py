"""The journal's asynchronous face: one thread writes, alarms first.

An alarm is committed at once, ahead of waiting readings; readings wait for each other, at most 50 ms, and
share a commit. What the disk refuses is settled here too: a journal that breaks while it runs is opened anew,
and an alarm that cannot be journalled at all goes to the uplink all the same, flagged ``unjournalled``.
"""

import asyncio
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec

from drivers.base import Heard
from hub.domain.clock import Clock, Now, TimeQuality, boottime
from hub.domain.codes import Kind, Lane, lane
from hub.domain.errors import HubError, TransientError
from hub.domain.ids import new_epoch, uuid7
from hub.domain.observation import Observation
from hub.edge.journal import Draft, Entry, Journal
from hub.wire import envelope
from hub.wire.alive import Pending
from hub.wire.receipt import Receipt

log = logging.getLogger(__name__)

GROUP_S = 0.050
GROUP_MAX = 500
# No commit and no rescue takes this long on a card that is well.
STUCK_S = 60.0
UNJOURNALLED = "unjournalled"

_T = TypeVar("_T")


class Summary(NamedTuple):
    """The journal in figures, for the heartbeat."""

    epoch: str
    last_seq: int
    pending: Pending
    evicted: int


class _Job(NamedTuple):
    number: int
    drafts: list[Draft]
    states: Mapping[str, bytes]
    now: Now
    done: "Future[bool]"


class Recorder:
    """Takes observations in, and answers when they are safe.

    Args:
        journal: Open; from here on only the recorder's thread touches it.
        reopen: Opens the journal again when it broke while running.
        hub_id: The source of its events.
        clock: Tells the time of what the journal itself has to report.

    Attributes:
        hub_id: Whose journal it is.
        on_accepted: Called in the event loop with what was accepted: alarms are to be sent at once.
    """

    def __init__(self, journal: Journal, *, reopen: Callable[[], Journal], hub_id: str, clock: Clock) -> None:
        self._journal = journal
        self._reopen = reopen
        self.hub_id = hub_id
        self._clock = clock
        self.on_accepted: Callable[[Sequence[Entry]], None] = lambda _entries: None
        self._spare_epoch, self._spare_seq = new_epoch(), 0
        self._newest_state: dict[str, int] = {}
        self._waiting = threading.Condition()
        self._alarms: deque[_Job] = deque()
        self._readings: deque[_Job] = deque()
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._count = 0
        self._closing = False
        self._busy_mono: float | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the writer; call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        """Commit what waits, and close the journal."""
        with self._waiting:
            self._closing = True
            self._waiting.notify()
        await asyncio.to_thread(self._thread.join)
        self._journal.close()

    @property
    def alive(self) -> bool:
        """The writer runs, and does not hang in the disk."""
        busy = self._busy_mono
        return self._thread.is_alive() and (busy is None or boottime() - busy < STUCK_S)

    def submit(
        self,
        heard: Sequence[Heard],
        now: Now,
        *,
        states: Mapping[str, bytes] | None = None,
        critical: Collection[str] = (),
    ) -> "asyncio.Future[bool]":
        """Hand observations and driver states to the writer, in this order with earlier ones of the lane.

        Args:
            heard: Observations with their devices.
            now: When they were heard.
            states: What drivers must remember, by state name.
            critical: Devices whose ``door.opened`` and ``bed.left`` are alarms.

        Returns:
            A future: ``True`` when it is all on the disk; ``False`` when it is an alarm that is sent but could
            not be journalled, so that nothing may be promised to the device. It raises
            :class:`TransientError` when readings were refused.
        """
        drafts = [
            Draft(
                lane(item.observation.kind, critical=item.device_id in critical),
                envelope.event(
                    item.observation,
                    event_id=uuid7(now.utc),
                    hub_id=self.hub_id,
                    device_id=item.device_id,
                    quality=now.quality,
                    epoch="",
                    seq=0,
                ),
            )
            for item in heard
        ]
        done: Future[bool] = Future()
        with self._waiting:
            if self._closing:
                raise TransientError("journal: closing")
            self._count += 1
            job = _Job(self._count, drafts, states or {}, now, done)
            urgent = any(draft.lane is Lane.ALARM for draft in drafts)
            (self._alarms if urgent else self._readings).append(job)
            self._waiting.notify()
        return asyncio.wrap_future(done)

    async def record(
        self,
        heard: Sequence[Heard],
        *,
        states: Mapping[str, bytes] | None = None,
        critical: Collection[str] = (),
    ) -> bool:
        """Record now, and return when it is committed; see :meth:`submit`."""
        return await self.submit(heard, self._clock.now(), states=states, critical=critical)

    async def say(self, kind: Kind, value: dict[str, Any], *, subject: str | None = None) -> None:
        """Record something that the hub itself observed."""
        try:
            await self.record([self._own(kind, value, subject)])
        except TransientError as error:
            log.warning("%s cannot be journalled: %s", kind, error)

    async def probe(self, number: str) -> None:
        """Record a test alarm of the hub itself: a round through the whole chain begins here.

        Args:
            number: The round's id.

        Raises:
            TransientError: It could not be journalled.
        """
        item = self._own(Kind.ALARM_PRESSED, {"round": number}, None)
        test = msgspec.structs.replace(item.observation, test=True)
        if not await self.record([Heard(item.device_id, test)]):
            raise TransientError("the journal cannot keep it")

    async def pending(self, which: Lane, after_seq: int, limit: int) -> list[Entry]:
        """Return entries that wait for their receipt, oldest first."""
        return await self._call(lambda: self._journal.pending(which, after_seq, limit))

    async def release(self, receipt: Receipt) -> int:
        """Free what the centre has stored.

        Raises:
            RefusedError: The receipt does not fit this journal.
        """
        if receipt.epoch == self._spare_epoch:
            return 0  # never was in the journal; the uplink forgets it
        return await self._call(lambda: self._journal.release(receipt))

    async def state(self, name: str) -> bytes:
        """Return what a driver must remember, or empty."""
        return await self._call(lambda: self._journal.state(name))

    async def meta(self, name: str) -> bytes | None:
        """Return a value kept about the hub itself."""
        return await self._call(lambda: self._journal.meta(name))

    async def keep(self, name: str, value: bytes) -> None:
        """Keep a value about the hub itself."""
        await self._call(lambda: self._journal.keep(name, value))

    def summary(self) -> Summary:
        """Return the journal in figures."""
        journal = self._journal
        pending = Pending(journal.counts[Lane.ALARM], journal.counts[Lane.READING])
        return Summary(journal.epoch, journal.last_seq, pending, journal.evicted)

    async def _call(self, work: Callable[[], _T]) -> _T:
        done: Future[_T] = Future()
        with self._waiting:
            if self._closing:
                raise TransientError("journal: closing")
            self._calls.append((work, done))
            self._waiting.notify()
        return await asyncio.wrap_future(done)

    # From here on: the writer's thread.

    def _run(self) -> None:
        going = True
        while going:
            try:
                self._report_damages()
                going = self._step()
            except Exception:
                # The thread's boundary: without it no alarm would be taken any more.
                log.exception("journal: unexpected")

    def _step(self) -> bool:
        """Do the next piece of work; tell whether there may be more."""
        self._busy_mono = None
        jobs, call = self._next()
        self._busy_mono = boottime()
        if jobs:
            self._write(jobs)
        elif call:
            work, done = call
            self._settle(done, partial(self._guarded, work))
        return bool(jobs or call)

    def _next(self) -> tuple[list[_Job], tuple[Callable[[], Any], "Future[Any]"] | None]:
        """Wait for work: alarms, then calls, then a full or ripe group of readings."""
        with self._waiting:
            while True:
                if self._alarms:
                    return _take(self._alarms), None
                if self._calls:
                    return [], self._calls.popleft()
                ripe_in_s: float | None = None
                if self._readings:
                    ripe_in_s = self._readings[0].now.mono + GROUP_S - boottime()
                    if ripe_in_s <= 0 or len(self._readings) >= GROUP_MAX or self._closing:
                        return _take(self._readings), None
                    ripe_in_s = min(ripe_in_s, GROUP_S)  # whatever the caller's clock says
                elif self._closing:
                    return [], None
                if not self._waiting.wait(ripe_in_s) and self._readings and not (self._alarms or self._calls):
                    return _take(self._readings), None

    def _write(self, jobs: list[_Job]) -> None:
        """Commit jobs together; where that fails, each for itself."""
        try:
            entries = self._guarded(lambda: self._append(jobs))
        except Exception as error:  # noqa: BLE001 -- the thread's boundary: one bad job must not end it
            if len(jobs) > 1:
                for job in jobs:
                    self._write([job])
            else:
                self._refuse(jobs[0], error)
            return
        self._announce(entries)
        for job in jobs:
            self._settle(job.done, lambda: not self._journal.volatile)

    def _append(self, jobs: list[_Job]) -> list[Entry]:
        states = {
            name: value
            for job in jobs
            for name, value in job.states.items()
            # An alarm overtakes readings: their older state must not come back over its newer one.
            if job.number >= self._newest_state.get(name, 0)
        }
        drafts = [draft for job in jobs for draft in job.drafts]
        if self._journal.volatile:
            drafts = [_flagged(draft) for draft in drafts]
        synced = [job.now.utc for job in jobs if job.now.quality is TimeQuality.SYNCED]
        entries = self._journal.append(drafts, states, max(synced, default=None))
        for job in jobs:
            for name in job.states:
                self._newest_state[name] = max(job.number, self._newest_state.get(name, 0))
        return entries

    def _refuse(self, job: _Job, error: Exception) -> None:
        alarms = [draft for draft in job.drafts if draft.lane is Lane.ALARM]
        entries = []
        for draft in alarms:
            event = _flagged(draft).event
            self._spare_seq += 1
            event = msgspec.structs.replace(event, epoch=self._spare_epoch, seq=self._spare_seq)
            try:
                payload = envelope.encode(event)
            except (TypeError, ValueError):
                log.exception("an alarm of %s cannot be encoded", event.subject)
                payload = envelope.encode(_bare(event))
            entries.append(Entry(self._spare_epoch, self._spare_seq, Lane.ALARM, payload))
        if entries:
            log.critical("journal: %d alarms are sent without being journalled: %s", len(entries), error)
            self._announce(entries)
            self._settle(job.done, lambda: False)
            return
        log.error("journal: %d readings refused: %s", len(job.drafts), error)
        if job.done.set_running_or_notify_cancel():
            job.done.set_exception(TransientError(f"journal: refused: {error}"))

    def _guarded(self, work: Callable[[], _T]) -> _T:
        """Do it; where the journal turns out to be broken, open it anew and do it once more."""
        try:
            return work()
        except sqlite3.DatabaseError as error:
            log.error("journal: broken while running: %s", error)  # noqa: TRY400 -- not a fault of the code
            with suppress(sqlite3.Error):
                self._journal.close()
            self._journal = self._reopen()
            self._journal.damages.append(f"broken while running: {error}")
            return work()

    def _settle(self, done: "Future[_T]", work: Callable[[], _T]) -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(work())
        except HubError as error:
            done.set_exception(error)
        except Exception as error:
            log.exception("journal: unexpected")
            done.set_exception(TransientError(f"journal: {error}"))

    def _announce(self, entries: Sequence[Entry]) -> None:
        if entries and self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.on_accepted, entries)

    def _report_damages(self) -> None:
        if not self._journal.damages:
            return
        damages, self._journal.damages = self._journal.damages, []
        now = self._clock.now()
        item = self._own(Kind.HUB_JOURNAL_DAMAGED, {"damages": damages[:20], "count": len(damages)}, None)
        event = envelope.event(
            item.observation,
            event_id=uuid7(now.utc),
            hub_id=self.hub_id,
            device_id=item.device_id,
            quality=now.quality,
            epoch="",
            seq=0,
        )
        job = _Job(0, [Draft(Lane.READING, event)], {}, now, Future())
        job.done.add_done_callback(lambda done: done.exception())  # a refusal is logged already
        self._write([job])

    def _own(self, kind: Kind, value: dict[str, Any], subject: str | None) -> Heard:
        return Heard(subject or self.hub_id, Observation(kind=kind, time=self._clock.now().utc, value=value))


def _take(jobs: deque[_Job]) -> list[_Job]:
    return [jobs.popleft() for _ in range(min(len(jobs), GROUP_MAX))]


def _flagged(draft: Draft) -> Draft:
    data = msgspec.structs.replace(draft.event.data, flags=(*draft.event.data.flags, UNJOURNALLED))
    return Draft(draft.lane, msgspec.structs.replace(draft.event, data=data))


def _bare(event: envelope.Event) -> envelope.Event:
    """Leave out of an alarm what a faulty driver has put in: it must ring all the same."""
    data = msgspec.structs.replace(
        event.data, value=None, unit=None, battery_pct=None, rssi_dbm=None, raw="", flags=("value_lost",)
    )
    return msgspec.structs.replace(event, data=data)
