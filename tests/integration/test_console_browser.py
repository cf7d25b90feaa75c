"""The console in a real browser: alarms that appear by themselves, the keyboard alone, a narrow phone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from hub.central.centre import Tx
from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Event
from hub.central.notify import outcome
from hub.central.notify.message import MessageState
from hub.central.notify.ways import Ways
from hub.domain.codes import Kind
from tests.fakes.browser import Complaints, chromium
from tests.fakes.console import PASSWORD, USER, Console, open_console
from tests.fakes.ward import ObedientProvider, press

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 860}
# Nothing here is judged by how fast the machine is; the measured time is printed.
PATIENCE_MS = 5000
THUMB_PX = 44
# Links within a sentence need no size of their own (WCAG 2.2, 2.5.8); all others do.
TARGETS = "button, summary, select, input:not([type=hidden], [type=radio]), .choice, .chip, nav a, .back a"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@contextlib.asynccontextmanager
async def signed_in(
    console: Console, browser: Browser, size: dict[str, int], refused: int = 0
) -> AsyncIterator[Page]:
    """A page on the board; leaving the block checks that it never complained, but of so many refusals."""
    context = await browser.new_context(viewport=size, reduced_motion="reduce")  # type: ignore[arg-type]  # a size
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints = Complaints(page)
    await page.goto(console.url)
    await expect(page.locator("#username")).to_be_focused()  # the cursor waits in the first field
    await page.keyboard.type(USER)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("#live")).to_be_visible()
    yield page
    assert len([said for said in complaints.seen if "409 (Conflict)" in said]) == refused == len(complaints.seen)
    await context.close()


async def alarm(console: Console, resident: str = "r-1017", **more: object) -> int:
    return await console.desk.centre.transact(
        lambda tx: desk.raise_incident(tx, press(resident, tx.now.utc, **({"room": "bad"} | more)))
    )


async def test_an_alarm_appears_by_itself_and_is_said_aloud(console: Console, browser: Browser) -> None:
    async with signed_in(console, browser, DESK) as page:
        await expect(page.get_by_text("Ingen åpne hendelser hos beboere.")).to_be_visible()
        await page.evaluate(
            """() => {
                window.notReloaded = true;
                new MutationObserver(() => { window.appearedAt ??= Date.now(); })
                    .observe(document.getElementById("care"), { childList: true });
            }"""
        )
        before = await page.evaluate("Date.now()")
        await alarm(console)
        await expect(page.locator("#incident-1 h3")).to_have_text("Trygghetsalarm")
        print(f"alarm on the page after {await page.evaluate('appearedAt') - before} ms")  # noqa: T201 - a measure
        await expect(page.locator("#announce")).to_contain_text("Ny alarm: Kritisk. Trygghetsalarm.")
        assert await page.title() == "(1) Åpne hendelser"
        await alarm(console, "r-1018", need="door", kind=Kind.DOOR_OPENED, severity=30, room="gang")
        await expect(page.locator("#care > li")).to_have_count(2)
        assert await page.locator("#care > li").evaluate_all("all => all.map(one => one.id)") == [
            "incident-1",
            "incident-2",
        ]
        await console.desk.centre.transact(lambda tx: desk.act(tx, 1, Event.ACKNOWLEDGE, "phone:nord-1-duty"))
        await expect(page.locator("#incident-1")).to_contain_text("Tatt av telefon nord-1-duty")
        first = page.locator("#care > li").first
        await expect(first).to_have_id("incident-2")  # what still alerts goes first
        assert await page.evaluate("window.notReloaded")


async def test_each_attempt_at_a_text_appears_as_it_is_made(console: Console, browser: Browser) -> None:
    centre, clock = console.desk.centre, console.desk.clock
    ways = Ways([ObedientProvider("one"), ObedientProvider("two")])

    def arrived(tx: Tx) -> None:
        row = outcome.find(tx, 1)
        assert row is not None
        outcome.arrived(tx, row, 2, MessageState.DELIVERED, tx.now.utc)

    async with signed_in(console, browser, DESK) as page:
        await alarm(console)
        await page.goto(f"{console.url}/incidents/1")
        await expect(page.locator("#live")).to_be_visible()
        await page.evaluate("window.notReloaded = true")
        made = page.locator("#messages > ol > li").first.locator("ol > li")
        await expect(page.locator("#messages")).to_contain_text("Venter på å bli sendt 20:00:00")
        clock.go_on(3)
        fault = outcome.Fault("one", "out of credit", final=True)
        await centre.transact(lambda tx: outcome.failed(tx, 1, 1, fault, ways))
        failed, queued = "one: Kunne ikke leveres 20:00:03", "ikke valgt ennå: Venter på å bli sendt 20:00:03"
        await expect(made).to_have_text([failed, queued])
        clock.go_on(2)
        await centre.transact(lambda tx: outcome.sent(tx, 1, 2, "two", "sms-4711"))
        await expect(made).to_have_text([failed, "two: Sendt, ikke bekreftet levert 20:00:05 sms-4711"])
        clock.go_on(7)
        await centre.transact(arrived)
        await expect(made).to_have_text([failed, "two: Levert 20:00:12 sms-4711"])
        assert await made.locator("time").evaluate_all("all => all.map(one => one.dateTime)") == [
            "2026-11-21T19:00:03+00:00",
            "2026-11-21T19:00:12+00:00",
        ]
        assert await page.evaluate("window.notReloaded")
        await page.reload()
        await expect(made).to_have_text([failed, "two: Levert 20:00:12 sms-4711"])


async def test_the_keyboard_alone_takes_and_closes_it(console: Console, browser: Browser) -> None:
    async with signed_in(console, browser, DESK) as page:
        await alarm(console)
        await expect(page.locator("#incident-1")).to_be_visible()
        await tab_to(page, "open-1")
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("Trygghetsalarm")
        await expect(page.locator("#live")).to_be_visible()
        await tab_to(page, "act-acknowledge")
        await page.keyboard.press("Enter")
        await expect(page.locator(".by").first).to_contain_text("Tatt av kari-test (deg)")
        await tab_to(page, "act-close")
        await page.keyboard.press("Enter")
        await expect(page.locator("#outcome-help_given")).to_be_focused()
        await page.keyboard.press("Space")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Space")
        await page.keyboard.press("ArrowDown")  # from need to fall
        await page.keyboard.press("Tab")
        await page.keyboard.type("satt i stolen")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator(".by").first).to_contain_text("Hjelp gitt (Fall)")
        await expect(page.locator("#actions")).to_be_hidden()
    rows = await console.desk.incidents()
    assert [(row.state, row.outcome, row.cause, row.closed_by) for row in rows] == [
        ("closed", "help_given", "fall", f"user:{USER}")
    ]


async def tab_to(page: Page, wanted: str) -> None:
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == wanted:
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


async def test_a_change_takes_neither_the_focus_nor_what_was_typed(console: Console, browser: Browser) -> None:
    async with signed_in(console, browser, DESK) as page:
        await alarm(console)
        await page.goto(f"{console.url}/incidents/1")
        await expect(page.locator("#live")).to_be_visible()
        await page.click("#act-close")
        await page.click("text=Hjelp gitt")
        await page.fill("#note", "halvveis")
        await console.desk.centre.transact(lambda tx: desk.act(tx, 1, Event.ACKNOWLEDGE, "phone:nord-1-duty"))
        await expect(page.locator("#head .by")).to_contain_text("Tatt av telefon")
        await expect(page.locator("#act-acknowledge")).to_have_count(0)
        await expect(page.locator("#note")).to_be_focused()
        await page.keyboard.type(" ferdig")
        assert await page.input_value("#note") == "halvveis ferdig"
        assert await page.is_checked("#outcome-help_given")


async def test_nobody_closes_a_report_that_came_in_while_the_form_was_filled_in(
    console: Console, browser: Browser
) -> None:
    async with signed_in(console, browser, PHONE, refused=1) as page:
        await alarm(console)
        await page.goto(f"{console.url}/incidents/1")
        await expect(page.locator("#live")).to_be_visible()
        await page.click("#act-close")
        await page.click("text=Hjelp gitt")
        await page.click("text=Uhell")
        await alarm(console)  # she pressed once more
        await expect(page.locator("#head")).to_contain_text("Meldt 2 ganger")
        await page.click("#act-close-now")
        await expect(page.locator("#refusal")).to_contain_text("Det kom en ny melding mens du skrev")
        assert [row.state for row in await console.desk.incidents()] == ["alerting"]


async def test_a_narrow_phone_shows_it_all_within_reach_of_a_thumb(console: Console, browser: Browser) -> None:
    await alarm(console, flags=("counter_back", "time_unknown"))
    await alarm(
        console,
        need="hub",
        incident_class="technical",
        kind=Kind.HUB_LOST,
        severity=30,
        resident_id=None,
        hub_id="h-1",
        unprotected=("r-1017", "r-1018"),
    )
    async with signed_in(console, browser, PHONE) as page:
        everything = ("/", "/incidents/1", "/incidents/2", "/hubs", "/residents/r-1017", "/devices/pendant-1")
        for path in (*everything, "/incidents/1?lang=nn", "/incidents/2?lang=en"):
            await page.goto(f"{console.url}{path}")
            if "residents" not in path:
                await expect(page.locator("#live")).to_be_visible()
            if "incidents" in path:
                await page.click("#act-close")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], path
            small = await page.locator(TARGETS).evaluate_all(
                """(all, least) => all.filter((one) => one.checkVisibility())
                    .map((one) => [one.id || one.textContent, one.getBoundingClientRect()])
                    .filter(([, box]) => box.height < least || box.width < least).map(([name]) => name)""",
                THUMB_PX,
            )
            assert small == [], path
        await page.goto(f"{console.url}/incidents/1")
        bottom = await page.locator("#act-acknowledge").bounding_box()
        assert bottom is not None
        assert bottom["y"] > PHONE["height"] / 2


async def test_a_lost_connection_is_said_and_what_was_missed_comes_after(
    console: Console, browser: Browser
) -> None:
    async with signed_in(console, browser, DESK) as page:
        services = console.app.state.services
        services.ended.set()  # every live page is let go, as when the centre is started anew
        await expect(page.locator("#lost")).to_contain_text("Ikke lenger direkte")
        await expect(page.locator("#live")).to_be_hidden()
        await alarm(console)
        services.ended = asyncio.Event()
        await expect(page.locator("#incident-1")).to_be_visible(timeout=2 * PATIENCE_MS)
        await expect(page.locator("#lost")).to_be_empty()
        await expect(page.locator("#announce")).to_contain_text("Trygghetsalarm")


async def test_what_is_never_answered_keeps_no_page_from_connecting_again(
    console: Console, browser: Browser
) -> None:
    async with signed_in(console, browser, DESK) as page:
        await page.route("**/api/session", lambda _route: None)  # as over a line that went dead
        services = console.app.state.services
        services.ended.set()
        await expect(page.locator("#live")).to_be_hidden()
        services.ended = asyncio.Event()
        await alarm(console)
        await expect(page.locator("#incident-1")).to_be_visible(timeout=4 * PATIENCE_MS)
        await expect(page.locator("#lost")).to_be_empty()


async def test_a_session_that_ends_is_said_and_leads_to_the_login(console: Console, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{console.url}/login")
    await page.fill("#username", USER)
    await page.fill("#password", PASSWORD)
    await page.click("text=Logg inn >> nth=-1")
    await expect(page.locator("#live")).to_be_visible()
    console.desk.clock.go_on(12 * 3600)
    await alarm(console)
    await expect(page.locator("#lost")).to_contain_text("Du er logget ut")
    assert await page.locator("#care > li").count() == 0
    await page.click("#lost a")
    await expect(page.locator("#password")).to_be_visible()
    await context.close()


async def test_it_works_without_scripts(console: Console, browser: Browser) -> None:
    await alarm(console)
    context = await browser.new_context(java_script_enabled=False, viewport=PHONE)  # type: ignore[arg-type]  # a size
    page = await context.new_page()
    await page.goto(f"{console.url}/incidents/1")
    await page.fill("#username", USER)
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await expect(page.locator("h1")).to_have_text("Trygghetsalarm")
    await page.click("#act-acknowledge")
    await expect(page.locator(".by").first).to_contain_text("Tatt av kari-test (deg)")
    await page.click("#act-close")
    await page.click("text=Hjelp gitt")
    await page.click("text=Uhell")
    await page.click("#act-close-now")
    await expect(page.locator(".by").first).to_contain_text("Hjelp gitt (Uhell)")
    await context.close()
