"""One centre of the simulation: the production code with its clock, its senders and its list of what is due."""

import asyncio
import contextlib
import datetime as dt
import math
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hub.central import clockwork
from hub.central.auditor import phones_unreachable
from hub.central.centre import Centre, Tx
from hub.central.clockwork import Clockwork
from hub.central.escalation import engine, limits
from hub.central.notify import outbox, receipts
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.store.engine import Store
from hub.central.store.tables import microseconds
from hub.domain.clock import UTC, SteadyClock
from hub.domain.errors import TransientError
from tests.simulation.loop import Process
from tests.simulation.script import Death, Freeze
from tests.simulation.store import Door

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")

START = dt.datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
_AGAIN_S = 0.2
# Another centre's rows are seen by looking every second.
_LOOK_S = 1.0
_BOOTED_S = 1000.0
# Whoever asks a centre something waits so long for its answer.
_PATIENCE_S = 10.0


class GoneError(Exception):
    """The centre was killed before it had done what was asked of it, or gave no answer: perhaps it will."""


class SimCentre:
    """A centre that can be killed at any step and begun again, and frozen between any two.

    Args:
        world: In which it lives.
        number: Which of the centres it is.
        offset_s: How far its clock is from the true time.
        deaths: When it is killed, in order.
        freezes: When it is frozen, in order.

    Attributes:
        alive: Whether it was begun and not killed since.
        jump_s: By how much its clock was set.
        process: What is killed or frozen; another one each time that it begins.
    """

    def __init__(
        self, world: "World", number: int, offset_s: float, deaths: list[Death], freezes: list[Freeze]
    ) -> None:
        self.name = f"centre-{number + 1}"
        self._world = world
        self._offset_s = offset_s
        self._deaths = deaths
        self._freezes = freezes
        self._steps = self._runs = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._well_since = 0.0
        self.alive = False
        self.jump_s = 0.0

    def begin(self) -> None:
        """Start the process."""
        world = self._world
        loop = asyncio.get_running_loop()
        self.alive = True
        self._well_since = loop.time()
        self.process = Process(self._about_to_run)
        self._woken = asyncio.Event()
        self._clock = SteadyClock(
            wall=lambda: START.timestamp() + loop.time() + self._offset_s + self.jump_s,
            mono=lambda: _BOOTED_S + loop.time(),
        )
        store = cast("Store", Door(world.database, self))
        self._centre = Centre(store, self._clock, world.script.site, self.name)
        self.ways = Ways(gateway.line(self) for gateway in world.gateways)
        self._sender = Sender(self._centre, self.ways, lambda provider: f"https://centre.example/hooks/{provider}")
        self._clockwork = Clockwork(
            self._centre,
            {
                engine.STEP: engine.step_due,
                engine.DEADLINE: engine.deadline_due,
                limits.LIMIT: limits.passed,
                outbox.RECEIPT: lambda tx, subject: receipts.overdue(tx, int(subject), self.ways),
                engine.UNREACHABLE: phones_unreachable,
            },
            {outbox.SEND: lambda subject: self._sender.start(int(subject))},
        )
        world.say(f"{self.name} begins")
        self._begin(self._pace())

    def kill(self, back_s: float) -> None:
        """Kill the process: what it had in memory is gone, what it had committed stays."""
        self._world.say(f"{self.name} is killed")
        self.alive, self.jump_s = False, 0.0
        self._world.troubled_for(back_s)
        for task in [*self._tasks, *self._sender._tasks.values()]:
            task.cancel()
        asyncio.get_running_loop().call_later(back_s, self.begin, context=self._world.context)

    def freeze(self, for_s: float) -> None:
        """Stop the process where it is: time goes on for everybody else, its leases run out."""
        self._world.say(f"{self.name} is frozen")
        self._world.troubled_for(for_s)
        self.process.stop()
        asyncio.get_running_loop().call_later(for_s, self.thaw, context=self._world.context)

    def thaw(self) -> None:
        """Let the process go on, if it is stopped, as if nothing had happened."""
        if self.process.stopped:
            self._world.say(f"{self.name} goes on")
            self._well_since = self._world.now
            self.process.go_on()

    async def do(self, work: Callable[[Tx], T]) -> T:
        """Let the centre do something that came in from outside, in one transaction.

        Raises:
            GoneError: It was killed meanwhile or gives no answer; nobody knows whether it is done.
            HubError: It could not, or would not.
        """
        task = self._begin(self._centre.transact(work, urgent=True))
        await asyncio.wait([task], timeout=_PATIENCE_S)
        if not task.done() or task.cancelled():
            raise GoneError
        return task.result()

    async def before(self) -> None:
        """A step is about to be made: the moment to be slow, to find no store, or to be killed."""
        await self.step()
        world = self._world
        fails = world.script.store_fails
        if fails and world.now < world.script.calm_at and world.rng.random() < fails:
            self._well_since = world.now
            raise TransientError("store: no answer")

    def committed(self) -> None:
        """Let the world look at what holds, and everybody who waits for the store wake."""
        self._world.committed()
        self._woken.set()
        for other in self._world.centres:
            if other is not self and other.alive:
                seen_in_s = self._world.rng.uniform(0, _LOOK_S)
                asyncio.get_running_loop().call_later(seen_in_s, other.wake, context=other.context)

    @property
    def context(self) -> Context:
        """In which what belongs to the process is begun."""
        return self.process.context

    @property
    def well_since(self) -> float:
        """Since when it runs and has found its store, in virtual seconds; infinite while it does not run."""
        return self._well_since if self.alive and not self.process.stopped else math.inf

    async def after(self) -> None:
        """It is committed, or read, and nobody in this process knows it yet."""
        await self.step()

    async def step(self) -> None:
        """Live on for a step, or be killed here."""
        self._steps += 1
        if self._vulnerable() and self._deaths and self._steps >= self._deaths[0].step:
            self.kill(self._deaths.pop(0).back_s)
        await asyncio.sleep(0)

    def owes(self, ref: str) -> None:
        """It knows that a provider has accepted something."""
        self._world.invariants.deliveries.owes(ref, self)

    def wake(self) -> None:
        """Look at the list again."""
        self._woken.set()

    def _about_to_run(self, process: Process) -> None:
        if process is not self.process:
            return  # what is left of one that was killed
        self._runs += 1
        if self._vulnerable() and self._freezes and self._runs >= self._freezes[0].run:
            self.freeze(self._freezes.pop(0).for_s)

    def _vulnerable(self) -> bool:
        return self.alive and self._world.now < self._world.script.calm_at

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, context=self.context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _pace(self) -> None:
        """Do what :meth:`Clockwork.run` does; only what would be a look every second is a wait for news."""
        released = False
        while True:
            try:
                if not released:
                    await self._centre.transact(clockwork._release_own)
                    released = True
                await self._until_due()
                await self._clockwork._round()
            except TransientError:  # keep_running() begins the loop anew, which releases nothing twice
                await asyncio.sleep(_AGAIN_S)

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            query = "SELECT min(max(at, coalesce(leased_until, 0))) FROM due"
            earliest = self._world.database.rows(query)[0][0]
            wait_us = None if earliest is None else earliest - microseconds(self._clock.now().utc)
            if wait_us is not None and wait_us <= 0:
                return
            timer = None if wait_us is None else loop.call_later(wait_us / 1e6 + 0.001, self._woken.set)
            try:
                await self._woken.wait()
            finally:
                if timer is not None:
                    timer.cancel()


def quietly() -> contextlib.suppress:
    """Let pass what an outsider sees as no answer."""
    return contextlib.suppress(GoneError, TransientError)
