"""Several providers on one channel: the next at once, none twice, all again without end, and each a row."""

import datetime as dt
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from hub.central import clockwork
from hub.central.bulletin import News
from hub.central.centre import Centre
from hub.central.incidents import desk, view
from hub.central.incidents.lifecycle import Event
from hub.central.notify import receipts
from hub.central.notify.breaker import OPENS_AFTER
from hub.central.notify.channels.base import Inbound, Keyed, ReceiptStatus, Report
from hub.central.notify.keys import pressed
from hub.central.notify.outbox import RECEIPT, SEND
from hub.central.notify.pipeline import Sender
from hub.central.notify.replies import receive
from hub.central.notify.ways import Ways
from hub.central.store.tables import attempts, incidents, messages
from hub.domain.errors import PermanentError, RefusedError, TransientError
from tests.fakes.ward import DUTY, LEADER, START, HandClock, ObedientProvider, message_of, raised

DOWN = TransientError("down")


class Town:
    """A centre with two providers of texts."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.one, self.two = ObedientProvider("one"), ObedientProvider("two")
        self.ways = Ways([self.one, self.two])
        self.sender = Sender(centre, self.ways, lambda provider: f"http://127.0.0.1/hooks/{provider}/secret")

    async def rows(self, message_id: int | None = None) -> list[tuple[str | None, str]]:
        query = sa.select(attempts.c.provider, attempts.c.state).order_by(attempts.c.id)
        if message_id is not None:
            query = query.where(attempts.c.message_id == message_id)
        return [(row.provider, row.state) for row in await self._all(query)]

    async def states(self) -> list[tuple[str, str]]:
        query = sa.select(messages.c.phone, messages.c.state).order_by(messages.c.id)
        return [(row.phone, row.state) for row in await self._all(query)]

    async def _all(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        return list(await self.centre.store.read(lambda c: c.execute(query).all()))

    async def due(self, kind: str, message_id: int) -> dt.datetime | None:
        return await self.centre.transact(lambda tx: clockwork.scheduled(tx, kind, str(message_id)))

    async def report(self, provider: ObedientProvider, ref: str, status: ReceiptStatus, message_id: int) -> None:
        told = Report(provider_ref=ref, status=status, at=START, message_id=message_id)
        await self.centre.transact(lambda tx: receipts.reported(tx, provider, told, self.ways))

    async def silent(self, message_id: int) -> None:
        """No receipt came in time."""
        await self.centre.transact(lambda tx: clockwork.unschedule(tx, RECEIPT, str(message_id)))
        await self.centre.transact(lambda tx: receipts.overdue(tx, message_id, self.ways))

    async def key(self, digits: str, message_id: int, ref: str = "ref-1") -> str:
        keyed = Keyed(provider_ref=ref, message_id=message_id, digits=digits)
        return await self.centre.transact(lambda tx: pressed(tx, self.one, keyed))

    async def text(self, words: str, sender: str = DUTY) -> str:
        inbound = Inbound(
            provider="one",
            provider_ref=words,
            sender=sender,
            recipient="",
            text=words,
            at=self.centre.clock.now().utc,
        )
        return await self.centre.transact(lambda tx: receive(tx, inbound))

    async def incident(self, number: int) -> tuple[str, str | None]:
        row = (await self._all(sa.select(incidents).where(incidents.c.id == number)))[0]
        return row.state, row.taken_by


@pytest.fixture
def town(centre: Centre) -> Town:
    return Town(centre)


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
    town.one.errors, town.two.errors = [DOWN] * 3, [DOWN] * 3
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    waits = []
    while (at := await town.due(SEND, message_id)) is not None:
        waits.append((at - clock.utc).total_seconds())
        clock.utc = at
        await town.sender.send(message_id)
    assert waits == [2, 4, 8]
    rows = await town.rows()
    assert sorted(rows) == [("one", "sent")] + [("one", "undeliverable")] * 3 + [("two", "undeliverable")] * 3


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
    assert await town.rows(message_id) == [("one", "undeliverable")]
    assert await town.states() == [("p-duty", "undeliverable"), ("p-leader", "sent")]


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


async def test_who_answers_has_been_reached(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    await town.text(f"OK {number}")
    assert await town.rows() == [("one", "accepted")]
    for kind in (SEND, RECEIPT):
        assert await town.centre.transact(partial(clockwork.scheduled, kind=kind, subject=str(message_id))) is None
    await town.report(town.one, "ref-1", ReceiptStatus.DELIVERED, message_id)
    assert await town.states() == [("p-duty", "accepted")]


async def test_who_says_no_makes_room_for_the_next_at_once(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    assert await town.text(f"nei {number}") == f"Notert. {number} går videre til neste."
    await town.sender.close()
    assert await town.states() == [("p-duty", "rejected"), ("p-leader", "sent")]
    assert [outgoing.number for outgoing in town.one.sent] == [DUTY, LEADER]
    assert (await town.incident(number))[0] == "alerting"


async def test_keys(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    assert await town.key("", message_id) == ""
    assert await town.key("7", message_id) == "Det valget finnes ikke."
    assert await town.incident(number) == ("alerting", None)
    assert await town.key("1", message_id) == f"Alarm {number} er din."
    assert await town.key("1", message_id) == f"Alarm {number} er allerede din."
    assert await town.key("9", message_id) == f"Alarm {number} er allerede din."
    assert "på vei" in await town.key("2", message_id)
    assert await town.incident(number) == ("on_the_way", "call:p-duty")
    assert await town.rows() == [("one", "accepted")]
    # A text from the phone that pressed the key is from the one who has it.
    assert f"{number} er allerede din" in await town.text(f"OK {number}")


async def test_nine_is_the_next_person_and_only_once(town: Town) -> None:
    number = await raised(town.centre)
    await town.sender.close()
    message_id = (await message_of(town.centre, number)).id
    for _ in range(2):
        assert await town.key("9", message_id) == f"Notert. Alarm {number} går videre til neste."
        await town.sender.close()
    assert await town.states() == [("p-duty", "rejected"), ("p-leader", "sent")]


@pytest.mark.parametrize(("message_id", "ref"), [(99, "ref-1"), (2, "ref-1")])
async def test_a_key_in_no_call_of_ours_is_refused(town: Town, message_id: int, ref: str) -> None:
    for person in ("r-1", "r-2"):
        await raised(town.centre, person)
        await town.sender.close()
    with pytest.raises(RefusedError):
        await town.key("1", message_id, ref)


async def test_whoever_watches_is_told_of_a_provider(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[News] = []
    monkeypatch.setattr(town.centre.bulletin, "announce", told.append)
    town.one.errors = [DOWN] * OPENS_AFTER
    for person in range(OPENS_AFTER):
        await raised(town.centre, f"r-{person}")
        await town.sender.close()
    assert News("provider", "one") in told
