"""Several providers on one channel: the next at once, none twice, all again without end, and each a row."""

import asyncio
import datetime as dt

import pytest
import sqlalchemy as sa

from hub.central import clockwork
from hub.central.bulletin import News
from hub.central.centre import Tx
from hub.central.escalation import engine
from hub.central.incidents import desk, view
from hub.central.incidents.lifecycle import Event
from hub.central.notify import attempts as attempts_of
from hub.central.notify import receipts
from hub.central.notify.breaker import OPENS_AFTER
from hub.central.notify.channels.base import ReceiptStatus, Report
from hub.central.notify.outbox import SEND
from hub.central.store.tables import attempts, incidents, messages
from hub.domain.errors import PermanentError, RefusedError, TransientError
from tests.fakes.town import Town
from tests.fakes.ward import DUTY, LEADER, START, HandClock, message_of, raised

DOWN = TransientError("down")


@pytest.mark.parametrize("error", [DOWN, RefusedError("bad number"), PermanentError("no credit")])
async def test_on_an_error_the_next_provider_at_once(town: Town, error: Exception) -> None:
    town.one.errors = [error]
    number = await raised(town.centre)
    await town.sender.close()
    message = await message_of(town.centre, number)
    assert (message.state, message.attempts, message.phone) == ("sent", 2, "p-duty")
    assert await town.rows() == [("one", "undeliverable"), ("two", "sent")]
    story = await town.centre.store.read(lambda c: view.story(c, number))
    assert story is not None
    shown = [(made.provider, made.reason, made.provider_ref, made.at) for made in story.messages[0].made]
    assert shown == [("one", str(error), None, START), ("two", "", "ref-1", START)]
    assert town.two.sent[0].key == town.one.sent[0].key
    assert town.two.sent[0].receipt_url == f"http://127.0.0.1/hooks/two/secret/delivery?message={message.id}"


async def test_when_all_fail_they_are_tried_again_from_the_first_without_end(town: Town, clock: HandClock) -> None:
    town.one.unreached, town.two.unreached = {DUTY}, {DUTY}
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    waits = []
    while (at := await town.due(SEND, message_id)) is not None:
        waits.append((at - clock.utc).total_seconds())
        clock.utc = at
        if len(waits) == 3:
            town.one.unreached = set()
        await town.sender.send(message_id)
        await town.sender.close()  # the next step's has left
    assert waits == [2, 4, 8]
    rows = await town.rows(message_id)
    assert sorted(rows) == [("one", "sent")] + [("one", "undeliverable")] * 3 + [("two", "undeliverable")] * 3


async def test_when_all_have_failed_twice_the_next_step_does_not_wait_for_them(
    town: Town, clock: HandClock
) -> None:
    town.one.unreached, town.two.unreached = {DUTY}, {DUTY}
    number = await raised(town.centre)
    await town.sender.close()
    first = (await message_of(town.centre, number)).id
    assert await town.states() == [("p-duty", "queued")], "once may be a moment's trouble"
    clock.move(2)
    await town.sender.send(first)
    await town.sender.close()
    assert await town.states() == [("p-duty", "queued"), ("p-leader", "sent")]
    assert await town.due(SEND, first) == START + dt.timedelta(seconds=6), "the first is tried again all the same"


async def test_a_round_whose_last_step_fails_for_now_is_not_begun_anew_before_its_time(
    town: Town, clock: HandClock
) -> None:
    town.one.unreached = town.two.unreached = {DUTY, LEADER}
    number = await raised(town.centre)
    await town.sender.close()
    for seconds in (2, 2, 4, 8, 16):
        clock.move(seconds)
        for phone in (DUTY, LEADER):
            await town.sender.send((await message_of(town.centre, number, phone)).id)
            await town.sender.close()
    # The leader, and the leader as the last resort: each was told when the one before had failed twice.
    assert await town.states() == [("p-duty", "queued"), ("p-leader", "queued"), ("p-leader", "queued")]
    assert await town.due(engine.STEP, number) == START + (dt.timedelta(seconds=2 + 180))


async def test_a_last_hope_that_fails_never_postpones_the_next_round(town: Town) -> None:
    town.one.gate = asyncio.Event()
    number = await raised(town.centre)
    await town.one.until_sent()
    soon = START + dt.timedelta(seconds=5)

    def last(tx: Tx) -> None:
        tx.connection.execute(incidents.update().values(plan_step=2))
        tx.connection.execute(messages.update().values(plan_step=2))
        clockwork.schedule(tx, soon, engine.STEP, str(number))
        engine.message_failed(tx, 1, "refused")

    await town.centre.transact(last)
    assert await town.due(engine.STEP, number) == soon
    town.one.gate.set()


