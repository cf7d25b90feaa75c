"""An auditor that a test lets look."""

import asyncio
from typing import Any

from hub.central.auditor import ROUND_S, Auditor
from hub.central.store.engine import Store
from hub.central.store.tables import incidents
from hub.central.watch.steadiness import Steadiness
from hub.central.watch.troubles import ALARM, HISTORY, WRITER
from hub.central.watch.waiting import Waiting
from hub.domain.clock import SteadyClock
from hub.domain.codes import Kind
from tests.fakes.centre import DeskCentre


class Watch:
    """An auditor whose time a test moves; its looks are made in a thread of their own, as in earnest."""

    def __init__(self, desk: DeskCentre, url: str) -> None:
        self.desk = desk
        self.alarms, self.history = (Waiting(lambda: desk.clock.mono) for _ in range(2))
        self.broker = Steadiness(lambda: desk.clock.mono)
        clock = SteadyClock(self._wall, lambda: desk.clock.mono)
        self.store = Store(url)
        self.auditor = Auditor(
            desk.centre,
            self.store,
            clock,
            {ALARM: self.alarms, WRITER: desk.store.waiting, HISTORY: self.history},
            self.broker,
            asyncio.get_running_loop(),
            mono=lambda: desk.clock.mono,
        )

    def _wall(self) -> float:
        return self.desk.clock.at.timestamp()

    async def look(self, *, after_s: float = 0.0) -> list[str]:
        """Look each round until so much time has passed; return the names of what the last look found."""
        found = await asyncio.to_thread(self.auditor.look)
        while after_s > 0:
            step = min(after_s, ROUND_S)
            self.desk.clock.go_on(step)
            after_s -= step
            found = await asyncio.to_thread(self.auditor.look)
        return [trouble.name for trouble in found]

    async def told(self) -> list[Any]:
        """Return the open incidents that it has raised."""
        rows = await self.desk.rows(incidents, incidents.c.kind.in_([Kind.CENTRE_STUCK, Kind.CENTRE_BEHIND]))
        return [row for row in rows if row.state != "closed"]
