"""The control line: one JSON object a line, to make things happen in a simulated home.

``{"do":"press","device":"pendant"}`` is answered by ``{"ok":true}``, or by ``{"ok":false,"error":"…"}``.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from firmware_sim.home import Home

_LONGEST_LINE = 64 * 1024


class ControlError(Exception):
    """The simulator refused; the text says why."""


class ControlServer:
    """Takes commands for a home on a TCP port of 127.0.0.1."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> int:
        """Listen, on any free port when ``port`` is 0, and return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_LONGEST_LINE)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the other side is gone, or its line is longer than any command
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> Mapping[str, object]:
        try:
            command = json.loads(line)
            if not isinstance(command, dict):
                return {"ok": False, "error": "a command is a JSON object"}
            arguments = {key: value for key, value in command.items() if key not in {"do", "device"}}
            answer = await self._home.do(str(command.get("device", "")), str(command.get("do", "")), arguments)
        except ValueError as error:
            return {"ok": False, "error": str(error)}
        return {"ok": True, **answer}


class Control:
    """The other end of a control line, for demos and tests.

    ``async with Control(port) as home: await home.do("pendant", "press")``
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def do(self, device: str, action: str, **arguments: object) -> Mapping[str, object]:
        """Do something to a device and return what it answers.

        Raises:
            ControlError: The simulator refused.
            ConnectionError: It is gone.
        """
        command = {"do": action, "device": device, **arguments}
        async with self._turn:
            self._writer.write(json.dumps(command).encode() + b"\n")
            await self._writer.drain()
            line = await self._reader.readline()
        if not line:
            raise ConnectionError("the simulator has closed the control line")
        answer: dict[str, object] = json.loads(line)
        if not answer.pop("ok"):
            raise ControlError(str(answer.get("error")))
        return answer
