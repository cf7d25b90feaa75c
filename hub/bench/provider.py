"""The SMS provider of the benchmark: answers as 46elks does, and notes when each text came in."""

import asyncio
import contextlib
import itertools
import re
from urllib.parse import parse_qs, urlsplit

from hub.domain.clock import boottime

_WHO = re.compile(r"\b[rw]-\d[\d-]*\d\b")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Provider:
    """An HTTP server on a free port of 127.0.0.1.

    Attributes:
        port: Where it listens.
        came: When the first text about each resident was at the socket, in monotonic seconds.
        requests: How many there were.
    """

    def __init__(self) -> None:
        self.port = 0
        self.came: dict[str, float] = {}
        self.requests = 0
        self._news = asyncio.Event()
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self._reports: set[asyncio.Task[None]] = set()
        self._connections: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Hang up."""
        for task in self._reports:
            task.cancel()
        for writer in self._connections.values():
            writer.close()
        await asyncio.gather(*filter(None, self._connections))
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def until_came(self, who: str, within_s: float) -> float | None:
        """Return when the text about a resident came, or ``None`` when it did not within this time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while who not in self.came:
                    self._news.clear()
                    await self._news.wait()
        return self.came.get(who)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._connections[task] = writer
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                at = boottime()
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                answer = self._take(parse_qs(body.decode()), at).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(answer), answer)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            del self._connections[task]

    def _take(self, form: dict[str, list[str]], at: float) -> str:
        self.requests += 1
        for who in _WHO.findall(form["message"][0]):
            self.came.setdefault(who, at)
        self._news.set()
        number = f"s{next(self._numbers):032x}"
        task = asyncio.create_task(_report(form["whendelivered"][0], number))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)
        return f'{{"id":"{number}","status":"created","from":"hub","to":"{form["to"][0]}","parts":1}}'


async def _report(url: str, number: str) -> None:
    """Report the delivery, as the provider does a little later."""
    await asyncio.sleep(0.2)
    parts = urlsplit(url)
    body = f"id={number}&status=delivered"
    head = f"POST {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
    head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    with contextlib.suppress(OSError):  # the centre may be gone already
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write((head + body).encode())
        await reader.read()
        writer.close()
