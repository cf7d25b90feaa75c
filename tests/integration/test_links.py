"""Links in texts: who has one sees its incident and may take it; nothing happens before a person presses."""

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.links.tokens import PLACE
from hub.central.notify import outcome
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.site.directory import Directory
from hub.central.site.load import load
from hub.central.store.tables import attempts, incident_events, links, messages, metadata
from hub.domain.codes import Kind
from tests.fakes.centre import DeskCentre
from tests.fakes.console import Console, open_console
from tests.fakes.site import DUTY, LINKED
from tests.fakes.ward import ObedientProvider

LINK = re.compile(r"https://hub\.example(/l/[A-Za-z0-9_-]{22}) Svar OK 1\.$")


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        running.desk.centre.site = Directory(load(LINKED), running.desk.centre.site.version)
        yield running


async def link(desk: DeskCentre) -> str:
    """Raise an incident, and return the path in the text that the phone got."""
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    provider = ObedientProvider()
    sender = Sender(desk.centre, Ways([provider]), lambda _name: "https://hub.example/hooks")
    (message,) = await desk.rows(messages)
    await sender.send(message.id)
    (outgoing,) = provider.sent
    found = LINK.search(outgoing.text)
    assert found, outgoing.text
    return found[1]


async def state(desk: DeskCentre) -> str:
    return str((await desk.incidents())[0].state)


def form(page: httpx.Response) -> str:
    found = re.search(r'name="form" value="([0-9a-f]{64})"', page.text)
    assert found
    return found[1]


async def test_it_stands_in_the_text_and_its_hash_in_the_store(console: Console) -> None:
    path = await link(console.desk)
    token = path.removeprefix("/l/")
    (row,) = await console.desk.rows(links)
    assert token not in str(row)
    assert (row.incident_id, row.phone, len(row.token_hash)) == (1, "nord-1-duty", 64)
    assert (row.expires_at - row.created_at).total_seconds() == 24 * 3600
    for table in metadata.sorted_tables:
        assert token not in str(await console.desk.rows(table)), table.name


