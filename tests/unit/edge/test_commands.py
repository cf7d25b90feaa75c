"""A command of the centre: done at most once, answered always, and never late."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.base import Answer, Send, Setup
from hub.domain.clock import Now, SystemClock
from hub.domain.codes import Kind, Lane
from hub.domain.errors import MalformedError, TransientError
from hub.domain.observation import Scalar
from hub.edge.commands import Commands
from hub.edge.configuration import Task
from hub.edge.recorder import Recorder
from hub.edge.session import Session
from hub.wire import command
from hub.wire.config import LinkConfig
from tests.unit.edge.makers import HUB, recording

TASK = Task(
    name="line",
    link=LinkConfig(id="line", kind="serial", port="/dev/none", driver="dispenser"),
    link_type="serial",
    driver="dispenser",
    setup=Setup(devices=()),
    state_name="dispenser/line",
    critical=frozenset(),
)
TOLD = command.Command(id="c-1", device="d-1", name="remind", args={})


class Obedient:
    """A driver that takes one command."""

    def command(self, device_id: str, name: str, arguments: Mapping[str, Scalar], _now: Now) -> Answer:
        if name != "remind" or arguments:
            raise MalformedError(f"command {name!r}: {device_id} knows remind")
        return Answer(actions=(Send(b"R"),))


class LinkedSession(Session):
    """A session whose line is a list."""

    def __init__(self, recorder: Recorder, driver: object) -> None:
        super().__init__(TASK, recorder, SystemClock())
        self.sent: list[bytes] = []
        self.faulty = False
        self._driver = driver
        self.state.went_up()

    async def serve(self) -> None:
        while True:
            await self._run_errands(self._driver, self._act)  # type: ignore[arg-type] # as much of one as is asked
            await asyncio.sleep(0)

    async def _act(self, actions: tuple[Any, ...]) -> None:
        if self.faulty:
            raise TransientError("the line is gone")
        self.sent += [action.data for action in actions]


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[Recorder]:
    async with recording(tmp_path) as made:
        yield made


async def answers(recorder: Recorder) -> list[dict[str, Any]]:
    entries = await recorder.pending(Lane.READING, 0, 100)
    events = [msgspec.json.decode(entry.payload) for entry in entries]
    return [event["data"]["value"] for event in events if event["data"]["kind"] == Kind.DEVICE_ANSWERED]


async def offered(recorder: Recorder, session: Session | None, *payloads: bytes) -> None:
    commands = Commands(recorder, lambda device: session if device == "d-1" else None)
    serving = asyncio.ensure_future(session.serve()) if isinstance(session, LinkedSession) else None
    for payload in payloads:
        await commands.offered(payload)
    if serving:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_command_that_comes_three_times_is_done_once(recorder: Recorder) -> None:
    session = LinkedSession(recorder, Obedient())
    await offered(recorder, session, *[command.encode(TOLD)] * 2)
    # The hub was restarted, and the broker brings it once more.
    await offered(recorder, session, command.encode(TOLD))
    assert session.sent == [b"R"]
    assert await answers(recorder) == [{"command": "c-1", "name": "remind", "ok": True, "reason": ""}]


async def test_commands_that_come_at_the_same_time_are_each_remembered(recorder: Recorder) -> None:
    session = LinkedSession(recorder, Obedient())
    other = command.encode(msgspec.structs.replace(TOLD, id="c-2"))
    commands = Commands(recorder, lambda _device: session)
    serving = asyncio.ensure_future(session.serve())
    for _ in range(2):
        await asyncio.gather(*[commands.offered(payload) for payload in (command.encode(TOLD), other)])
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert session.sent == [b"R"] * 2
    assert sorted(answer["command"] for answer in await answers(recorder)) == ["c-1", "c-2"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": "d-9"}, "this hub has none"),
        ({"name": "explode"}, "knows remind"),
        ({"args": {"dose": 3}}, "knows remind"),
    ],
)
async def test_what_cannot_be_done_is_answered_with_why(
    recorder: Recorder, changes: dict[str, Any], reason: str
) -> None:
    session = LinkedSession(recorder, Obedient())
    await offered(recorder, session, command.encode(msgspec.structs.replace(TOLD, **changes)))
    (answer,) = await answers(recorder)
    assert (answer["ok"], session.sent) == (False, [])
    assert reason in answer["reason"]


async def test_a_driver_without_commands_says_so(recorder: Recorder) -> None:
    await offered(recorder, LinkedSession(recorder, object()), command.encode(TOLD))
    (answer,) = await answers(recorder)
    assert answer["reason"] == "dispenser takes no commands"


async def test_without_a_link_nothing_waits_to_be_done_later(recorder: Recorder) -> None:
    session = LinkedSession(recorder, Obedient())
    session.state.went_down("unplugged")
    await offered(recorder, session, command.encode(TOLD))
    session.state.went_up()
    await session._run_errands(Obedient(), session._act)  # type: ignore[arg-type] # as above
    (answer,) = await answers(recorder)
    assert (answer["ok"], session.sent) == (False, [])
    assert "unplugged" in answer["reason"]


async def test_a_command_that_was_given_up_is_not_done_when_the_device_wakes(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.edge.session.COMMAND_S", 0.01)
    session = LinkedSession(recorder, Obedient())
    with pytest.raises(TransientError, match="not taken the command"):
        await session.tell("d-1", "remind", {})
    await session._run_errands(Obedient(), session._act)  # type: ignore[arg-type] # as above
    assert session.sent == []


async def test_a_line_that_breaks_meanwhile_ends_the_session_and_is_answered(recorder: Recorder) -> None:
    session = LinkedSession(recorder, Obedient())
    session.faulty = True
    commands = Commands(recorder, lambda _device: session)
    serving = asyncio.ensure_future(session.serve())
    await commands.offered(command.encode(TOLD))
    with pytest.raises(TransientError):
        await serving
    (answer,) = await answers(recorder)
    assert "the line is gone" in answer["reason"]


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b'{"id":"c","device":"d","name":"n","at":1}', b'{"id":"a b","device":"d","name":"n"}'],
)
async def test_a_malformed_command_is_refused_by_name(recorder: Recorder, payload: bytes) -> None:
    with pytest.raises(MalformedError, match="command"):
        await offered(recorder, None, payload)
    assert await answers(recorder) == []


async def test_a_hub_that_is_asked_for_a_test_alarm_journals_one_of_its_own_once(recorder: Recorder) -> None:
    probe = command.encode(command.Command(id="c-7", device=HUB, name=command.PROBE))
    await offered(recorder, None, probe, probe)
    alarms = [msgspec.json.decode(entry.payload) for entry in await recorder.pending(Lane.ALARM, 0, 9)]
    assert [(alarm["subject"], alarm["data"]["kind"]) for alarm in alarms] == [(HUB, Kind.ALARM_PRESSED)]
    assert (alarms[0]["data"]["test"], alarms[0]["data"]["value"]) == (True, {"round": "c-7"})
    assert [answer["ok"] for answer in await answers(recorder)] == [True]


async def test_a_device_is_never_asked_for_the_hubs_test_alarm(recorder: Recorder) -> None:
    await offered(recorder, None, command.encode(command.Command(id="c-8", device="d-1", name=command.PROBE)))
    assert await recorder.pending(Lane.ALARM, 0, 9) == []
    assert [answer["ok"] for answer in await answers(recorder)] == [False]
