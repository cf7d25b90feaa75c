"""Incidents, history and health over HTTP, and what bad input gets."""

import asyncio
import datetime as dt
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.central.api import health
from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Event
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.console import PASSWORD, Console, open_console
from tests.fakes.ward import press


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        centre = running.desk.centre
        await centre.transact(lambda tx: desk.raise_incident(tx, press("r-1017", tx.now.utc, room="bad")))
        yield running


@pytest.fixture
async def client(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    async with console.signed_in() as signed_in:
        yield signed_in


async def test_an_incident_from_press_to_outcome(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/incidents")).json()["incidents"]
    assert [card["incident"]["id"] for card in listed] == [1]
    assert [told["phone"] for told in listed[0]["told"]] == ["nord-1-duty"]
    for event, state in (("acknowledge", "acknowledged"), ("depart", "on_the_way"), ("arrive", "arrived")):
        answer = await client.post(f"/api/incidents/1/{event}")
        assert answer.json() == {"number": 1, "state": state}
    refused = await client.post("/api/incidents/1/close", json={"outcome": "help_given"})
    assert refused.status_code == 409
    assert "outcome and a cause" in refused.json()["error"]
    ending = {"outcome": "help_given", "cause": "fall", "note": "sat in the chair"}
    assert (await client.post("/api/incidents/1/close", json=ending)).json()["state"] == "closed"
    story = (await client.get("/api/incidents/1")).json()
    assert story["incident"]["outcome"] == "help_given"
    assert [line["event"] for line in story["lines"]][-1] == "closed"
    assert (await client.get("/api/incidents")).json() == {"incidents": []}


async def test_only_one_takes_it_and_the_other_is_told_who(console: Console, client: httpx.AsyncClient) -> None:
    centre = console.desk.centre
    await centre.transact(lambda tx: desk.act(tx, 1, Event.ACKNOWLEDGE, "phone:nord-1-duty"))
    answer = await client.post("/incidents/1/acknowledge")
    assert answer.status_code == 409
    assert "telefon nord-1-duty tok hendelsen kl. 20:00" in answer.text
    assert (await client.post("/api/incidents/1/acknowledge")).status_code == 409


async def test_a_second_tap_of_the_same_thumb_is_no_error(client: httpx.AsyncClient) -> None:
    for event in ("acknowledge", "acknowledge", "depart", "acknowledge", "depart", "arrive", "arrive"):
        assert (await client.post(f"/incidents/1/{event}")).status_code == 303, event
    ending = {"outcome": "help_given", "cause": "fall"}
    assert [(await client.post("/incidents/1/close", data=ending)).status_code for _ in range(2)] == [303, 303]
    answer = await client.post("/incidents/1/depart")
    assert answer.status_code == 409
    assert "lukket av kari-test" in answer.text


async def test_nobody_closes_what_he_or_she_has_not_seen(console: Console, client: httpx.AsyncClient) -> None:
    centre = console.desk.centre
    await centre.transact(lambda tx: desk.raise_incident(tx, press("r-1017", tx.now.utc)))
    ending = {"outcome": "no_help_needed", "cause": "mistake", "presses": 1}
    for answer in (
        await client.post("/incidents/1/close", data=ending),
        await client.post("/api/incidents/1/close", json=ending),
    ):
        assert answer.status_code == 409
    assert "ny melding mens du skrev" in (await client.post("/incidents/1/close", data=ending)).text
    assert (await client.post("/incidents/1/close", data=ending | {"presses": 2})).status_code == 303


async def test_a_closing_without_a_choice_says_what_is_missing(client: httpx.AsyncClient) -> None:
    for data in ({}, {"outcome": "help_given"}, {"outcome": "cleared", "cause": "fall"}, {"outcome": "x"}):
        answer = await client.post("/incidents/1/close", data=data)
        assert answer.status_code == 409
        assert "Velg både" in answer.text


HUGE = "9" * 30
BAD: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/incidents/0", {}, 404),
    ("GET", "/incidents/99", {}, 404),
    ("GET", f"/incidents/{HUGE}", {}, 404),
    ("GET", "/incidents/x", {}, 404),
    ("GET", "/api/incidents/99", {}, 404),
    ("GET", f"/events/incidents/{HUGE}", {}, 404),
    ("GET", "/events/incidents/99", {}, 404),
    ("POST", "/incidents/99/acknowledge", {}, 404),
    ("POST", "/incidents/1/expire", {}, 404),
    ("POST", "/api/incidents/1/clear", {}, 404),
    ("POST", "/api/incidents/99/acknowledge", {}, 404),
    ("POST", "/incidents/1/close", {"data": {"presses": HUGE, "outcome": "help_given", "cause": "fall"}}, 400),
    ("POST", "/incidents/1/close", {"data": {"note": "x" * 501}}, 400),
    ("POST", "/incidents/1/close", {"content": b"x" * 70_000, "headers": {"content-type": "text/plain"}}, 413),
    ("POST", "/incidents/1/close", {"data": {"note": "x" * 70_000}}, 413),
    ("POST", "/api/incidents/1/close", {"content": b"{", "headers": {"content-type": "application/json"}}, 400),
    ("POST", "/api/incidents/1/close", {"json": {"outcome": "x"}}, 400),
    ("POST", "/api/incidents/1/close", {"json": {"outcome": "cleared", "cause": "fall"}}, 400),
    ("POST", "/api/incidents/1/close", {"json": {"note": "a\u0000b"}}, 400),
    ("POST", "/api/incidents/1/close", {"json": [1]}, 400),
    ("PUT", "/api/incidents/1", {}, 405),
    ("GET", "/residents/r-404", {}, 404),
    ("GET", "/residents/%00", {}, 404),
    ("GET", "/api/residents/r-404/history", {}, 404),
    ("GET", "/api/residents/r-1017/history?limit=0", {}, 400),
    ("GET", "/api/residents/r-1017/history?limit=1000000", {}, 400),
    ("GET", "/api/residents/r-1017/history?kind=rain.detected", {}, 400),
    ("GET", "/api/residents/r-1017/history?since=2026-11-21T19:00:00", {}, 400),
    ("GET", "/api/residents/r-1017/history?since=yesterday", {}, 400),
    ("GET", "/api/residents/r-1017/history?since=2027-01-01T00:00:00Z", {}, 400),
    ("GET", "/api/residents/r-1017/history?since=0001-01-01T00:00:00%2B14:00", {}, 200),
    ("GET", "/api/residents/r-1017/history?until=9999-12-31T23:59:59-14:00", {}, 200),
    ("GET", "/residents/r-1017?kind=rain.detected", {}, 200),
    ("GET", "/?zone=%00&lang=xx", {}, 200),
    ("GET", "/static/../app.py", {}, 404),
    ("GET", "/static/%2e%2e/pages.py", {}, 404),
]


async def test_bad_input_gets_an_answer_that_says_what_to_do(client: httpx.AsyncClient) -> None:
    for method, path, body, code in BAD:
        answer = await client.request(method, path, **body)
        assert answer.status_code == code, (method, path, body)
        if code >= 400 and not path.startswith("/static"):
            said = answer.json()["error"] if path.startswith(("/api", "/events")) else answer.text
            assert len(said) > 10


async def test_a_bad_login_is_only_a_failed_login(console: Console) -> None:
    async with console.client() as client:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        for body in (b"", b"\xff\xfe", b"username=%ff&password=%00", b"username=" + b"x" * 65):
            assert (await client.post("/login", content=body, headers=kind)).status_code in {400, 401}


async def test_what_was_typed_as_a_password_is_never_repeated(console: Console) -> None:
    async with console.client() as client:
        answer = await client.post("/login", data={"username": "kari-test", "password": PASSWORD + "x" * 300})
        assert answer.status_code == 400
        assert PASSWORD not in answer.text


async def test_history_is_answered_newest_first_and_filtered(console: Console, client: httpx.AsyncClient) -> None:
    desk_centre = console.desk
    for kind in (Kind.BED_LEFT, Kind.MOTION_DETECTED, Kind.BED_ENTERED):
        await desk_centre.keep(desk_centre.event("pendant-1", kind), topic="wt/1/h-1/up/reading")
        desk_centre.clock.go_on(60)
    path = "/api/residents/r-1017/history"
    rows = (await client.get(path)).json()["observations"]
    assert [row["kind"] for row in rows] == ["bed.entered", "motion.detected", "bed.left"]
    rows = (await client.get(path, params={"kind": ["bed.left", "bed.entered"], "limit": 1})).json()[
        "observations"
    ]
    assert [row["kind"] for row in rows] == ["bed.entered"]
    since = (desk_centre.clock.at - dt.timedelta(seconds=90)).isoformat()
    rows = (await client.get(path, params={"since": since})).json()["observations"]
    assert [row["kind"] for row in rows] == ["bed.entered"]
    page = (await client.get("/residents/r-1017?kind=bed.left&lang=en")).text
    assert "Out of bed" in page.split("<tbody>")[1]
    assert "In bed" not in page.split("<tbody>")[1]


async def test_the_language_is_the_sites_and_can_be_chosen(client: httpx.AsyncClient) -> None:
    assert '<html lang="nb"' in (await client.get("/")).text
    assert "Opne hendingar" in (await client.get("/?lang=nn")).text
    assert "Opne hendingar" in (await client.get("/")).text
    assert '<html lang="nn"' in (await client.get("/?lang=klingon")).text


async def test_a_store_that_does_not_answer_is_said_so(
    console: Console, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TransientError("store: disk I/O error")

    monkeypatch.setattr(console.desk.store, "read_now", broken)
    answer = await client.get("/")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "Lageret svarer ikke" in answer.text
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "checks": {"store": False}})
    assert (await client.get("/health/live")).status_code == 200


