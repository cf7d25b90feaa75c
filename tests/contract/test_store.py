"""The door to the database: schema, transactions, lanes."""

import asyncio
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hub.central.store.engine import Store
from hub.central.store.tables import cursors, metadata
from hub.domain.errors import PermanentError, TransientError


@pytest.fixture
def store(store_url: str) -> Store:
    return Store(store_url)


def test_the_migrations_make_the_tables_and_running_them_again_changes_nothing(bare_url: str) -> None:
    for _ in range(2):
        store = Store(bare_url)
        differences = store.read_now(
            lambda connection: compare_metadata(
                MigrationContext.configure(connection, opts={"compare_type": False}), metadata
            )
        )
        store.close()
        assert differences == []


async def test_what_raises_leaves_nothing_behind(store: Store) -> None:
    def half(connection: sa.Connection) -> None:
        connection.execute(cursors.insert().values(name="a", position=1))
        raise ValueError("the power went")

    with pytest.raises(ValueError, match="power"):
        await store.write(half)
    assert await store.read(lambda connection: connection.execute(sa.select(cursors)).all()) == []
    await store.write(lambda connection: connection.execute(cursors.insert().values(name="a", position=2)))
    assert await store.read(lambda connection: connection.scalar(sa.select(cursors.c.position))) == 2
    store.close()


async def test_what_is_urgent_goes_ahead_of_what_waits(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('s')}/s.db")
    free = threading.Event()
    order: list[int | str] = []

    def note(what: int | str) -> Callable[[object], None]:
        return lambda _connection: order.append(what)

    first = asyncio.ensure_future(store.write(lambda _: free.wait(10)))
    waiting = [asyncio.ensure_future(store.write(note(n))) for n in range(5)]
    await asyncio.sleep(0)  # all are queued behind the first
    alarm = asyncio.ensure_future(store.write(note("alarm"), urgent=True))
    await asyncio.sleep(0)
    free.set()
    await asyncio.gather(first, alarm, *waiting)
    assert order == ["alarm", 0, 1, 2, 3, 4]
    store.close()


async def test_sqlite_is_durable_or_does_not_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("s")
    store = Store(f"sqlite:///{folder}/s.db")
    settings = await store.read(
        lambda connection: [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    assert settings == ["wal", 2, 1]
    store.close()
    (folder / "folder.db").mkdir()
    with pytest.raises(PermanentError, match="cannot be opened"):
        Store(f"sqlite:///{folder}/folder.db")


async def test_a_store_that_is_gone_is_a_passing_fault(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('s')}/s.db")
    with pytest.raises(TransientError, match="no such table"):
        await store.read(lambda connection: connection.exec_driver_sql("SELECT * FROM nowhere").all())
    store.close()
