"""Tells whoever watches what has just changed: incidents, hubs, devices, shifts, maintenance."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

# A watcher that is this far behind is told to look at everything again.
_BEHIND = 100


class News(NamedTuple):
    """Something changed: ``topic`` is ``incident``, ``hub``, ``shift`` … or ``all``; ``subject`` its id."""

    topic: str
    subject: str


EVERYTHING = News("all", "")


class Bulletin:
    """A broadcast within the process. Nothing waits for a slow watcher."""

    def __init__(self) -> None:
        self._watchers: set[asyncio.Queue[News]] = set()

    def announce(self, news: News) -> None:
        """Tell every watcher."""
        for watcher in self._watchers:
            if watcher.qsize() >= _BEHIND:
                while not watcher.empty():
                    watcher.get_nowait()
                watcher.put_nowait(EVERYTHING)
            watcher.put_nowait(news)

    async def watch(self) -> AsyncIterator[News]:
        """Yield what changes from now on."""
        watcher: asyncio.Queue[News] = asyncio.Queue()
        self._watchers.add(watcher)
        try:
            while True:
                yield await watcher.get()
        finally:
            self._watchers.discard(watcher)
