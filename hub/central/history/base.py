"""What a history answers with, whoever keeps it."""

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

import msgspec

from hub.domain.codes import Kind
from hub.domain.observation import Value


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One observation, as it was stored.

    Attributes:
        id: Its number in the store; later is larger.
        time: When it happened, as the edge believed; ``timequality`` says how firmly.
        received_at: When the centre received it.
    """

    id: int
    hub_id: str
    epoch: str
    seq: int
    event_id: str
    device_id: str
    resident_id: str | None
    kind: str
    lane: str
    value: Value
    unit: str | None
    battery_pct: int | None
    rssi_dbm: int | None
    test: bool
    flags: tuple[str, ...]
    raw: str
    time: dt.datetime
    timequality: str
    received_at: dt.datetime


class History(Protocol):
    """Where the observations of a resident can be read back."""

    async def observations(
        self,
        resident_id: str,
        since: dt.datetime,
        until: dt.datetime,
        kinds: Sequence[Kind] | None = None,
        limit: int = 1000,
    ) -> list[HistoryRow]:
        """Return the newest ``limit`` observations of ``since <= time < until``, the newest first.

        Args:
            resident_id: The pseudonym.
            since: First instant.
            until: First instant that is not asked for.
            kinds: Only these; ``None`` for all.
            limit: At most so many.

        Raises:
            TransientError: Whoever keeps the history cannot be reached.
            RefusedError: It refuses the question.
        """
        ...