async def test_when_each_refuses_it_the_next_step_starts(town: Town) -> None:
    town.one.errors, town.two.errors = [RefusedError("no")], [PermanentError("no credit")]
    await raised(town.centre)
    await town.sender.close()
    assert await town.states() == [("p-duty", "undeliverable"), ("p-leader", "sent")]


async def test_without_a_receipt_another_provider_tries_and_escalation_goes_on(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    first = (await message_of(town.centre, number)).id
    await town.silent(first)
    await town.sender.close()
    assert await town.rows(first) == [("one", "sent"), ("two", "sent")]
    assert await town.states() == [("p-duty", "sent"), ("p-leader", "sent")]
    # Now each has it: no third copy, however long it is silent.
    await town.silent(first)
    await town.sender.close()
    assert len(await town.rows(first)) == 2
    assert await town.due(SEND, first) is None
    # The first one's receipt counts, however late.
    await town.report(town.one, "ref-1", ReceiptStatus.DELIVERED, first)
    assert await town.rows(first) == [("one", "delivered"), ("two", "sent")]
    assert (await town.states())[0] == ("p-duty", "delivered")


async def test_reported_as_failed_the_next_provider_has_its_turn(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    first = (await message_of(town.centre, number)).id
    for _ in range(2):  # reported twice, done once
        await town.report(town.one, "ref-1", ReceiptStatus.FAILED, first)
        await town.sender.close()
    assert await town.rows() == [("one", "undeliverable"), ("two", "sent")]
    await town.report(town.two, "ref-1", ReceiptStatus.FAILED, first)
    await town.sender.close()
    assert await town.states() == [("p-duty", "undeliverable"), ("p-leader", "sent")]


async def test_a_failure_of_what_is_being_sent_by_another_provider_comes_too_early(town: Town) -> None:
    town.two.errors = [DOWN]
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await town.silent(message_id)
    await town.sender.close()
    assert await town.rows(message_id) == [("one", "sent"), ("two", "undeliverable"), (None, "queued")]
    with pytest.raises(TransientError, match="report again"):
        await town.report(town.two, "ref-1", ReceiptStatus.FAILED, message_id)


async def test_a_call_that_nobody_takes_is_the_next_persons_not_the_next_providers(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await rang(town, message_id)
    assert await town.rows(message_id) == [("one", "undeliverable")]
    assert await town.states() == [("p-duty", "undeliverable"), ("p-leader", "sent")]


async def test_a_call_that_nobody_takes_is_the_next_persons_also_while_another_centre_makes_it_again(
    town: Town, clock: HandClock
) -> None:
    # One centre froze while it made the call; another took over, failed, and is to try again when the first wakes.
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id

    def try_again(tx: Tx) -> None:
        attempts_of.add(tx, message_id)
        clockwork.schedule(tx, clock.utc + dt.timedelta(seconds=2), SEND, str(message_id))

    await town.centre.transact(try_again)
    await rang(town, message_id)
    assert await town.rows(message_id) == [("one", "undeliverable"), (None, "undeliverable")]
    assert await town.due(SEND, message_id) is None
    assert await town.states() == [("p-duty", "undeliverable"), ("p-leader", "sent")]


async def rang(town: Town, message_id: int) -> None:
    """Let the provider report that the phone rang and nobody took the call."""
    told = Report(
        provider_ref="ref-1",
        status=ReceiptStatus.FAILED,
        at=START,
        message_id=message_id,
        reason="not answered",
        person=True,
    )
    await town.centre.transact(lambda tx: receipts.reported(tx, town.one, told, town.ways))
    await town.sender.close()


async def test_two_providers_may_call_two_messages_the_same(town: Town) -> None:
    town.one.errors = [DOWN]
    first = await raised(town.centre, "r-1")
    await town.sender.close()
    second = await raised(town.centre, "r-2")
    await town.sender.close()
    ids = [(await message_of(town.centre, number)).id for number in (first, second)]
    query = sa.select(attempts.c.provider, attempts.c.provider_ref, attempts.c.message_id)
    made = await town.centre.store.read(lambda c: c.execute(query.where(attempts.c.state == "sent")).all())
    named = {row.message_id: (row.provider, row.provider_ref) for row in made}
    assert named[ids[0]] == ("two", "ref-1")
    await town.centre.transact(
        lambda tx: receipts.reported(
            tx, town.two, Report(provider_ref="ref-1", status=ReceiptStatus.READ, at=START), town.ways
        )
    )
    assert (await message_of(town.centre, first)).state == "read"
    assert (await message_of(town.centre, second)).state == "sent"


async def test_an_answer_that_was_lost_and_a_delivery_that_was_not(town: Town) -> None:
    town.one.errors = [TransientError("no answer within 10 s")]
    number = await raised(town.centre)
    await town.sender.close()
    first = (await message_of(town.centre, number)).id
    await town.report(town.one, "unheard-of", ReceiptStatus.DELIVERED, first)
    assert await town.rows() == [("one", "delivered"), ("two", "sent")]
    assert (await message_of(town.centre, number)).state == "delivered"


async def test_taken_by_another_phone_what_has_not_left_is_cancelled_by_other(town: Town) -> None:
    town.one.errors, town.two.errors = [DOWN] * 2, [DOWN] * 2
    number = await raised(town.centre)
    await town.sender.close()
    await town.centre.transact(lambda tx: desk.act(tx, number, Event.ACKNOWLEDGE, "sms:p-leader"))
    assert await town.states() == [("p-duty", "cancelled_by_other")]
    assert (await town.rows())[-1] == (None, "cancelled_by_other")
    assert await town.due(SEND, (await message_of(town.centre, number)).id) is None


async def test_delivered_after_it_was_taken_changes_nothing_else(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    first = (await message_of(town.centre, number)).id
    await town.centre.transact(lambda tx: desk.act(tx, number, Event.ACKNOWLEDGE, "user:kari-test"))
    await town.report(town.one, "ref-1", ReceiptStatus.DELIVERED, first)
    assert await town.incident(number) == ("acknowledged", "user:kari-test")
    # Nor is a failure made good by another provider for an incident that somebody has.
    other = await raised(town.centre, "r-2")
    await town.sender.close()
    second = (await message_of(town.centre, other)).id
    await town.centre.transact(lambda tx: desk.act(tx, other, Event.ACKNOWLEDGE, "user:kari-test"))
    await town.report(town.one, "ref-2", ReceiptStatus.FAILED, second)
    await town.sender.close()
    assert await town.rows(second) == [("one", "undeliverable"), (None, "cancelled")]
    assert town.two.sent == []


async def test_a_provider_that_fails_goes_last_until_it_works_again(
    town: Town, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    town.one.errors = [DOWN] * OPENS_AFTER
    for person in range(OPENS_AFTER + 2):
        await raised(town.centre, f"r-{person}")
        await town.sender.close()
    assert len(town.one.sent) == OPENS_AFTER
    assert len(town.two.sent) == OPENS_AFTER + 2
    assert "provider one fails again and again: others go first" in caplog.text
    clock.move(60)
    await raised(town.centre, "r-probe")
    await town.sender.close()
    assert len(town.one.sent) == OPENS_AFTER + 1
    assert "provider one works again" in caplog.text


async def test_with_every_breaker_open_nothing_waits(town: Town) -> None:
    for provider in (town.one, town.two):
        for _ in range(OPENS_AFTER):
            town.ways.breaker(provider.name).failed(START)
    number = await raised(town.centre)
    await town.sender.close()
    assert (await message_of(town.centre, number)).state == "sent"


async def test_five_residents_at_once_are_five_texts_at_once(town: Town, clock: HandClock) -> None:
    for person in range(5):
        await raised(town.centre, f"r-{person}")
    await town.sender.close()
    assert [outgoing.number for outgoing in town.one.sent] == [DUTY] * 5
    assert len({outgoing.text for outgoing in town.one.sent}) == 5
    assert clock.utc == START


async def test_fifty_residents_at_once_while_the_first_provider_is_down(town: Town) -> None:
    town.one.errors = [DOWN] * 50
    for person in range(50):
        await raised(town.centre, f"r-{person}")
    await town.sender.close()
    assert len(town.two.sent) == 50
    assert {state for _, state in await town.states()} == {"sent"}


async def test_whoever_watches_is_told_of_a_provider(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[News] = []
    monkeypatch.setattr(town.centre.bulletin, "announce", told.append)
    town.one.errors = [DOWN] * OPENS_AFTER
    for person in range(OPENS_AFTER):
        await raised(town.centre, f"r-{person}")
        await town.sender.close()
    assert News("provider", "one") in told
