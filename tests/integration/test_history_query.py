"""The two histories answer alike."""

import datetime as dt
import json
import random
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from hub.central.history import History, InfluxHistory, Outbox, SqlHistory, influx_history
from hub.central.settings import Influx
from hub.central.store.engine import Store
from hub.central.store.tables import observations
from hub.domain.clock import UTC, Now
from hub.domain.codes import Kind
from hub.domain.errors import TransientError
from tests.fakes.influxd import Influxd
from tests.fakes.mosquitto import free_port

T0 = dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
US = dt.timedelta(microseconds=1)
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 5, 5.5, -0.1, 1e-300, 1.7976931348623157e308, 2**53, 2**53 + 1, -(2**62), 1e22,
    "", "button 2", "Blåbærsyltetøy 🫐 日本", 'say "no"', "back\\slash", "ends in \\", "two\nlines",
    "\ttab, comma=x", "5", "true",
    {}, {"systolic": 120, "diastolic": 80.5, "unit": "mm[Hg]"}, {"deep": {"list": [1, None, "ø"], "ok": True}},
]  # fmt: skip


class FixedClock:
    """Always the same moment."""

    def now(self) -> Now:
        return Now(T0, 0.0)


def rows() -> list[dict[str, Any]]:
    chance = random.Random(7)
    kinds = [str(kind) for kind in (Kind.ALARM_PRESSED, Kind.DOOR_OPENED, Kind.CLIMATE_READING)]
    made = []
    for seq in range(1, 400):
        value = VALUES[seq % len(VALUES)]
        made.append(
            {
                "hub_id": chance.choice(["h-1", "h-2"]),
                "epoch": "5f1c09aa",
                "seq": seq if chance.random() < 0.8 else seq + 1000 * chance.randrange(1, 3),
                "event_id": f"event-{seq}",
                "device_id": chance.choice(["d-1", "d-2"]),
                "resident_id": chance.choice(["r-1", "r-2", None]),
                "kind": chance.choice(kinds),
                "lane": "reading",
                "value": None if value is None else json.dumps(value, ensure_ascii=chance.random() < 0.5),
                "unit": chance.choice(["Cel", "m/s2", "%", None]),
                "battery_pct": chance.choice([0, 100, None]),
                "rssi_dbm": chance.choice([-127, 20, None]),
                "test": chance.random() < 0.5,
                "flags": chance.choice(["", "counter_back", "unencrypted bad_time"]),
                "raw": chance.choice(["", "44000b0164"]),
                "time": T0 + US * chance.choice([0, 0, 1, 2, 3_600_000_000, -1]),
                "timequality": chance.choice(["synced", "estimated", "unknown"]),
                "received_at": T0 + US * seq,
            }
        )
    long_ago = {"seq": 9999, "event_id": "event-9999", "time": dt.datetime(1970, 1, 1, tzinfo=UTC)}
    made.append(made[0] | long_ago | {"resident_id": "r-1"})
    return made


async def test_sql_and_influx_answer_alike(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/central.db")
    influxd = Influxd(tmp_path / "influx")
    await influxd.start()
    stored = rows()
    store.write_now(lambda connection: connection.execute(sa.insert(observations), stored))
    server, influx = influx_history(Influx(url=influxd.url))
    await Outbox(store, server, FixedClock()).step()
    sql: History = SqlHistory(store)
    day = (T0 - dt.timedelta(days=1), T0 + dt.timedelta(days=1))
    questions: list[tuple[Any, ...]] = [
        ("r-1", *day),
        ("r-2", *day, [Kind.DOOR_OPENED]),
        ("r-1", *day, [Kind.DOOR_OPENED, Kind.ALARM_PRESSED]),
        ("r-1", *day, []),
        ("r-1", T0, T0 + US),
        ("r-1", T0 + US, T0 + 3 * US),
        ("r-1", dt.datetime(1960, 1, 1, tzinfo=UTC), T0),
        ("r-9", *day),
        ("no such' OR '1'='1", *day),
        *(("r-1", *day, None, limit) for limit in (1, 2, 5, 50, 79, 100, 1000)),
        *(("r-2", *day, [Kind.CLIMATE_READING], limit) for limit in (1, 7, 20)),
    ]
    for question in questions:
        expected = await sql.observations(*question)
        assert await influx.observations(*question) == expected, question
    everything = await sql.observations("r-1", *day)
    assert [(row.time, row.id) for row in everything] == sorted(
        ((row.time, row.id) for row in everything), reverse=True
    )
    ours = {row["event_id"]: row for row in stored}
    for row in everything:
        text = ours[row.event_id]["value"]
        assert row.value == (None if text is None else json.loads(text))
        assert type(row.value) is type(None if text is None else json.loads(text))
    assert {type(row.value) for row in everything} == {type(None), bool, int, float, str, dict}
    await server.close()
    influxd.kill()
    store.close()


async def test_a_server_that_is_away_is_said() -> None:
    server, influx = influx_history(Influx(url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(TransientError, match="ConnectError"):
        await influx.observations("r-1", T0, T0 + US)
    await server.close()
    assert isinstance(influx, InfluxHistory)
