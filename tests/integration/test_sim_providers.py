"""Each provider of the centre against its simulator, over real sockets: to the phone and back, well and badly."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from firmware_sim.clock import SystemClock
from firmware_sim.phone.app import Service
from firmware_sim.phone.model import Phone
from firmware_sim.phone.network import Network
from hub.central.notify.channels import elks, elks_voice, http, link, sveve, twilio, twilio_voice
from hub.central.notify.channels.base import (
    Accepted,
    Hook,
    Inbound,
    Keyed,
    Outgoing,
    Provider,
    ReceiptStatus,
    Report,
    Told,
)
from hub.domain.errors import HubError, PermanentError, RefusedError, TransientError
from tests.fakes.providers import NOW
from tests.fakes.serving import serving

NORD, SOR, NOBODY, OURS = "+4700000012", "+4700000013", "+4700000099", "+4700000001"
USER, PASSWORD = "user", "a-token-of-the-tests"
TEXT = "47 Trygghetsalarm: r-12, på badet & <stua>. Svar OK 47."
TEXTS, CALLS = ("46elks", "sveve", "twilio", "link"), ("46elks-voice", "twilio-voice")


class Centre:
    """The centre's hooks, no more of it than calls the provider and keeps what it read."""

    def __init__(self) -> None:
        self.providers: dict[str, Provider] = {}
        self.told: asyncio.Queue[Told] = asyncio.Queue()
        self.refused: asyncio.Queue[HubError] = asyncio.Queue()
        self.answer = ""
        self.url = ""
        self.app = Starlette(routes=[Route("/hooks/{name}/secret/{what}", self._hook, methods=["GET", "POST"])])

    async def _hook(self, request: Request) -> Response:
        provider, what = self.providers[request.path_params["name"]], request.path_params["what"]
        body = await request.body()
        hook = Hook(
            what=what,
            url=str(request.url),
            query=dict(request.query_params),
            form={key: str(value) for key, value in (await request.form()).items()},
            body=body,
            headers=dict(request.headers),
            now=NOW,
        )
        try:
            told = provider.hook(hook)
        except HubError as error:
            self.refused.put_nowait(error)
            return Response(status_code=403)
        for each in told:
            self.told.put_nowait(each)
        reply = provider.reply(hook, told, "" if isinstance(told[0], Report) else self.answer)
        return Response(reply.body, reply.status, media_type=reply.content_type)


class Bench:
    """Phones, simulated providers, and the centre's own providers before them."""

    def __init__(self, centre: Centre, url: str, control: httpx.AsyncClient) -> None:
        self.centre = centre
        self.control = control
        for name, provider in _providers(url, centre.url).items():
            centre.providers[name] = provider

    async def send(self, name: str, number: str = NORD, message_id: int = 7) -> Accepted:
        outgoing = Outgoing(
            message_id=message_id,
            number=number,
            text=TEXT,
            key=f"message-{message_id}",
            receipt_url=f"{self.centre.url}/hooks/{name}/secret/delivery?message={message_id}",
        )
        return await self.centre.providers[name].send(outgoing)

    async def phone(self, **behaviour: object) -> None:
        (await self.control.post(f"/phones/{NORD}/behaviour", json=behaviour)).raise_for_status()

    async def manners(self, name: str, **manners: object) -> None:
        path = f"/providers/{name.removesuffix('-voice')}/behaviour"
        (await self.control.post(path, json=manners)).raise_for_status()

    async def told(self) -> Any:
        async with asyncio.timeout(5):
            return await self.centre.told.get()

    async def report(self) -> tuple[int | None, ReceiptStatus, str]:
        """Return the next report that decides: that a message is on its way decides nothing."""
        while True:
            told = await self.told()
            assert isinstance(told, Report)
            if told.status is not ReceiptStatus.SENT:
                return told.message_id, told.status, told.reason

    async def messages(self) -> list[dict[str, Any]]:
        return list((await self.control.get("/messages")).json())


