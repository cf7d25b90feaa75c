"""One device on a terminal: what can happen to it on the left, what it did on the right."""

import datetime as dt
from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Button, Footer, Header, Input, RichLog

from firmware_sim.clock import SystemClock
from firmware_sim.handheld.conversation import DEVICE, say, words
from firmware_sim.home import Home


class Handheld(App[None]):
    """The screen.

    Args:
        home: Has the one device.
        kind: What it is.
        places: Where a hub finds it, by name.
    """

    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+q", "quit", "quit"), ("/", "type", "type a word")]
    CSS = """
    #words { width: 26; border-right: solid $panel; padding: 0 1; }
    #words Button { width: 100%; margin: 0; min-width: 10; }
    #told { padding: 0 1; }
    """

    def __init__(self, home: Home, kind: str, places: Mapping[str, str]) -> None:
        super().__init__()
        self.title = kind
        self.sub_title = ", ".join(f"{name}: {place}" for name, place in places.items())
        self._home = home
        self._places = places
        self._clock = SystemClock()

    def compose(self) -> ComposeResult:
        """Lay out the buttons, the log and the line for words with arguments."""
        yield Header()
        with Horizontal():
            with VerticalScroll(id="words"):
                for word in words(self._home):
                    yield Button(
                        word.replace("_", " "), id=f"do-{word}", compact=True, tooltip=self._explained(word)
                    )
            yield RichLog(id="told", wrap=True, max_lines=1000)
        yield Input(placeholder="a word with its arguments: event code=17", id="line")
        yield Footer()

    def on_mount(self) -> None:
        """Say where the device is."""
        for name, place in self._places.items():
            self._tell(f"{name}: {place}")

    def action_type(self) -> None:
        """Go to the line."""
        self.query_one(Input).focus()

    @on(Button.Pressed)
    async def pressed(self, event: Button.Pressed) -> None:
        """Do what a button says."""
        await self._do((event.button.id or "").removeprefix("do-"))

    @on(Input.Submitted)
    async def typed(self, event: Input.Submitted) -> None:
        """Do what was typed."""
        line = event.value.strip()
        event.input.clear()
        if line:
            await self._do(line)

    async def _do(self, line: str) -> None:
        self._tell(f"{line}: {await say(self._home, line)}")

    def _tell(self, text: str) -> None:
        at = dt.datetime.fromtimestamp(self._clock.wall_s()).astimezone()
        self.query_one(RichLog).write(f"{at:%H:%M:%S} {text}")

    def _explained(self, word: str) -> str:
        """Return the first line of what the device's own code says of an action."""
        return (self._home.devices[DEVICE].actions[word].__doc__ or word).splitlines()[0]