async def test_it_is_in_no_page_no_answer_and_no_log(console: Console, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = await link(console.desk)
    async with console.signed_in() as client:
        shown = [await client.get(where) for where in ("/", "/incidents/1", "/api/incidents/1", "/api/incidents")]
    assert [page.status_code for page in shown] == [200] * len(shown)
    for text in [*(page.text for page in shown), caplog.text]:
        assert path not in text
        assert PLACE not in text


async def test_a_hundred_previews_leave_it_open_and_say_no_more_than_the_text(console: Console) -> None:
    path = await link(console.desk)
    before = await console.desk.rows(incident_events)
    async with console.client() as client:
        for _ in range(50):
            shown, head = await client.get(path), await client.head(path)
            assert (shown.status_code, head.status_code) == (200, 200)
            assert head.text == ""
    assert await state(console.desk) == "alerting"
    assert await console.desk.rows(incident_events) == before
    assert DUTY not in shown.text
    assert 'name="viewport" content="width=device-width' in shown.text


async def test_only_the_pages_own_form_acts_and_it_takes_it_for_the_phone(console: Console) -> None:
    path = await link(console.desk)
    async with console.client() as client:
        page = await client.get(path)
        for body in ({}, {"act": "acknowledge"}, {"act": "acknowledge", "form": "0" * 64}):
            assert (await client.post(path, data=body)).status_code == 409
        other_site = {"sec-fetch-site": "cross-site"}
        good = {"act": "acknowledge", "form": form(page)}
        assert (await client.post(path, data=good, headers=other_site)).status_code == 403
        assert (await client.post(path, data=good | {"act": "close"})).status_code == 409
        assert await state(console.desk) == "alerting"
        done = await client.post(path, data=good)
        assert (done.status_code, done.headers["location"]) == (303, path)
        assert await state(console.desk) == "acknowledged"
        assert (await console.desk.incidents())[0].taken_by == "sms:nord-1-duty"
        assert "Av denne telefonen" in (await client.get(path)).text
        assert (await client.post(path, data=good)).status_code == 409  # once is enough
        assert (await client.post(path, data=good | {"act": "depart"})).status_code == 303
    assert await state(console.desk) == "on_the_way"


@pytest.mark.parametrize("act", ["acknowledge", "depart"])
async def test_the_text_that_brought_it_counts_as_answered(console: Console, act: str) -> None:
    path = await link(console.desk)
    (sent,) = await console.desk.rows(messages)
    await console.desk.centre.transact(lambda tx: outcome.sent(tx, sent.id, 1, "one", "ref-1"))
    async with console.client() as client:
        page = await client.get(path)
        await client.post(path, data={"act": act, "form": form(page)})
    assert [row.state for row in await console.desk.rows(messages)] == ["accepted"]
    assert [row.state for row in await console.desk.rows(attempts)] == ["accepted"]


async def test_a_late_one_is_told_that_somebody_else_took_it(console: Console) -> None:
    path = await link(console.desk)
    async with console.client() as client:
        page = await client.get(path)
        await console.desk.centre.transact(lambda tx: acts.act(tx, 1, Event.ACKNOWLEDGE, "sms:nord-2-duty"))
        late = await client.post(path, data={"act": "acknowledge", "form": form(page)})
    assert late.status_code == 409
    assert "Av nord-2-duty, kl." in late.text


async def test_it_knows_its_phone_by_a_key_too_and_names_no_person(console: Console) -> None:
    path = await link(console.desk)
    async with console.client() as client:
        await console.desk.centre.transact(lambda tx: acts.act(tx, 1, Event.ACKNOWLEDGE, "call:nord-1-duty"))
        assert "Av denne telefonen" in (await client.get(path)).text
        await console.desk.centre.transact(lambda tx: acts.act(tx, 1, Event.DEPART, "user:somebody"))
        page = (await client.get(path)).text
    assert "Av konsollen, kl." in page
    assert "somebody" not in page


async def test_another_language_is_kept_when_it_is_taken(console: Console) -> None:
    path = await link(console.desk)
    async with console.client() as client:
        page = await client.get(f"{path}?lang=en")
        assert "I take it" in page.text
        assert f'action="{path}?lang=en"' in page.text
        answer = await client.post(f"{path}?lang=en", data={"act": "acknowledge", "form": form(page)})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?lang=en")
        odd = (await client.get(path, params={"lang": '"><b>'})).text
        assert f'action="{path}"' in odd


async def test_a_dead_link_looks_like_one_that_never_was(console: Console) -> None:
    path = await link(console.desk)
    async with console.client() as client:
        page = await client.get(path)
        never = await client.get("/l/" + "x" * 22)
        outcome, cause = Outcome.HELP_GIVEN, Cause.NEED
        await console.desk.centre.transact(
            lambda tx: acts.act(tx, 1, Event.CLOSE, "user:x", outcome=outcome, cause=cause)
        )
        closed = await client.get(path)
        assert (never.status_code, closed.status_code, closed.text) == (404, 404, never.text)
        assert (await client.post(path, data={"act": "depart", "form": form(page)})).status_code == 404
        assert (await client.get("/l/short")).status_code == 404


async def test_it_is_dead_when_its_time_is_over(console: Console) -> None:
    path = await link(console.desk)
    console.desk.clock.go_on(24 * 3600 + 1)
    async with console.client() as client:
        assert (await client.get(path)).status_code == 404


async def test_maintenance_is_begun_listed_and_ended_at_the_console(console: Console) -> None:
    until = console.desk.clock.at.replace(year=console.desk.clock.at.year + 1).isoformat()
    soon = console.desk.clock.at.replace(microsecond=0, hour=23).isoformat()
    wanted = {"kind": "hub", "subject": "h-1", "reason": "moving", "until": soon}
    async with console.signed_in() as client:
        assert (await client.post("/api/maintenance", json=wanted | {"until": until})).status_code == 409
        assert (await client.post("/api/maintenance", json=wanted | {"until": "tomorrow"})).status_code == 400
        assert (await client.post("/api/maintenance", json=wanted | {"until": soon[:-6]})).status_code == 400
        begun = await client.post("/api/maintenance", json=wanted)
        assert begun.status_code == 201, begun.text
        (row,) = (await client.get("/api/maintenance")).json()["maintenance"]
        assert (row["subject"], row["reason"], row["held"]) == ("h-1", "moving", 0)
        assert (await client.post(f"/api/maintenance/{row['id']}/end")).status_code == 200
        assert (await client.get("/api/maintenance")).json()["maintenance"] == []
        assert (await client.post(f"/api/maintenance/{row['id']}/end")).status_code == 409
