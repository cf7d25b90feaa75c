"""One process of the chain under measurement, with a log of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from hub.domain.errors import PermanentError

HUB = (sys.executable, "-m", "hub.cli")
LOAD = (sys.executable, "-m", "hub.bench.load")
_STOP_WITHIN_S = 15.0
_MEGABYTE_KB = 1024


class Child:
    """A process.

    Args:
        name: What it is called, and its log: ``<name>.log``.
        command: Program and arguments.
        folder: Where its log is.
        talks: Its standard input and output are ours to use.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, *, talks: bool = False) -> None:
        self.name = name
        self._command = command
        self._log = folder / f"{name}.log"
        self._talks = talks
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The process.

        Raises:
            PermanentError: It was not started, or it has ended.
        """
        if self._process is None or self._process.returncode is not None:
            lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
            raise PermanentError("\n".join([f"{self.name} does not run", *lines[-15:]]))
        return self._process

    async def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE if self._talks else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self._talks else log,
                stderr=log,
                # Ctrl-C is for the benchmark; it then stops its children in order.
                start_new_session=True,
            )

    async def stop(self) -> None:
        """Ask it to end; when it does not, end it."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    def rss_mb(self) -> float:
        """Return its resident memory in MB of 1024 kB, as proc(5) has it."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return round(int(line.split()[1]) / _MEGABYTE_KB, 1)
        raise PermanentError(f"{self.name} has no memory: it is ending")

    def cpu_s(self) -> float:
        """Return the seconds of processor time that it has used."""
        # Behind the name, which may hold blanks, utime and stime are the 12th and 13th field: proc(5).
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
