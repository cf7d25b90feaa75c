"""One process of the chain: started, killed, frozen and started again by name, with a log of its own."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_STOP_WITHIN_S = 10.0
_READY_WITHIN_S = 60.0


class ChildError(Exception):
    """A process did not start; the text ends with the last lines of its log."""


class Child:
    """A process with a name.

    Args:
        name: What it is called, and its log: ``<name>.log``.
        command: Program and arguments.
        folder: Where its log is.
        says_ready: It prints one JSON line when it is ready (``hub-sim``'s commands do).
        environment: Variables that it gets besides ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        *,
        says_ready: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.facts: Mapping[str, object] = {}
        self._command = command
        self._says_ready = says_ready
        self.environment = dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Its process id.

        Raises:
            ChildError: It was never started.
        """
        if self._process is None:
            raise ChildError(f"{self.name} was not started")
        return self._process.pid

    async def start(self) -> None:
        """Start it, and wait for its line when it says one.

        Raises:
            ChildError: It ended, or said nothing in time.
        """
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self._says_ready else log,
                stderr=log,
                # Ctrl-C is for whoever started the chain; it then stops its children in order.
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
            )
        if self._says_ready:
            self.facts = await self._ready()

    async def _ready(self) -> Mapping[str, object]:
        if self._process is None or self._process.stdout is None:
            raise ChildError(f"{self.name} was not started")
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _READY_WITHIN_S)
            facts: Mapping[str, object] = json.loads(line)
        except (TimeoutError, ValueError) as error:
            raise ChildError(f"{self.name} did not start:\n{self.tail()}") from error
        return facts

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self._process is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def kill(self) -> None:
        """End it without a word, as a power cut does."""
        self.signal(signal.SIGKILL)
        await self._ended()

    async def stop(self) -> None:
        """Ask it to end; when it does not, end it."""
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._ended(), _STOP_WITHIN_S)
        except TimeoutError:
            await self.kill()

    async def _ended(self) -> None:
        if self._process is not None:
            await self._process.wait()


def program(name: str) -> str:
    """Return the path of a command that was installed with this Python."""
    return str(Path(sys.executable).with_name(name))
