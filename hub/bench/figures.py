"""Numbers for people: percentiles, and the machine that they were measured on."""

import os
import platform
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MS = 1000


def spread_ms(seconds: Sequence[float]) -> dict[str, float | int]:
    """Return count, p50, p99 and maximum in milliseconds (nearest rank)."""
    ordered = sorted(seconds)
    if not ordered:
        return {"count": 0}
    return {
        "count": len(ordered),
        "p50": round(percentile(ordered, 50) * MS, 1),
        "p99": round(percentile(ordered, 99) * MS, 1),
        "max": round(ordered[-1] * MS, 1),
    }


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest value that at least this share of an ordered sequence does not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "kernel": platform.release(),
    }


def load_average() -> float:
    """Return how many processes wanted the processor in the last minute, on average."""
    return round(os.getloadavg()[0], 2)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()
