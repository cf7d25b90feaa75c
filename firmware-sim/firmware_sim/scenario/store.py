"""Looks into the centre's store, beside the centre; never writes."""

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

_MICRO = 1_000_000


class Text(NamedTuple):
    """A text that has arrived on a phone."""

    id: int
    incident: int
    phone: str
    delivered_s: float


class Store:
    """The centre's SQLite file, read only."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10, isolation_level=None)

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def next_due_s(self) -> float:
        """Return when the next thing is due that nobody is doing yet."""
        row = self._file.execute("select min(at) from due where leased_by is null").fetchone()
        return float("inf") if row[0] is None else row[0] / _MICRO

    def busy(self) -> bool:
        """Tell whether something is being sent just now."""
        return bool(self._file.execute("select 1 from due where leased_by is not null limit 1").fetchone())

    def texts(self, after: int) -> list[Text]:
        """Return the texts about incidents that were delivered, of those with a higher number."""
        rows = self._file.execute(
            "select id, incident_id, phone, delivered_at from messages"
            " where incident_id is not null and delivered_at is not null and id > ?",
            (after,),
        )
        return [Text(row[0], row[1], row[2], row[3] / _MICRO) for row in rows]

    def state(self, incident: int) -> str:
        """Return the state of an incident."""
        row = self._file.execute("select state from incidents where id = ?", (incident,)).fetchone()
        return str(row[0])

    def incidents_after(self, number: int) -> list[tuple[int, float, str]]:
        """Return number, opening and a line about each incident with a higher number."""
        rows = self._file.execute(
            "select id, opened_at, kind, coalesce(device_id, hub_id, ''), reason from incidents where id > ?",
            (number,),
        )
        return [(row[0], row[1] / _MICRO, f"{row[2]} {row[3]}: {row[4]}") for row in rows]

    def incidents(self) -> list[dict[str, Any]]:
        """Return every incident, with the phones it was told to, in order."""
        self._file.row_factory = sqlite3.Row
        rows = [dict(row) for row in self._file.execute("select * from incidents order by id")]
        self._file.row_factory = None
        for row in rows:
            told = self._file.execute("select phone from messages where incident_id = ? order by id", (row["id"],))
            row["told"] = [phone for (phone,) in told]
            row["opened_s"] = row["opened_at"] / _MICRO
        return rows

    def stored(self, hub: str) -> int:
        """Return how many observations of a hub are stored."""
        return int(self._file.execute("select count(*) from observations where hub_id = ?", (hub,)).fetchone()[0])

    def stored_from(self, device: str) -> set[int]:
        """Return the record numbers that are stored of a dispenser."""
        query = "select json_extract(value, '$.device_seq') from observations where device_id = ?"
        return {int(row[0]) for row in self._file.execute(query, (device,)) if row[0] is not None}

    def pending(self, hub: str) -> int:
        """Return how many observations a hub still holds, as it said last."""
        query = "select pending_alarm + pending_reading from hubs where hub_id = ?"
        row = self._file.execute(query, (hub,)).fetchone()
        return int(row[0] or 0) if row else 0