async def test_a_store_that_says_nothing_is_not_waited_for(
    console: Console, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = threading.Event()
    monkeypatch.setattr(console.desk.store, "read_now", lambda *_, **__: said.wait(30))
    monkeypatch.setattr(health, "_PATIENCE_S", 0.05)
    try:
        async with asyncio.timeout(5):
            ready = await client.get("/health/ready")
    finally:
        said.set()
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "checks": {"store": False}})


async def test_an_alarm_is_shown_even_when_its_reading_cannot_be_noted(
    console: Console, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise TransientError("store: database or disk is full")

    monkeypatch.setattr(console.desk.store, "write_now", full)
    answer = await client.get("/incidents/1")
    assert answer.status_code == 200
    assert "Trygghetsalarm" in answer.text
    assert "user:kari-test incident.read incident:1 not stored" in caplog.text
    assert (await client.post("/incidents/1/acknowledge")).status_code == 503


async def test_ready_asks_what_it_was_given(tmp_path: Path) -> None:
    answers = {"mqtt": True, "clockwork": False}
    checks = {name: lambda name=name: answers[name] for name in answers}
    async with open_console(tmp_path, checks) as console, console.client() as client:
        assert (await client.get("/health/ready")).status_code == 503
        answers["clockwork"] = True
        answer = await client.get("/health/ready")
        assert answer.status_code == 200
        assert answer.json()["checks"] == {"store": True, "mqtt": True, "clockwork": True}
