"""Plays seeds: ``make simulate``, ``make simulate SEEDS=1000000``, ``python -m tests.simulation.run --seed 4711``.

The same seed plays the same run to the last line of its trace. The first seed that breaks an invariant is printed
with its trace and the command that plays it again.
"""

import argparse
import gc
import logging
import multiprocessing
import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from hub.domain.clock import boottime
from tests.simulation import loop, script
from tests.simulation.store import Database
from tests.simulation.world import World

_AT_ONCE = 25
_COLLECT_EVERY = 50
_TELL_EVERY = 1000


class Played(NamedTuple):
    """What became of a seed: the invariant that broke, or ``None``, and how much happened."""

    seed: int
    broken: str | None
    trace: tuple[str, ...]


@cache
def database() -> Database:
    """Return the one of this process."""
    return Database()


def _collect_seldom() -> None:
    """Look for garbage between seeds only: to do so after every few statements takes a tenth of the time."""
    gc.freeze()
    gc.disable()


def play(seed: int) -> Played:
    """Play one seed in this process."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # a seed is full of failures that are meant
    try:
        world = World(database(), script.write(seed), seed)
        loop.run(world.play())
    finally:
        logging.disable(before)
    return Played(seed, world.broken, tuple(world.trace))


def main() -> int:
    """Play, and return 1 when an invariant broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="one seed, with its trace")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many; default: 10000")
    parser.add_argument("--first", type=int, default=0, help="the first of them; default: 0")
    given = parser.parse_args()
    if given.seed is not None:
        played = play(given.seed)
        _say("\n".join(played.trace))
        return _tell(played)
    return _play_all(range(given.first, given.first + given.seeds))


def _play_all(seeds: range) -> int:
    began, count = boottime(), 0
    for played in _played(seeds):
        count += 1
        if played.broken is not None:
            _say("\n".join(played.trace))
            return _tell(played)
        if count % _TELL_EVERY == 0:
            _say(f"{count:,} seeds in {boottime() - began:.0f} s")
            sys.stdout.flush()
    took = boottime() - began
    _say(f"{count:,} seeds in {took:.0f} s ({count / max(took, 0.001):.0f} a second): every invariant held")
    return 0


def _played(seeds: range) -> Iterator[Played]:
    with multiprocessing.Pool(os.cpu_count(), _collect_seldom) as pool:
        yield from pool.imap(_without_trace, seeds, _AT_ONCE)


def _without_trace(seed: int) -> Played:
    played = play(seed)
    if seed % _COLLECT_EVERY == 0:
        gc.collect()
    return played if played.broken is not None else played._replace(trace=())


def _tell(played: Played) -> int:
    if played.broken is None:
        _say(f"seed {played.seed}: every invariant held")
        return 0
    _say(f"\nseed {played.seed}: {played.broken}\nagain: python -m tests.simulation.run --seed {played.seed}")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
