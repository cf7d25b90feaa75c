"""Push in a real browser: switched on with the code of the text, shown by the service worker, told as delivered.

No browser here reaches its maker's push service. So the page is given a subscription of the simulated one, and
what that decrypts for the browser is handed to the service worker as the browser itself would.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest
import pytest_asyncio
from fastapi import HTTPException, Request, Response
from playwright.async_api import Browser, BrowserContext, Page, Worker, expect

from firmware_sim.providers.webpush import PushService
from hub.central.api import hooks
from hub.central.notify import receipts
from hub.central.notify.channels.base import Provider
from hub.central.notify.pipeline import Sender
from hub.central.store.tables import audit, messages, push_subscriptions
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.browser import Complaints, chromium
from tests.fakes.console import PASSWORD, USER, Console, open_console
from tests.fakes.push import PUSHED, code_of, provider, push_service
from tests.fakes.ward import ObedientProvider

Told = asyncio.Queue[tuple[str, int]]

PHONE = {"width": 360, "height": 740}
PATIENCE_MS = 5000
DUTY = "nord-1-duty"
# What the page would get of the browser's own push service.
_SUBSCRIBE = """
    let kept = null;
    const wrapped = (given) => ({
        ...given, toJSON: () => given, unsubscribe: async () => { kept = null; return true; },
    });
    PushManager.prototype.getSubscription = async () => {
        const given = kept ?? JSON.parse(sessionStorage.getItem("subscription"));
        return given && wrapped(given);
    };
    PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
        if (!userVisibleOnly) throw new Error("a push must be shown");
        kept = await window.subscribeThere(applicationServerKey);
        sessionStorage.setItem("subscription", JSON.stringify(kept));
        return wrapped(kept);
    };
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def service() -> AsyncIterator[PushService]:
    async with push_service() as service:
        yield service


@pytest_asyncio.fixture(loop_scope="module")
async def console(tmp_path: Path, service: PushService) -> AsyncIterator[Console]:
    providers: list[Provider] = [ObedientProvider("texts"), provider(service)]
    async with open_console(tmp_path, providers=providers, document=PUSHED) as running:
        ways = running.app.state.hooks.ways
        sender = Sender(running.desk.centre, ways, running.app.state.hooks.address)
        yield running
        await sender.close()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """The receipts that came in, each with what it was answered."""
    answered, told = hooks.answered, Told()

    async def noted(request: Request, provider: Provider, what: str) -> Response:
        try:
            answer = await answered(request, provider, what)
        except HTTPException as error:
            told.put_nowait((what, error.status_code))
            raise
        told.put_nowait((what, answer.status_code))
        return answer

    monkeypatch.setattr(hooks, "answered", noted)
    return told


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@contextlib.asynccontextmanager
async def push_page(
    console: Console, browser: Browser, service: PushService, *, allowed: bool = True, refused: int = 0
) -> AsyncIterator[Page]:
    """The page of push, signed in on a phone; leaving the block checks that it complained of refusals only."""
    context = await browser.new_context(viewport=PHONE, reduced_motion="reduce")  # type: ignore[arg-type]  # a size
    if allowed:
        await context.grant_permissions(["notifications"], origin=console.url)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.expose_function("subscribeThere", service.subscribe)
    await page.add_init_script(_SUBSCRIBE)
    complaints = Complaints(page)
    await page.goto(f"{console.url}/login?next=/push")
    await page.fill("#username", USER)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Varsel på telefonen")
    yield page
    assert len([said for said in complaints.seen if "409 (Conflict)" in said]) == refused == len(complaints.seen)
    await context.close()


async def switch_on(console: Console, page: Page) -> None:
    await page.select_option("#phone", DUTY)
    await page.click("#push-on")
    await expect(page.locator("#code-1")).to_be_visible()
    await page.fill("#code-1", await code_of(console.desk))
    await page.keyboard.press("Enter")
    await expect(page.locator("#subscription-1")).to_contain_text("På")


async def pushed(service: PushService) -> str:
    async with asyncio.timeout(5):
        return (await service.pushed.get()).data.decode()


async def state(console: Console) -> str:
    rows = await console.desk.rows(messages, messages.c.channel == "push", messages.c.incident_id == 1)
    return str(rows[0].state) if rows else ""


async def until(console: Console, wanted: str) -> None:
    """Wait until the message about the alarm stands there; the store is asked after each commit."""
    committed = asyncio.Event()
    console.desk.centre.follow(lambda _effects: committed.set())
    async with asyncio.timeout(5):
        while await state(console) != wanted:
            await committed.wait()
            committed.clear()


class Phone:
    """The browser as its maker's push service sees it."""

    def __init__(self, context: BrowserContext, page: Page, url: str) -> None:
        self._context = context
        self._page = page
        self._url = url

    async def deliver(self, data: str) -> Worker:
        """Hand a decrypted message to the service worker, as the browser does; return the worker."""
        session = await self._context.new_cdp_session(self._page)
        known: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def updated(event: dict[str, Any]) -> None:
            for registration in event["registrations"]:
                if not known.done() and registration["scopeURL"] == f"{self._url}/":
                    known.set_result(registration["registrationId"])

        session.on("ServiceWorker.workerRegistrationUpdated", updated)
        await session.send("ServiceWorker.enable")
        async with asyncio.timeout(5):
            registration = await known
        message = {"origin": self._url, "registrationId": registration, "data": data}
        await session.send("ServiceWorker.deliverPushMessage", message)
        workers = self._context.service_workers
        return workers[0] if workers else await self._context.wait_for_event("serviceworker")

    async def shown(self) -> list[dict[str, Any]]:
        """Return what the phone shows."""
        found = await self._page.evaluate(
            """async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(
                ({ title, body, tag, requireInteraction }) => ({ title, body, tag, requireInteraction }))"""
        )
        return list(found)


