"""The figures over HTTP: who may read them, what they show, and that nobody is in them."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub.central.metrics import figures
from hub.central.metrics.route import Gauges
from hub.central.store import tables
from hub.central.synthetic import rounds
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.centre import DeskCentre
from tests.fakes.console import Console, open_console

MOST_MS = 20.0


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with open_console(tmp_path) as running:
        yield running


async def scrape(console: Console) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and the values of its labels, these in the order of their names."""
    async with console.client() as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name.removeprefix("welfarehub_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_it_shows_queues_what_is_due_incidents_and_attempts(console: Console) -> None:
    desk = console.desk
    console.app.state.gauges = Gauges(ages=lambda: {"alarm": 2.5}, fit=lambda: False)
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    await desk.centre.transact(
        lambda tx: tx.connection.execute(tables.attempts.update().values(provider="46elks", state="undeliverable"))
    )
    desk.clock.go_on(200)
    seen = await scrape(console)
    assert seen["queue_age_seconds", "alarm"] == 2.5
    assert seen["due_lag_seconds", "incident.step"] == pytest.approx(20)
    assert seen["due_lag_seconds", "message.send"] == pytest.approx(200)
    assert seen["incidents", "care", "alerting", "false", "nord-1"] == 1
    assert seen["attempts", "46elks", "undeliverable"] == 1
    assert (seen[("incidents_unattended",)], seen[("store_up",)], seen[("auditor_fit",)]) == (0, 1, 0)
    desk.clock.go_on(3600)
    assert ("attempts", "46elks", "undeliverable") not in await scrape(console)


async def test_the_last_complete_round_is_shown_by_its_legs(console: Console) -> None:
    desk = console.desk
    begun = await desk.centre.transact(lambda tx: rounds.begin(tx, "h-1", "technician"))
    event = desk.event("h-1", Kind.ALARM_PRESSED, value={"round": begun}, test=True)
    desk.clock.go_on(1)
    await desk.keep(event)
    desk.clock.go_on(2)
    now = desk.clock.at
    await desk.centre.transact(
        lambda tx: tx.connection.execute(tables.messages.update().values(sent_at=now, delivered_at=now))
    )
    await desk.centre.transact(lambda tx: rounds.end(tx, begun))
    seen = await scrape(console)
    legs = [seen["round_leg_seconds", leg] for leg in ("observed", "received", "sent", "delivered")]
    assert legs == [0, 1, 3, 3]
    assert seen[("round_complete_timestamp_seconds",)] == (now.timestamp() - 3)


async def test_nobody_is_in_it(console: Console) -> None:
    desk = console.desk
    for device in ("pendant-1", "door-1", "dispenser-1"):
        await desk.keep(desk.event(device, Kind.ALARM_PRESSED))
    async with console.client() as client:
        text = (await client.get("/metrics")).text
    assert not re.search(r"r-10\d\d|pendant|\+?47[0-9]{8}|h-1\b", text)


async def test_a_reader_from_elsewhere_is_refused(console: Console) -> None:
    async with console.client() as client:
        for header in ("x-forwarded-for", "forwarded", "x-real-ip"):
            assert (await client.get("/metrics", headers={header: "192.0.2.1"})).status_code == 403
    transport = httpx.ASGITransport(app=console.app, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://centre") as client:
        assert (await client.get("/metrics")).status_code == 403


async def test_with_a_token_only_the_token_counts(console: Console) -> None:
    console.app.state.gauges = Gauges(token="a-token-of-32-characters-or-more")
    async with console.client() as client:
        for wrong in (b"", b"Bearer", b"Bearer a-token", "Bearer ø".encode()):
            answer = await client.get("/metrics", headers={b"authorization": wrong})
            assert answer.status_code == 403
        right = {"authorization": "Bearer a-token-of-32-characters-or-more"}
        assert (await client.get("/metrics", headers=right)).status_code == 200


async def test_a_store_that_does_not_answer_is_a_figure_too(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **_options: object) -> None:
        raise TransientError("store: disk I/O error")

    monkeypatch.setattr(console.desk.store, "read_now", broken)
    seen = await scrape(console)
    assert seen[("store_up",)] == 0


@pytest.mark.parametrize("still_open", [100, 1000])
async def test_it_is_cheap_with_ten_thousand_incidents(tmp_path: Path, still_open: int) -> None:
    desk = DeskCentre(f"sqlite:///{tmp_path}/central.db")
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    (one,) = await desk.incidents()
    row = dict(one._mapping) | {"open_key": None}
    many = [
        row | {"id": number, "state": "alerting" if number <= still_open else "closed"}
        for number in range(2, 10_001)
    ]
    planned = [
        {"at": desk.clock.at, "kind": "incident.step", "subject": str(number), "attempts": 0}
        for number in range(2, still_open + 1)
    ]

    def fill(connection: object) -> None:
        connection.execute(tables.incidents.insert(), many)  # type: ignore[attr-defined] # a store's connection
        connection.execute(tables.due.insert(), planned)  # type: ignore[attr-defined] # the same

    await desk.store.write(fill)
    took = []
    for _ in range(5):
        began = time.thread_time()
        seen = desk.store.read_now(lambda connection: figures.take(connection, desk.clock.at, "centre"))
        took.append((time.thread_time() - began) * 1000)
    desk.store.close()
    assert sum(seen.incidents.values()) == still_open
    assert seen.closed == 10_000 - still_open
    assert min(took) < MOST_MS, took
