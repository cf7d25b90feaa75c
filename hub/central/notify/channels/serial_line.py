"""A serial port in the event loop: bytes in and out until it is lost. Needs pyserial (``welfare-hub[modem]``).

A port that reported an error is never used again: after an unplug the old file descriptor answers with nothing
for ever. Whoever reads opens it anew.
"""

import asyncio
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import serial

from hub.domain.errors import TransientError

_CHUNK = 4096
# A modem takes a whole message within this even at 9600 baud.
_WRITE_S = 5.0
_FAULTS = (OSError, ValueError, termios.error)  # pyserial's own SerialException is an OSError


class Port:
    """An open port.

    Args:
        port: Of pyserial, open and exclusive.
        news: Set when there is something to read, or the port is lost.
    """

    def __init__(self, port: serial.Serial, news: asyncio.Event) -> None:
        self._port = port
        self._descriptor = port.fileno()
        self._news = news
        self._buffer = bytearray()
        self._lost: str | None = None
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    def read(self) -> bytes:
        """Return what has come, or nothing.

        Raises:
            TransientError: The port is lost; what came before was returned earlier.
        """
        if not self._buffer and self._lost is not None:
            raise TransientError(self._lost)
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    async def write(self, data: bytes) -> None:
        """Put bytes on the line.

        Raises:
            TransientError: The port is lost, or does not take them.
        """
        rest = memoryview(data)
        try:
            async with asyncio.timeout(_WRITE_S):
                while rest:
                    try:
                        rest = rest[os.write(self._descriptor, rest) :]
                    except BlockingIOError:
                        await self._writable()
        except TimeoutError as error:
            raise TransientError(f"took no bytes for {_WRITE_S:g} s") from error
        except _FAULTS as error:
            raise TransientError(_why(error)) from error

    async def _writable(self) -> None:
        ready, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_writer(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._descriptor)

    def close(self) -> None:
        """Give the port back."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._port.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except _FAULTS as error:
            self._lose(_why(error))
            return
        if not data:
            # "Readable, and nothing there": unplugged. Reading on would be a busy loop.
            self._lose("end of line: unplugged?")
            return
        self._buffer += data
        self._news.set()

    def _lose(self, reason: str) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        self._lost = reason
        self._news.set()


@contextmanager
def opened(path: str, baud: int, news: asyncio.Event) -> Iterator[Port]:
    """Open a port, 8N1, for us alone, and close it in the end.

    Args:
        path: Path of the device.
        baud: Speed.
        news: Set when there is something to read, or the port is lost.

    Raises:
        TransientError: It cannot be opened.
    """
    try:
        raw = serial.Serial(path, baud, timeout=0, exclusive=True)
    except _FAULTS as error:
        raise TransientError(_why(error)) from error
    try:
        port = Port(raw, news)
    except BaseException:
        raw.close()
        raise
    try:
        yield port
    finally:
        port.close()


def _why(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)
