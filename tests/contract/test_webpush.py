"""What web push promises over real sockets, whatever the push service answers: as every other provider does."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from firmware_sim.clock import FixedClock
from firmware_sim.providers.webpush import PushService
from hub.central.notify.channels import http, push_endpoint
from hub.central.notify.channels.base import Accepted, Gone, Outgoing, Subscription, Told
from hub.central.notify.channels.webpush import Settings, WebPush, new_key
from hub.domain.clock import SystemClock
from hub.domain.errors import PermanentError, RefusedError, TransientError
from tests.fakes import tls
from tests.fakes.elks import FaultyProvider
from tests.fakes.push import CONTACT, provider, push_service, subscribed

TEXT = "47 Trygghetsalarm: r-12, på badet, 21:00. Svar OK 47."
DAY_S = 86_400


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with push_service() as service:
        yield service


@pytest.fixture
async def webpush(service: PushService) -> AsyncIterator[WebPush]:
    made = provider(service)
    yield made
    await made.close()


def outgoing(*subscriptions: Subscription, message_id: int = 7, incident_id: int | None = 47) -> Outgoing:
    return Outgoing(
        message_id=message_id,
        number="+4700000012",
        text=TEXT,
        key=f"message-{message_id}",
        receipt_url="",
        incident_id=incident_id,
        subscriptions=subscriptions,
    )


async def got(service: PushService) -> Any:
    async with asyncio.timeout(5):
        return await service.pushed.get()


async def test_a_browser_gets_the_text_and_the_push_service_does_not(
    service: PushService, webpush: WebPush
) -> None:
    assert await webpush.send(outgoing(subscribed(service, webpush))) == Accepted("message-7")
    pushed = await got(service)
    assert (pushed.ttl_s, pushed.urgency) == (300, "high")
    assert TEXT.encode() not in pushed.topic.encode()
    said = msgspec.json.decode(pushed.data)
    assert (said["text"], said["page"], sorted(said)) == (
        TEXT,
        "/incidents/47",
        ["page", "receipt", "tag", "text"],
    )


async def test_of_messages_that_wait_the_newest_of_an_incident_is_kept(
    service: PushService, webpush: WebPush
) -> None:
    to = subscribed(service, webpush)
    for message_id, incident_id in ((7, 47), (8, 47), (9, 48), (10, None), (11, None)):
        await webpush.send(outgoing(to, message_id=message_id, incident_id=incident_id))
    topics = [(await got(service)).topic for _ in range(5)]
    assert topics[0] == topics[1]
    assert len(set(topics)) == 4


async def test_every_browser_of_the_phone_gets_it(service: PushService, webpush: WebPush) -> None:
    browsers = [subscribed(service, webpush, number) for number in (1, 2, 3)]
    await webpush.send(outgoing(*browsers))
    pushed = [await got(service) for _ in browsers]
    assert {each.subscription for each in pushed} == {each.endpoint.rpartition("/")[2] for each in browsers}
    tokens = {msgspec.json.decode(each.data)["receipt"]["token"] for each in pushed}
    assert len(tokens) == 3


async def test_without_a_subscription_it_is_refused_at_once(webpush: WebPush) -> None:
    with pytest.raises(RefusedError, match="switched on nowhere"):
        await webpush.send(outgoing())


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("400", RefusedError, "400"),
        ("401", RefusedError, "is our clock right"),
        ("403", RefusedError, "switch push on anew"),
        ("404", RefusedError, "gone"),
        ("410", RefusedError, "gone"),
        ("413", RefusedError, "too long"),
        ("405", PermanentError, "405"),
        ("407", PermanentError, "407"),
        ("200", TransientError, "not theirs"),
        ("204", TransientError, "not theirs"),
        ("302", TransientError, "302"),
        ("408", TransientError, "408"),
        ("500", TransientError, "500"),
        ("502", TransientError, "502"),
        ("503", TransientError, "503"),
        ("busy", TransientError, "429, again in 7 s"),
        ("login", TransientError, "not theirs"),
    ],
)
async def test_whatever_it_answers_has_a_name(
    service: PushService, webpush: WebPush, fault: str, error: type[Exception], said: str
) -> None:
    to = subscribed(service, webpush)
    service.next = [fault]
    with pytest.raises(error, match=said) as caught:
        await webpush.send(outgoing(to))
    assert type(caught.value) is error
    assert await webpush.send(outgoing(to)) == Accepted("message-7")


@pytest.mark.parametrize("fault", ["hang", "late"])
async def test_it_does_not_wait_for_ever(
    service: PushService, webpush: WebPush, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(http, "TOTAL_S", 0.2)
    service.next = [fault]
    with pytest.raises(TransientError, match="no answer within"):
        await webpush.send(outgoing(subscribed(service, webpush)))


async def test_of_an_answer_that_never_ends_the_beginning_is_enough(
    service: PushService, webpush: WebPush
) -> None:
    service.next = ["flood"]
    to = subscribed(service, webpush)
    assert await webpush.send(outgoing(to)) == Accepted("message-7")
    assert await webpush.send(outgoing(to)) == Accepted("message-7")


async def test_nobody_there(service: PushService) -> None:
    async with push_service() as gone:
        webpush = provider(gone)
        to = subscribed(gone, webpush)
    with pytest.raises(TransientError, match="ConnectError"):
        await webpush.send(outgoing(to))
    await webpush.close()
    assert service.pushed.empty()


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        (["410", "503"], TransientError),
        (["413", "503"], TransientError),
        (["410", "413"], RefusedError),
    ],
)
async def test_it_is_tried_again_while_one_browser_may_take_it(
    service: PushService, webpush: WebPush, faults: list[str], error: type[Exception]
) -> None:
    browsers = [subscribed(service, webpush, number) for number in (1, 2)]
    service.next = faults
    with pytest.raises(error):
        await webpush.send(outgoing(*browsers))


async def test_one_browser_that_has_it_is_enough_and_one_that_is_gone_is_told(
    service: PushService, webpush: WebPush
) -> None:
    first, second = (subscribed(service, webpush, number) for number in (1, 2))
    service.end(second.endpoint)
    told: asyncio.Queue[Told] = asyncio.Queue()

    async def tell(all_told: tuple[Told, ...]) -> None:
        for each in all_told:
            told.put_nowait(each)
        raise TransientError("the store is busy")  # which must not end the listening

    listening = asyncio.create_task(webpush.listen(tell, SystemClock()))
    for _ in range(2):
        assert await webpush.send(outgoing(first, second)) == Accepted("message-7")
        async with asyncio.timeout(5):
            gone = await told.get()
        assert gone == Gone(subscription=second, reason="webpush: the subscription is gone (410)")
    assert not listening.done()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


@pytest.mark.parametrize(("ahead_s", "said"), [(-DAY_S, "403"), (DAY_S, "403"), (-DAY_S / 3, ""), (DAY_S / 3, "")])
async def test_a_clock_that_is_hours_wrong_does_not_matter(
    service: PushService, ahead_s: float, said: str
) -> None:
    settings = Settings(private_key=new_key(), contact=CONTACT, own_services=(service.url,))
    webpush = WebPush(settings, lambda: SystemClock().now().utc.timestamp() + ahead_s)
    to = subscribed(service, webpush)
    if said:
        with pytest.raises(RefusedError, match=said):
            await webpush.send(outgoing(to))
    else:
        assert await webpush.send(outgoing(to))
    await webpush.close()


async def test_a_subscription_is_for_the_key_that_it_was_made_with(service: PushService, webpush: WebPush) -> None:
    to = subscribed(service, webpush)
    another = provider(service)
    with pytest.raises(RefusedError, match="another key"):
        await another.send(outgoing(to))
    await another.close()


async def test_neither_number_text_nor_endpoint_gets_into_logs_and_errors(
    service: PushService, webpush: WebPush, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    to = subscribed(service, webpush)
    told = []
    for fault in ("400", "410", "503", "busy", "login"):
        service.next = [fault]
        with pytest.raises((TransientError, PermanentError)) as caught:
            await webpush.send(outgoing(to))
        told.append(str(caught.value))
    told += [record.getMessage() for record in caplog.records if record.name.startswith("hub")]
    secret = to.endpoint.rpartition("/")[2]
    assert not [said for said in told if secret in said or "00000012" in said or "Trygghetsalarm" in said]


async def test_a_redirect_leads_nowhere(service: PushService, webpush: WebPush) -> None:
    to = subscribed(service, webpush)
    service.next = ["307"]
    with pytest.raises(TransientError, match="307"):
        await webpush.send(outgoing(to))
    assert service.pushed.empty()


@pytest.mark.parametrize(("name", "error"), [("push.example", None), ("other.example", TransientError)])
async def test_the_certificate_is_that_of_the_name_at_the_address_that_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception] | None
) -> None:
    certificate = tls.certificate(tmp_path / "push.pem", name)
    trusted = ssl.create_default_context(cafile=certificate)
    monkeypatch.setattr(http, "_trusted", lambda: trusted)
    async with FaultyProvider(tls.server_tls(certificate)) as far:
        far.answer = (201, "")
        webpush = WebPush(Settings(private_key=new_key(), contact=CONTACT))
        to = subscribed(PushService(FixedClock()), webpush)
        to = msgspec.structs.replace(to, endpoint=f"https://push.example:{far.port}/push/one")
        monkeypatch.setattr(push_endpoint, "_HTTPS", far.port)
        monkeypatch.setattr(push_endpoint, "_public_address", mock.AsyncMock(return_value="127.0.0.1"))
        if error:
            with pytest.raises(error, match="ConnectError"):
                await webpush.send(outgoing(to))
            assert far.bodies == []
        else:
            assert await webpush.send(outgoing(to)) == Accepted("message-7")
            line, headers, _ = far.requests[0]
            assert (line, headers["host"]) == ("POST /push/one HTTP/1.1", f"push.example:{far.port}")
        await webpush.close()


async def test_messages_leave_side_by_side(service: PushService, webpush: WebPush) -> None:
    to = subscribed(service, webpush)
    await asyncio.gather(*(webpush.send(outgoing(to, message_id=number)) for number in range(30)))
    assert service.pushed.qsize() == 30
