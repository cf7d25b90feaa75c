"""One device, or one serial line: a link and a driver, and what the driver says carried out in its order.

Commit first, act second: the device is told OK only when what it said is on the disk. When the journal
refuses, or can promise nothing, the action is left undone and the driver opened again from its kept state, so
that the device says it once more.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from drivers import registry
from drivers.base import NOTHING, Action, Answer, Commanded, Driver
from hub.domain.clock import Clock, Now
from hub.domain.codes import Lane, lane
from hub.domain.errors import MalformedError, TransientError
from hub.domain.observation import Scalar
from hub.edge.configuration import Task
from hub.edge.links.state import LinkState
from hub.edge.recorder import Recorder
from hub.edge.tap import Frame, Tap

log = logging.getLogger(__name__)

# Commits that may be outstanding before the line is read on.
_MAX_OUTSTANDING = 1000
# Short, for an alarm button may be behind it; trying a port that is missing costs next to nothing.
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 5.0
# A command that a device has not taken by then is given up, and never done later.
COMMAND_S = 15.0
# A link that held this long starts the waits anew.
STEADY_S = 10.0


class NotKeptError(TransientError):
    """An earlier answer was not committed: the driver must be opened again, before it asks for anything more."""


class Tell(Protocol):
    """One of a driver's methods, with its arguments before the time bound to it."""

    def __call__(self, now: Now, /) -> Answer:
        """Return the driver's answer."""
        ...


class _Errand(NamedTuple):
    """A command on its way to the driver."""

    device_id: str
    name: str
    arguments: Mapping[str, Scalar]
    done: "asyncio.Future[None]"