def _providers(url: str, centre_url: str) -> dict[str, Provider]:
    basic: dict[str, Any] = {"base_url": url, "username": USER, "password": PASSWORD}
    sid: dict[str, Any] = {"base_url": url, "account_sid": USER, "auth_token": PASSWORD, "sender": OURS}
    platform = {"platform_id": "COMMON_API", "platform_partner_id": "17", "gate_id": "g"}
    hooks = f"{centre_url}/hooks/{{}}/secret"
    speech = "https://speech.example/nb?say={text}"
    made: list[Provider] = [
        elks.make(elks.Settings(sender=OURS, **basic), hooks.format("46elks")),
        elks_voice.make(
            elks_voice.Settings(sender=OURS, speech_url=speech, **basic), hooks.format("46elks-voice")
        ),
        sveve.make(sveve.Settings(**basic), hooks.format("sveve")),
        twilio.make(twilio.Settings(**sid), hooks.format("twilio")),
        twilio_voice.make(twilio_voice.Settings(**sid), hooks.format("twilio-voice")),
        link.make(link.Settings(sender=OURS, **basic, **platform), hooks.format("link")),
    ]
    return {provider.name: provider for provider in made}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    centre = Centre()
    async with serving(centre.app) as centre.url:
        network = Network([Phone(NORD, "nord"), Phone(SOR, "sør")], None, OURS, SystemClock())
        service = Service(network, USER, PASSWORD)
        async with (
            serving(service.app()) as url,
            httpx.AsyncClient(base_url=url, timeout=5, trust_env=False, verify=http._trusted()) as control,
        ):
            bench = Bench(centre, url, control)
            for name in TEXTS:
                await bench.manners(name, hooks=f"{centre.url}/hooks/{name}/secret")
            yield bench
            for provider in centre.providers.values():
                await provider.close()
            await service.close()


@pytest.mark.parametrize("name", TEXTS)
async def test_a_text_arrives_is_reported_and_answered(bench: Bench, name: str) -> None:
    bench.centre.answer = "47 er din & du er <på vei>."
    accepted = await bench.send(name)
    assert await bench.report() == (7, ReceiptStatus.DELIVERED, "")
    assert accepted.provider_ref
    (message,) = await bench.messages()
    assert (message["to"], message["message"], message["provider"]) == (NORD, TEXT, name)
    await bench.control.post(f"/phones/{NORD}/reply", json={"message": "OK 47"})
    inbound = await bench.told()
    assert isinstance(inbound, Inbound)
    assert (inbound.provider, inbound.sender, inbound.text) == (name, NORD, "OK 47")
    if name != "link":  # LINK sends no answer on
        async with asyncio.timeout(5):
            while (last := (await bench.messages())[-1])["direction"] != "outgoing-reply":  # noqa: ASYNC110 -- HTTP
                await asyncio.sleep(0.01)
        assert last["message"] == bench.centre.answer


@pytest.mark.parametrize("name", TEXTS)
async def test_every_phone_is_behind_every_provider(bench: Bench, name: str) -> None:
    await bench.send(name, SOR)
    assert (await bench.report())[1] is ReceiptStatus.DELIVERED
    await bench.send(name, NOBODY, 8)
    number, status, reason = await bench.report()
    assert (number, status) == (8, ReceiptStatus.FAILED)
    assert reason or name == "46elks"  # which gives none


@pytest.mark.parametrize("name", [*TEXTS, *CALLS])
async def test_what_its_api_refuses(bench: Bench, name: str) -> None:
    with pytest.raises(RefusedError):
        await bench.send(name, "12345")
    expected = {
        "number": RefusedError,
        "account": PermanentError,
        "unavailable": TransientError,
        "error": TransientError,
        "busy": TransientError,
        "login": TransientError,
        "garbage": TransientError,
        "cut": TransientError,
    }
    await bench.manners(name, next=list(expected))
    for fault, error in expected.items():
        with pytest.raises(error) as caught:
            await bench.send(name)
        assert type(caught.value) is error, fault
    # What was cut off had been taken: the phone has it all the same.
    assert len(await bench.messages()) == 1
    await bench.send(name)
    assert len(await bench.messages()) == 2


