"""Which browser belongs to which phone, on both databases; and pushes through the whole pipeline."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from firmware_sim.providers.webpush import PushService
from hub.central.api import hooks
from hub.central.listening import listen_to
from hub.central.notify.channels.base import Gone, Hook, Subscription
from hub.central.notify.channels.webpush import WebPush
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.push import subscriptions
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.central.store.tables import attempts, audit, incident_events, messages, push_subscriptions
from hub.central.texts import gsm, render
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError
from tests.fakes.centre import DeskCentre
from tests.fakes.push import PUSHED, code_of, provider, push_service, subscribed
from tests.fakes.site import DUTY, SITE
from tests.fakes.ward import ObedientProvider

PHONE, BY = "nord-1-duty", "user:kari-test"
RECEIVER = Subscription(id=0, endpoint="https://push.example/one", p256dh="key", auth="secret")


def browser(name: str) -> Subscription:
    return msgspec.structs.replace(RECEIVER, endpoint=f"https://push.example/{name}")


def digest(name: str) -> str:
    return hashlib.sha256(browser(name).endpoint.encode()).hexdigest()


async def ask(desk: DeskCentre, name: str = "one", phone: str = PHONE) -> int:
    return await desk.centre.transact(lambda tx: subscriptions.ask(tx, phone, browser(name), BY))


async def confirm(desk: DeskCentre, number: int, code: str) -> bool:
    return await desk.centre.transact(lambda tx: subscriptions.confirm(tx, number, code, BY))


async def switched_on(desk: DeskCentre, name: str = "one", phone: str = PHONE) -> int:
    number = await ask(desk, name, phone)
    assert await confirm(desk, number, await code_of(desk))
    return number


async def standing(desk: DeskCentre, phone: str = PHONE, number: str = DUTY) -> list[int]:
    return [each.id for each in await desk.store.read(lambda c: subscriptions.of(c, phone, number))]


async def trail(desk: DeskCentre) -> list[tuple[str, str, str]]:
    rows = await desk.rows(audit, audit.c.action.like("push.%"))
    return [(row.actor, row.action, row.subject) for row in sorted(rows, key=lambda row: row.id)]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


# ---- Which browser is which phone's --------------------------------------------------------------------------


async def test_only_whoever_has_the_phone_can_switch_push_on_for_it(desk: DeskCentre) -> None:
    number = await ask(desk)
    code = await code_of(desk)
    assert await standing(desk) == []
    assert not await confirm(desk, number, wrong(code))
    assert not await confirm(desk, number, "")
    assert not await confirm(desk, number + 1, code)
    assert await standing(desk) == []
    assert await confirm(desk, number, f" {code} ")
    assert await standing(desk) == [number]
    assert await confirm(desk, number, code)  # a second tap
    texts = await desk.rows(messages)
    assert [(row.phone, row.number, row.channel) for row in texts] == [
        (PHONE, DUTY, "sms"),
        (PHONE, DUTY, "push"),  # to all browsers of the phone, so that whoever carries it sees one more
    ]
    assert await trail(desk) == [
        (BY, "push.asked", f"phone:{PHONE}"),
        (BY, "push.wrong_code", f"phone:{PHONE}"),
        (BY, "push.wrong_code", f"phone:{PHONE}"),
        (BY, "push.on", f"phone:{PHONE}"),
    ]
    (row,) = await desk.rows(push_subscriptions)
    assert code not in str(row)


async def test_five_wrong_codes_end_it(desk: DeskCentre) -> None:
    number = await ask(desk)
    code = await code_of(desk)
    for _ in range(5):
        assert not await confirm(desk, number, wrong(code))
    assert not await confirm(desk, number, code)
    assert await desk.rows(push_subscriptions) == []


async def test_a_code_does_not_last(desk: DeskCentre) -> None:
    number = await ask(desk)
    code = await code_of(desk)
    desk.clock.go_on(599)
    assert len(await desk.store.read(lambda c: subscriptions.listed(c, desk.clock.at))) == 1
    desk.clock.go_on(1)
    assert await desk.store.read(lambda c: subscriptions.listed(c, desk.clock.at)) == []
    assert not await confirm(desk, number, code)
    await ask(desk, "two")
    assert [row.endpoint for row in await desk.rows(push_subscriptions)] == [browser("two").endpoint]


async def test_a_code_is_for_its_own_browser(desk: DeskCentre) -> None:
    first = await ask(desk)
    code = await code_of(desk)
    second = await ask(desk, "two")
    assert code == await code_of(desk) or not await confirm(desk, second, code)
    assert await confirm(desk, first, code)
    assert await standing(desk) == [first]


@pytest.mark.parametrize("phone", ["nobody", ""])
async def test_a_phone_that_takes_no_push_is_refused(desk: DeskCentre, phone: str) -> None:
    with pytest.raises(RefusedError, match="no phone"):
        await ask(desk, phone=phone)
    assert await desk.rows(push_subscriptions) == []


async def test_a_landline_takes_none(desk: DeskCentre) -> None:
    landline = SITE.replace('id = "nord-1-duty"\n', 'id = "nord-1-duty"\nkind = "landline"\n', 1)
    desk.centre.site = Directory(load(landline), version=2)
    with pytest.raises(RefusedError, match="takes push"):
        await ask(desk)


async def test_a_phone_has_few_browsers(desk: DeskCentre) -> None:
    for count in range(subscriptions.MOST):
        await switched_on(desk, f"{count}")
    with pytest.raises(RefusedError, match="switch one of them off"):
        await ask(desk, "more")
    await ask(desk, "more", "nord-2-duty")
    assert len(await standing(desk)) == subscriptions.MOST


async def test_the_same_browser_asks_anew_and_goes_over_to_another_phone(desk: DeskCentre) -> None:
    await switched_on(desk)
    second = await ask(desk, phone="nord-2-duty")
    assert await standing(desk) == []
    assert await confirm(desk, second, await code_of(desk))
    assert await standing(desk, "nord-2-duty", "+4700000022") == [second]
    assert (BY, "push.off", f"phone:{PHONE}") in await trail(desk)


async def test_with_another_number_the_phone_must_prove_itself_anew(desk: DeskCentre) -> None:
    waiting = await switched_on(desk)
    pending = await ask(desk, "two")
    code = await code_of(desk)
    desk.centre.site = Directory(load(SITE.replace(DUTY, "+4700000019")), version=2)
    assert await standing(desk, number="+4700000019") == []
    assert not await confirm(desk, pending, code)
    assert await standing(desk) == [waiting]  # what was queued for the former number still finds it


async def test_it_is_switched_off_once(desk: DeskCentre) -> None:
    number = await switched_on(desk)
    for _ in range(2):
        await desk.centre.transact(lambda tx: subscriptions.off(tx, number, digest("one"), BY))
    assert await standing(desk) == []
    assert [action for _, action, _ in await trail(desk)].count("push.off") == 1


async def test_who_switches_one_off_that_is_gone_switches_no_other_one_off(desk: DeskCentre) -> None:
    former = await switched_on(desk, "one")
    await desk.centre.transact(lambda tx: subscriptions.off(tx, former, digest("one"), BY))
    number = await switched_on(desk, "two")
    await desk.centre.transact(lambda tx: subscriptions.off(tx, former, digest("one"), BY))
    await desk.centre.transact(lambda tx: subscriptions.off(tx, number, digest("one"), BY))
    assert await standing(desk) == [number]


@pytest.mark.parametrize("language", ["nb", "nn", "en"])
def test_its_texts_fit(language: str) -> None:
    for text in (render(language, "push.code", code="012345"), render(language, "push.gone")):
        assert gsm.fits(text), text


# ---- Through the pipeline ------------------------------------------------------------------------------------


class Bench:
    """A centre whose first step pushes, with a simulated push service and a provider of texts."""

    def __init__(self, url: str, service: PushService) -> None:
        self.desk = DeskCentre(url, document=PUSHED)
        self.service = service
        self.webpush: WebPush = provider(service)
        self.texts = ObedientProvider("texts")
        self.ways = Ways([self.texts, self.webpush])
        self.sender = Sender(self.desk.centre, self.ways, lambda name: f"https://centre.example/hooks/{name}/s")

    async def switch_on(self) -> Subscription:
        given = subscribed(self.service, self.webpush)
        number = await self.desk.centre.transact(lambda tx: subscriptions.ask(tx, PHONE, given, BY))
        await confirm(self.desk, number, await code_of(self.desk))
        await self.idle()
        if (await self.got())["receipt"]["subscription"] != str(number):
            raise AssertionError("the first push is to the new browser")
        return msgspec.structs.replace(given, id=number)

    async def alarm(self) -> None:
        await self.desk.keep(self.desk.event("pendant-1", Kind.ALARM_PRESSED))
        await self.idle()

    async def idle(self) -> None:
        while self.sender._tasks:
            await asyncio.wait(list(self.sender._tasks.values()))

    async def got(self) -> Any:
        async with asyncio.timeout(5):
            return msgspec.json.decode((await self.service.pushed.get()).data)

    async def state(self, channel: str = "push") -> list[tuple[str, str]]:
        about = (messages.c.incident_id.is_not(None), messages.c.channel == channel)
        rows = await self.desk.rows(messages, *about)
        return [(row.phone, row.state) for row in sorted(rows, key=lambda row: row.id)]

    async def told(self, what: str, receipt: dict[str, str]) -> None:
        hook = Hook(what=what, url="", query={}, form=receipt, body=b"", headers={}, now=self.desk.clock.at)
        told = self.webpush.hook(hook)
        await self.desk.centre.transact(lambda tx: hooks.take(tx, self.webpush, told, self.ways))


@pytest.fixture
async def bench(store_url: str) -> AsyncIterator[Bench]:
    async with push_service() as service:
        bench = Bench(store_url, service)
        yield bench
        await bench.sender.close()
        await bench.ways.close()
        bench.desk.store.close()


@contextlib.asynccontextmanager
async def listening(bench: Bench) -> AsyncIterator[None]:
    loops = listen_to(bench.desk.centre, bench.ways)
    assert list(loops) == ["provider webpush"]
    task = asyncio.ensure_future(loops["provider webpush"]())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_accepted_is_not_delivered_until_the_service_worker_says_so(bench: Bench) -> None:
    await bench.switch_on()
    await bench.alarm()
    said = await bench.got()
    assert "Trygghetsalarm: r-1017, stue" in said["text"]
    assert said["page"] == "/incidents/1"
    assert await bench.state() == [(PHONE, "sent")]
    await bench.told("received", said["receipt"])
    assert await bench.state() == [(PHONE, "delivered")]
    await bench.told("received", said["receipt"])
    await bench.told("read", said["receipt"])
    assert await bench.state() == [(PHONE, "read")]
    await bench.told("received", said["receipt"])  # late, and it takes nothing back
    assert await bench.state() == [(PHONE, "read")]
    assert await bench.state("sms") == []


async def test_a_receipt_before_the_note_counts(bench: Bench) -> None:
    await bench.switch_on()
    bench.service.next = ["late"]
    await bench.desk.keep(bench.desk.event("pendant-1", Kind.ALARM_PRESSED))
    said = await bench.got()
    await bench.told("received", said["receipt"])
    assert await bench.state() == [(PHONE, "delivered")]
    bench.service.close()
    await bench.idle()
    assert await bench.state() == [(PHONE, "delivered")]


async def test_without_a_receipt_the_next_step_comes(bench: Bench) -> None:
    await bench.switch_on()
    bench.service.next = ["lost"]
    await bench.alarm()
    assert await bench.state("sms") == []
    await bench.desk.pass_time(20)
    await bench.idle()
    assert await bench.state("sms") == [(PHONE, "sent")]


async def test_without_a_subscription_the_next_step_comes_at_once(bench: Bench) -> None:
    await bench.alarm()
    await bench.idle()
    assert await bench.state() == [(PHONE, "undeliverable")]
    assert await bench.state("sms") == [(PHONE, "sent")]
    rows = await bench.desk.rows(incident_events, incident_events.c.event == "not_reached")
    assert "switched on nowhere" in rows[0].detail


async def test_a_subscription_that_is_gone_is_dropped_and_the_phone_told(bench: Bench) -> None:
    async with listening(bench):
        given = await bench.switch_on()
        bench.service.end(given.endpoint)
        await bench.alarm()
        assert await bench.state() == [(PHONE, "undeliverable")]
        async with asyncio.timeout(5):
            while not any("virker ikke lenger" in sent.text for sent in bench.texts.sent):
                await bench.texts.until_sent(len(bench.texts.sent) + 1)
    assert await standing(bench.desk) == []
    assert await bench.state("sms") == [(PHONE, "sent")]
    rows = await bench.desk.rows(audit, audit.c.action == "push.gone")
    assert [(row.actor, row.subject) for row in rows] == [("push", f"phone:{PHONE}")]
    assert "410" in rows[0].detail


async def test_one_that_is_gone_twice_is_dropped_once(bench: Bench) -> None:
    given = await bench.switch_on()
    gone = Gone(subscription=given, reason="gone")
    for _ in range(2):
        await bench.desk.centre.transact(lambda tx: hooks.take(tx, bench.webpush, (gone,), bench.ways))
    rows = await bench.desk.rows(messages, messages.c.text == render("nb", "push.gone"))
    assert len(rows) == 1


async def test_what_is_gone_takes_no_other_one_along(bench: Bench) -> None:
    given = await bench.switch_on()
    former = msgspec.structs.replace(given, endpoint=f"{bench.service.url}/push/former")
    gone = Gone(subscription=former, reason="gone")
    await bench.desk.centre.transact(lambda tx: hooks.take(tx, bench.webpush, (gone,), bench.ways))
    assert await standing(bench.desk) == [given.id]


async def test_one_that_was_switched_off_meanwhile_gets_nothing(bench: Bench) -> None:
    given = await bench.switch_on()
    endpoint_hash = hashlib.sha256(given.endpoint.encode()).hexdigest()
    await bench.desk.centre.transact(lambda tx: subscriptions.off(tx, given.id, endpoint_hash, BY))
    await bench.alarm()
    assert await bench.state() == [(PHONE, "undeliverable")]
    assert bench.service.pushed.empty()


async def test_while_the_push_service_is_down_it_is_tried_again_and_the_plan_goes_on(bench: Bench) -> None:
    await bench.switch_on()
    bench.service.next = ["503"]
    await bench.alarm()
    (message,) = await bench.desk.rows(messages, messages.c.incident_id == 1)
    assert message.state == "queued"
    made = await bench.desk.rows(attempts, attempts.c.message_id == message.id)
    assert [row.state for row in made] == ["undeliverable", "queued"]
    await bench.desk.pass_time(20)
    await bench.idle()
    assert await bench.state("sms") == [(PHONE, "sent")]
    await bench.sender.send(message.id)
    assert (await bench.got())["tag"] == "/incidents/1"
