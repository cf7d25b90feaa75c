"""Delivery reports: once, twice, too early, never, about nothing, and the wrong way round."""

import datetime as dt
from functools import partial

import pytest
import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Centre, Tx
from hub.central.notify import attempts, outcome, receipts
from hub.central.notify.channels.base import ReceiptStatus, Report
from hub.central.notify.outbox import RECEIPT, SEND
from hub.central.notify.ways import Ways
from hub.central.store.tables import incident_events, messages
from hub.domain.errors import RefusedError, TransientError
from tests.fakes.ward import DUTY, LEADER, START, HandClock, ObedientProvider, message_of, raised

DELIVERED, FAILED = ReceiptStatus.DELIVERED, ReceiptStatus.FAILED
ONE = ObedientProvider()
WAYS = Ways([ONE])
LATER = START + dt.timedelta(seconds=3)


def queued(tx: Tx, message_id: int) -> int:
    return int(attempts.of(tx.connection, message_id)[-1].id)


async def sent(centre: Centre) -> tuple[int, int]:
    """An incident whose first message the provider accepted as ref-1."""
    number = await raised(centre)
    message_id = (await message_of(centre, number)).id
    await centre.transact(lambda tx: outcome.sent(tx, message_id, queued(tx, message_id), ONE.name, "ref-1"))
    return number, message_id


async def report(
    centre: Centre,
    status: ReceiptStatus,
    ref: str = "ref-1",
    message_id: int | None = None,
    at: dt.datetime = LATER,
    provider: ObedientProvider = ONE,
) -> None:
    told = Report(provider_ref=ref, status=status, at=at, message_id=message_id)
    await centre.transact(lambda tx: receipts.reported(tx, provider, told, WAYS))


async def states(centre: Centre, message_id: int) -> list[str]:
    made = await centre.store.read(lambda c: attempts.of(c, message_id))
    return [attempt.state for attempt in made]


async def history(centre: Centre, number: int) -> list[str]:
    query = sa.select(incident_events.c.event).where(incident_events.c.incident_id == number)
    return await centre.store.read(lambda c: list(c.scalars(query.order_by(incident_events.c.id))))


async def numbers(centre: Centre) -> list[str]:
    return await centre.store.read(lambda c: list(c.scalars(sa.select(messages.c.number).order_by(messages.c.id))))


async def test_delivered_twice_counts_once(centre: Centre, clock: HandClock) -> None:
    number, message_id = await sent(centre)
    clock.move(5)
    await report(centre, DELIVERED)
    await report(centre, DELIVERED)
    message = await message_of(centre, number)
    assert (message.state, message.delivered_at) == ("delivered", LATER)
    assert (await history(centre, number)).count("delivered") == 1
    assert await centre.transact(lambda tx: clockwork.scheduled(tx, RECEIPT, str(message_id))) is None


@pytest.mark.parametrize(("said", "kept"), [(-3600, 0), (3600, 5)])
async def test_the_clock_of_the_provider_is_not_believed(
    centre: Centre, clock: HandClock, said: int, kept: int
) -> None:
    number, _ = await sent(centre)
    clock.move(5)
    await report(centre, DELIVERED, at=START + dt.timedelta(seconds=said))
    assert (await message_of(centre, number)).delivered_at == START + dt.timedelta(seconds=kept)


async def test_failed_brings_the_next_step_at_once_and_once(centre: Centre) -> None:
    number, _ = await sent(centre)
    await report(centre, FAILED)
    await report(centre, FAILED)
    assert await numbers(centre) == [DUTY, LEADER]
    assert (await history(centre, number)).count("undeliverable") == 1


async def test_on_its_way_is_no_news(centre: Centre) -> None:
    number, _ = await sent(centre)
    before = await history(centre, number)
    await report(centre, ReceiptStatus.SENT)
    assert (await message_of(centre, number)).state == "sent"
    assert await history(centre, number) == before


async def test_failed_after_delivered_changes_nothing_delivered_after_failed_does(centre: Centre) -> None:
    number, message_id = await sent(centre)
    await report(centre, DELIVERED)
    await report(centre, FAILED)
    assert (await message_of(centre, number)).state == "delivered"
    await centre.transact(
        lambda tx: tx.connection.execute(
            messages.update().where(messages.c.id == message_id).values(state="undeliverable")
        )
    )
    await report(centre, DELIVERED)
    assert (await message_of(centre, number)).state == "delivered"


