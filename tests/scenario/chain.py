"""The chain of the scenario tests: the stage with a real Mosquitto, and what tests must be able to do to it."""

import asyncio
import contextlib
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import pytest

from firmware_sim.control import Control
from firmware_sim.stage import Child, Stage
from firmware_sim.stage.child import program
from firmware_sim.stage.console import Console
from firmware_sim.stage.stage import USER

T = TypeVar("T")
_LOOK_S = 0.1
_EDGE = """\
hub_id = "{hub}"
data_dir = "{data}"

[mqtt]
{broker}

[ble]
backend = "none"
"""


class Chain(Stage):
    """A stage that tests reach into.

    Attributes:
        port_of_edge: Broker's port as the edge knows it; a proxy's to have one in between.
        port_of_centre: The same for the centre.
        keepalive_s: Of both links.
        desk: A session at the console.
        home: The devices' control line.
        extra: Further processes, stopped with the rest.
    """

    running: list["Chain"] = []  # noqa: RUF012 - whoever reports a failure looks here
    desk: Console
    home: Control

    def __init__(self, folder: Path, *, home: str, site: str, phones: dict[str, str], radio: bool = False) -> None:
        super().__init__(folder, home=home, site=site, phones=phones, mosquitto=True)
        self.port_of_edge = self.port_of_centre = self.broker_port
        self.keepalive_s = 10
        self.extra: list[Child] = []
        self._radio = radio
        self._phones_client = httpx.AsyncClient(base_url=self.phone_page)
        self._doors = contextlib.AsyncExitStack()
        with (folder / "mosquitto" / "mosquitto.conf").open("a") as settings:
            # Saved each second, so that a broker that was killed comes back with things of the past.
            # Started by root, it would change to an account that may not write here.
            settings.write("autosave_interval 1\nuser root\n")

    async def __aenter__(self) -> Self:
        Chain.running.append(self)
        await super().__aenter__()
        self.desk = Console(self.console)
        await self.desk.sign_in(USER, self.password)
        self.home = await self._doors.enter_async_context(self.devices())
        # A press before the stick is open would be lost by physics.
        await self.until(self._hears, 40, "the edge has opened its stick")
        return self

    async def until_ready(self, within_s: float = 60.0) -> None:
        """Wait until the centre serves; a busy machine takes its time."""
        await super().until_ready(within_s)

    async def _hears(self) -> bool:
        return "link radio: up" in self.edge.log.read_text()

    async def __aexit__(self, *error: object) -> None:
        with contextlib.suppress(AttributeError):
            await self.desk.close()
        await self._doors.aclose()
        await self._phones_client.aclose()
        await asyncio.gather(*(child.stop() for child in self.extra))
        await super().__aexit__(None, None, None)
        Chain.running.remove(self)

    def _prepare_edge(self) -> None:
        super()._prepare_edge()
        path = self.folder / "edge.toml"
        text = path.read_text().replace(
            str(self.broker_port), f"{self.port_of_edge}\nkeepalive_s = {self.keepalive_s}"
        )
        if not self._radio:
            text = re.sub('backend = ".*"', 'backend = "none"', text)
        path.write_text(text)

    def _prepare_centre(self) -> None:
        super()._prepare_centre()
        path = self.folder / "centre.toml"
        keepalive = f"{self.port_of_centre}\nkeepalive_s = {self.keepalive_s}"
        path.write_text(path.read_text().replace(str(self.broker_port), keepalive))

    async def another_edge(self, hub_id: str, broker: str = "") -> Child:
        """Start the edge of another hub, without a radio.

        Args:
            hub_id: Which.
            broker: Lines of its ``[mqtt]`` table, where it is not to use ours.
        """
        path = self.folder / f"{hub_id}.toml"
        broker = broker or f"port = {self.broker_port}"
        path.write_text(_EDGE.format(hub=hub_id, data=self.folder / hub_id, broker=broker))
        child = Child(hub_id, [program("hub"), "edge", "--settings", str(path)], self.folder)
        self.extra.append(child)
        await child.start()
        return child

    # What can be seen of it.

    async def texts(self) -> list[dict[str, Any]]:
        """Return every text that the provider has accepted or passed on, oldest first."""
        found: list[dict[str, Any]] = (await self._phones_client.get("/messages")).json()
        return found

    async def reply(self, number: str, message: str) -> None:
        """Let somebody type a text on a phone."""
        answer = await self._phones_client.post(f"/phones/{number}/reply", json={"message": message})
        answer.raise_for_status()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the centre's store, beside the centre."""
        with contextlib.closing(sqlite3.connect(f"file:{self.store_path}?mode=ro", uri=True, timeout=10)) as store:
            return store.execute(query, values).fetchall()

    async def until(self, look: Callable[[], Awaitable[T | None]], within_s: float, what: str) -> T:
        """Wait until something can be seen, and return it."""
        last: object = None
        try:
            async with asyncio.timeout(within_s):
                while True:
                    try:
                        if found := await look():
                            return found
                        last = found
                    except httpx.TransportError as error:  # the centre is being restarted
                        last = error
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            pytest.fail(f"not within {within_s:g} s: {what}; last seen: {last!r}")

    async def story(
        self, kind: str, within_s: float = 10.0, state: str | None = None, **about: str
    ) -> dict[str, Any]:
        """Wait for the incident of a kind about somebody, and return its story.

        Args:
            kind: Which.
            within_s: How long to wait.
            state: In which state; ``None``: any.
            about: Columns of the incident, such as ``device_id``.
        """

        async def look() -> dict[str, Any] | None:
            found = self.numbers(kind, **about)
            assert len(found) <= 1, f"{kind} {about}: incidents {found}"
            story = await self.desk.story(found[0]) if found else None
            return story if story and state in {None, story["incident"]["state"]} else None

        return await self.until(look, within_s, f"incident {kind} of {about}, {state or 'any state'}")

    def numbers(self, kind: str, **about: str) -> list[int]:
        """Return the numbers of all incidents of a kind about somebody."""
        also = "".join(f" and {column} = ?" for column in about)
        query = f"select id from incidents where kind = ?{also}"  # noqa: S608 - the columns are ours
        return [int(row[0]) for row in self.rows(query, kind, *about.values())]

    async def text_about(self, number: int, count: int = 1, within_s: float = 10.0) -> dict[str, Any]:
        """Wait for the ``count``-th text about an incident, and return it."""

        async def look() -> dict[str, Any] | None:
            mine = [text for text in await self.texts() if asks_about(text, number)]
            return mine[count - 1] if len(mine) >= count else None

        return await self.until(look, within_s, f"text {count} about incident {number}")

    async def line_in_log(self, part: Child, pattern: str, within_s: float = 10.0) -> str:
        """Wait until one line of a log fits a pattern, and return it; it must be one only."""

        async def look() -> list[str]:
            return [line for line in part.log.read_text().splitlines() if re.search(pattern, line)]

        found = await self.until(look, within_s, f"{pattern!r} in the log of {part.name}")
        assert len(found) == 1, f"one clear line, not {len(found)}: {found}"
        return found[0]

    async def page(self, path: str) -> str:
        """Return a page of the console as the browser gets it."""
        answer = await self.desk._client.get(path)
        return answer.raise_for_status().text

    def fake_clock(self, part: Child) -> Callable[[str], None]:
        """Put a part under libfaketime before it starts; return what sets its clock (``+3600``: an hour ahead).

        Only the wall clock is faked: monotonic time goes on as it does when somebody sets a real one.
        """
        library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        file = self.folder / f"{part.name}.clock"
        faketime = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": file,
            "FAKETIME_DONT_FAKE_MONOTONIC": 1,
            "FAKETIME_NO_CACHE": 1,
        }
        part._command = ["env", *(f"{name}={value}" for name, value in faketime.items()), *part._command]

        def set_clock(offset: str) -> None:
            new = file.with_suffix(".new")
            new.write_text(f"{offset}\n")
            new.replace(file)  # never seen half written

        return set_clock

    def forget_broker(self) -> None:
        """Delete what the broker has kept."""
        (self.folder / "mosquitto" / "mosquitto.db").unlink(missing_ok=True)

    def accepted(self) -> set[tuple[str, int]]:
        """Return what is in the edge's journal: accepted and not receipted. The edge must not be running."""
        copy = self.folder / "journal-copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder / "edge", copy, ignore=shutil.ignore_patterns("*.sock"))
        with contextlib.closing(sqlite3.connect(copy / "journal.db")) as journal:
            epoch = journal.execute("select value from meta where name = 'epoch'").fetchone()
            rows = journal.execute("select seq from entries").fetchall()
        return {(bytes(epoch[0]).decode(), int(row[0])) for row in rows}


def asks_about(text: dict[str, Any], number: int) -> bool:
    """Tell whether a text to a phone asks for an answer about an incident."""
    return text["direction"] == "outgoing" and re.search(rf"\bOK {number}\b", text["message"]) is not None


@contextlib.asynccontextmanager
async def chain(folder: Path, **layout: Any) -> AsyncIterator[Chain]:
    """Run a chain."""
    async with Chain(folder, **layout) as running:
        yield running
