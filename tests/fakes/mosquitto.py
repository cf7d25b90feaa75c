"""A real Mosquitto on a free port, in a directory of its own, that can be stopped, killed and started again."""

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
from pathlib import Path


def free_port() -> int:
    """Return a TCP port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def wait_for_port(port: int, process: subprocess.Popen[bytes], within_s: float = 10.0) -> None:
    """Wait until somebody accepts connections on ``port``.

    Raises:
        RuntimeError: The process ended, or the time is over.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while process.poll() is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    await writer.wait_closed()
                    return
                await asyncio.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}; exit code {process.poll()}")


class Mosquitto:
    """One broker.

    Args:
        directory: For its configuration, log and store.
        persistence: Keep a store; it is saved on an orderly stop and every half hour, as Mosquitto's default is.
        acl: Lines of an access list (``user ann`` / ``topic read a/#``), or ``None`` to allow everything.
        passwords: Users who may log in, with their passwords; ``None`` lets everybody in.
        extra: Further configuration lines.
    """

    def __init__(
        self,
        directory: Path,
        *,
        persistence: bool = False,
        acl: str | None = None,
        passwords: dict[str, str] | None = None,
        extra: str = "",
    ) -> None:
        self.port = free_port()
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self._process: subprocess.Popen[bytes] | None = None
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'false' if passwords else 'true'}",
            # Not 0, "no limit": Mosquitto 2.0.11 then ends the connection of whoever publishes to a denied topic.
            "max_queued_messages 1000000",
            "set_tcp_nodelay true",
            f"persistence {'true' if persistence else 'false'}",
            f"persistence_location {directory}/",
            # Started by root it would change to an account that cannot read the directory.
            "user root",
            extra,
        ]
        if acl is not None:
            (directory / "acl").write_text(acl + "\n")
            lines.append(f"acl_file {directory}/acl")
        if passwords is not None:
            file = directory / "passwords"
            file.write_text("".join(f"{user}:{password}\n" for user, password in passwords.items()))
            tool = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
            subprocess.run([tool, "-U", str(file)], check=True, capture_output=True)
            lines.append(f"password_file {file}")
        (directory / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return (self.directory / "log").read_text()

    async def start(self) -> None:
        """Start it and wait until it listens."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220, a fork takes no time worth awaiting
                [self._program, "-v", "-c", str(self.directory / "mosquitto.conf")], stdout=log, stderr=log
            )
        await wait_for_port(self.port, self._process)

    def _end(self, signum: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signum)
            process.wait(10)

    def stop(self) -> None:
        """Stop it in order; it saves its store."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it as a power cut would, as far as a process can tell."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it stand still: it holds its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        await self.start()
