"""The list of measurements, and the command that makes them one after the other."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from hub.bench import chain, figures, footprint, journal, radio, rate
from hub.bench.size import FULL, QUICK, Size
from hub.domain.errors import MalformedError


class Measurement(NamedTuple):
    """One row.

    Attributes:
        name: Its key in the JSON.
        title: What is measured, as a sentence.
        seconds: About how long it takes, in full and quick.
        measure: Does it.
    """

    name: str
    title: str
    seconds: tuple[int, int]
    measure: Callable[[Size], Awaitable[dict[str, Any]]]


MEASUREMENTS = (
    Measurement(
        "adverts_per_s", "BLE adverts through filter and decoder, 99 % strangers'.", (6, 1), radio.adverts
    ),
    Measurement("esp3_telegrams_per_s", "EnOcean telegrams, bytes to observations.", (6, 1), radio.telegrams),
    Measurement("journal", "Appends to the edge's journal.", (10, 2), journal.appends),
    Measurement(
        "line_to_provider_ms",
        "From a button's bytes on the serial line to the SMS provider, at 1,000 observations a second.",
        (60, 20),
        chain.line_to_provider,
    ),
    Measurement(
        "sustained_per_s", "What the centre stores and receipts, by batch size.", (90, 30), rate.sustained
    ),
    Measurement("backlog", "Alarms of other hubs while one sends its backlog.", (30, 15), chain.behind_backlog),
    Measurement(
        "backlog_of_edge", "Presses at an edge that has a backlog itself.", (60, 25), chain.behind_own_backlog
    ),
    Measurement("edge", "The edge's memory, idle processor time and start.", (100, 50), footprint.edge),
)
# As a shell counts: 128 and the signal's number.
_TERMINATED = 128 + signal.SIGTERM
NAMES = tuple(row.name for row in MEASUREMENTS)


def run(names: tuple[str, ...] = NAMES, *, quick: bool = False, say: Callable[[str], object]) -> int:
    """Make the named measurements; progress is for people, the figures are said as one JSON document.

    Returns:
        0, or 143 after SIGTERM. Whether the figures are good is for the reader: they depend on the machine.

    Raises:
        MalformedError: There is no measurement of a name.
        PermanentError: Mosquitto is not installed, or a process of the chain has ended.
    """
    unknown = set(names) - set(NAMES)
    if unknown:
        raise MalformedError(f"no measurement is called {min(unknown)!r}; there are {', '.join(NAMES)}")
    try:
        found = asyncio.run(_measure(names, QUICK if quick else FULL))
    except asyncio.CancelledError:
        return _TERMINATED
    say(json.dumps(found, indent=2, ensure_ascii=False))
    return 0


async def _measure(names: tuple[str, ...], size: Size) -> dict[str, Any]:
    task = asyncio.current_task()
    if task is not None:  # so that the children are ended in order on SIGTERM too
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    found: dict[str, Any] = {"machine": figures.machine()}
    for row in MEASUREMENTS:
        if row.name not in names:
            continue
        about_s = row.seconds[size is QUICK]
        print(f"{row.name}: {row.title} About {about_s} s.", file=sys.stderr, flush=True)  # noqa: T201 - progress
        load = figures.load_average()
        found[row.name] = {"load_average_before": load, **await row.measure(size)}
    return found
