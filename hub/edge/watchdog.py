"""Supervision of tasks: each has a name, and one that ends is said aloud and started again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 10.0
STEADY_S = 60.0

Work = Callable[[], Awaitable[None]]

_AGAIN_S = 0.1


class Supervisor:
    """Keeps named tasks running.

    Attributes:
        restarts: How often each task had to be started again.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.restarts: dict[str, int] = {}

    def start(self, name: str, work: Work) -> None:
        """Start a task that shall never end.

        Raises:
            ValueError: There is one of this name.
        """
        if name in self._tasks:
            raise ValueError(f"task {name}: there is one already")
        self._tasks[name] = asyncio.create_task(self._keep(name, work), name=name)

    async def stop(self, name: str) -> None:
        """Stop one task, and wait until it has."""
        task = self._tasks.pop(name)
        while not task.done():
            task.cancel()
            # Python 3.11's wait_for may swallow a cancellation that meets a result: then it is told again.
            await asyncio.wait([task], timeout=_AGAIN_S)

    async def stop_all(self) -> None:
        """Stop all, the last one started first."""
        for name in reversed(list(self._tasks)):
            await self.stop(name)

    def names(self) -> list[str]:
        """Return the names of all tasks."""
        return list(self._tasks)

    async def _keep(self, name: str, work: Work) -> None:
        loop = asyncio.get_running_loop()
        wait_s = BACKOFF_FIRST_S
        while True:
            began = loop.time()
            try:
                await work()
                log.error("task %s: ended, which it never should; started again", name)
            except Exception:
                # The boundary of a task: whatever it was, the others go on and this one comes back.
                log.exception("task %s: failed; started again in %g s", name, wait_s)
            self.restarts[name] = self.restarts.get(name, 0) + 1
            if loop.time() - began > STEADY_S:
                wait_s = BACKOFF_FIRST_S
            await asyncio.sleep(wait_s)
            wait_s = min(BACKOFF_MAX_S, wait_s * 2)
