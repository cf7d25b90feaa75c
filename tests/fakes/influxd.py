"""A real InfluxDB 1.x server on free ports, in a directory of its own, that can be killed and started again."""

import shutil
import signal
import subprocess
from pathlib import Path

from tests.fakes.mosquitto import free_port, wait_for_port

_CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{directory}/meta"
  logging-enabled = false
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  log-enabled = false
"""


class Influxd:
    """One server. A write that it answered with 204 is fsynced (``wal-fsync-delay`` is 0 unless set)."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self._program = shutil.which("influxd") or "/usr/bin/influxd"
        self._process: subprocess.Popen[bytes] | None = None
        (directory / "influxdb.conf").write_text(
            _CONFIG.format(rpc=free_port(), http=self.port, directory=directory)
        )

    @property
    def url(self) -> str:
        """Where its HTTP API is."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it and wait until it listens."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220, a fork takes no time worth awaiting
                [self._program, "-config", str(self.directory / "influxdb.conf")], stdout=log, stderr=log
            )
        await wait_for_port(self.port, self._process, within_s=20)

    def kill(self) -> None:
        """Kill it."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(10)

    async def restart(self) -> None:
        """Kill it and start it again on the same data."""
        self.kill()
        await self.start()
