"""The story: a resident's evening, one line after another."""

import asyncio
import datetime as dt
from collections.abc import Callable

from firmware_sim.clock import Clock
from firmware_sim.control import Control
from firmware_sim.demo.follow import Follower, Story
from firmware_sim.demo.scenery import Expected, Scenery
from firmware_sim.stage import Stage

_RAISED_WITHIN_S = 20.0
_DOSE_WITHIN_S = 90.0
_SILENCE_WITHIN_S = 60.0


class Teller:
    """Plays the story on a stage.

    Args:
        stage: The running chain.
        scenery: What it was laid out with.
        follower: Sees what the console sees.
        clock: The simulator's time.
        say: Prints a line.
    """

    def __init__(
        self, stage: Stage, scenery: Scenery, follower: Follower, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self._stage = stage
        self._scenery = scenery
        self._follower = follower
        self._clock = clock
        self._say = say

    async def tell(self) -> None:
        """Play it from the first line to the last."""
        async with self._stage.devices() as home:
            await self._evening(home)
            await self._doses(home)
        await self._silence()

    async def _evening(self, home: Control) -> None:
        for line, device, action, kind in (
            ("A resident presses her pendant in the living room.", "pendant", "press", "alarm.pressed"),
            ("Her neighbour pulls the cord in his bathroom.", "pullcord", "press", "alarm.pressed"),
            ("A front door opens at night.", "door", "open", "door.opened"),
            ("A button by a bed is pressed; this one speaks Bluetooth.", "button", "press", "alarm.pressed"),
            ("A cellar door opens.", "bledoor", "open", "door.opened"),
        ):
            self._say(f"[bold]{line}[/]")
            await home.do(device, action)
            await self._raised(kind, device, _RAISED_WITHIN_S)

    async def _doses(self, home: Control) -> None:
        self._say(f"[bold]Two doses are to be taken at {self._scenery.dose_at:%H:%M}.[/] One of them will be.")
        await self._until(self._scenery.dose_at + dt.timedelta(seconds=3))
        await home.do("disp-ble", "dispense")
        self._say("[bold]The Bluetooth dispenser's dose is taken.[/] The other dispenser goes on waiting.")
        await self._raised("dose.not_dispensed", "disp-serial", _DOSE_WITHIN_S)

    async def _silence(self) -> None:
        self._say("[bold]The power fails in the house: the hub falls silent.[/]")
        await self._stage.edge.kill()
        await self._raised("hub.lost", "", _SILENCE_WITHIN_S)
        await self._follower.until(_answered("hub.lost", ""), _RAISED_WITHIN_S)
        self._say("[bold]The power is back.[/]")
        await self._stage.edge.start()
        await self._follower.until(
            lambda stories: any(
                _is(story, "hub.lost", "") and story["incident"]["closed_at"] for story in stories.values()
            ),
            _SILENCE_WITHIN_S,
        )

    async def _raised(self, kind: str, device: str, within_s: float) -> None:
        """Wait until an incident was raised and somebody has been told."""

        def told(stories: dict[int, Story]) -> bool:
            return any(_is(story, kind, device) and story["messages"] for story in stories.values())

        if not await self._follower.until(told, within_s):
            self._say(f"[bold red]no {kind} of {device or 'the hub'} within {within_s:.0f} s[/]")

    async def _until(self, at: dt.datetime) -> None:
        await asyncio.sleep(max(0.0, at.timestamp() - self._clock.wall_s()))


async def acknowledged(follower: Follower, wanted: tuple[Expected, ...], within_s: float) -> None:
    """Wait until every expected incident was taken by somebody."""
    answers = [_answered(one.kind, one.device) for one in wanted]
    await follower.until(lambda stories: all(answered(stories) for answered in answers), within_s)


def _answered(kind: str, device: str) -> Callable[[dict[int, Story]], bool]:
    return lambda stories: any(_is(story, kind, device) and _taken(story) for story in stories.values())


def _is(story: Story, kind: str, device: str) -> bool:
    incident = story["incident"]
    return bool(incident["kind"] == kind and (incident["device_id"] or "") == device)


def _taken(story: Story) -> bool:
    return any(line["event"] == "acknowledge" for line in story["lines"])
