"""Sending: nothing is lost between outbox and provider, and nothing stale leaves."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Centre, Tx
from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.notify import outcome
from hub.central.notify.outbox import RECEIPT, SEND
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.store.tables import attempts, due, incident_events, messages
from hub.domain.errors import PermanentError, RefusedError, TransientError
from tests.fakes.ward import DUTY, LEADER, START, HandClock, ObedientProvider, message_of, open_centre, raised


def hooks(provider: str) -> str:
    return f"http://127.0.0.1/hooks/{provider}/secret"


def sending(centre: Centre, *providers: ObedientProvider) -> Sender:
    return Sender(centre, Ways(providers), hooks)


async def due_at(centre: Centre, kind: str, message_id: int) -> dt.datetime | None:
    return await centre.transact(lambda tx: clockwork.scheduled(tx, kind, str(message_id)))


async def events(centre: Centre, incident: int, event: str) -> list[str]:
    query = sa.select(incident_events.c.detail).where(
        incident_events.c.incident_id == incident, incident_events.c.event == event
    )
    return await centre.store.read(lambda connection: list(connection.scalars(query)))


async def take(centre: Centre, incident: int) -> None:
    await centre.transact(lambda tx: desk.act(tx, incident, Event.ACKNOWLEDGE, "user:test"))


async def test_what_is_committed_leaves_at_once_and_its_receipt_is_awaited(
    centre: Centre, provider: ObedientProvider
) -> None:
    sender = sending(centre, provider)
    number = await raised(centre)
    await sender.close()
    message = await message_of(centre, number)
    assert [(o.number, o.text, o.receipt_url) for o in provider.sent] == [
        (DUTY, message.text, f"http://127.0.0.1/hooks/one/secret/delivery?message={message.id}")
    ]
    assert (message.state, message.provider_ref, message.attempts, message.sent_at) == ("sent", "ref-1", 1, START)
    assert await due_at(centre, SEND, message.id) is None
    assert await due_at(centre, RECEIPT, message.id) == START + dt.timedelta(seconds=60)
    assert await events(centre, number, "sent") == [f"message {message.id} to p-duty: attempt 1"]


async def test_a_provider_that_is_down_is_tried_without_end(
    centre: Centre, provider: ObedientProvider, clock: HandClock
) -> None:
    provider.unreached = {DUTY}
    number = await raised(centre)
    sender = sending(centre, provider)
    message_id = (await message_of(centre, number)).id
    await sender.send(message_id)
    waits: list[float] = []
    while (message := await message_of(centre, number, DUTY)).state == "queued":
        if len(waits) == 8:
            provider.unreached = set()
        at = await due_at(centre, SEND, message_id)
        assert at is not None
        waits.append((at - clock.utc).total_seconds())
        clock.utc = at
        await sender.send(message_id)
    assert waits == [2, 4, 8, 16, 30, 30, 30, 30, 30]
    assert message.attempts == 10
    # The history tells of the first failure and of each power of two.
    assert [line.split(": ")[1] for line in await events(centre, number, "send_failed")] == [
        "attempt 1",
        "attempt 2",
        "attempt 4",
        "attempt 8",
    ]


@pytest.mark.parametrize("error", [RefusedError("bad number"), PermanentError("credentials")])
async def test_what_cannot_be_delivered_brings_the_next_step_at_once(
    centre: Centre, provider: ObedientProvider, error: Exception
) -> None:
    sender = sending(centre, provider)
    provider.errors = [error]
    number = await raised(centre)
    first = (await message_of(centre, number)).id
    await sender.send(first)
    await sender.close()
    assert [outgoing.number for outgoing in provider.sent] == [DUTY, LEADER]
    state = await centre.store.read(
        lambda c: c.execute(sa.select(messages.c.state, messages.c.reason).where(messages.c.id == first)).one()
    )
    assert tuple(state) == ("undeliverable", str(error))


async def test_a_channel_that_this_centre_lacks_is_said_and_passed_over(centre: Centre) -> None:
    sender = sending(centre)
    number = await raised(centre)
    await sender.close()
    assert (await events(centre, number, "undeliverable"))[0].endswith("this centre has no channel sms")


async def test_a_stale_page_never_leaves(
    centre: Centre, provider: ObedientProvider, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    provider.errors = [TransientError("down"), TransientError("down")]
    taken, closed = await raised(centre, "r-1"), await raised(centre, "r-2")
    sender = sending(centre, provider)
    ids = [(await message_of(centre, number)).id for number in (taken, closed)]
    for message_id in ids:
        await sender.send(message_id)
    await take(centre, taken)
    await centre.transact(
        lambda tx: desk.act(
            tx, closed, Event.CLOSE, "user:test", outcome=Outcome.NO_HELP_NEEDED, cause=Cause.MISTAKE
        )
    )
    clock.move(60)
    for message_id in ids:
        await sender.send(message_id)
        assert await due_at(centre, SEND, message_id) is None
    assert len(provider.sent) == 2
    assert {(await message_of(centre, number)).state for number in (taken, closed)} == {"cancelled"}


async def test_what_is_taken_after_the_lease_is_cancelled_by_the_stage(
    centre: Centre, provider: ObedientProvider
) -> None:
    number = await raised(centre)  # nobody sends yet
    message_id = (await message_of(centre, number)).id
    await take(centre, number)
    # As if the row had been claimed by another centre before it was cancelled.
    await centre.transact(lambda tx: tx.connection.execute(attempts.update().values(state="queued", reason="")))
    await sending(centre, provider).send(message_id)
    assert provider.sent == []
    assert (await events(centre, number, "withheld"))[0].endswith("taken by user:test")


async def test_after_an_outage_a_phone_rings_once_for_an_incident(
    centre: Centre, provider: ObedientProvider
) -> None:
    number = await raised(centre)
    first = (await message_of(centre, number)).id

    def again(tx: Tx) -> None:
        row = tx.connection.execute(sa.select(messages).where(messages.c.id == first)).one()
        values = {key: value for key, value in row._mapping.items() if key != "id"}
        tx.connection.execute(messages.insert().values(values | {"plan_round": 1}))

    await centre.transact(again)
    sender = sending(centre, provider)
    await sender.send(first)
    assert provider.sent == []
    await sender.send((await message_of(centre, number)).id)
    assert len(provider.sent) == 1


async def test_messages_never_wait_for_each_other(centre: Centre, provider: ObedientProvider) -> None:
    sender = sending(centre, provider)
    gate = provider.gate = asyncio.Event()
    hanging = await raised(centre, "r-1")
    await provider.until_sent()
    provider.gate = None
    number = await raised(centre, "r-2")
    await sender.send((await message_of(centre, number)).id)
    assert (await message_of(centre, number)).state == "sent"
    assert (await message_of(centre, hanging)).state == "queued"
    gate.set()
    await sender.close()
    assert (await message_of(centre, hanging)).state == "sent"


async def test_retries_that_hang_do_not_hold_back_a_new_alarm(centre: Centre, provider: ObedientProvider) -> None:
    old = [(await message_of(centre, await raised(centre, f"r-{n}"))).id for n in range(40)]
    provider.gate = asyncio.Event()
    sender = sending(centre, provider)
    for message_id in old:
        sender.start(message_id)
    await provider.until_sent(25)
    new = (await message_of(centre, await raised(centre, "r-new"))).id
    await provider.until_sent(26)
    assert provider.sent[-1].message_id == new
    provider.gate.set()
    await provider.until_sent(41)
    await sender.close()


async def test_one_message_is_never_under_way_twice(centre: Centre, provider: ObedientProvider) -> None:
    sender = sending(centre, provider)
    provider.gate = asyncio.Event()
    number = await raised(centre)
    message_id = (await message_of(centre, number)).id
    sender.start(message_id)
    waiting = asyncio.create_task(sender.send(message_id))
    await provider.until_sent()
    provider.gate.set()
    await waiting
    await sender.send(message_id)
    assert len(provider.sent) == 1


async def test_killed_between_acceptance_and_note_it_is_sent_again(
    tmp_path: Path, clock: HandClock, provider: ObedientProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    centre = open_centre(tmp_path, clock)
    with monkeypatch.context() as patch:
        patch.setattr(outcome, "sent", killed)
        sender = sending(centre, provider)
        number = await raised(centre)
        await sender.close()
    assert (await message_of(centre, number)).state == "queued"
    centre.store.close()

    # Another process on the same store takes over what the dead one had leased.
    clock.move(clockwork.LEASE.total_seconds())
    centre = open_centre(tmp_path, clock)
    centre.owner = "centre-2"
    sender = sending(centre, provider)
    carried = asyncio.Event()

    def carry(subject: str) -> None:
        sender.start(int(subject))
        carried.set()

    loop = asyncio.create_task(clockwork.Clockwork(centre, {"incident.step": _nothing}, {SEND: carry}).run())
    await carried.wait()
    await sender.close()
    loop.cancel()
    message = await message_of(centre, number)
    assert (len(provider.sent), message.state, message.provider_ref) == (2, "sent", "ref-2")
    assert len({outgoing.key for outgoing in provider.sent}) == 1
    centre.store.close()


async def test_a_store_that_is_away_is_waited_for_with_the_note(
    centre: Centre, provider: ObedientProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.central.notify.pipeline._NOTE_AGAIN_S", 0.0)
    number = await raised(centre)
    message_id = (await message_of(centre, number)).id
    real, failures = centre.transact, [TransientError("away")] * 3

    async def away(work: Callable[[Tx], object], *, urgent: bool = False) -> object:
        if failures:
            raise failures.pop()
        return await real(work, urgent=urgent)

    monkeypatch.setattr(centre, "transact", away)
    await sending(centre, provider).send(message_id)
    assert (len(provider.sent), (await message_of(centre, number)).state) == (1, "sent")


async def test_an_attempt_that_breaks_off_is_logged_and_stays_due(
    centre: Centre, provider: ObedientProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.errors = [ZeroDivisionError()]
    sender = sending(centre, provider)
    number = await raised(centre)
    await sender.close()
    message = await message_of(centre, number)
    assert f"message {message.id}: the attempt broke off" in caplog.text
    assert (message.state, await due_at(centre, SEND, message.id)) == ("queued", START)


async def test_cancelled_while_the_provider_hangs_it_stays_due(centre: Centre, provider: ObedientProvider) -> None:
    sender = sending(centre, provider)
    provider.gate = asyncio.Event()
    number = await raised(centre)
    await provider.until_sent()
    await sender.close(grace_s=0.01)
    message = await message_of(centre, number)
    assert (message.state, await due_at(centre, SEND, message.id)) == ("queued", START)


async def test_sent_while_somebody_took_the_incident_is_told_as_it_was(
    centre: Centre, provider: ObedientProvider
) -> None:
    sender = sending(centre, provider)
    provider.gate = asyncio.Event()
    number = await raised(centre)
    await provider.until_sent()
    await take(centre, number)
    provider.gate.set()
    await sender.close()
    assert (await message_of(centre, number)).state == "sent"


async def test_a_due_row_without_a_message_is_taken_away(centre: Centre, provider: ObedientProvider) -> None:
    await centre.transact(lambda tx: clockwork.schedule(tx, START, SEND, "99"))
    await sending(centre, provider).send(99)
    rows = await centre.store.read(lambda c: c.execute(sa.select(due).where(due.c.kind == SEND)).all())
    assert rows == []


def _nothing(_tx: Tx, _subject: str) -> None:
    """Deadlines of incidents do not matter here."""
