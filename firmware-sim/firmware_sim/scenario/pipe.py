"""A home's line to the broker: TCP passed on, which can be cut, hang half open, or be slow."""

import asyncio
import contextlib
from typing import Literal

from firmware_sim.process import Tasks

State = Literal["up", "down", "half_open"]
_CHUNK = 64 * 1024
_HOST = "127.0.0.1"


class Pipe:
    """Listens for one home's hub and passes everything on to the broker.

    Args:
        target: The broker's port.

    Attributes:
        port: Where the hub finds it.
        delay_s: How long each piece takes.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks = Tasks()
        self._open = asyncio.Event()
        self._open.set()
        self._state: State = "up"
        self.port = 0
        self.delay_s = 0.0

    @property
    def up(self) -> bool:
        """Whether it carries anything."""
        return self._state == "up"

    async def start(self) -> None:
        """Listen on any free port, and always on that one."""
        self._server = await asyncio.start_server(self._serve, _HOST, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """End everything."""
        self._cut()
        if self._server is not None:
            self._server.close()
        await self._tasks.stop()

    async def be(self, state: State) -> None:
        """Change its state; what hung half open breaks when it comes back."""
        if state != "half_open":
            self._cut()
        self._state = state
        if state == "half_open":
            self._open.clear()
        else:
            self._open.set()

    def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state == "down":
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(_HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        self._tasks.start(self._carry(reader, far_writer), "up the line")
        self._tasks.start(self._carry(far_reader, writer), "down the line")

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)
