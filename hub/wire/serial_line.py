"""A serial line in the event loop: bytes in and out, closed at the first sign of trouble. Needs pyserial.

A port that reported an error is never used again: after an unplug the old file descriptor answers with
nothing for ever, and keeps the name ``ttyUSB0`` taken. The caller opens anew, best by ``/dev/serial/by-id``.
"""

import asyncio
import errno
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import serial

from hub.domain.errors import TransientError

_CHUNK = 4096
# Bytes that may wait for a driver; a line that sends more is cut off rather than eat the memory.
_BACKLOG = 1 << 20
# Where udev names ports after what is plugged in, whichever socket it is in.
BY_ID = Path("/dev/serial/by-id")
# <asm-generic/ioctls.h> and struct serial_icounter_struct of <linux/serial.h>: twenty ints.
_TIOCGICOUNT = 0x545D
_COUNTERS = struct.Struct("20i")
_FAULTS = (OSError, ValueError, termios.error)  # pyserial's own SerialException is an OSError


class LinkLostError(TransientError):
    """The line is gone; open it again."""


class LineErrors(NamedTuple):
    """Characters that a port received wrong, since it was made."""

    framing: int
    parity: int


class SerialLine:
    """An open line.

    Args:
        port: The port, open and exclusive.
        news: Set when there is something to read, or the line is lost.
    """

    def __init__(self, port: serial.Serial, news: asyncio.Event) -> None:
        self._port = port
        self._name = port.name
        self._descriptor = port.fileno()
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._news = news
        self._lost: str | None = None
        self._loop.add_reader(self._descriptor, self._readable)

    async def read(self, timeout_s: float) -> bytes:
        """Return the bytes that have come; none when the time is over, or there is other news.

        Raises:
            LinkLostError: The line ended; what came before was returned earlier.
        """
        if not self._buffer and self._lost is None:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError:
                return b""
        self._news.clear()
        if not self._buffer and self._lost is not None:
            raise LinkLostError(f"port {self._name}: {self._lost}")
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def errors(self) -> LineErrors | None:
        """Return what the port has received wrong; ``None`` where it does not count, as a pseudo-terminal."""
        return line_errors(self._descriptor)

    async def write(self, data: bytes, timeout_s: float = 5.0) -> None:
        """Put bytes on the line.

        Raises:
            LinkLostError: The line ended, or did not take them in time.
        """
        rest = memoryview(data)
        try:
            async with asyncio.timeout(timeout_s):
                while rest:
                    try:
                        rest = rest[os.write(self._descriptor, rest) :]
                    except BlockingIOError:
                        await self._writable()
        except TimeoutError as error:
            raise LinkLostError(f"port {self._name}: took no bytes for {timeout_s:g} s") from error
        except _FAULTS as error:
            raise LinkLostError(f"port {self._name}: {_why(error)}") from error

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(self._descriptor)

    def close(self) -> None:
        """Give the port back."""
        self._loop.remove_reader(self._descriptor)
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
        if len(self._buffer) > _BACKLOG:
            self._lose(f"{len(self._buffer)} bytes came faster than they could be read")

    def _lose(self, reason: str) -> None:
        self._loop.remove_reader(self._descriptor)
        self._lost = reason
        self._news.set()


@asynccontextmanager
async def open_line(port: str, baud: int, news: asyncio.Event | None = None) -> AsyncIterator[SerialLine]:
    """Open a port, 8N1, for us alone, and close it in the end.

    Args:
        port: Path of the device.
        baud: Speed.
        news: Set when there is something to read, or the line is lost: for whoever waits for more than the line.

    Raises:
        LinkLostError: It cannot be opened, or was lost in the body.
    """
    try:
        opened = serial.Serial(port, baud, timeout=0, exclusive=True)
    except _FAULTS as error:
        there = f"; {_there_are()}" if getattr(error, "errno", None) == errno.ENOENT else ""
        raise LinkLostError(f"port {port}: {_why(error)}{there}") from error
    try:
        line = SerialLine(opened, news or asyncio.Event())
    except BaseException:
        opened.close()
        raise
    try:
        yield line
    finally:
        line.close()


def line_errors(descriptor: int) -> LineErrors | None:
    """Ask a port what it received wrong; ``None`` for one that does not count, such as a pseudo-terminal."""
    try:
        counters = _COUNTERS.unpack(fcntl.ioctl(descriptor, _TIOCGICOUNT, bytes(_COUNTERS.size)))
    except OSError:
        return None
    return LineErrors(framing=counters[6], parity=counters[8])


def _why(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)


def _there_are() -> str:
    """Return which ports there are instead, for whoever reads that one is missing."""
    try:
        ports = sorted(str(port) for port in BY_ID.iterdir())
    except OSError:
        ports = []
    return f"there are: {', '.join(ports)}" if ports else "no serial stick is plugged in"