class Session:
    """What all kinds of sessions share.

    Args:
        task: What to do.
        recorder: Where observations go.
        clock: Tells the time.
    """

    def __init__(self, task: Task, recorder: Recorder, clock: Clock) -> None:
        self.task = task
        self.state = LinkState(task.name)
        self.tap = Tap()
        self._recorder = recorder
        self._clock = clock
        self._outstanding = 0
        self._broken: str | None = None
        self._errands: asyncio.Queue[_Errand] = asyncio.Queue()

    async def run(self) -> None:
        """Live through one link after the other, for ever."""
        wait_s = BACKOFF_FIRST_S
        while True:
            began = self._clock.now().mono
            self._broken = None
            try:
                await self._live()
                reason, wait_s = "ended in order", BACKOFF_FIRST_S
            except TransientError as error:
                reason = str(error)
            self.state.went_down(reason)
            if self._clock.now().mono - began > STEADY_S:
                wait_s = BACKOFF_FIRST_S
            await asyncio.sleep(wait_s)
            wait_s = min(BACKOFF_MAX_S, wait_s * 2)

    async def _live(self) -> None:
        """Open the link and the driver, and use them until the link ends.

        Raises:
            TransientError: It ended.
        """
        raise NotImplementedError

    async def _open_driver(self) -> Driver:
        """Open the driver with the state that was committed last."""
        state = await self._recorder.state(self.task.state_name)
        setup = msgspec.structs.replace(self.task.setup, state=state)
        return registry.package(self.task.driver).open_driver(self.task.link_type, setup)

    async def tell(self, device_id: str, name: str, arguments: Mapping[str, Scalar]) -> None:
        """Let a device do something; return when it was told.

        Raises:
            MalformedError: It knows no such command, or the arguments do not fit.
            TransientError: There is no link to it, or it did not take the command.
        """
        if not self.state.up:
            raise TransientError(f"no link to {device_id}: {self.state.reason}")
        errand = _Errand(device_id, name, arguments, asyncio.get_running_loop().create_future())
        self._errands.put_nowait(errand)
        try:
            async with asyncio.timeout(COMMAND_S):
                await errand.done
        except TimeoutError as error:
            raise TransientError(f"{device_id} has not taken the command within {COMMAND_S:g} s") from error

    async def _run_errands(self, driver: Driver, act: Callable[[tuple[Action, ...]], Awaitable[object]]) -> None:
        """Do the commands that wait; those that were given up are left undone."""
        while not self._errands.empty():
            errand = self._errands.get_nowait()
            if errand.done.done():
                continue
            if not isinstance(driver, Commanded):
                errand.done.set_exception(MalformedError(f"{self.task.driver} takes no commands"))
                continue
            try:
                answer = driver.command(errand.device_id, errand.name, errand.arguments, self._clock.now())
                await act(await self._feed(_said(answer)))
            except (MalformedError, TransientError) as error:
                if not errand.done.done():
                    errand.done.set_exception(error)
                if isinstance(error, TransientError):
                    raise
            else:
                if not errand.done.done():
                    errand.done.set_result(None)

    async def _feed(
        self,
        tell: Tell,
        frame: bytes = b"",
        settled: Callable[[bool], None] | None = None,
        *,
        seen: Frame | None = None,
    ) -> tuple[Action, ...]:
        """Ask the driver, commit what it says, and return what may be done now.

        Args:
            tell: What the driver is told.
            frame: The bytes behind it, for the log of a driver that fails.
            settled: Told whether what the driver said is on the disk; true as well when it said nothing.
            seen: What onlookers see, where the bytes alone do not tell.

        Raises:
            NotKeptError: An earlier answer was not committed; of this one only the alarms are.
            TransientError: It was not committed.
        """
        now = self._clock.now()
        answer = self._ask(tell, now, frame)
        self._took(seen or Frame(frame), answer, now)
        if self._broken:
            self._submit_alarms(answer, now)
            raise NotKeptError(self._broken)
        self.state.bad += len(answer.bad)
        for line in answer.bad:
            log.info("link %s: passed over: %s", self.task.name, line)
        for stranger in answer.strangers:
            self.state.strangers.add(stranger, answer.profiles.get(stranger, ""))
        if not answer.observations and answer.state is None:
            if settled:
                settled(True)  # noqa: FBT003 -- the answer itself
            return answer.actions
        states = {} if answer.state is None else {self.task.state_name: answer.state}
        done = self._recorder.submit(answer.observations, now, states=states, critical=self.task.critical)
        if answer.actions or self._outstanding >= _MAX_OUTSTANDING:
            if not await done:
                raise TransientError("not journalled: the device is not answered")
            if settled:
                settled(True)  # noqa: FBT003 -- the answer itself
            return answer.actions
        # Nothing waits for this one: read on, so that an alarm is not held up by a reading's commit.
        self._outstanding += 1
        done.add_done_callback(partial(self._committed, settled))
        return ()

    def _submit_alarms(self, answer: Answer, now: Now) -> None:
        """Hand on the alarms of a frame that may never be said again.

        Without the driver's state: with it, what was refused before would count as journalled.
        """
        critical = self.task.critical
        alarms = [
            item
            for item in answer.observations
            if lane(item.observation.kind, critical=item.device_id in critical) is Lane.ALARM
        ]
        if alarms:
            self._recorder.submit(alarms, now, critical=critical)

    def _took(self, frame: Frame, answer: Answer, now: Now) -> None:
        """Show what came, and what the driver made of it; a tick brings nothing."""
        if frame.data or frame.advert:
            self.tap.passed(now, self.task, frame, answer)

    def _ask(self, tell: Callable[[Now], Answer], now: Now, frame: bytes) -> Answer:
        try:
            return tell(now)
        except Exception as error:
            # The boundary to the drivers: they promise not to raise, and one that does must not end the line.
            self.state.faults += 1
            name, driver = self.task.name, self.task.driver
            if registry.package(driver).MANIFEST.personal:  # an error's own words may hold what came
                where = traceback.extract_tb(error.__traceback__)[-1]
                kind = f"{type(error).__name__} in {where.name}, {Path(where.filename).name}:{where.lineno}"
                log.error("link %s: driver %s fails on %d bytes: %s", name, driver, len(frame), kind)  # noqa: TRY400 -- see above
            else:
                log.exception("link %s: driver %s fails on %s", name, driver, frame.hex())
            return NOTHING

    def _committed(self, settled: Callable[[bool], None] | None, done: "asyncio.Future[bool]") -> None:
        self._outstanding -= 1
        if done.cancelled():
            return
        if error := done.exception():
            self._broken = str(error)
        elif settled:
            settled(done.result())

    def figures(self) -> dict[str, Any]:
        """Return the link's state for display."""
        state = self.state
        return {
            "name": state.name,
            "up": state.up,
            "reason": state.reason,
            "opened": state.opened,
            "bad": state.bad,
            "faults": state.faults,
            "strangers": state.strangers.all(),
        }


def _said(answer: Answer) -> Tell:
    def tell(_now: Now) -> Answer:
        return answer

    return tell