@pytest.mark.parametrize("name", [*TEXTS, *CALLS])
@pytest.mark.parametrize("fault", ["hang", "slow"])
async def test_it_is_left_when_it_is_too_slow(
    bench: Bench, name: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TOTAL_S", 0.2)
    await bench.manners(name, next=[fault])
    with pytest.raises(TransientError, match="no answer within"):
        await bench.send(name)


async def test_a_busy_provider_says_when(bench: Bench) -> None:
    await bench.manners("twilio", next=["busy", "code 30007", "code 21611"])
    with pytest.raises(TransientError, match="again in 2 s"):
        await bench.send("twilio")
    with pytest.raises(RefusedError, match="30007, message filtered"):
        await bench.send("twilio")
    with pytest.raises(TransientError, match="21611, the sender's queue is full"):
        await bench.send("twilio")


@pytest.mark.parametrize("name", TEXTS)
async def test_receipts_come_early_twice_and_never(bench: Bench, name: str) -> None:
    await bench.manners(name, next=["early"])
    await bench.phone(duplicate_report=True)
    sending = asyncio.create_task(bench.send(name))
    assert (await bench.report())[:2] == (7, ReceiptStatus.DELIVERED)
    assert (await bench.report())[:2] == (7, ReceiptStatus.DELIVERED)
    await sending
    await bench.phone(duplicate_report=False, lose_webhook=True)
    await bench.send(name, message_id=8)
    await bench.phone(lose_webhook=False)
    await bench.send(name, message_id=9)
    assert (await bench.report())[:2] == (9, ReceiptStatus.DELIVERED)


@pytest.mark.parametrize("name", TEXTS)
async def test_a_reply_from_a_wrong_number_is_told_as_such(bench: Bench, name: str) -> None:
    await bench.send(name)
    assert (await bench.report())[1] is ReceiptStatus.DELIVERED
    await bench.control.post(f"/phones/{NORD}/reply", json={"message": "OK 47", "from": NOBODY})
    assert (await bench.told()).sender == NOBODY


async def test_a_wrong_signature_is_refused(bench: Bench) -> None:
    await bench.manners("twilio", wrong_signature=True)
    await bench.send("twilio")
    async with asyncio.timeout(5):
        assert isinstance(await bench.centre.refused.get(), RefusedError)
    assert bench.centre.told.empty()


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_is_read_out_twice_and_takes_a_key(bench: Bench, name: str) -> None:
    bench.centre.answer = "Alarm 47 er din & din alene."
    await bench.phone(keys="-2")
    accepted = await bench.send(name)
    assert await bench.told() == Keyed(provider_ref=accepted.provider_ref, message_id=7, digits="2")
    # The end of the call comes after its key: whoever pressed one has been heard, and this changes nothing.
    assert await bench.report() == (7, ReceiptStatus.FAILED, "hung up without a key")
    (call,) = await bench.messages()
    assert (call["direction"], call["to"]) == ("outgoing-call", NORD)
    assert call["message"].count(TEXT) == 2
    assert call["message"].count("Trykk 1 for å ta alarmen") == 2
    assert call["message"].endswith(bench.centre.answer)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"busy": True}, "busy"),
        ({"unanswered": True, "hasty": True}, "not answered"),
        ({"hasty": True}, "no key was pressed"),
        ({"keys": "h"}, "hung up without a key"),
        ({"machine": True}, "no key was pressed"),
    ],
)
async def test_a_call_that_leads_nowhere_says_why(
    bench: Bench, name: str, behaviour: dict[str, object], reason: str
) -> None:
    await bench.phone(**behaviour)
    await bench.send(name)
    assert await bench.report() == (7, ReceiptStatus.FAILED, reason)


async def test_a_machine_is_told_where_the_provider_knows(bench: Bench) -> None:
    await bench.phone(machine=True)
    await bench.send("twilio-voice")
    assert (await bench.report())[2] == "no key was pressed"
    assert (await bench.report())[2] == "a machine answered"


@pytest.mark.parametrize("name", CALLS)
async def test_a_key_that_is_pressed_by_hand(bench: Bench, name: str) -> None:
    await bench.control.post(f"/phones/{NORD}/press", json={"key": "9"})
    await bench.send(name)
    assert (await bench.told()).digits == "9"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/providers/nobody/behaviour", {}),
        ("/providers/link/behaviour", {"next": ["nonsense"]}),
        ("/providers/link/behaviour", {"nxt": []}),
        ("/providers/link/behaviour", {"hooks": 7}),
        (f"/phones/{NORD}/press", {"key": "12"}),
        (f"/phones/{NOBODY}/press", {"key": "1"}),
        (f"/phones/{NORD}/behaviour", {"keys": "x"}),
    ],
)
async def test_control_refuses_what_does_not_fit(bench: Bench, path: str, body: dict[str, object]) -> None:
    answer = await bench.control.post(path, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert set((await bench.control.get("/providers")).json()) == set(TEXTS)
