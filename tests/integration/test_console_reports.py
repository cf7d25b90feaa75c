"""The page of reports and its files, behind the login."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Event
from hub.central.store.tables import audit
from hub.domain.codes import Kind
from tests.fakes.browser import Complaints, chromium
from tests.fakes.console import PASSWORD, USER, Console, open_console
from tests.fakes.ward import press

PERIOD = "from=2026-11-01&to=2026-12-01"


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        centre = running.desk.centre
        at = running.desk.clock.at
        dose = press("r-1017", at, kind=Kind.DOSE_NOT_DISPENSED, device_id="dispenser-1")
        await centre.transact(lambda tx: desk.raise_incident(tx, dose))
        running.desk.clock.go_on(75)
        await centre.transact(lambda tx: desk.act(tx, 1, Event.ACKNOWLEDGE, f"user:{USER}"))
        await centre.transact(lambda tx: desk.raise_incident(tx, press("r-1018", at, zone="nord-2")))
        yield running


async def test_the_page_answers_the_question_in_each_language_and_notes_who_asked(console: Console) -> None:
    async with console.signed_in() as client:
        for language, verdict in {
            "nb": "1 hadde ingen frist.",
            "nn": "1 hendingar: 0 innanfor fristane, 0 ikkje.",
            "en": "1 had no limit.",
        }.items():
            answer = await client.get(f"/reports?{PERIOD}&kind=dose.not_dispensed&by=resident&lang={language}")
            assert answer.status_code == 200
            assert verdict in answer.text
            assert "r-1017" in answer.text
            assert "r-1018" not in answer.text
            assert "1:15" in answer.text
    noted = await console.desk.rows(audit, audit.c.action == "report.read")
    assert {(row.actor, row.subject) for row in noted} == {
        (f"user:{USER}", "report:2026-11-01:2026-12-01:*:dose.not_dispensed")
    }


async def test_whoever_took_it_and_went_no_further_is_shown_beside_who_came(console: Console) -> None:
    await console.desk.pass_time(700)
    await console.desk.centre.transact(lambda tx: desk.act(tx, 1, Event.ARRIVE, "sms:nord-1-duty"))
    async with console.signed_in() as client:
        for language, words in {
            "nb": ("tiden gikk ut", "Dro ikke i tide", "1 ble tatt av noen som ikke gikk videre."),
            "nn": ("tida gjekk ut", "Drog ikkje i tide", "1 vart teken av nokon som ikkje gjekk vidare."),
            "en": ("time passed", "Did not set out in time", "1 was taken by somebody who went no further."),
        }.items():
            text = (await client.get(f"/reports?{PERIOD}&lang={language}")).text
            assert [word for word in (*words, "1:15", "11:15", "nord-1-duty", USER) if word not in text] == []


async def test_without_a_question_it_is_this_month_so_far(console: Console) -> None:
    async with console.signed_in() as client:
        text = (await client.get("/reports?lang=en")).text
        assert 'value="2026-11-01"' in text
        assert 'value="2026-11-22"' in text
        assert "2 incidents: 0 within the limits" in text
        for by in ("zone", "shift", "class", "kind", "resident", "device"):
            assert (await client.get(f"/reports?by={by}")).status_code == 200


@pytest.mark.parametrize("period", ["from=x", "from=2026-11-02&to=2026-11-01", "from=2020-01-01&to=2026-01-01"])
async def test_a_period_that_cannot_be_is_told(console: Console, period: str) -> None:
    async with console.signed_in() as client:
        answer = await client.get(f"/reports?lang=en&{period}")
        assert (answer.status_code, "This period cannot be used" in answer.text) == (400, True)
        assert (await client.get(f"/reports.csv?{period}")).status_code == 400


async def test_the_files_hold_what_the_page_shows(console: Console) -> None:
    async with console.signed_in() as client:
        answer = await client.get(f"/reports.csv?{PERIOD}&zone=nord-2")
        assert answer.headers["content-disposition"] == 'attachment; filename="followup-2026-11-01-2026-12-01.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [(row["resident"], row["taken_by"]) for row in rows] == [("r-1018", "")]
        figures = (await client.get(f"/reports.csv?{PERIOD}&sheet=figures")).text
        assert [row["group"] for row in csv.DictReader(io.StringIO(figures))] == ["nord-1", "nord-2", "all"]
        told = (await client.get(f"/reports.json?{PERIOD}")).json()
        assert [one["acknowledged_s"] for one in told["incidents"]] == [75, None]
        assert (await client.get("/reports.xls")).status_code == 404


async def test_nothing_of_it_is_shown_without_a_session(console: Console) -> None:
    async with console.client() as client:
        for path in ("/reports", "/reports.csv", "/reports.json"):
            answer = await client.get(path)
            assert answer.status_code in {303, 401}
            assert "r-101" not in answer.text


async def test_the_page_fits_a_small_phone_and_a_sheet_of_paper(console: Console) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 360, "height": 740})
        complaints = Complaints(page)
        await page.goto(f"{console.url}/login")
        await page.fill("input[name=username]", USER)
        await page.fill("input[name=password]", PASSWORD)
        await page.click("button[type=submit], form button")
        for by in ("shift", "kind"):
            await page.goto(f"{console.url}/reports?{PERIOD}&by={by}")
            await page.wait_for_selector(".verdict")
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert await page.evaluate(wide) <= 0
        await page.emulate_media(media="print")
        assert not await page.is_visible(".question")
        assert await page.is_visible(".report")
        assert complaints.seen == []
