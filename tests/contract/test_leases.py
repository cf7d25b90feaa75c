"""Whose a row of the list of what is due is, to the second, on both databases."""

import datetime as dt
from collections.abc import Callable
from functools import partial

import pytest

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.clockwork import ATTEMPT, LEASE
from hub.central.store.tables import due
from tests.fakes.centre import DeskCentre

MOMENT = dt.timedelta(milliseconds=1)
KIND, SUBJECT = "work", "1"


async def put(
    desk: DeskCentre, owner: str | None, left: dt.timedelta, subject: str = SUBJECT, kind: str = KIND
) -> None:
    """Put a row into the list that somebody has leased for so much longer, after two attempts."""
    now = desk.clock.now().utc
    row = {
        "at": now - LEASE,
        "kind": kind,
        "subject": subject,
        "attempts": 2,
        "leased_by": owner,
        "leased_until": None if owner is None else now + left,
    }
    await desk.centre.transact(lambda tx: tx.connection.execute(due.insert(), row))


async def of_the_list(desk: DeskCentre, work: Callable[[Tx, str, str], object]) -> object:
    return await desk.centre.transact(lambda tx: work(tx, KIND, SUBJECT))


@pytest.mark.parametrize(
    ("owner", "left", "expected"),
    [
        ("centre", LEASE, True),
        ("centre", ATTEMPT, True),
        ("centre", ATTEMPT - MOMENT, False),
        ("other", LEASE, False),
        (None, LEASE, False),
    ],
)
async def test_an_attempt_begins_only_under_a_lease_of_ones_own_that_outlasts_it(
    desk: DeskCentre, owner: str | None, left: dt.timedelta, expected: bool
) -> None:
    await put(desk, owner, left)
    leased = partial(clockwork.leased, owner="centre", now=desk.clock.now().utc)
    assert await desk.store.read(partial(leased, kind=KIND, subject=SUBJECT)) is expected
    assert not await desk.store.read(partial(leased, kind="another", subject=SUBJECT))
    assert not await desk.store.read(partial(leased, kind=KIND, subject="2"))


@pytest.mark.parametrize(
    ("owner", "left", "mine", "others"),
    [
        ("other", LEASE, False, True),
        ("other", MOMENT, False, True),
        ("other", dt.timedelta(0), True, False),
        ("centre", LEASE, True, False),
        ("centre", -LEASE, True, False),
        (None, LEASE, True, False),
    ],
)
async def test_a_row_is_another_centres_until_the_very_end_of_its_lease(
    desk: DeskCentre, owner: str | None, left: dt.timedelta, mine: bool, others: bool
) -> None:
    await put(desk, owner, left)
    (before,) = await desk.rows(due, due.c.kind == KIND)
    assert await of_the_list(desk, clockwork.overtaken) is others
    assert await of_the_list(desk, clockwork.lease_again) is mine
    (row,) = await desk.rows(due, due.c.kind == KIND)
    if mine:
        assert (row.leased_by, row.leased_until) == ("centre", desk.clock.now().utc + LEASE)
        assert (row.id, row.at, row.attempts) == (before.id, before.at, before.attempts)
    else:
        assert row == before


async def test_a_row_that_is_gone_is_nobodys_and_is_leased_as_new(desk: DeskCentre) -> None:
    await put(desk, "other", LEASE, subject="2")
    await put(desk, "other", LEASE, kind="another")
    assert await of_the_list(desk, clockwork.overtaken) is False
    assert await of_the_list(desk, clockwork.scheduled) is None
    assert await of_the_list(desk, clockwork.lease_again) is True
    (row,) = await desk.rows(due, due.c.kind == KIND, due.c.subject == SUBJECT)
    now = desk.clock.now().utc
    assert (row.at, row.attempts, row.leased_by, row.leased_until) == (now, 0, "centre", now + LEASE)


async def test_a_row_that_is_leased_from_the_start_is_due_now_and_nobody_elses(desk: DeskCentre) -> None:
    await of_the_list(desk, clockwork.lease_new)
    (row,) = await desk.rows(due, due.c.kind == KIND)
    now = desk.clock.now().utc
    assert (row.at, row.subject, row.attempts) == (now, SUBJECT, 0)
    assert (row.leased_by, row.leased_until) == ("centre", now + LEASE)


async def test_taking_a_row_out_takes_no_other(desk: DeskCentre) -> None:
    now = desk.clock.now().utc
    rows = [(KIND, SUBJECT), (KIND, "2"), ("another", SUBJECT)]

    def all_at(tx: Tx) -> None:
        for number, (kind, subject) in enumerate(rows):
            clockwork.schedule(tx, now + number * LEASE, kind, subject)

    await desk.centre.transact(all_at)
    assert await of_the_list(desk, clockwork.scheduled) == now
    await of_the_list(desk, clockwork.unschedule)
    assert await of_the_list(desk, clockwork.scheduled) is None
    left = await desk.rows(due, due.c.kind.in_([KIND, "another"]))
    assert {(row.kind, row.subject): row.at for row in left} == {rows[1]: now + LEASE, rows[2]: now + 2 * LEASE}


async def test_moving_a_row_frees_it_and_begins_its_attempts_anew(desk: DeskCentre) -> None:
    await put(desk, "other", LEASE)
    at = desk.clock.now().utc + LEASE
    await desk.centre.transact(lambda tx: clockwork.schedule(tx, at, KIND, SUBJECT))
    (row,) = await desk.rows(due, due.c.kind == KIND)
    assert (row.at, row.attempts, row.leased_by, row.leased_until) == (at, 0, None, None)


async def test_a_centre_that_restarts_frees_what_was_its_own_and_no_more(desk: DeskCentre) -> None:
    for subject, owner in (("1", "centre"), ("2", "other")):
        await put(desk, owner, LEASE, subject)
    await desk.centre.transact(clockwork._release_own)
    rows = await desk.rows(due, due.c.kind == KIND)
    until = desk.clock.now().utc + LEASE
    assert {row.subject: (row.leased_by, row.leased_until) for row in rows} == {
        "1": (None, None),
        "2": ("other", until),
    }
