"""What every simulator process does: say that it is ready in one line, then run until told to stop."""

import asyncio
import json
import signal
import socket
from collections.abc import Coroutine

_HIGHEST_PORT = 65_535
_AGAIN_S = 0.1


def say_ready(**facts: object) -> None:
    """Print the one JSON line that whoever started this process waits for."""
    print(json.dumps({"ready": True, **facts}), flush=True)  # noqa: T201 -- the line is the interface


async def until_stopped() -> None:
    """Return on SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_number(text: str) -> int:
    """Read a TCP port, for a command's option; 0 stands for any free one.

    Raises:
        ValueError: It is none.
    """
    port = int(text)
    if not 0 <= port <= _HIGHEST_PORT:
        raise ValueError(text)
    return port


class Tasks:
    """Background tasks of one owner: held so that they are not collected, cancelled together."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run this beside everything else. An error in it goes to the loop's handler."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self) -> None:
        """Cancel what still runs and wait for its end."""
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            # Python 3.11's wait_for may swallow a cancellation that meets a result: then it is told again.
            await asyncio.wait(tasks, timeout=_AGAIN_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler(
                {"message": f"{task.get_name()} ended by an error", "exception": error, "task": task}
            )
