"""A dead-man's switch over real HTTP, in the manner of healthchecks.io, that can also misbehave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


def answer(code: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (code, len(body), body)


class Ping(NamedTuple):
    """What came: ``success``, ``start`` or ``fail``, the run and the body."""

    signal: str
    run: str
    body: str


class DeadMan:
    """Notes every ping.

    Attributes:
        pings: What came, in order.
        faults: Answers to the next pings instead of OK; ``None``: says nothing at all.
    """

    def __init__(self) -> None:
        self.pings: list[Ping] = []
        self.faults: list[bytes | None] = []
        self.url = ""
        self._news = asyncio.Condition()
        self._served: set[asyncio.Task[None]] = set()

    def signals(self) -> list[str]:
        return [ping.signal for ping in self.pings]

    async def until(self, signal: str, count: int = 1) -> None:
        """Wait until so many pings of a kind have come."""
        async with self._news:
            await self._news.wait_for(lambda: self.signals().count(signal) >= count)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._served.add(task)

    async def close(self) -> None:
        for task in self._served:
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                lines = head.split("\r\n")
                length = next(
                    (int(line.split(":")[1]) for line in lines if line.lower().startswith("content-le")), 0
                )
                body = (await reader.readexactly(length)).decode()
                target = urlsplit(lines[0].split()[1])
                signal = target.path.removeprefix("/the-check").removeprefix("/") or "success"
                async with self._news:
                    self.pings.append(Ping(signal, parse_qs(target.query)["rid"][0], body))
                    self._news.notify_all()
                fault = self.faults.pop(0) if self.faults else OK
                if fault is None:
                    await reader.read()  # until the client gives up
                    break
                writer.write(fault)
                await writer.drain()
                if not fault or not fault.endswith(b"OK"):
                    break


@contextlib.asynccontextmanager
async def dead_man() -> AsyncIterator[DeadMan]:
    """Serve a switch until the block ends."""
    fake = DeadMan()
    server = await asyncio.start_server(fake.accept, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/the-check"
    try:
        yield fake
    finally:
        server.close()
        await fake.close()
