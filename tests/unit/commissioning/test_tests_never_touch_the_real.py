"""For any order of real and test observations the real ones give exactly what they give without the tests."""

import asyncio
import contextlib
import re
import tempfile
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.central.centre import Tx
from hub.central.commissioning import mode
from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import Event
from hub.central.store.tables import incident_events, messages
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError
from tests.fakes.centre import DeskCentre

TESTED, LIVE = "pendant-1", ("dispenser-1", "door-1")
KINDS = (Kind.ALARM_PRESSED, Kind.FALL_DETECTED, Kind.ALARM_CANCELLED, Kind.DEVICE_TAMPER, Kind.MOTION_DETECTED)


class Heard(NamedTuple):
    """An observation: of the device in test mode, of a live one, or a test by the device's own word."""

    device: str
    kind: Kind
    own: bool = False

    @property
    def test(self) -> bool:
        return self.own or self.device == TESTED


class Waited(NamedTuple):
    seconds: int


class Taken(NamedTuple):
    """Somebody takes the oldest open incident, real or test."""

    test: bool


Step = Heard | Waited | Taken
steps = st.one_of(
    st.builds(Heard, st.just(TESTED), st.sampled_from(KINDS), st.booleans()),
    st.builds(Heard, st.sampled_from(LIVE), st.sampled_from(KINDS), st.booleans()),
    st.builds(Waited, st.sampled_from([1, 30, 60, 150, 200])),
    st.builds(Taken, st.booleans()),
)


@cache
def template() -> bytes:
    """Return an empty store with its site: made once, copied for each example."""
    with tempfile.TemporaryDirectory() as folder:
        DeskCentre(f"sqlite:///{folder}/central.db").store.close()
        return Path(folder, "central.db").read_bytes()


class Attentive:
    """A centre whose technician takes each test in time, so that none is raised in earnest."""

    def __init__(self, folder: str, *, with_tests: bool) -> None:
        Path(folder, "central.db").write_bytes(template())
        self.desk = DeskCentre(f"sqlite:///{folder}/central.db")
        self._with_tests = with_tests

    async def play(self, story: Sequence[Step]) -> list[Any]:
        await self.desk.centre.transact(lambda tx: mode.start(tx, TESTED, "technician", 120, "user:kari-test"))
        for step in story:
            match step:
                case Heard() if self._with_tests or not step.test:
                    await self.desk.keep(self.desk.event(step.device, step.kind, test=step.own))
                case Waited():
                    for _ in range(0, step.seconds, 100):
                        await self._take(test=True)
                        await self.desk.pass_time(min(step.seconds, 100))
                case Taken():
                    await self._take(test=step.test)
                case _:
                    pass
        return await self._real()

    async def _take(self, *, test: bool) -> None:
        for row in await self.desk.incidents():
            # Without a test phone of the site, a test by the device's own word follows the plan: nobody's here.
            if row.test == test and row.state == "alerting" and (row.test_phone or not test):
                await self.desk.centre.transact(partial(_acknowledge, number=row.id))
                return

    async def _real(self) -> list[Any]:
        """Return all that became of the real observations, but the numbers that tests have used up."""
        found = []
        for row in await self.desk.incidents():
            if row.test:
                continue
            told = await self.desk.rows(messages, messages.c.incident_id == row.id)
            lines = await self.desk.rows(incident_events, incident_events.c.incident_id == row.id)
            found.append(
                (
                    row.kind,
                    row.severity,
                    row.state,
                    row.need,
                    row.reason,
                    row.opened_at,
                    row.presses,
                    row.taken_at,
                    [(one.number, one.created_at, re.sub(r"\b\d+\b", "n", one.text)) for one in told],
                    [(one.at, one.event, one.detail) for one in lines],
                )
            )
        return found


def _acknowledge(tx: Tx, number: int) -> None:
    acts.act(tx, number, Event.ACKNOWLEDGE, "sms:technician")


@settings(max_examples=15, deadline=None)
@given(st.lists(steps, max_size=12))
def test_the_real_ones_give_what_they_give_without_the_tests(story: list[Step]) -> None:
    async def both() -> tuple[list[Any], list[Any]]:
        results = []
        for with_tests in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                centre = Attentive(folder, with_tests=with_tests)
                results.append(await centre.play(story))
                centre.desk.store.close()
        return results[0], results[1]

    mixed, alone = asyncio.run(both())
    assert mixed == alone


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["press", "begin", "end", 1, 60, 179, 200]), max_size=12))
def test_no_press_in_test_mode_is_lost_when_nobody_takes_it(story: list[str | int]) -> None:
    async def play(folder: str) -> None:
        desk = Attentive(folder, with_tests=True).desk
        pressed = 0
        for step in story:
            if step == "press":
                pressed += 1
                await desk.keep(desk.event(TESTED, Kind.ALARM_PRESSED))
            elif isinstance(step, int):
                await desk.pass_time(step)
            else:
                with contextlib.suppress(RefusedError):  # a real one is open
                    await desk.centre.transact(_begin if step == "begin" else _end)
        await desk.pass_time(180)
        real = [row for row in await desk.incidents() if not row.test]
        assert sum(row.presses for row in real) == pressed
        assert all(row.state == "alerting" for row in real)
        assert [row.state for row in await desk.incidents() if row.test and row.state != "closed"] == []
        desk.store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(folder))


def _begin(tx: Tx) -> None:
    mode.start(tx, TESTED, "technician", 2, "user:kari-test")


def _end(tx: Tx) -> None:
    mode.end(tx, TESTED, "user:kari-test")
