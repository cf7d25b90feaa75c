"""The history out of the centre's own store."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from hub.central.history.base import HistoryRow
from hub.central.store.engine import Store
from hub.central.store.tables import observations
from hub.domain.codes import Kind


class SqlHistory:
    """Reads the history from SQL: complete, as long as the store keeps its observations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def observations(
        self,
        resident_id: str,
        since: dt.datetime,
        until: dt.datetime,
        kinds: Sequence[Kind] | None = None,
        limit: int = 1000,
    ) -> list[HistoryRow]:
        """Answer as `History` says."""
        asked = (
            sa.select(observations)
            .where(
                observations.c.resident_id == resident_id,
                observations.c.time >= since,
                observations.c.time < until,
            )
            .order_by(observations.c.time.desc(), observations.c.id.desc())
            .limit(limit)
        )
        if kinds is not None:
            asked = asked.where(observations.c.kind.in_([str(kind) for kind in kinds]))
        return await self._store.read(
            lambda connection: [to_row(row) for row in connection.execute(asked).mappings()], report=True
        )


def to_row(stored: sa.RowMapping) -> HistoryRow:
    """Read a row of the table ``observations``."""
    fields: dict[str, Any] = {name: stored[name] for name in HistoryRow.__struct_fields__}
    fields["value"] = None if stored["value"] is None else msgspec.json.decode(stored["value"])
    fields["flags"] = tuple(stored["flags"].split())
    return HistoryRow(**fields)
