"""A TCP proxy that misbehaves: it delays, drops, falls silent or cuts after so many bytes."""

import asyncio
import contextlib
from typing import Self


class Proxy:
    """Forwards connections to ``127.0.0.1:target`` until told otherwise.

    Attributes:
        port: Where it listens.
        delay_s: Added to each piece, either way.
        connections: How many it has accepted.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay_s = 0.0
        self.connections = 0
        self._left: int | None = None
        self._refuse = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.drop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def half_open(self) -> None:
        """Stop forwarding and keep every socket open: the peers see nothing, not even a reset."""
        self._flowing.clear()

    def lose(self) -> None:
        """Fall silent on every connection there is, for ever, as a host that is lost; new ones are let through."""
        self._flowing.clear()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def resume(self) -> None:
        """Forward again, what was held back first, and let new connections in."""
        self._refuse = False
        self._left = None
        self._flowing.set()

    def drop(self) -> None:
        """Close all connections there are; new ones are let in."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def refuse(self) -> None:
        """Close all connections, and each new one at once."""
        self._refuse = True
        self.drop()

    def cut_after(self, count: int) -> None:
        """Close all connections when ``count`` further bytes have passed towards the target, new ones too."""
        self._left = count

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        # asyncio complains of a handler that ends cancelled, as __aexit__ lets it end.
        with contextlib.suppress(asyncio.CancelledError):
            await self._forward(reader, writer)
        self._tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuse:
            writer.transport.abort()
            return
        self._writers.add(writer)
        flowing = self._flowing
        await flowing.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(far_writer)
        await asyncio.gather(
            self._pump(reader, far_writer, flowing, counted=True),
            self._pump(far_reader, writer, flowing, counted=False),
        )

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event, *, counted: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await flowing.wait()
                if counted and self._left is not None:
                    data, self._left = data[: self._left], self._left - len(data[: self._left])
                writer.write(data)
                await writer.drain()
                if self._left == 0:
                    self.drop()
                    return
        # One side has closed: the other learns it, but not over a link that is half open.
        await flowing.wait()
        with contextlib.suppress(OSError):
            writer.close()
