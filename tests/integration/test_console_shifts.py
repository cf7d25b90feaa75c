"""The page of shifts: who has the phone, the button that confirms it, and what another zone does not see."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from hub.central.console.words import LANGUAGES
from hub.central.incidents import desk as incidents
from hub.central.shifts import confirm, start
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.central.store.tables import shifts
from tests.fakes.browser import Complaints, chromium
from tests.fakes.centre import DeskCentre
from tests.fakes.console import PASSWORD, USER, Console, open_console
from tests.fakes.site import DUTY, SITE
from tests.fakes.ward import press

KEY = "k&y" * 12
# It is 20:00 in Oslo: the night has begun with an override, and Sunday has nobody from 08:00 to 09:00.
WARD = (
    SITE.replace(
        'id = "nord-1"\nlast', f'id = "nord-1"\nshift_check = true\ncalendar_key = "{KEY}"\nlast', 1
    ).replace(
        'phone = "nord-1-duty"\ndays = "daily"\nfrom = "00:00"\nto = "24:00"\n',
        'phone = "nord-1-duty"\ndays = "daily"\nfrom = "09:00"\nto = "08:00"\n',
        1,
    )
    + """
[[overrides]]
zone = "nord-1"
role = "duty"
phone = "nord-1-duty"
from = "2026-11-21T18:00"
to = "2026-11-22T08:00"
kind = "longer"
reason = "night nurse is late"
[[overrides]]
zone = "nord-2"
role = "duty"
phone = "technician"
from = "2026-11-22T10:00"
to = "2026-11-22T12:00"
kind = "swap"
reason = "course"
"""
)


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        running.desk.centre.site = Directory(load(WARD), 2)
        await running.desk.centre.transact(start.arm)
        await running.desk.pass_time(1)
        yield running


async def raised(desk: DeskCentre, resident: str, **more: object) -> int:
    at = desk.clock.at
    return await desk.centre.transact(lambda tx: incidents.raise_incident(tx, press(resident, at, **more)))


async def test_it_tells_who_has_the_phone_and_why_who_comes_next_and_the_next_gap(console: Console) -> None:
    await raised(console.desk, "r-1017")
    async with console.signed_in() as client:
        text = (await client.get("/shifts")).text
        assert "lengre vakt: night nurse is late" in text
        assert "Ingen har vakt fra 22. nov. 08:00 til 22. nov. 09:00." in text
        assert "bytte: course" in text
        assert "nord-1-duty har ikke bekreftet vakten." in text
        assert '<a class="about" href="/incidents/1?zone=nord-1">nr. 1</a>' in text
        assert "/calendar/nord-1.ics?key=k%26yk%26y" in text
        assert "hub site apply" in text
        link = text.partition('href="/calendar/')[2].partition('"')[0].replace("&amp;", "&")
        assert (await client.get(f"/calendar/{link}")).status_code == 200
        for language in LANGUAGES:
            assert (await client.get("/shifts", params={"lang": language})).status_code == 200


async def test_the_filter_shows_nothing_of_another_zone(console: Console) -> None:
    await raised(console.desk, "r-1017")
    async with console.signed_in() as client:
        page = (await client.get("/shifts?zone=nord-2")).text
        shown = page.partition('id="duties"')[2]
        assert "bytte: course" in shown
        for foreign in ("nord-1-duty", "night nurse", "/incidents/1", KEY[:3], "nord-1.ics"):
            assert foreign not in shown
    async with console.client() as stranger:
        answer = await stranger.get("/shifts")
        assert (answer.status_code, "nord-1-duty" in answer.text) == (303, False)


async def test_a_shift_is_confirmed_once_and_a_second_tap_is_no_error(console: Console) -> None:
    rows = {row.role: row.id for row in await console.desk.rows(shifts)}
    async with console.signed_in() as client:
        for _ in range(2):
            answer = await client.post(f"/shifts/{rows['duty']}/confirm?zone=nord-1")
            assert (answer.status_code, answer.headers["location"]) == (303, "/shifts?zone=nord-1")
        assert f"Bekreftet av {USER} (deg) 20:00." in (await client.get("/shifts")).text
        await console.desk.centre.transact(lambda tx: confirm.by_phone(tx, "+4700000092", "sms:technician"))
        answer = await client.post(f"/shifts/{rows['technician']}/confirm")
        assert answer.status_code == 409
        assert "Det gikk ikke: vakten er bekreftet av telefon technician 20:00" in answer.text
        answer = await client.post("/shifts/99/confirm")
        assert (answer.status_code, "vakt 99 er over" in answer.text) == (409, True)
    confirmed = {row.role: row.confirmed_by for row in await console.desk.rows(shifts)}
    assert confirmed == {"duty": f"user:{USER}", "technician": "sms:technician"}


async def test_the_leader_that_was_told_is_told_on_the_page(console: Console) -> None:
    await console.desk.pass_time(601)
    async with console.signed_in() as client:
        page = (await client.get("/shifts")).text
        assert "Varsler til sonens leder: 1." in page
        assert 'zone-nord-1" class="chip has-alerts"' in page


async def test_on_a_small_phone_it_is_confirmed_and_changes_by_itself(console: Console) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 360, "height": 740})
        complaints = Complaints(page)
        await page.goto(f"{console.url}/login?next=/shifts")
        await page.fill("#username", USER)
        await page.fill("#password", PASSWORD)
        await page.press("#password", "Enter")
        await expect(page.locator("#live")).to_be_visible()
        for language in LANGUAGES:
            await page.goto(f"{console.url}/shifts?lang={language}")
            await expect(page.locator("#live")).to_be_visible()
            await page.click("#week-nord-1-duty > summary")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 360, language
            small = await page.locator("button, summary, nav a, .chip, #duties a").evaluate_all(
                """all => all.filter((one) => one.checkVisibility())
                    .map((one) => [one.textContent, one.getBoundingClientRect()])
                    .filter(([, box]) => box.height < 44 || box.width < 44).map(([name]) => name)"""
            )
            assert small == [], language
            menu = (
                "(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.querySelector('.top nav'))"
            )
            assert await page.evaluate(menu) == 0, language
        await page.goto(f"{console.url}/shifts?lang=nb")
        await expect(page.locator("#live")).to_be_visible()
        await page.click("#week-nord-1-duty > summary")
        # The keyboard alone: from the open list back to the button before it.
        rows = {row.role: row.id for row in await console.desk.rows(shifts)}
        await page.keyboard.press("Shift+Tab")
        await expect(page.locator(f"#confirm-{rows['duty']}")).to_be_focused()
        await console.desk.centre.transact(lambda tx: confirm.by_phone(tx, DUTY, "sms:nord-1-duty"))
        await expect(page.locator("#duty-nord-1")).to_contain_text("Bekreftet av telefon nord-1-duty 20:00.")
        await expect(page.locator("#week-nord-1-duty")).to_have_attribute("open", "")  # nobody's place was taken
        await page.click(f"#confirm-{rows['technician']}")
        await expect(page.locator("#duty-nord-1")).to_contain_text(f"Bekreftet av {USER} (deg) 20:00.")
        await raised(console.desk, "r-1018")
        await expect(page.locator("#duty-nord-1")).to_contain_text("nr. 1")
        assert complaints.seen == []
