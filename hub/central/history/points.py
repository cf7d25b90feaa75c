"""Observations as points of InfluxDB, and back.

A point is its measurement, tags and nanosecond: a second one with the same key overwrites the first. Tags must
have few values, so the identity of an observation cannot be one (InfluxDB 1.x refuses more than 100,000 of a tag).
The store counts microseconds; the three digits below hold the number of the journal entry modulo 1000. Two entries
that are equal even so (a device whose clock stands still) differ in the tag ``turn``.

Each field has one type for ever, for the first point decides it.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from hub.central.history.base import HistoryRow
from hub.central.history.sql import to_row
from hub.central.store.tables import observations
from hub.domain.clock import UTC
from hub.domain.observation import Value

MEASUREMENT = "observation"
TAGS = ("hub_id", "epoch", "device_id", "resident_id", "kind")
_KEY = ("hub_id", "epoch", "device_id", "kind", "time")
_NS = 1000  # in a microsecond
_UNIX = dt.datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

Key = tuple[Any, ...]


def lines(connection: sa.Connection, rows: Sequence[sa.RowMapping]) -> list[str]:
    """Write observations that follow each other in the store in line protocol.

    A turn is counted among the rows before, and those do not change: the same row always becomes the same point.
    """
    taken: Counter[Key] = Counter(_taken(connection, rows[0]["id"], rows[-1]["id"]) if rows else {})
    written = []
    for row in rows:
        key = (*(row[name] for name in _KEY), row["seq"] % _NS)
        written.append(to_line(to_row(row), taken[key]))
        taken[key] += 1
    return written


def _taken(connection: sa.Connection, first: int, last: int) -> dict[Key, int]:
    """Count the rows before ``first`` by key, as far as rows from ``first`` to ``last`` share device and time."""
    ours = (
        sa.select(observations.c.device_id, observations.c.time)
        .where(observations.c.id.between(first, last))
        .distinct()
        .subquery()
    )
    earlier = observations.alias("earlier")
    key = (*(earlier.c[name] for name in _KEY), (earlier.c.seq % _NS).label("slot"))
    counted = (
        sa.select(*key, sa.func.count())
        .join(ours, (ours.c.device_id == earlier.c.device_id) & (ours.c.time == earlier.c.time))
        .where(earlier.c.id < first)
        .group_by(*key)
    )
    return {tuple(row[:-1]): row[-1] for row in connection.execute(counted)}


def to_us(instant: dt.datetime) -> int:
    """Return microseconds since 1970."""
    return (instant - _UNIX) // _MICROSECOND


def to_line(row: HistoryRow, turn_of_row: int) -> str:
    """Write an observation in line protocol."""
    from influxdb_client.client.write.point import Point  # noqa: PLC0415 - a second, and a centre may have no InfluxDB

    point = Point(MEASUREMENT).time(to_us(row.time) * _NS + row.seq % _NS)
    for tag in TAGS:
        point.tag(tag, getattr(row, tag))
    if turn_of_row:
        point.tag("turn", str(turn_of_row))
    fields: dict[str, Any] = {
        "id": row.id,
        "seq": row.seq,
        "event_id": row.event_id,
        "lane": row.lane,
        "unit": row.unit,
        "battery_pct": row.battery_pct,
        "rssi_dbm": row.rssi_dbm,
        "test": row.test,
        "flags": " ".join(row.flags),
        "raw": row.raw,
        "timequality": row.timequality,
        "received_us": to_us(row.received_at),
        **_value_fields(row.value),
    }
    for name, value in fields.items():
        point.field(name, value)
    return str(point.to_line_protocol())


def from_point(point: dict[str, Any]) -> HistoryRow:
    """Read a point, as ``/query`` returns its columns with ``epoch=ns``."""
    return HistoryRow(
        id=point["id"],
        hub_id=point["hub_id"],
        epoch=point["epoch"],
        seq=point["seq"],
        event_id=point["event_id"],
        device_id=point["device_id"],
        resident_id=point.get("resident_id") or None,
        kind=point["kind"],
        lane=point["lane"],
        value=_value(point),
        unit=point.get("unit"),
        battery_pct=point.get("battery_pct"),
        rssi_dbm=point.get("rssi_dbm"),
        test=point["test"],
        flags=tuple(point["flags"].split()),
        raw=point["raw"],
        time=_UNIX + point["time"] // _NS * _MICROSECOND,
        timequality=point["timequality"],
        received_at=_UNIX + point["received_us"] * _MICROSECOND,
    )


def _value_fields(value: Value) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"value_bool": value}
    if isinstance(value, str):
        return {"value_text": value}
    if isinstance(value, float) or (isinstance(value, int) and abs(value) <= 2**53):
        return {"value_number": float(value)}
    # Objects, and whole numbers that a float cannot hold.
    return {"value_json": msgspec.json.encode(value).decode()}


def _value(point: dict[str, Any]) -> Value:
    found: Value = None
    for name in ("value_number", "value_text", "value_bool"):
        if point.get(name) is not None:
            found = point[name]
    if point.get("value_json") is not None:
        found = msgspec.json.decode(point["value_json"])
    return found