async def test_a_report_that_is_faster_than_our_note(centre: Centre) -> None:
    number = await raised(centre)
    message_id = (await message_of(centre, number)).id
    with pytest.raises(RefusedError):
        await report(centre, DELIVERED)  # without the message's own number nobody can tell whose it is
    with pytest.raises(TransientError):
        await report(centre, FAILED, message_id=message_id)  # which attempt failed is not known yet
    await report(centre, DELIVERED, message_id=message_id)
    await centre.transact(lambda tx: outcome.sent(tx, message_id, queued(tx, message_id), ONE.name, "ref-1"))
    message = await message_of(centre, number)
    assert (message.state, message.provider_ref, message.attempts) == ("delivered", "ref-1", 1)
    for kind in (SEND, RECEIPT):
        assert await centre.transact(partial(clockwork.scheduled, kind=kind, subject=str(message_id))) is None


async def test_what_was_reported_before_it_is_noted_is_noted_as_reported(centre: Centre) -> None:
    number = await raised(centre)
    message_id = (await message_of(centre, number)).id
    first = await centre.transact(lambda tx: queued(tx, message_id))
    lost = outcome.Fault(ONE.name, "no answer within 10 s", final=False)
    await centre.transact(lambda tx: outcome.failed(tx, message_id, first, lost, WAYS))
    second = await centre.transact(lambda tx: queued(tx, message_id))
    await report(centre, DELIVERED, ref="ref-2", message_id=message_id)
    await centre.transact(lambda tx: outcome.sent(tx, message_id, second, ONE.name, "ref-2"))
    assert await states(centre, message_id) == ["delivered", "cancelled"]


async def test_of_two_centres_that_sent_it_what_both_reported_as_failed_brings_the_next_step(
    centre: Centre, clock: HandClock
) -> None:
    number = await raised(centre)
    message_id = (await message_of(centre, number)).id
    both = await centre.transact(lambda tx: queued(tx, message_id))
    await centre.transact(lambda tx: outcome.sent(tx, message_id, both, ONE.name, "ref-2"))
    awaited = await centre.transact(lambda tx: clockwork.scheduled(tx, RECEIPT, str(message_id)))
    await report(centre, FAILED, ref="ref-1", message_id=message_id)
    clock.move(20)
    await centre.transact(lambda tx: outcome.sent(tx, message_id, both, ONE.name, "ref-1"))  # it stood still
    assert await states(centre, message_id) == ["sent", "undeliverable"]
    assert await centre.transact(lambda tx: clockwork.scheduled(tx, RECEIPT, str(message_id))) == awaited
    await report(centre, FAILED, ref="ref-2")
    assert await numbers(centre) == [DUTY, LEADER]


async def test_of_two_attempts_any_may_arrive_and_only_the_last_may_fail(centre: Centre) -> None:
    number, message_id = await sent(centre)
    await report(centre, FAILED, ref="ref-0", message_id=message_id)
    assert (await message_of(centre, number)).state == "sent"
    await report(centre, DELIVERED, ref="ref-0", message_id=message_id)
    assert (await message_of(centre, number)).state == "delivered"


@pytest.mark.parametrize("message_id", [None, 4711])
async def test_about_nothing_it_is_refused(centre: Centre, message_id: int | None) -> None:
    with pytest.raises(RefusedError):
        await report(centre, DELIVERED, ref="none", message_id=message_id)


async def test_of_another_channel_it_is_refused(centre: Centre) -> None:
    _, message_id = await sent(centre)
    with pytest.raises(RefusedError):
        await report(centre, DELIVERED, message_id=message_id, provider=ObedientProvider("one", "voice"))


async def test_never_reported_brings_the_next_step(centre: Centre) -> None:
    number, message_id = await sent(centre)

    await centre.transact(lambda tx: clockwork.unschedule(tx, RECEIPT, str(message_id)))  # as the clockwork does
    await centre.transact(lambda tx: receipts.overdue(tx, message_id, WAYS))
    assert await numbers(centre) == [DUTY, LEADER]
    assert "no_receipt" in await history(centre, number)
