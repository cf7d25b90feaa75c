"""The address of a zone's calendar, and the button that confirms a shift."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from icalendar import Calendar

from hub.central import shifts as shifts_at_run_time
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.central.store.tables import shifts
from tests.fakes.console import Console, open_console
from tests.fakes.site import SITE

KEY = "k" * 32
KEYED = SITE.replace('id = "nord-1"\nlast', f'id = "nord-1"\nshift_check = true\ncalendar_key = "{KEY}"\nlast', 1)


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        running.desk.centre.site = Directory(load(KEYED), 2)
        await running.desk.centre.transact(shifts_at_run_time.arm)
        await running.desk.pass_time(1)
        yield running


async def test_the_calendar_is_for_whoever_has_its_key(console: Console) -> None:
    async with console.client() as client:
        answer = await client.get("/calendar/nord-1.ics", params={"key": KEY})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        events = Calendar.from_ical(answer.content).walk("VEVENT")
        assert {str(event["SUMMARY"]) for event in events} == {"duty: nord-1-duty", "technician: technician"}
        for path in (
            "nord-1.ics",
            "nord-1.ics?key=",
            f"nord-1.ics?key={KEY}x",
            f"nord-2.ics?key={KEY}",
            "x.ics?key=",
        ):
            answer = await client.get(f"/calendar/{path}")
            assert answer.status_code == 404, path
            assert b"VCALENDAR" not in answer.content
        assert (await client.post("/calendar/nord-1.ics", params={"key": KEY})).status_code == 405


async def test_a_shift_is_confirmed_in_the_console(console: Console) -> None:
    async with console.signed_in() as client:
        (shift, other) = (await client.get("/api/shifts")).json()
        assert (other["role"], other["confirmed_at"]) == ("technician", None)
        assert (shift["zone"], shift["phone"], shift["confirmed_at"]) == ("nord-1", "nord-1-duty", None)
        path = f"/api/shifts/{shift['id']}/confirm"
        assert (await client.post(path)).status_code == 204
        assert (await client.post(path)).status_code == 409
    (row,) = [row for row in await console.desk.rows(shifts) if row.role == "duty"]
    assert row.confirmed_by == "user:kari-test"
