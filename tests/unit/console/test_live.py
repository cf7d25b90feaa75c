"""The live stream: what changed and nothing else, to the end of the session."""

import asyncio
import datetime as dt
import zoneinfo
from collections.abc import AsyncIterator

import msgspec
import pytest

from hub.central.bulletin import Bulletin, News
from hub.central.console import live
from hub.central.console.render import Reader
from hub.central.console.scene import Part, Scene
from hub.central.console.words import Words
from hub.domain.clock import UTC, Now
from hub.domain.errors import TransientError

READER = Reader(
    words=Words("nb"),
    zone=zoneinfo.ZoneInfo("Europe/Oslo"),
    now=Now(dt.datetime(2026, 11, 21, 2, 10, tzinfo=UTC), 0.0),
)


def people(**regions: tuple[str, ...]) -> Scene:
    return {"record": [Part(id=name, template="people", model=ids) for name, ids in regions.items()]}


def read(event: str) -> live.Update:
    name, data = event.strip().split("\n")
    assert name == "event: update"
    return msgspec.json.decode(data.removeprefix("data: "), type=live.Update)


def test_only_what_changed_is_drawn() -> None:
    shown: dict[str, str] = {}
    first = live.difference(READER, people(a=("r-1",), b=("r-2",)), shown)
    assert set(first.parts) == {"a", "b"}
    second = live.difference(READER, people(b=("r-2",), a=("r-1", "r-3")), shown)
    assert set(second.parts) == {"a"}
    assert second.regions == {"record": ["b", "a"]}
    assert "r-3" in second.parts["a"]
    third = live.difference(READER, people(b=("r-2",)), shown)
    assert (third.parts, third.regions) == ({}, {"record": ["b"]})
    fourth = live.difference(READER, people(a=("r-1", "r-3"), b=("r-2",)), shown)
    assert set(fourth.parts) == {"a"}  # what had gone is drawn again when it comes back


class Stage:
    """A page that a test changes."""

    def __init__(self) -> None:
        self.bulletin = Bulletin()
        self.ended = asyncio.Event()
        self.scene: Scene | None = people(a=("r-1",))
        self.looks = 0
        self.broken = False

    async def look(self) -> tuple[Reader, Scene] | None:
        self.looks += 1
        if self.broken:
            raise TransientError("store: disk I/O error")
        return None if self.scene is None else (READER, self.scene)

    def open(self) -> AsyncIterator[str]:
        return live.stream(
            self.bulletin, self.look, lambda news: news.topic == "incident", self.ended, gather_s=0.001
        )


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_news_between_the_first_look_and_the_first_wait_is_not_lost(stage: Stage) -> None:
    stream = stage.open()
    assert await anext(stream) == "retry: 2000\n\n"
    read(await anext(stream))
    stage.scene = people(a=("r-1",), b=("r-2",))
    stage.bulletin.announce(News("incident", "1"))
    assert set(read(await anext(stream)).parts) == {"b"}


async def test_what_does_not_concern_the_page_does_not_wake_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = stage.open()
    await anext(stream)
    await anext(stream)
    monkeypatch.setattr(live, "ALIVE_S", 0.05)
    for number in range(90):
        stage.bulletin.announce(News("device", str(number)))
    assert read(await anext(stream)).parts == {}  # a sign of life
    assert stage.looks == 2


async def test_a_page_that_fell_behind_looks_at_everything_again(stage: Stage) -> None:
    stream = stage.open()
    await anext(stream)
    await anext(stream)
    stage.scene = people(a=("r-9",))
    for number in range(300):
        stage.bulletin.announce(News("device", str(number)))
    assert set(read(await anext(stream)).parts) == {"a"}


async def test_silence_is_looked_for_where_it_makes_no_news(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ALIVE_S", 0.01)
    stream = stage.open()
    await anext(stream)
    await anext(stream)
    stage.scene = people(a=("r-9",))
    assert set(read(await anext(stream)).parts) == {"a"}


async def test_a_session_that_has_ended_ends_the_stream(stage: Stage) -> None:
    stream = stage.open()
    await anext(stream)
    await anext(stream)
    stage.scene = None
    stage.bulletin.announce(News("incident", "1"))
    assert [event async for event in stream] == ["event: over\ndata: \n\n"]


async def test_a_store_that_does_not_answer_ends_the_stream_and_says_so(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.broken = True
    assert [event async for event in stage.open()] == ["retry: 2000\n\n"]
    assert "disk I/O error" in caplog.text


async def test_a_centre_that_closes_lets_go_of_every_page(stage: Stage) -> None:
    stream = stage.open()
    await anext(stream)
    await anext(stream)
    stage.ended.set()
    assert [event async for event in stream] == []
    assert await _gone(stage.bulletin)


async def _gone(bulletin: Bulletin) -> bool:
    for _ in range(10):
        await asyncio.sleep(0)
    return not bulletin._watchers


async def test_a_reader_who_leaves_is_forgotten(stage: Stage) -> None:
    stream = live.stream(stage.bulletin, stage.look, lambda _: True, stage.ended)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # an async generator
    assert await _gone(stage.bulletin)
