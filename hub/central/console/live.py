"""Live pages: server-sent events that carry the parts of a page that have changed, and nothing else.

Each connection begins with the whole page's marks, so that one that was cut needs no memory on our side: what the
page already shows is not drawn again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from hub.central.bulletin import EVERYTHING, Bulletin, News
from hub.central.console.render import Reader
from hub.central.console.scene import Scene
from hub.domain.errors import TransientError

log = logging.getLogger(__name__)

# A sign of life on an idle connection; the page says that it is no longer live after two and a half of them. Each
# is a fresh look besides: what has merely fallen silent makes no news, nor does what another centre wrote.
ALIVE_S = 10.0
# News that come together are drawn together.
GATHER_S = 0.05
# Where news come by the second, they are drawn no faster than this.
CALM_S = 1.0

Look = Callable[[], Awaitable[tuple[Reader, Scene] | None]]
Draw = Callable[[Reader], Awaitable[Scene]]
Concerns = Callable[[News], bool]


class Update(msgspec.Struct, frozen=True):
    """What the page is told.

    Attributes:
        now: The centre's time in milliseconds, for the ages: the reader's own clock may be wrong.
        regions: Every part's id in its order, by region.
        parts: The HTML of those that changed, by id.
    """

    now: int
    regions: dict[str, list[str]]
    parts: dict[str, str]


async def stream(
    bulletin: Bulletin, look: Look, concerns: Concerns, ended: asyncio.Event, gather_s: float = GATHER_S
) -> AsyncIterator[str]:
    """Yield events until the reader goes, the session ends or the centre closes.

    Args:
        bulletin: Who tells that something changed.
        look: Draws the page anew; ``None`` when the session does not hold any more.
        concerns: Whether a piece of news can change the page.
        ended: Set when the centre closes.
        gather_s: For how long further news is gathered before it is drawn.
    """
    stale = asyncio.Event()
    watching = asyncio.create_task(_watch(bulletin, concerns, stale))
    await asyncio.sleep(0)  # the watch must have begun before the first look
    shown: dict[str, str] = {}
    try:
        yield "retry: 2000\n\n"
        while not ended.is_set():
            stale.clear()
            seen = await look()
            if seen is None:
                yield event("over", "")
                return
            yield event("update", msgspec.json.encode(difference(*seen, shown)).decode())
            await _either(stale, ended)
            await asyncio.sleep(gather_s)
    except TransientError as error:
        log.warning("live page ends: %s", error)
    finally:
        watching.cancel()


async def _watch(bulletin: Bulletin, concerns: Concerns, stale: asyncio.Event) -> None:
    async for news in bulletin.watch():
        if news == EVERYTHING or concerns(news):
            stale.set()


async def _either(*events: asyncio.Event) -> None:
    """Wait until one of the events is set, or a sign of life is due."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def difference(reader: Reader, scene: Scene, shown: dict[str, str]) -> Update:
    """Return what changed since ``shown`` (marks by id), and bring that up to date."""
    regions = {region: [part.id for part in parts] for region, parts in scene.items()}
    changed = {}
    marks = {}
    for part in (part for parts in scene.values() for part in parts):
        marks[part.id] = part.mark
        if shown.get(part.id) != part.mark:
            changed[part.id] = str(part.html(reader))
    shown.clear()
    shown.update(marks)
    return Update(int(reader.now.utc.timestamp() * 1000), regions, changed)


def event(name: str, data: str) -> str:
    """Return one event as it goes over the line; ``data`` has no line breaks (JSON escapes them)."""
    return f"event: {name}\ndata: {data}\n\n"
