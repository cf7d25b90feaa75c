"""Several writers on PostgreSQL: a number given out early may be committed late, and must not be passed over."""

import asyncio
import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from functools import partial

import pytest
import sqlalchemy as sa

from hub.central.history import Outbox
from hub.central.store.engine import Store
from hub.central.store.tables import observations
from hub.domain.clock import UTC, Now
from hub.domain.codes import Kind
from tests.fakes.postgres import Postgres

T0 = dt.datetime(2026, 11, 21, 19, 0, tzinfo=UTC)


class LeapingClock:
    """A minute later each time it is asked."""

    def __init__(self) -> None:
        self._mono = itertools.count(step=60.0)

    def now(self) -> Now:
        return Now(T0, next(self._mono))


class Notebook:
    """A writer that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def write(self, lines: Sequence[str]) -> None:
        self.lines += lines

    async def accepts_others(self) -> bool:
        return True


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    yield server
    server.stop()


def add(connection: sa.Connection, seq: int) -> None:
    connection.execute(
        sa.insert(observations).values(
            hub_id="h-1",
            epoch="5f1c09aa",
            seq=seq,
            event_id=f"event-{seq}",
            device_id="d-1",
            resident_id="r-1",
            kind=str(Kind.ALARM_PRESSED),
            lane="alarm",
            test=False,
            flags="",
            raw="",
            time=T0,
            timequality="synced",
            received_at=T0,
        )
    )


async def test_a_late_commit_is_waited_for(postgres: Postgres) -> None:
    url = postgres.new_database()
    store = Store(url)
    other = sa.create_engine(url)
    notebook = Notebook()
    outbox = Outbox(store, notebook, LeapingClock())
    with other.connect() as slow:
        add(slow, 1)
        await store.write(lambda connection: add(connection, 2))
        for _ in range(5):
            assert await outbox.step() == 0, "the number below it is still under way"
        slow.commit()
    passed = 0
    for _ in range(6):
        passed += await outbox.step()
    assert passed == 2
    assert ["seq=1i" in line for line in notebook.lines] == [True, False]

    with other.connect() as failed:
        add(failed, 3)
        await store.write(lambda connection: add(connection, 4))
        failed.rollback()
    for _ in range(6):
        passed += await outbox.step()
    assert passed == 3, "a number that was never committed holds nothing up"
    other.dispose()
    store.close()


async def test_every_row_of_many_writers_is_passed_once(postgres: Postgres) -> None:
    store = Store(postgres.new_database())
    notebook = Notebook()
    outbox = Outbox(store, notebook, LeapingClock())
    for first in range(1, 401, 20):
        await asyncio.gather(
            *(store.write(partial(add, seq=seq)) for seq in range(first, first + 20)), outbox.step()
        )
    for _ in range(6):
        await outbox.step()
    assert len(notebook.lines) == 400
    assert len(set(notebook.lines)) == 400
    store.close()
