"""Runs a Python program under libfaketime: ``python -m firmware_sim.stage.faked PROGRAM ARGUMENTS``.

Python waits for a lock with a time limit by ``sem_clockwait``, which libfaketime 0.9.10 (Debian 12) leaves alone:
it is told a deadline of the faked clock and goes by the machine's, so the limit never comes. Here such a wait
sleeps on a bell instead, which libfaketime does time: a release rings it, and so does SIGCONT after the clock
has leapt. Nothing else is changed.
"""

import os
import runpy
import select
import sys
import threading
from typing import Any

from firmware_sim.clock import SystemClock


class _Waiter:
    """The lock that a waiting thread waits for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bell: int | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 -- a lock's own form
        if not blocking or timeout < 0:
            return self._lock.acquire(blocking)
        clock = SystemClock()
        end_s = clock.mono_s() + timeout
        # Waits without running: whoever looks for quiet would never find it beside a loop that looks again.
        if self._bell is None:
            self._bell = os.eventfd(0)
        with select.epoll() as waiting:
            waiting.register(self._bell, select.EPOLLIN)
            while not (taken := self._lock.acquire(blocking=False)) and clock.mono_s() < end_s:
                waiting.poll(max(0.001, end_s - clock.mono_s()))
        return taken

    def release(self) -> None:
        self._lock.release()
        if self._bell is not None:
            os.eventfd_write(self._bell, 1)

    def __del__(self) -> None:
        if self._bell is not None:
            os.close(self._bell)


def main() -> None:
    """Run the program that the arguments name."""
    # The lock that threading.Condition makes for each wait; conditions, events and queues all wait on it.
    module: Any = threading
    module._allocate_lock = _Waiter  # noqa: SLF001 -- there is no other way in
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
