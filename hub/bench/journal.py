"""What the journal takes: an alarm is synced to the disk by itself, readings share a commit."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hub.bench.figures import spread_ms
from hub.bench.size import Size
from hub.domain.clock import SystemClock, TimeQuality, boottime
from hub.domain.codes import Kind, Lane
from hub.domain.ids import uuid7
from hub.domain.observation import Observation
from hub.edge.journal import Draft, Journal
from hub.edge.opening import open_journal
from hub.wire import envelope

_GROUPS = (50, 500)


async def appends(size: Size) -> dict[str, Any]:
    """Measure appends a second, in a temporary folder of this machine's disk."""
    return await asyncio.to_thread(_appends, size)


def _appends(size: Size) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        journal = open_journal(Path(folder))
        try:
            taken = [_append(journal, Lane.ALARM, 1) for _ in range(size.appends)]
            found: dict[str, Any] = {
                "alarms_one_by_one": {"per_s": round(len(taken) / sum(taken)), "ms": spread_ms(taken)}
            }
            for group in _GROUPS:
                times = max(1, size.appends // 20)
                taken = [_append(journal, Lane.READING, group) for _ in range(times)]
                found[f"readings_by_{group}"] = {"per_s": round(group * times / sum(taken))}
        finally:
            journal.close()
    return found


def _append(journal: Journal, lane: Lane, count: int) -> float:
    at = SystemClock().now().utc
    kind = Kind.ALARM_PRESSED if lane is Lane.ALARM else Kind.MOTION_DETECTED
    drafts = [
        Draft(
            lane,
            envelope.event(
                Observation(kind=kind, time=at, rssi_dbm=-61),
                event_id=uuid7(at),
                hub_id="h-bench",
                device_id="pendant-0001",
                quality=TimeQuality.SYNCED,
                epoch="",
                seq=0,
            ),
        )
        for _ in range(count)
    ]
    began = boottime()
    journal.append(drafts)
    return boottime() - began
