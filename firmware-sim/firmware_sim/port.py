"""A serial port made of a pseudo-terminal, at a path that stays the same."""

import asyncio
import logging
import os
import pty
import tty
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

_CHUNK = 4096


class Port:
    """One serial port, as a stick in a USB socket: it has a path, and it can be pulled out.

    The link ``path`` plays ``/dev/serial/by-id/…``: it is there while the port is, and points to another
    ``/dev/pts/N`` after each return.

    Args:
        path: Where the link to the port appears.
        received: Told each piece of bytes that the other side wrote.
    """

    def __init__(self, path: Path, received: Callable[[bytes], None]) -> None:
        self.path = path
        self._received = received
        self._master: int | None = None
        # Our own hold on the far end: without it, each time the hub closes the port the kernel would
        # answer our reads with EIO until somebody opens it again.
        self._held: int | None = None

    @property
    def present(self) -> bool:
        """Whether the port is plugged in."""
        return self._master is not None

    def appear(self) -> None:
        """Plug it in. Does nothing when it is there already."""
        if self._master is not None:
            return
        self._master, self._held = pty.openpty()
        tty.setraw(self._held)
        os.set_blocking(self._master, False)
        link = self.path.with_name(self.path.name + ".new")
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._held))
        link.replace(self.path)
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def vanish(self) -> None:
        """Pull it out: the path goes, and whoever has it open gets an error."""
        if self._master is None or self._held is None:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        self.path.unlink(missing_ok=True)
        os.close(self._held)
        os.close(self._master)
        self._master = self._held = None

    def write(self, data: bytes) -> None:
        """Send bytes. A real line does not wait: what nobody takes is lost."""
        if self._master is None:
            return
        try:
            sent = os.write(self._master, data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            log.debug("%s: %d bytes lost, nobody reads", self.path.name, len(data) - sent)

    def _readable(self) -> None:
        if self._master is None:
            return
        try:
            data = os.read(self._master, _CHUNK)
        except (BlockingIOError, OSError) as error:
            log.debug("%s: %s", self.path.name, error)
            return
        if data:
            self._received(data)
