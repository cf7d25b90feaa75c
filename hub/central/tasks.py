"""Keeps the centre's loops running: one that fails is named in the log and begun again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

_FIRST_S = 0.2
_LONGEST_S = 10.0


async def keep_running(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """Run a loop for ever; when it fails or ends, log its name and run it again after a growing pause."""
    pause_s = _FIRST_S
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await loop()
            log.error("%s ended; it is begun again in %.1f s", name, pause_s)
        except Exception:  # the task boundary
            log.exception("%s failed; it is begun again in %.1f s", name, pause_s)
        if asyncio.get_running_loop().time() - began > _LONGEST_S:
            pause_s = _FIRST_S
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_S)
