"""The power goes: what the journal has accepted is there when it comes back."""

import random
import sqlite3
from contextlib import suppress

import pytest

from hub.domain.codes import Lane
from hub.edge.journal import Journal
from hub.wire.receipt import receipt
from tests.fakes.apsw_vfs import ApswConnection, Disk, PowerCutVfs
from tests.unit.edge.makers import draft, reading, value_of


def _until_the_cut(disk: Disk, vfs: str, synchronous: str) -> tuple[set[int], set[int]]:
    """Accept, and now and then release, until the power goes; return what was accepted, and released."""
    accepted: set[int] = set()
    released: set[int] = set()
    connection = ApswConnection("journal.db", vfs, synchronous)
    try:
        journal = Journal(connection)
        for n in range(1, 40):
            journal.append([draft(value=n)], {"s": str(n).encode()})
            accepted.add(n)
            journal.append([reading(1000 + n)])
            if n % 5 == 0:
                released.add(n)  # whether it was done or not, both are right
                journal.release(receipt(journal.epoch, [2 * n - 1]))
    except sqlite3.Error:
        assert disk.dies_at is not None
    disk.dies_at = 0
    with suppress(sqlite3.Error):
        connection.close()  # without power: nothing of it reaches the disk
    return accepted, released


def _survivors(vfs: str) -> tuple[set[int], int]:
    journal = Journal(ApswConnection("journal.db", vfs))
    alarms = {value_of(e) for e in journal.pending(Lane.ALARM, 0, 1000)}
    state = int(journal.state("s") or 0)
    assert not journal.damages
    journal.close()
    return {n for n in alarms if isinstance(n, int)}, state


# apsw shows an error of a disk written in Python to everybody before SQLite has dealt with it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nothing_accepted_is_lost_wherever_the_power_goes() -> None:
    rng = random.Random(5)
    whole = Disk()
    keep = [PowerCutVfs("whole", whole)]
    _until_the_cut(whole, "whole", "FULL")
    points = sorted({*range(1, 60), *rng.sample(range(60, whole.operations), 90)})

    for point in points:
        disk = Disk()
        keep.append(PowerCutVfs(f"cut-{point}", disk))
        disk.dies_at = point
        accepted, released = _until_the_cut(disk, f"cut-{point}", "FULL")
        disk.cut()
        alarms, state = _survivors(f"cut-{point}")
        assert accepted - released <= alarms, f"cut at operation {point}"
        assert state >= max(accepted, default=0), f"cut at operation {point}"
        # One more than was answered for may be there: the commit that was under way.
        assert len(alarms - accepted) <= 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_test_can_fail_a_journal_that_syncs_less_loses_alarms() -> None:
    disk = Disk()
    vfs = PowerCutVfs("normal", disk)
    accepted, _ = _until_the_cut(disk, "normal", "NORMAL")
    disk.cut()
    alarms, _ = _survivors("normal")
    assert accepted
    assert not accepted <= alarms
    del vfs
