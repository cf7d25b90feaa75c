"""Maintenance in the console: begun with a reason and an end, listed on the board, ended in one press."""

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from hub.central.commissioning import mode
from hub.central.console.words import LANGUAGES
from hub.central.maintenance import service
from hub.central.maintenance.service import Subject
from hub.central.store.tables import audit, maintenances
from tests.fakes.browser import Complaints, chromium
from tests.fakes.centre import DeskCentre
from tests.fakes.console import PASSWORD, USER, Console, open_console

TITLE = "Under vedlikehold eller slått av"
WANTED = {"kind": "device", "subject": "pendant-1", "reason": "nytt batteri", "hours": "4", "back": "/hubs"}


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        yield running


async def begin(desk: DeskCentre, kind: Subject, subject: str, reason: str) -> int:
    until = desk.clock.at + dt.timedelta(hours=3)
    begun = await desk.centre.transact(lambda tx: service.add(tx, kind, subject, reason, "user:x", until=until))
    return begun.id


async def test_a_board_with_nothing_switched_off_says_nothing_of_it(console: Console) -> None:
    number = await begin(console.desk, "device", "pendant-1", "new battery")
    async with console.signed_in() as client:
        page = (await client.get("/")).text
        # It is counted above what is open, and told below it.
        assert [page.index(mark) for mark in (TITLE, 'id="care"', 'id="technical"', "new battery")] == sorted(
            page.index(mark) for mark in (TITLE, 'id="care"', 'id="technical"', "new battery")
        )
        assert page.count(TITLE) == 2
        answer = await client.post(f"/maintenance/{number}/end", data={"back": "/"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        for path in ("/", "/devices/pendant-1", "/residents/r-1017"):
            assert TITLE not in (await client.get(path)).text


async def test_it_is_listed_wherever_it_matters_with_reason_who_and_end(console: Console) -> None:
    await begin(console.desk, "hub", "h-1", "moving the router")
    await console.desk.centre.transact(lambda tx: mode.start(tx, "door-1", "technician", 30, "user:x"))
    async with console.signed_in() as client:
        for path in ("/", "/devices/pendant-1", "/hubs", "/residents/r-1017"):
            text = (await client.get(path)).text
            assert "«moving the router»" in text, path
            assert "x, siden 20:00. Slutter av seg selv 23:00." in text, path
        board = (await client.get("/")).text
        assert "Trykk går til testtelefon technician." in board
        assert "Slutter av seg selv 20:30." in board
        answer = await client.post("/devices/door-1/test/end", data={"back": "/?zone=nord-1"})
        assert answer.headers["location"] == "/?zone=nord-1"
        assert "testtelefon" not in (await client.get("/")).text
        for language in LANGUAGES:
            assert "moving the router" in (await client.get("/", params={"lang": language})).text


async def test_the_filter_shows_nothing_of_another_zone(console: Console) -> None:
    await begin(console.desk, "device", "pendant-1", "new battery")
    await begin(console.desk, "zone", "nord-2", "painting")
    async with console.signed_in() as client:
        page = (await client.get("/?zone=nord-2")).text
        assert ("painting" in page, "new battery" in page, "pendant-1" in page) == (True, False, False)
        page = (await client.get("/?zone=nord-1")).text
        assert ("painting" in page, "new battery" in page) == (False, True)
    async with console.client() as stranger:
        answer = await stranger.get("/")
        assert (answer.status_code, "painting" in answer.text) == (303, False)


async def test_a_device_declared_broken_says_what_its_presses_become(console: Console) -> None:
    async with console.signed_in() as client:
        assert (await client.post("/maintenance", data=WANTED | {"broken": "true"})).status_code == 303
        board = (await client.get("/")).text
        assert "Meldt ødelagt" in board
        assert "Trykk fra den blir en teknisk feil, ingen trygghetsalarm." in board
    (row,) = await console.desk.rows(maintenances)
    assert (row.reason, row.created_by) == ("broken: nytt batteri", f"user:{USER}")


async def test_what_is_odd_is_refused_and_changes_nothing(console: Console) -> None:
    async with console.signed_in() as client:
        for odd, sentence in {
            "reason": "Det gikk ikke: skriv en grunn på 3 til 500 tegn",
            "subject": "Det gikk ikke: x er ikke satt opp her",
        }.items():
            answer = await client.post("/maintenance", data=WANTED | {odd: "x"})
            assert (answer.status_code, sentence in answer.text) == (409, True)
            assert 'href="/?lang=en"' in answer.text
        for field, value in (("hours", "0"), ("hours", "721"), ("hours", "x"), ("kind", "zone"), ("kind", "x")):
            assert (await client.post("/maintenance", data=WANTED | {field: value})).status_code == 400
        answer = await client.post("/maintenance/7/end")
        assert (answer.status_code, "vedlikehold 7 finnes ikke" in answer.text) == (409, True)
    assert await console.desk.rows(maintenances) == []


@pytest.mark.parametrize("back", ["//elsewhere.example", "https://elsewhere.example/", "\\\\elsewhere", ""])
async def test_a_form_never_leads_elsewhere(console: Console, back: str) -> None:
    async with console.signed_in() as client:
        answer = await client.post("/maintenance", data=WANTED | {"back": back})
        assert answer.headers["location"] == "/"
        assert (await client.post("/maintenance/1/end", data={"back": back})).headers["location"] == "/"


async def sign_in(page: Page, console: Console) -> None:
    await page.goto(f"{console.url}/login")
    await page.fill("#username", USER)
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await expect(page.locator("#live")).to_be_visible()


async def test_on_a_small_phone_it_is_begun_with_a_few_words_and_ended_in_one_press(console: Console) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 360, "height": 740})
        complaints = Complaints(page)
        await sign_in(page, console)
        await page.goto(f"{console.url}/devices/pendant-1")
        await page.click("#maintain-pendant-1 > summary")
        await page.fill("#reason-pendant-1", "nytt batteri")
        await page.select_option("#hours-pendant-1", "8")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await page.click("#begin-pendant-1")
        await expect(page.locator("#switched-off")).to_contain_text("Slutter av seg selv 22. nov. 04:00.")
        await page.goto(console.url)
        await expect(page.locator("#live")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await begin(console.desk, "hub", "h-1", "flytter ruteren")  # another one appears by itself
        await expect(page.locator("#switched-off")).to_contain_text("flytter ruteren")
        await page.click("#end-1")
        await expect(page.locator("#switched-off")).not_to_contain_text("nytt batteri")
        await page.focus("#end-2")
        await page.keyboard.press("Enter")
        await expect(page.locator("#switched-off")).to_have_count(0)
        assert complaints.seen == []
    done = [row.action for row in await console.desk.rows(audit) if row.action.startswith("maintenance")]
    assert sorted(done) == ["maintenance.added", "maintenance.added", "maintenance.ended", "maintenance.ended"]


async def test_what_was_begun_to_be_written_outlives_a_change_of_the_hub(console: Console) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await sign_in(page, console)
        await page.goto(f"{console.url}/hubs")
        await expect(page.locator("#live")).to_be_visible()
        await page.click("#maintain-h-1 > summary")
        await page.select_option("#hours-h-1", "72")
        await page.fill("#reason-h-1", "flytter ru")
        await begin(console.desk, "device", "door-1", "new battery")
        await expect(page.locator("#hub-h-1")).to_contain_text("new battery")
        await page.keyboard.type("teren")
        assert await page.input_value("#reason-h-1") == "flytter ruteren"
        assert await page.input_value("#hours-h-1") == "72"
        await page.keyboard.press("Enter")
        await expect(page.locator("#hub-h-1")).to_contain_text("«flytter ruteren»")
