"""Tells what happens while it happens: incidents as the console knows them, texts as the phones get them."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from firmware_sim.stage.console import Console

Story = dict[str, Any]
_LOOK_S = 0.25
_UNTOLD = {"told", "sent"}  # the texts themselves tell these


class Follower:
    """Looks at the console and the phone network again and again.

    Args:
        console: A session at the console.
        phones: Where the phone network is.
        say: Prints a line; rich's marks are allowed.

    Attributes:
        stories: Every incident with its story, by number, as last seen.
    """

    def __init__(self, console: Console, phones: str, say: Callable[[str], None]) -> None:
        self._console = console
        self._phones = phones
        self._say = say
        self._told: set[tuple[int, int]] = set()
        self._texts = 0
        self._changed = asyncio.Condition()
        self.stories: dict[int, Story] = {}

    async def run(self) -> None:
        """Follow, until cancelled."""
        async with httpx.AsyncClient(base_url=self._phones) as phones:
            while True:
                try:
                    stories = await self._console.stories()
                    texts = (await phones.get("/messages")).json()
                except httpx.TransportError:
                    await asyncio.sleep(_LOOK_S)
                    continue
                self._tell_incidents(stories)
                self._tell_texts(texts)
                async with self._changed:
                    self.stories = {story["incident"]["id"]: story for story in stories}
                    self._changed.notify_all()
                await asyncio.sleep(_LOOK_S)

    async def until(self, condition: Callable[[dict[int, Story]], bool], within_s: float) -> bool:
        """Wait until the stories satisfy a condition; tell whether they did in time."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: condition(self.stories))
        except TimeoutError:
            return False
        return True

    def _tell_incidents(self, stories: list[Story]) -> None:
        for story in stories:
            incident = story["incident"]
            about = incident["resident_id"] or incident["hub_id"] or ""
            for place, line in enumerate(story["lines"]):
                key = (incident["id"], place)
                if key in self._told:
                    continue
                self._told.add(key)
                if line["event"] not in _UNTOLD:
                    mark = "bold red" if line["event"] in {"opened", "alerts_again"} else "yellow"
                    self._say(
                        f"  [{mark}]incident {incident['id']}[/] {incident['kind']} {about}: "
                        f"{line['event']} [dim]{line['detail']} ({line['actor']})[/]"
                    )

    def _tell_texts(self, texts: list[dict[str, Any]]) -> None:
        for text in texts[self._texts :]:
            if text["direction"] == "incoming":
                self._say(f"  [cyan]{text['from']} replies[/] {text['message']}")
            else:
                self._say(f"  [green]text to {text['to']}[/] {text['message']}")
        self._texts = len(texts)
