"""Test mode at the console: who is never tested, a test begun and ended, and what is refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.central.console.words import LANGUAGES
from hub.central.presence import write
from hub.central.store import tables
from hub.domain.codes import Kind
from tests.fakes.console import USER, Console, open_console


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        yield running


async def test_a_device_goes_into_service_from_the_console(console: Console) -> None:
    desk = console.desk
    async with console.signed_in() as client:
        page = (await client.get("/hubs")).text
        assert 'Aldri testet <span class="count">3</span>' in page
        assert "Start testmodus" in (await client.get("/devices/pendant-1")).text
        answer = await client.post("/devices/pendant-1/test", data={"phone": "technician", "minutes": 10})
        assert (answer.status_code, answer.headers["location"]) == (303, "/devices/pendant-1")
        assert "I testmodus til 20:10" in (await client.get("/devices/pendant-1")).text
        assert 'Aldri testet <span class="count">3</span>' in (await client.get("/hubs")).text
        await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
        await desk.store.write(
            lambda connection: connection.execute(tables.messages.update().values(state="delivered"))
        )
        assert (await client.post("/incidents/1/acknowledge")).status_code == 303
        page = (await client.get("/devices/pendant-1")).text
        assert f"I drift siden 20:00, kvittert av {USER} (deg)." in page
        page = (await client.get("/hubs")).text
        assert 'Aldri testet <span class="count">2</span>' in page
        rows = page.partition("<tbody>")[2]
        assert rows.index(">door-1<") < rows.index(">pendant-1<")  # what was never tested goes first
        assert (await client.post("/devices/pendant-1/test/end")).status_code == 303
    (test,) = await desk.rows(tables.device_tests)
    assert (test.started_by, test.ended_by) == (f"user:{USER}", f"user:{USER}")


async def test_a_device_with_a_fault_is_not_said_to_be_silent_while_it_is_heard(console: Console) -> None:
    desk = console.desk
    desk.presence.heard_hub("h-1", desk.clock.at)
    desk.presence.heard_device("pendant-1", desk.clock.at, Kind.BATTERY_LOW, 5, -60)
    await desk.store.write(lambda connection: write(connection, desk.presence.take()))
    await desk.keep(desk.event("pendant-1", Kind.BATTERY_LOW))
    async with console.signed_in() as client:
        page = (await client.get("/hubs")).text
        assert "Taus for lenge" not in page
        assert 'href="/incidents/1"' in page
        desk.clock.go_on(3600)
        desk.presence.heard_hub("h-1", desk.clock.at)
        await desk.store.write(lambda connection: write(connection, desk.presence.take()))
        assert "Taus for lenge" in (await client.get("/hubs")).text


async def test_every_page_is_there_in_every_language(console: Console) -> None:
    async with console.signed_in() as client:
        await client.post("/devices/door-1/test", data={"phone": "technician"})
        for language in LANGUAGES:
            for path in ("/hubs", "/devices/door-1", "/devices/pendant-1"):
                assert (await client.get(path, params={"lang": language})).status_code == 200


async def test_what_cannot_be_tested_is_said_on_the_page(console: Console) -> None:
    desk = console.desk
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    async with console.signed_in() as client:
        answer = await client.post("/devices/pendant-1/test", data={"phone": "technician"})
        assert answer.status_code == 409
        assert "hendelse 1 fra enhet pendant-1 er åpen og ekte" in answer.text
        for data in ({"phone": ""}, {"phone": "nobody"}):
            assert (await client.post("/devices/door-1/test", data=data)).status_code == 409
        for data in ({"minutes": "121"}, {"minutes": "0"}, {"minutes": "x"}):
            answer = await client.post("/devices/door-1/test", data={"phone": "technician", **data})
            assert answer.status_code in {400, 422}
        assert (await client.get("/devices/nobody")).status_code == 404
        assert (await client.post("/devices/nobody/test/end")).status_code == 404
    assert await desk.rows(tables.device_tests) == []
