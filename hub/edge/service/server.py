"""The service socket: JSON lines over a Unix socket that only the edge's own user may open.

One request a connection. A stream ends when its reader leaves. A reader that does not read holds up only
itself: what waits for it is bounded, and what it lost is counted (:mod:`hub.edge.service.recording`).
"""

import asyncio
import logging
import os
import socket
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import msgspec

from hub.domain.errors import HubError, RefusedError
from hub.edge.service.operations import Box, asked
from hub.edge.service.place import SOCKET, reachable

log = logging.getLogger(__name__)

# Bytes that may wait in a connection before its stream does.
_WAITING_BYTES = 1 << 16
_REQUEST_BYTES = 1 << 12
_REQUEST_S = 10.0
# Technicians at one box.
_MOST = 8
# The socket is for its owner: read and write.
_MASK = 0o177


class Service:
    """Answers who asks at the box.

    Args:
        folder: Where the socket is made.
        box: What can be told.
    """

    def __init__(self, folder: Path, box: Box) -> None:
        self._folder = folder
        self._box = box
        self._talks: set[asyncio.Task[None] | None] = set()

    async def run(self) -> None:
        """Serve for ever."""
        server = await asyncio.start_unix_server(self._talk, sock=self._listening(), limit=_REQUEST_BYTES)
        log.info("service: listening at %s", self._folder / SOCKET)
        try:
            async with server:
                await server.serve_forever()
        finally:
            for talk in self._talks:
                if talk:
                    talk.cancel()  # else a stream outlives the edge

    def _listening(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        # Left behind by an edge that was killed; the journal's lock says that no other one lives here.
        (self._folder / SOCKET).unlink(missing_ok=True)
        before = os.umask(_MASK)
        try:
            with reachable(self._folder) as path:
                listener.bind(path)
        except BaseException:
            listener.close()
            raise
        finally:
            os.umask(before)
        return listener

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=_WAITING_BYTES)
        talk = asyncio.current_task()
        self._talks.add(talk)
        try:
            await self._answer(reader, writer)
        except (OSError, TimeoutError, ValueError) as error:
            log.info("service: connection ended: %s", error or "no request came")
        except Exception:
            log.exception("service: a request failed")  # the boundary of a connection: the others go on
        finally:
            self._talks.discard(talk)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_REQUEST_S):
            line = await reader.readline()
        if not line:
            return
        try:
            if len(self._talks) > _MOST:
                raise RefusedError(f"{_MOST} connections are open already")
            operation, request = asked(line)
            async with aclosing(operation.run(self._box, request)) as lines:  # type: ignore[type-var] # a generator
                work = asyncio.create_task(_send(writer, lines))
                left = asyncio.create_task(reader.read(1))  # its end, or a byte too many: it wants no more
                try:
                    ends = [work, left] if operation.stream else [work]
                    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                    if work.done():
                        work.result()
                finally:
                    for task in (work, left):
                        task.cancel()
                    await asyncio.gather(work, left, return_exceptions=True)
        except HubError as error:
            await _say(writer, {"ok": False, "error": str(error)})


async def _send(writer: asyncio.StreamWriter, lines: Any) -> None:  # noqa: ANN401 - an asynchronous generator
    async for line in lines:
        await _say(writer, line)


async def _say(writer: asyncio.StreamWriter, line: dict[str, Any]) -> None:
    writer.write(msgspec.json.encode(line) + b"\n")
    await writer.drain()
