"""Time for the processes of a chain that leaps over the hours in which nothing happens.

All of them run under libfaketime and read how far ahead of the machine they are from one file. A leap stops them,
writes a larger offset and lets them go on: a stopped and continued process returns from its waiting (signal(7)),
finds its clocks ahead, wall and monotonic alike, and does what became due. To them it was a deep sleep.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.clock import Clock

# The one for programs with threads: in the other, one thread's look at the clock lets another see the real time.
_LIBRARY = "*/faketime/libfaketimeMT.so.1"
# Quiet is what did not run for so many looks: a wake-up takes less, and so does a file that is being synced.
_LOOK_S = 0.0015
_STILL = 2
_LOOKS = 4000


def faketime() -> Path | None:
    """Return libfaketime where Debian's package puts it; ``None``: it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob(_LIBRARY))), None)


@dataclass
class Astray:
    """How wrong a clock is, and how much wronger it gets in a second."""

    off_s: float = 0.0
    drift: float = 0.0


class Leaps:
    """The time of a chain.

    Args:
        folder: Where the offsets stand.
        clock: The machine's time.
        library: libfaketime; ``None``: time cannot leap, and goes as the machine's.

    Attributes:
        count: How many leaps there were.
    """

    def __init__(self, folder: Path, clock: Clock, library: Path | None) -> None:
        self._folder = folder
        self._clock = clock
        self._library = library
        self._ahead_s = 0.0
        self._astray = {"": Astray()}
        self.count = 0

    @property
    def launcher(self) -> list[str]:
        """What a Python program must be started by to live under this time."""
        return [sys.executable, "-P", "-m", "firmware_sim.stage.faked"] if self._library else []

    def environment(self, name: str = "") -> Mapping[str, str]:
        """Return the variables that put a process under this time; a name gives it a clock of its own."""
        if self._library is None:
            return {}
        self._astray.setdefault(name, Astray())
        self._write()
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file(name)),
            "FAKETIME_NO_CACHE": "1",
            "NO_FAKE_STAT": "1",
        }

    def now_s(self) -> float:
        """Return the chain's Unix time."""
        return self._clock.wall_s() + self._ahead_s

    def set(self, now_s: float) -> None:
        """Let the chain's time be this; before its processes start."""
        self._ahead_s = now_s - self._clock.wall_s()
        self._write()

    async def leap(self, seconds: float, pids: Iterable[int]) -> None:
        """Let so many seconds pass for these processes: at once, where time can leap."""
        if self._library is None:
            await asyncio.sleep(seconds)
            return
        pids = list(pids)
        _tell(pids, signal.SIGSTOP)
        _until_stopped(pids)
        try:
            self._ahead_s += seconds
            for astray in self._astray.values():
                astray.off_s += astray.drift * seconds
            self._write()
        finally:
            _tell(pids, signal.SIGCONT)
        self.count += 1

    def lead_astray(self, name: str, off_s: float = 0.0, drift: float = 0.0) -> None:
        """Let a clock of its own be wrong by so much, and grow wronger by ``drift`` seconds a second."""
        self._astray[name].off_s, self._astray[name].drift = off_s, drift
        self._write()

    async def quiet(self, pids: Callable[[], Iterable[int]]) -> None:
        """Wait until every one of these processes sleeps and none has run since the last look."""
        if self._library is None:
            return
        before: object = None
        still = 0
        for _ in range(_LOOKS):
            await asyncio.sleep(_LOOK_S)
            now = _pulse(pids())
            still = still + 1 if now is not None and now == before else 0
            if still == _STILL:
                return
            before = now

    def _write(self) -> None:
        for name, astray in self._astray.items():
            file = self._file(name)
            new = file.with_suffix(".new")
            new.write_text(f"{self._ahead_s + astray.off_s:+.6f}\n")
            new.replace(file)  # never seen half written

    def _file(self, name: str) -> Path:
        return self._folder / f"clock-{name}"


def _tell(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # it has just ended


def _until_stopped(pids: Iterable[int]) -> None:
    """Wait for what takes microseconds; a process that goes on before it stood still would not wake."""
    for pid in pids:
        try:
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            continue  # it has just ended


def _pulse(pids: Iterable[int]) -> list[bytes] | None:
    """Return how often each thread was put to sleep so far; ``None`` while one is running."""
    found = []
    for pid in pids:
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                status = (thread / "status").read_bytes()
                if b"State:\tS" not in status:
                    return None
                found.append(status[status.index(b"voluntary_ctxt_switches") :])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
    return found
