"""One device, or one serial line: a link and a driver, and what the driver says carried out in its order.

Commit first, act second: the device is told OK only when what it said is on the disk. When the journal
refuses, or can promise nothing, the action is left undone and the driver opened again from its kept state, so
that the device says it once more.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from drivers import registry
from drivers.base import NOTHING, Action, Answer, Driver
from hub.domain.clock import Clock, Now
from hub.domain.errors import TransientError
from hub.edge.configuration import Task
from hub.edge.links.state import LinkState
from hub.edge.recorder import Recorder

log = logging.getLogger(__name__)

# Commits that may be outstanding before the line is read on.
_MAX_OUTSTANDING = 1000
# Short, for an alarm button may be behind it; trying a port that is missing costs next to nothing.
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 5.0
# A link that held this long starts the waits anew.
STEADY_S = 10.0


class Tell(Protocol):
    """One of a driver's methods, with its arguments before the time bound to it."""

    def __call__(self, now: Now, /) -> Answer:
        """Return the driver's answer."""
        ...


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
        self._recorder = recorder
        self._clock = clock
        self._outstanding = 0
        self._broken: str | None = None

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

    async def _feed(self, tell: Tell, frame: bytes = b"") -> tuple[Action, ...]:
        """Ask the driver, commit what it says, and return what may be done now.

        Raises:
            TransientError: It was not committed, or an earlier answer was not.
        """
        if self._broken:
            raise TransientError(self._broken)
        now = self._clock.now()
        answer = self._ask(tell, now, frame)
        self.state.bad += len(answer.bad)
        for line in answer.bad:
            log.info("link %s: passed over: %s", self.task.name, line)
        for stranger in answer.strangers:
            self.state.strangers.add(stranger)
        if not answer.observations and answer.state is None:
            return answer.actions
        states = {} if answer.state is None else {self.task.state_name: answer.state}
        done = self._recorder.submit(answer.observations, now, states=states, critical=self.task.critical)
        if answer.actions or self._outstanding >= _MAX_OUTSTANDING:
            if not await done:
                raise TransientError("not journalled: the device is not answered")
            return answer.actions
        # Nothing waits for this one: read on, so that an alarm is not held up by a reading's commit.
        self._outstanding += 1
        done.add_done_callback(self._committed)
        return ()

    def _ask(self, tell: Callable[[Now], Answer], now: Now, frame: bytes) -> Answer:
        try:
            return tell(now)
        except Exception:
            # The boundary to the drivers: they promise not to raise, and one that does must not end the line.
            self.state.faults += 1
            log.exception("link %s: driver %s fails on %s", self.task.name, self.task.driver, frame.hex())
            return NOTHING

    def _committed(self, done: "asyncio.Future[bool]") -> None:
        self._outstanding -= 1
        if not done.cancelled() and (error := done.exception()):
            self._broken = str(error)

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
