"""What both services tell systemd over ``NOTIFY_SOCKET`` (sd_notify(3)): that they are ready, and live."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

# Half of what systemd allows, as sd_watchdog_enabled(3) advises.
_WATCHDOG_SHARE = 0.5


class Notifier:
    """Speaks to systemd, where there is one.

    Args:
        environment: The process's environment.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ is an address in the abstract namespace, written with a zero byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = int(environment.get("WATCHDOG_USEC") or 0) / 1e6

    def notify(self, message: str) -> None:
        """Send one message, such as ``READY=1``."""
        if not self._address:
            return
        try:
            # Not blocking: a systemd that does not listen must not stop the loop.
            kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            with socket.socket(socket.AF_UNIX, kind) as speaker:
                speaker.sendto(message.encode(), self._address)
        except OSError as error:
            log.warning("systemd cannot be told %s: %s", message, error)

    async def run(self, healthy: Callable[[], bool]) -> None:
        """Say for ever that we live, while we do; systemd starts us anew when this stops."""
        while True:
            if healthy():
                self.notify("WATCHDOG=1")
            else:
                log.critical("watchdog: a vital part has stopped; systemd is not told that we live")
            await asyncio.sleep(self.watchdog_s * _WATCHDOG_SHARE or 3600)
