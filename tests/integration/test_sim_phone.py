"""The phone network over real HTTP: send, delivery report, reply, answer, and everything that goes wrong."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from firmware_sim.clock import FixedClock
from firmware_sim.phone.app import Service
from firmware_sim.phone.model import Phone
from firmware_sim.phone.network import Network
from tests.fakes.serving import serving

NORD, SOR, SERVICE = "+4700000012", "+4700000013", "+4700000000"


class Centre:
    """What the hub's centre offers to the service: two webhooks that tests can make fail."""

    def __init__(self) -> None:
        self.reports: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.incoming: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.answer = ""
        self.failures = 0
        self.app = Starlette(
            routes=[
                Route("/report", self._report, methods=["POST"]),
                Route("/incoming", self._incoming, methods=["POST"]),
            ]
        )

    async def _report(self, request: Request) -> Response:
        await self.reports.put({key: str(value) for key, value in (await request.form()).items()})
        return Response(status_code=204)

    async def _incoming(self, request: Request) -> Response:
        if self.failures:
            self.failures -= 1
            return PlainTextResponse("busy", 503)
        await self.incoming.put({key: str(value) for key, value in (await request.form()).items()})
        return PlainTextResponse(self.answer)

    async def report(self) -> dict[str, str]:
        async with asyncio.timeout(3):
            return await self.reports.get()

    async def reply(self) -> dict[str, str]:
        async with asyncio.timeout(5):
            return await self.incoming.get()


class Bench:
    """The service, the centre, and an HTTP client between them."""

    def __init__(self, centre: Centre, centre_url: str, client: httpx.AsyncClient) -> None:
        self.centre = centre
        self.client = client
        self._report_url = f"{centre_url}/report"

    async def send(self, **changes: str) -> httpx.Response:
        form = {
            "from": SERVICE,
            "to": NORD,
            "message": "Alarm room 4. Reply OK 47",
            "whendelivered": self._report_url,
        }
        return await self.client.post("/a1/sms", data=form | changes, auth=("u", "p"))

    async def behave(self, number: str = NORD, **behaviour: object) -> None:
        (await self.client.post(f"/phones/{number}/behaviour", json=behaviour)).raise_for_status()

    async def texts(self, number: str = NORD) -> list[tuple[str, str]]:
        phones = (await self.client.get("/phones")).json()
        (phone,) = [each for each in phones if each["number"] == number]
        return [(each["message"], each["status"]) for each in phone["messages"]]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    centre = Centre()
    async with serving(centre.app) as centre_url:
        phones = [Phone(NORD, "nord-1 duty"), Phone(SOR, "sør duty")]
        network = Network(phones, f"{centre_url}/incoming", SERVICE, FixedClock())
        service = Service(network, "u", "p")
        async with (
            serving(service.app()) as url,
            httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as client,
        ):
            yield Bench(centre, centre_url, client)
            await service.close()


async def test_send_answers_as_46elks_does(bench: Bench) -> None:
    answer = (await bench.send()).json()
    assert answer.pop("id").startswith("s")
    assert answer == {
        "status": "created",
        "direction": "outgoing",
        "from": SERVICE,
        "to": NORD,
        "created": "2026-11-18T11:06:40.000000",
        "parts": 1,
        "cost": 5200,
        "message": "Alarm room 4. Reply OK 47",
    }


async def test_reports_come_sent_then_delivered(bench: Bench) -> None:
    sent = (await bench.send()).json()
    first, second = await bench.centre.report(), await bench.centre.report()
    assert first == {"id": sent["id"], "status": "sent"}
    assert second == {
        "id": sent["id"],
        "status": "delivered",
        "delivered": "2026-11-18T11:06:40.000000",
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"to": "12345"}, "Invalid to number"),
        ({"message": ""}, "Missing key message"),
        ({"from": "far too long a name"}, "Invalid from"),
    ],
)
async def test_bad_requests_are_403_with_a_text(bench: Bench, changes: dict[str, str], text: str) -> None:
    answer = await bench.send(**changes)
    assert (answer.status_code, answer.text) == (403, text)


@pytest.mark.parametrize("header", ["", "Basic !!!", "Basic " + base64.b64encode(b"u:wrong").decode()])
async def test_wrong_credentials_are_401(bench: Bench, header: str) -> None:
    answer = await bench.client.post("/a1/sms", data={}, headers={"authorization": header})
    assert answer.status_code == 401


