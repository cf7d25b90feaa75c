"""The page of push without a browser: who may, what is refused and how it is said, and what the phone fetches."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from firmware_sim.providers.webpush import PushService
from hub.central.api.headers import HEADERS
from hub.central.store.tables import audit, messages, push_subscriptions
from tests.fakes.console import Console, open_console
from tests.fakes.push import code_of, provider, push_service
from tests.fakes.ward import ObedientProvider

DUTY = "nord-1-duty"


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with push_service() as service:
        yield service


@pytest.fixture
async def console(tmp_path: Path, service: PushService) -> AsyncIterator[Console]:
    async with open_console(tmp_path, providers=[ObedientProvider("texts"), provider(service)]) as running:
        yield running


def form(console: Console, service: PushService, phone: str = DUTY) -> dict[str, str]:
    """Return what the page sends: the phone, and what a browser says of itself."""
    webpush = console.app.state.hooks.ways.named("webpush")
    given = service.subscribe(webpush.public_key)
    keys = given["keys"]
    assert isinstance(keys, dict)
    return {"phone": phone, "endpoint": str(given["endpoint"]), **keys}


async def count(console: Console) -> int:
    return len(await console.desk.rows(push_subscriptions))


async def test_the_page_bears_the_key_and_no_number(console: Console) -> None:
    async with console.signed_in() as client:
        page = await client.get("/push")
        assert console.app.state.hooks.ways.named("webpush").public_key in page.text
        assert "+47" not in page.text
        assert 'href="/push"' in (await client.get("/")).text


async def test_it_is_switched_on_and_off(console: Console, service: PushService) -> None:
    async with console.signed_in() as client:
        answer = await client.post("/push/subscriptions", data=form(console, service))
        assert (answer.status_code, answer.headers["location"]) == (303, "/push")
        code = await code_of(console.desk)
        assert code not in (await client.get("/push")).text
        answer = await client.post("/push/subscriptions/1/confirm", data={"code": code})
        assert answer.status_code == 303
        (row,) = await console.desk.rows(push_subscriptions)
        shown = {"endpoint": row.endpoint_hash}
        assert f'name="endpoint" value="{row.endpoint_hash}"' in (await client.get("/push")).text
        assert (await client.post("/push/subscriptions/1/off", data=shown)).status_code == 303
        assert (await client.post("/push/subscriptions/1/off", data=shown)).status_code == 303
    rows = await console.desk.rows(audit, audit.c.subject == f"phone:{DUTY}")
    assert [row.action for row in rows] == ["push.asked", "push.on", "push.off"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"phone": "nobody"}, "det er ingen telefon nobody her"),
        ({"phone": ""}, "no phone"),
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": "https://169.254.169.254/latest/meta-data"}, "no public name"),
        ({"endpoint": "http://push.example/x"}, "not https"),
        ({"p256dh": "x"}, "no point of P-256"),
        ({"auth": "x"}, "16 bytes"),
    ],
)
async def test_what_does_not_fit_is_refused_in_words(
    console: Console, service: PushService, changed: dict[str, str], said: str
) -> None:
    async with console.signed_in() as client:
        answer = await client.post("/push/subscriptions", data=form(console, service) | changed)
        assert answer.status_code == 409
        assert said in answer.text
        assert 'href="/push?lang=en"' in answer.text  # the language can be chosen there too
    assert await count(console) == 0
    assert await console.desk.rows(messages) == []


@pytest.mark.parametrize("field", ["phone", "endpoint", "p256dh", "auth"])
async def test_what_is_too_long_is_not_even_looked_at(console: Console, service: PushService, field: str) -> None:
    async with console.signed_in() as client:
        answer = await client.post("/push/subscriptions", data=form(console, service) | {field: "x" * 3000})
        assert answer.status_code in {400, 413, 422}
    assert await count(console) == 0


async def test_nobody_can_flood_a_phone_with_codes(console: Console, service: PushService) -> None:
    async with console.signed_in() as client:
        same = form(console, service)
        answers = [await client.post("/push/subscriptions", data=same) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [303] * 5 + [409] * 2
        assert "30 s" in answers[-1].text
        other = await client.post("/push/subscriptions", data=form(console, service, "nord-2-duty"))
        assert other.status_code == 303
    assert len(await console.desk.rows(messages)) == 6


async def test_receipts_need_no_session_and_forged_ones_do_nothing(console: Console) -> None:
    forged = {"message": "1", "subscription": "1", "token": "A" * 22}
    async with console.client() as client:
        for what in ("received", "read"):
            assert (await client.post(f"/push/{what}", data=forged)).status_code == 403
            assert (await client.post(f"/push/{what}", data={})).status_code == 400
            assert (await client.post(f"/push/{what}", content=b"\0" * 20_000)).status_code == 413
            assert (await client.get(f"/push/{what}")).status_code == 405
        # What a service worker tells is no call of a provider: there it is not let in without the secret.
        assert (await client.post("/hooks/webpush/x/received", data=forged)).status_code == 403


async def test_a_receipt_of_a_message_that_there_is_not_is_refused(console: Console) -> None:
    token = console.app.state.hooks.ways.named("webpush")._token(99, 1)
    async with console.client() as client:
        form = {"message": "99", "subscription": "1", "token": token}
        assert (await client.post("/push/received", data=form)).status_code == 404


async def test_what_the_phone_fetches_is_ours_and_as_strict_as_the_rest(console: Console) -> None:
    async with console.client() as client:
        for path, kind in (
            ("/sw.js", "text/javascript"),
            ("/static/push.js", "text/javascript"),
            ("/static/manifest.json", "application/json"),
        ):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(kind)
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
            assert "http:" not in answer.text
            assert "https:" not in answer.text
        manifest = (await client.get("/static/manifest.json")).json()
        assert (await client.get(manifest["icons"][0]["src"])).status_code == 200


async def test_a_centre_without_push_has_no_page(tmp_path: Path) -> None:
    async with open_console(tmp_path) as console, console.signed_in() as client:
        answers: list[httpx.Response] = [
            await client.get("/push"),
            await client.post("/push/subscriptions"),
            await client.post("/push/received"),
        ]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert 'href="/push"' not in (await client.get("/")).text
