"""An event loop whose time is virtual: nobody waits, it leaps to the next timer. One thread, one order.

Tasks and timers may belong to a :class:`Process`, which can be stopped between any two steps of them.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, NamedTuple, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Held(NamedTuple):
    """What a process would have done next."""

    callback: Callable[..., object]
    arguments: tuple[Any, ...]
    context: Context


class Process:
    """What stops and goes on as one, as by SIGSTOP and SIGCONT: all that was begun in its context.

    Args:
        about_to_run: Called with the process before each of its steps; it may stop it just there.

    Attributes:
        context: In which its tasks and timers are begun; what these begin belongs to it too.
    """

    def __init__(self, about_to_run: Callable[["Process"], None]) -> None:
        self._about_to_run = about_to_run
        self._held: list[_Held] | None = None
        self.context = copy_context()
        self.context.run(_PROCESS.set, self)

    @property
    def stopped(self) -> bool:
        """Whether it is stopped now."""
        return self._held is not None

    def stop(self) -> None:
        """Stop: what would run from now on is held."""
        self._held = self._held or []

    def go_on(self) -> None:
        """Go on, with everything that was held and in its order."""
        held, self._held = self._held or [], None
        loop = asyncio.get_running_loop()
        for step in held:
            loop.call_soon(step.callback, *step.arguments, context=step.context)

    def run(self, step: _Held) -> None:
        """Run a step now, or hold it."""
        if not self.stopped:
            self._about_to_run(self)
        if self._held is None:
            step.callback(*step.arguments)
        else:
            self._held.append(step)


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class _Leap:
    """Stands where a selector stands: instead of waiting for sockets it lets the time pass."""

    def __init__(self) -> None:
        self.at = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("the simulation waits for something that never comes")
        self.at += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs coroutines in virtual seconds, from 0."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Leap()

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._selector.at

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call back in the next round, unless the process that asks for it is stopped then."""
        context = copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        return super().call_soon(process.run, _Held(callback, args, context), context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at a virtual second, or when the process that asks for it goes on."""
        context = copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        return super().call_at(when, process.run, _Held(callback, args, context), context=context)

    def _process_events(self, _event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time, and end whatever it left running."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
