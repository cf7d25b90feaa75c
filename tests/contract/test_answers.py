"""Whoever texts is answered, whichever provider brought the text: in its call, or by a message of its own."""

import json
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest

from hub.central import clockwork
from hub.central.api.hooks import take
from hub.central.centre import Tx
from hub.central.incidents.lifecycle import State
from hub.central.notify import outbox, outcome, replies
from hub.central.notify.channels import modem
from hub.central.notify.channels.base import Capability, Hook, Inbound, Provider
from hub.central.notify.outbox import SEND
from hub.central.notify.outcome import FLEETING_ATTEMPTS
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.store.tables import attempts, due, incidents, messages
from hub.central.store.tables import replies as kept
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.contract.test_providers import MODULES, opened
from tests.fakes.centre import DeskCentre
from tests.fakes.elks import FaultyProvider
from tests.fakes.providers import BENCHES
from tests.fakes.ward import DUTY, STRANGER, ObedientProvider

TWO_WAY = [name for name, bench in BENCHES.items() if bench.inbound is not None]


class Way:
    """A provider that brought a text, and what the phone gets back by it."""

    def __init__(self, desk: DeskCentre, provider: Provider, far: FaultyProvider | ObedientProvider) -> None:
        self.desk, self.provider, self.far = desk, provider, far
        self.ways = Ways([provider if isinstance(far, FaultyProvider) else far])
        self.responses: list[str] = []

    def sender(self) -> Sender:
        return Sender(self.desk.centre, self.ways, lambda _name: "https://centre.example")

    async def text(self, inbound: Inbound, hook: Hook | None) -> None:
        """What the centre does with a provider's call."""
        said = await self.desk.centre.transact(lambda tx: take(tx, self.provider, (inbound,), self.ways))
        if hook is not None:
            body = self.provider.reply(hook, (inbound,), said).body.decode()
            self.responses += [body] if body and "<Response/>" not in body else []
        else:
            assert said == ""

    def messages(self) -> list[str]:
        """What left as a message."""
        if isinstance(self.far, ObedientProvider):
            return [outgoing.text for outgoing in self.far.sent]
        return [json.loads(body)["userData"] for body in self.far.bodies]


@pytest.fixture
async def desk(store_url: str) -> AsyncIterator[DeskCentre]:
    centre = DeskCentre(store_url)
    await centre.keep(centre.event("pendant-1", Kind.ALARM_PRESSED))
    centre.carried.clear()
    yield centre
    centre.store.close()


@pytest.fixture(params=[*TWO_WAY, "modem"])
async def way(request: pytest.FixtureRequest, desk: DeskCentre) -> AsyncIterator[Way]:
    if request.param == "modem":  # the wire of one is in tests/integration/test_modem_chain.py
        yield Way(desk, modem.make(modem.Settings(port="nowhere"), ""), ObedientProvider("modem"))
        return
    async with FaultyProvider() as far:
        far.answer = BENCHES[request.param].good
        provider = opened(request.param, far.url)
        yield Way(desk, provider, far)
        await provider.close()


def call(way: Way) -> tuple[Inbound, Hook | None]:
    """The text ``OK 1`` as it comes in over this way."""
    if way.provider.name == modem.NAME:
        at = way.desk.clock.now().utc
        told = Inbound(provider=modem.NAME, provider_ref="m1", sender=DUTY, recipient="", text="OK 1", at=at)
        return told, None
    (bench,) = [BENCHES[name].inbound for name, module in MODULES.items() if way.provider.name == module.NAME]
    assert bench is not None
    hook = bench._replace(
        form={key: value.replace("OK 47", "OK 1") for key, value in bench.form.items()},
        query={key: value.replace("OK 47", "OK 1") for key, value in bench.query.items()},
        body=bench.body.replace(b"OK 47", b"OK 1"),
    ).hook(way.provider.name)
    (inbound,) = way.provider.hook(hook)
    assert isinstance(inbound, Inbound)
    return inbound, hook


async def answer_of(desk: DeskCentre) -> str:
    (row,) = await desk.rows(kept)
    return str(row.answer)


