"""What a person tells a device: sent once, soon or not at all; its outcome is kept; on both databases."""

import asyncio
from typing import Any

import msgspec
import pytest

from hub.central import clockwork, commander
from hub.central.commander import Commander
from hub.central.store.tables import audit, commands, due
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError, RefusedError, TransientError
from hub.wire import command
from tests.fakes.centre import DeskCentre


class Line:
    """Stands for the link to the broker."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[tuple[str, command.Command, int]] = []
        self._error = error

    async def publish(self, topic: str, payload: bytes, *, expiry_s: int) -> None:
        if self._error:
            raise self._error
        self.sent.append((topic, command.decode(payload), expiry_s))


async def asked(desk: DeskCentre, name: str = "remind", device: str = "dispenser-1") -> str:
    return await desk.centre.transact(lambda tx: commander.ask(tx, device, name, {}, "nurse"))


async def carried(desk: DeskCentre, line: Line) -> None:
    """Let everything be sent that is due."""
    await desk.clockwork._round()
    teller = Commander(desk.centre, line)  # type: ignore[arg-type] # as much of a link as is used
    for number in desk.commands_told:
        teller.start(number)
    desk.commands_told.clear()
    await asyncio.gather(*teller._tasks)


async def answer(desk: DeskCentre, number: str, *, ok: bool = True, reason: str = "", hub: str = "h-1") -> None:
    value = {"command": number, "name": "remind", "ok": ok, "reason": reason}
    await desk.keep(desk.event("dispenser-1", Kind.DEVICE_ANSWERED, value=value, hub=hub))


async def state(desk: DeskCentre, number: str) -> tuple[str, str]:
    (row,) = await desk.rows(commands, commands.c.id == number)
    return row.state, row.reason


async def test_a_command_is_sent_answered_and_in_the_audit_trail(desk: DeskCentre) -> None:
    number = await asked(desk)
    line = Line()
    await carried(desk, line)
    ((topic, told, expiry_s),) = line.sent
    assert topic == "wt/1/h-1/down/command"
    assert (told.id, told.device, told.name) == (number, "dispenser-1", "remind")
    assert 0 < expiry_s <= command.EXPIRY_S
    assert (await state(desk, number))[0] == commander.TOLD
    await answer(desk, number)
    assert await state(desk, number) == (commander.DONE, "")
    assert await desk.rows(due, due.c.subject == number) == []
    (row,) = await desk.rows(audit, audit.c.action == "command.remind")
    assert (row.actor, row.subject) == ("nurse", "device:dispenser-1")


@pytest.mark.parametrize(
    ("device", "name"), [("dispenser-1", "explode"), ("nowhere", "remind"), ("pendant-1", "remind")]
)
async def test_what_nobody_can_do_is_refused_before_anything_is_kept(
    desk: DeskCentre, device: str, name: str
) -> None:
    with pytest.raises(MalformedError, match=f"{device}|{name}"):
        await asked(desk, name, device)
    assert await desk.rows(commands) == []


async def test_a_command_is_never_sent_twice(desk: DeskCentre) -> None:
    number = await asked(desk)
    line = Line()
    await carried(desk, line)
    # Its row of due comes back, as after a centre that died right behind the publication.
    await desk.centre.transact(lambda tx: clockwork.schedule(tx, tx.now.utc, commander.TELL, number))
    await carried(desk, line)
    assert len(line.sent) == 1


async def test_a_command_that_is_late_is_not_sent(desk: DeskCentre) -> None:
    number = await asked(desk)
    desk.clock.go_on(command.EXPIRY_S + 1)
    line = Line()
    await carried(desk, line)
    assert line.sent == []
    told, reason = await state(desk, number)
    assert told == commander.REFUSED
    assert "nothing was done" in reason


@pytest.mark.parametrize("error", [None, TransientError("no broker")])
async def test_without_an_answer_nobody_knows(desk: DeskCentre, error: Exception | None) -> None:
    number = await asked(desk)
    await carried(desk, Line(error))
    await desk.pass_time(60)
    told, reason = await state(desk, number)
    assert told == commander.UNANSWERED
    assert "nobody knows" in reason
    # An answer that comes late still counts.
    await answer(desk, number, ok=False, reason="no link")
    assert await state(desk, number) == (commander.REFUSED, "no link")


async def test_a_broker_that_refuses_ends_it(desk: DeskCentre) -> None:
    number = await asked(desk)
    await carried(desk, Line(RefusedError("not authorized")))
    assert await state(desk, number) == (commander.REFUSED, "not sent: not authorized")


async def test_an_answer_of_another_hub_or_a_second_one_changes_nothing(desk: DeskCentre) -> None:
    number = await asked(desk)
    await carried(desk, Line())
    await answer(desk, number, ok=False, hub="h-9")
    assert (await state(desk, number))[0] == commander.TOLD
    await answer(desk, number)
    await answer(desk, number, ok=False, reason="again")
    assert await state(desk, number) == (commander.DONE, "")


@pytest.mark.parametrize("value", [None, 3, "x", {}, {"command": 7}, {"command": "c-9", "ok": "yes"}])
async def test_an_answer_that_is_none_is_only_kept(desk: DeskCentre, value: Any) -> None:
    number = await asked(desk)
    await desk.keep(desk.event("dispenser-1", Kind.DEVICE_ANSWERED, value=value))
    assert (await state(desk, number))[0] == commander.WAITING
    assert msgspec.json.encode(value)
