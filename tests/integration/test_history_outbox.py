"""The outbox against a real InfluxDB 1.x and the API of 2.x: whatever happens, the counts are equal in the end."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from hub.central.history import InfluxHistory, InfluxServer, Outbox, SqlHistory
from hub.central.history import outbox as outbox_module
from hub.central.settings import Influx
from hub.central.store.engine import Store
from hub.central.store.tables import cursors, history_rejects, observations
from hub.domain.clock import UTC, Now
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.influx_v2 import InfluxV2
from tests.fakes.influxd import Influxd
from tests.fakes.proxy import Proxy

T0 = dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
FOREVER = (dt.datetime(1970, 1, 1, tzinfo=UTC), dt.datetime(2200, 1, 1, tzinfo=UTC))


class FixedClock:
    """Always the same moment."""

    def now(self) -> Now:
        return Now(T0, 0.0)


def observation(number: int, **other: object) -> dict[str, Any]:
    row = {
        "hub_id": "h-1",
        "epoch": "5f1c09aa",
        "seq": number,
        "device_id": "d-1",
        "resident_id": "r-1",
        "kind": str(Kind.CLIMATE_READING),
        "lane": "reading",
        "value": json.dumps(number / 4),
        "unit": "Cel",
        "battery_pct": 87,
        "rssi_dbm": -61,
        "test": False,
        "flags": "",
        "raw": "44000b",
        "time": T0 + dt.timedelta(microseconds=number),
        "timequality": "synced",
        "received_at": T0 + dt.timedelta(seconds=1),
    }
    row |= other
    # A hub never uses an id twice, whatever else of two observations is alike.
    return {"event_id": f"event-{row['epoch']}-{row['seq']}"} | row


def add(store: Store, *rows: dict[str, Any]) -> None:
    store.write_now(lambda connection: connection.execute(sa.insert(observations), list(rows)))


def position(store: Store) -> int:
    return store.read_now(lambda connection: connection.scalar(sa.select(cursors.c.position))) or 0


def rejects(store: Store) -> dict[int, str]:
    asked = sa.select(history_rejects.c.observation_id, history_rejects.c.reason)
    return {
        row.observation_id: row.reason
        for row in store.read_now(lambda connection: connection.execute(asked).all())
    }


async def points(server: InfluxServer) -> int:
    counted = await server.query('SELECT count("id") FROM "observation"')
    return int(counted[0]["count"]) if counted else 0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path}/central.db")
    yield opened
    opened.close()


@pytest.fixture
async def influxd(tmp_path: Path) -> AsyncIterator[Influxd]:
    server = Influxd(tmp_path / "influx")
    await server.start()
    yield server
    server.kill()


@asynccontextmanager
async def to(url: str, **settings: str) -> AsyncIterator[InfluxServer]:
    server = InfluxServer(msgspec.convert({"url": url, **settings}, Influx))
    yield server
    await server.close()


@asynccontextmanager
async def running(store: Store, server: InfluxServer) -> AsyncIterator[None]:
    task = asyncio.create_task(Outbox(store, server, FixedClock()).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_position(store: Store, wanted: int) -> None:
    async with asyncio.timeout(30):
        while await asyncio.to_thread(position, store) < wanted:  # noqa: ASYNC110, the cursor has no event
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDLE_S", "RETRY_FIRST_S", "RETRY_MAX_S"):
        monkeypatch.setattr(outbox_module, name, 0.05)
    monkeypatch.setattr(outbox_module, "BATCH", 100)


async def test_the_server_is_down_for_a_while(store: Store, tmp_path: Path) -> None:
    influxd = Influxd(tmp_path / "influx")
    add(store, *(observation(number) for number in range(1, 301)))
    async with to(influxd.url) as server, running(store, server):
        await asyncio.sleep(0.3)
        assert position(store) == 0
        await influxd.start()
        await until_position(store, 300)
        influxd.kill()
        add(store, *(observation(number) for number in range(301, 501)))
        await asyncio.sleep(0.3)
        assert position(store) == 300
        await influxd.start()
        await until_position(store, 500)
        assert await points(server) == 500
    influxd.kill()


async def test_killed_in_the_middle_of_writing(store: Store, influxd: Influxd) -> None:
    add(store, *(observation(number) for number in range(1, 3001)))
    async with to(influxd.url) as server, running(store, server):
        for wanted in (1, 900, 1800):
            await until_position(store, wanted)
            await influxd.restart()
        await until_position(store, 3000)
        assert await points(server) == 3000
    assert rejects(store) == {}


async def test_the_204_is_lost_and_the_network_falls_silent(
    store: Store, influxd: Influxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.central.history.influx.TIMEOUT_S", 0.3)
    add(store, *(observation(number) for number in range(1, 1001)))
    async with (
        Proxy(influxd.port) as proxy,
        to(f"http://127.0.0.1:{proxy.port}") as server,
        running(store, server),
    ):
        for count in (20_000, 70_000):
            proxy.cut_after(count)
            await asyncio.sleep(0.2)
            proxy.resume()
        proxy.half_open()
        await asyncio.sleep(0.5)
        proxy.resume()
        await until_position(store, 1000)
        assert await points(server) == 1000


async def test_a_crash_after_the_204_changes_nothing(store: Store, influxd: Influxd) -> None:
    add(store, *(observation(number) for number in range(1, 11)))
    async with to(influxd.url) as server:
        await Outbox(store, server, FixedClock()).step()
        store.write_now(lambda connection: connection.execute(sa.delete(cursors)))
        await Outbox(store, server, FixedClock()).step()
        assert await points(server) == 10
        assert position(store) == 10


@pytest.mark.parametrize("batch", [100, 4])
async def test_events_of_one_nanosecond_do_not_overwrite_each_other(
    store: Store, influxd: Influxd, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "BATCH", batch)
    # Its clock stands still, and every thousandth entry has the same three digits below the microsecond.
    add(store, *(observation(number, time=T0) for number in (1, 2, 1001, 2001, 3001)))
    add(store, observation(1, time=T0, hub_id="h-2"), observation(1, time=T0, epoch="00000002"))
    add(store, observation(4, time=T0, kind=str(Kind.FALL_DETECTED)), observation(1004, time=T0))
    async with to(influxd.url) as server:
        for _ in range(2):
            while await Outbox(store, server, FixedClock()).step():
                pass
            assert await points(server) == 9
            assert await InfluxHistory(server).observations("r-1", *FOREVER) == await SqlHistory(
                store
            ).observations("r-1", *FOREVER)
            store.write_now(lambda connection: connection.execute(sa.delete(cursors)))


async def test_a_rejected_point_is_noted_and_the_others_go_on(
    store: Store, influxd: Influxd, caplog: pytest.LogCaptureFixture
) -> None:
    beyond = dt.datetime(9999, 1, 1, tzinfo=UTC)  # InfluxDB's nanoseconds end in 2262
    add(store, *(observation(number, time=beyond if number in (7, 80, 250) else T0) for number in range(1, 301)))
    async with to(influxd.url) as server, running(store, server):
        await until_position(store, 300)
        assert await points(server) == 297
    assert sorted(rejects(store)) == [7, 80, 250]
    assert "unable to parse" in rejects(store)[7]
    assert "observation 80 is rejected for good" in caplog.text


async def test_a_field_of_the_wrong_type_is_noted(store: Store, influxd: Influxd) -> None:
    async with to(influxd.url) as server:
        # Somebody else's point has made battery_pct a text in this shard.
        await server.write([f'observation battery_pct="full" {int(T0.timestamp()) * 10**9}'])
        add(store, observation(1), observation(2, battery_pct=None), observation(3))
        await Outbox(store, server, FixedClock()).step()
        assert await points(server) == 1
    assert sorted(rejects(store)) == [1, 3]
    assert "field type conflict" in rejects(store)[1]
    assert position(store) == 3


V2 = {"database": "care", "token": "made-up", "org": "town"}


@pytest.mark.parametrize("api", ["auto", "v2"])
async def test_api_v2_takes_the_same_points(store: Store, api: str) -> None:
    add(store, *(observation(number) for number in range(1, 101)))
    with InfluxV2("made-up", "care") as fake:
        async with to(fake.url, api=api, **V2) as server:
            fake.answers = [503]
            with pytest.raises(TransientError, match="503"):
                await Outbox(store, server, FixedClock()).step()
            outbox = Outbox(store, server, FixedClock())
            fake.answers = [429]
            with pytest.raises(TransientError, match="429"):
                await outbox.step()
            assert position(store) == 0
            assert outbox.unwritten.since() is not None, "the auditor sees that something waits"
            await outbox.step()
            assert outbox.unwritten.since() is None
        assert len(fake.lines) == 100
    assert position(store) == 100


async def test_api_v2_partial_writes_are_halved(store: Store) -> None:
    add(store, *(observation(number, raw="bad" if number in (3, 64) else "") for number in range(1, 101)))
    with InfluxV2("made-up", "care") as fake:
        fake.poison = '"bad"'
        async with to(fake.url, **V2) as server:
            await Outbox(store, server, FixedClock()).step()
        assert len([line for line in fake.lines.values() if line.startswith("observation")]) == 98
        assert fake.requests < 40
    assert sorted(rejects(store)) == [3, 64]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [({"token": "wrong"}, "401 .*unauthorized"), ({"database": "other"}, "404 .*bucket")],
)
async def test_a_wrong_setting_rejects_no_point(store: Store, settings: dict[str, str], complaint: str) -> None:
    add(store, observation(1))
    with InfluxV2("made-up", "care") as fake:
        async with to(fake.url, **(V2 | settings)) as server:
            with pytest.raises(TransientError, match=complaint):
                await Outbox(store, server, FixedClock()).step()
    assert (position(store), rejects(store)) == (0, {})


async def test_a_server_that_refuses_everything_rejects_no_point(store: Store) -> None:
    add(store, observation(1), observation(2))
    with InfluxV2("made-up", "care") as fake:
        fake.answers = [400] * 10
        async with to(fake.url, **V2) as server:
            with pytest.raises(TransientError, match="refuses every point"):
                await Outbox(store, server, FixedClock()).step()
    assert (position(store), rejects(store)) == (0, {})