async def test_the_answer_reaches_the_phone_once_by_one_way(way: Way) -> None:
    sender = way.sender()
    await way.text(*call(way))
    await sender.close()
    answer = await answer_of(way.desk)
    assert answer.startswith("1 er din")
    assert [unescape(body) for body in way.responses] == [
        body for body in way.responses if answer in unescape(body)
    ]
    assert len(way.responses) + way.messages().count(answer) == 1
    assert bool(way.responses) is (Capability.ANSWERS in way.provider.capabilities)
    assert (await way.desk.rows(incidents))[0].state == State.ACKNOWLEDGED


async def test_the_same_text_again_is_one_message(way: Way) -> None:
    sender = way.sender()
    for _ in range(3):
        await way.text(*call(way))
    await sender.close()
    answer = await answer_of(way.desk)
    # A response may have been lost, so it is given again; a message is kept until it has left.
    assert (len(way.responses), way.messages().count(answer)) in {(3, 0), (0, 1)}


async def test_killed_after_the_commit_the_answer_still_leaves(way: Way) -> None:
    """No sender follows the commit; what answers in its call is called again by its provider."""
    if Capability.ANSWERS in way.provider.capabilities:
        await way.text(*call(way))
    await way.text(*call(way))
    way.desk.clock.go_on(clockwork.LEASE.total_seconds() + 1)
    way.desk.centre.owner = "heir"
    await way.desk.clockwork._round()
    answers = {row.id for row in await way.desk.rows(messages, messages.c.role == "answer")}
    heir = way.sender()
    for message_id in answers & set(way.desk.carried):
        await heir.send(message_id)
    await heir.close()
    assert bool(way.responses) or way.messages() == [await answer_of(way.desk)]


async def test_killed_before_the_commit_neither_is_kept(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    real = replies.receive

    def torn(*args: Any, **named: Any) -> str:
        real(*args, **named)
        raise TransientError("the power goes")

    monkeypatch.setattr(replies, "receive", torn)
    with pytest.raises(TransientError):
        await way.text(*call(way))
    assert (await way.desk.rows(kept), await way.desk.rows(messages, messages.c.role == "answer")) == ([], [])
    assert (await way.desk.rows(incidents))[0].state == State.ALERTING


async def test_who_was_only_answered_stays_a_stranger(desk: DeskCentre) -> None:
    """An answer bears a number: it must not make a phone of ours of whoever texted."""
    said = []
    for count in range(5):
        at = desk.clock.now().utc
        inbound = Inbound(
            provider="link", provider_ref=str(count), sender=STRANGER, recipient="", text="OK 1", at=at
        )
        await desk.centre.transact(lambda tx, inbound=inbound: replies.receive(tx, inbound, apart=True))  # type: ignore[misc] # a default argument
        said.append(len(await desk.rows(messages, messages.c.number == STRANGER)))
    assert said == [1, 2, 3, 3, 3]
    assert {row.phone for row in await desk.rows(messages, messages.c.number == STRANGER)} == {"unknown"}
    assert (await desk.rows(incidents))[0].state == State.ALERTING


async def test_an_answer_that_nobody_takes_ends(desk: DeskCentre) -> None:
    down = ObedientProvider()
    down.errors = [TransientError("down") for _ in range(99)]
    sender = Sender(desk.centre, Ways([down]), lambda _name: "")
    number = await desk.centre.transact(lambda tx: outbox.answer(tx, "nord-1-duty", DUTY, "1 er din."))
    await sender.close()
    while await desk.rows(due, due.c.kind == SEND, due.c.subject == str(number)):
        desk.clock.go_on(31)
        await sender.send(number)
    assert len(await desk.rows(attempts, attempts.c.message_id == number)) == FLEETING_ATTEMPTS
    (row,) = await desk.rows(messages, messages.c.id == number)
    assert row.state == "undeliverable"


async def test_an_answer_without_a_receipt_moves_no_incident(desk: DeskCentre) -> None:
    def unreceipted(tx: Tx) -> int:
        number = outbox.answer(tx, "nord-1-duty", DUTY, "1 er din.")
        outcome.sent(tx, number, None, "one", "ref-1")
        outcome.no_receipt(tx, number, Ways([]))
        return number

    before = await desk.next_action(1)
    number = await desk.centre.transact(unreceipted)
    assert (await desk.rows(messages, messages.c.id == number))[0].state == "sent"
    assert (await desk.next_action(1)).at == before.at