async def test_an_alarm_is_shown_reported_and_tapped(
    console: Console, browser: Browser, service: PushService
) -> None:
    async with push_page(console, browser, service) as page:
        await switch_on(console, page)
        await expect(page.locator("#subscription-1 .this")).to_be_visible()
        phone = Phone(page.context, page, console.url)
        first = msgspec.json.decode(await pushed(service))
        assert (first["text"], first["page"]) == (f"Varsel er slått på: {DUTY}.", "/")
        await console.desk.keep(console.desk.event("pendant-1", Kind.ALARM_PRESSED))
        data = await pushed(service)
        await until(console, "sent")
        worker = await phone.deliver(data)
        await until(console, "delivered")
        (shown,) = await phone.shown()
        assert shown == {
            "title": "1 Trygghetsalarm",
            "body": f"{msgspec.json.decode(data)['text'].partition(': ')[2]}",
            "tag": "/incidents/1",
            "requireInteraction": True,
        }
        assert "r-1017, stue" in shown["body"]
        opened = await worker.evaluate(
            """async () => {
                const opened = [];
                self.clients.openWindow = async (page) => { opened.push(page); }; // only a finger may open one
                const [notification] = await self.registration.getNotifications();
                self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
                return opened;
            }"""
        )
        assert opened == ["/incidents/1"]
        await until(console, "read")
        assert await phone.shown() == []
    (row,) = await console.desk.rows(push_subscriptions)
    assert (row.phone, row.created_by) == (DUTY, f"user:{USER}")
    trail = await console.desk.rows(audit, audit.c.subject == f"phone:{DUTY}")
    assert [(entry.actor, entry.action) for entry in trail] == [
        (f"user:{USER}", "push.asked"),
        (f"user:{USER}", "push.on"),
    ]


async def test_a_later_message_takes_the_place_of_the_former_about_the_same(
    console: Console, browser: Browser, service: PushService, told: Told
) -> None:
    async with push_page(console, browser, service) as page:
        await switch_on(console, page)
        phone = Phone(page.context, page, console.url)
        await pushed(service)
        await console.desk.keep(console.desk.event("pendant-1", Kind.ALARM_PRESSED))
        data = await pushed(service)
        again = msgspec.json.decode(data) | {"text": "1 IGJEN: r-1017"}
        for each in (data, msgspec.json.encode(again).decode()):
            await phone.deliver(each)
            assert await told.get() == ("received", 200)
        assert [shown["title"] for shown in await phone.shown()] == ["1 IGJEN"]


async def test_a_receipt_is_told_again_while_the_centre_is_busy(
    console: Console, browser: Browser, service: PushService, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with push_page(console, browser, service) as page:
        await switch_on(console, page)
        await pushed(service)
        await console.desk.keep(console.desk.event("pendant-1", Kind.ALARM_PRESSED))
        data = await pushed(service)
        await until(console, "sent")
        with monkeypatch.context() as patched:
            patched.setattr(receipts, "reported", mock.Mock(side_effect=TransientError("the store is busy")))
            await Phone(page.context, page, console.url).deliver(data)
            assert await told.get() == ("received", 503)
        assert await told.get() == ("received", 200)
        assert await state(console) == "delivered"


async def test_a_receipt_that_was_in_no_message_changes_nothing_and_is_not_told_again(
    console: Console, browser: Browser, service: PushService, told: Told
) -> None:
    async with push_page(console, browser, service) as page:
        await switch_on(console, page)
        await pushed(service)
        await console.desk.keep(console.desk.event("pendant-1", Kind.ALARM_PRESSED))
        said = msgspec.json.decode(await pushed(service))
        await until(console, "sent")
        said["receipt"]["token"] = "A" * 22
        await Phone(page.context, page, console.url).deliver(msgspec.json.encode(said).decode())
        assert await told.get() == ("received", 403)
        assert await state(console) == "sent"


async def test_without_permission_it_says_so(console: Console, browser: Browser, service: PushService) -> None:
    async with push_page(console, browser, service, allowed=False) as page:
        await page.select_option("#phone", DUTY)
        await page.click("#push-on")
        await expect(page.locator("#problem")).to_contain_text("ikke tillatt")
        await page.click("#push-on")  # and it can be tried again
        await expect(page.locator("#problem")).to_contain_text("ikke tillatt")
    assert await console.desk.rows(push_subscriptions) == []


async def test_a_wrong_code_says_so_and_off_is_off(
    console: Console, browser: Browser, service: PushService
) -> None:
    async with push_page(console, browser, service, refused=1) as page:
        await page.select_option("#phone", DUTY)
        await page.click("#push-on")
        await expect(page.locator("#code-1")).to_be_visible()
        right = await code_of(console.desk)
        await page.fill("#code-1", f"{(int(right) + 1) % 10**6:06}")
        await page.keyboard.press("Enter")
        await expect(page.locator("#refusal")).to_contain_text("Koden er feil")
        await page.fill("#code-1", right)
        await page.keyboard.press("Enter")
        await expect(page.locator("#subscription-1")).to_contain_text("På")
        await page.click("#subscription-1 .off button")
        await expect(page.locator(".list")).to_contain_text("Ingen nettlesere")
    assert await console.desk.rows(push_subscriptions) == []