async def test_a_reply_reaches_the_centre_and_its_answer_the_phone(bench: Bench) -> None:
    bench.centre.answer = "Thank you. You have the alarm in room 4."
    await bench.send()
    sent = (await bench.client.post(f"/phones/{NORD}/reply", json={"message": "OK 47"})).json()
    assert await bench.centre.reply() == {
        "direction": "incoming",
        "id": sent["id"],
        "from": NORD,
        "to": SERVICE,
        "created": "2026-11-18T11:06:40.000000",
        "message": "OK 47",
    }
    async with asyncio.timeout(3):
        while len(texts := await bench.texts()) < 3 or texts[-1][1] != "delivered":  # noqa: ASYNC110 -- HTTP
            await asyncio.sleep(0.01)
    assert [text for text, _ in texts] == ["Alarm room 4. Reply OK 47", "OK 47", bench.centre.answer]


async def test_a_refused_webhook_is_tried_again(bench: Bench) -> None:
    bench.centre.failures = 2
    await bench.client.post(f"/phones/{NORD}/reply", json={"message": "OK 47"})
    assert (await bench.centre.reply())["message"] == "OK 47"
    assert bench.centre.incoming.empty()


async def test_the_nurse_answers_by_herself(bench: Bench) -> None:
    await bench.behave(nurse={"after_s": 0})
    await bench.send(message="No question")
    await bench.send()
    assert (await bench.centre.reply())["message"] == "OK 47"
    assert bench.centre.incoming.empty()


async def test_misbehaviours_on_the_way_to_the_phone(bench: Bench) -> None:
    await bench.behave(drop=True)
    await bench.send(message="dropped")
    await bench.behave(drop=False, fail=True)
    await bench.send(message="failed")
    assert (await bench.centre.report())["status"] == "failed"
    await bench.behave(fail=False, lose_webhook=True)
    await bench.send(message="silent")
    await bench.behave(lose_webhook=False, duplicate_report=True)
    await bench.send(message="twice", to=SOR)
    await bench.send(message="twice")
    statuses = [(await bench.centre.report())["status"] for _ in range(6)]
    assert sorted(statuses) == ["delivered"] * 3 + ["sent"] * 3
    assert await bench.texts() == [
        ("dropped", "created"),
        ("failed", "failed"),
        ("silent", "delivered"),
        ("twice", "delivered"),
    ]


async def test_a_phone_that_is_off_gets_its_messages_when_on(bench: Bench) -> None:
    await bench.behave(on=False)
    await bench.send()
    assert (await bench.centre.report())["status"] == "sent"
    assert (await bench.texts())[0][1] == "sent"
    await bench.behave(on=True)
    assert (await bench.centre.report())["status"] == "delivered"


async def test_the_api_refuses_then_hangs_then_works(bench: Bench) -> None:
    await bench.behave(refuse_next=1, hang_next=1)
    with pytest.raises(httpx.ReadTimeout):
        await bench.client.post(
            "/a1/sms",
            data={"from": SERVICE, "to": NORD, "message": "x"},
            auth=("u", "p"),
            timeout=0.2,
        )
    assert (await bench.send()).status_code == 503
    assert (await bench.send()).status_code == 200


async def test_control_refuses_what_does_not_fit(bench: Bench) -> None:
    for path, body in [
        (f"/phones/{NORD}/behaviour", {"dorp": True}),
        ("/phones/+4700000099/behaviour", {"drop": True}),
        (f"/phones/{NORD}/reply", {"message": " "}),
        ("/phones/+4700000099/reply", {"message": "x"}),
        ("/behaviour", []),
    ]:
        answer = await bench.client.post(path, json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]


async def test_a_phone_cannot_answer_a_name(bench: Bench) -> None:
    await bench.send(**{"from": "Hjemme"})
    answer = await bench.client.post(f"/phones/{NORD}/reply", json={"message": "OK 47"})
    assert "is a name, not a number" in answer.json()["error"]


async def test_page_and_events_show_messages_as_they_come(bench: Bench) -> None:
    await bench.send(message="<b>first</b>")
    page = (await bench.client.get("/")).text
    assert "nord-1 duty" in page
    assert "&lt;b&gt;first&lt;/b&gt;" in page
    async with bench.client.stream("GET", "/events") as stream, asyncio.timeout(3):
        told = (json.loads(line[6:]) async for line in stream.aiter_lines() if line.startswith("data: "))
        assert (await anext(told))["message"] == "<b>first</b>"
        await bench.send(message="second", to=SOR)
        async for message in told:
            if (message["message"], message["status"]) == ("second", "delivered"):
                break
    messages = (await bench.client.get("/messages")).json()
    assert [message["message"] for message in messages] == ["<b>first</b>", "second"]
    assert [step["status"] for step in messages[1]["log"]] == ["created", "sent", "delivered"]
