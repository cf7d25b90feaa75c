"""An HTTP server on a real socket that answers as a test says: late, wrongly, by halves, or not at all."""

import asyncio
import contextlib
import ssl
from typing import Self
from urllib.parse import parse_qs

GOOD = (200, '{"status":"created","id":"s17","from":"+4700000001","to":"+4700000012","cost":5200}')


class FaultyProvider:
    """Answers every request with ``answer``; ``None`` hangs up instead, ``hang`` never answers.

    ``cut`` answers half and hangs up, ``drip`` answers half and never the rest.

    Args:
        tls: Its certificate; it then speaks https.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.answer: tuple[int, str] | None = GOOD
        self.hang = False
        self.cut = False
        self.drip = False
        self.bodies: list[bytes] = []
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        form = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
        self.requests.append((head[0], headers, form))
        self.bodies.append(body)
        if self.hang:
            await asyncio.Event().wait()
        if self.answer is None:
            return False
        status, text = self.answer
        content = text.encode()
        half = content[: len(content) // 2] if self.cut or self.drip else content
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n\r\n".encode() + half)
        await writer.drain()
        if self.drip:
            await asyncio.Event().wait()
        return not self.cut
