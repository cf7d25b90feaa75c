"""A PostgreSQL that falls silent, without a reset: who waits gives up soon, and goes on over a new connection."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from hub.central.store import postgresql
from hub.central.store.engine import Store
from hub.central.store.tables import cursors
from hub.domain.clock import boottime
from hub.domain.errors import TransientError
from tests.fakes.postgres import Postgres
from tests.fakes.proxy import Proxy

STATEMENT_S, GRACE_S = 0.6, 0.3
# A tenth of a second is what psycopg looks after; the rest is a busy machine's.
PATIENCE_S = 10.0


def one(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql("SELECT 1").scalar_one())


class Far:
    """A store at the other end of a line."""

    def __init__(self, line: Proxy, store: Store) -> None:
        self.line = line
        self.store = store

    async def warm(self) -> None:
        """Let every writer and reader have a connection of its own."""
        together = threading.Barrier(4)

        def meet(connection: sa.Connection) -> None:
            one(connection)
            together.wait(10)

        for way in (self.store.write, self.store.read):
            await asyncio.gather(*(way(meet) for _ in range(4)))


@pytest.fixture
async def far(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Far]:
    monkeypatch.setattr(postgresql, "STATEMENT_S", STATEMENT_S)
    monkeypatch.setattr(postgresql, "REPORT_S", STATEMENT_S * 10)
    monkeypatch.setattr(postgresql, "GRACE_S", GRACE_S)
    url = sa.make_url(postgres.new_database())
    async with Proxy(postgres.port) as line:
        here = url.set(port=line.port).render_as_string(hide_password=False)
        store = await asyncio.to_thread(Store, here)
        yield Far(line, store)
        await asyncio.to_thread(store.close)


async def test_an_urgent_write_goes_on_over_a_new_connection(far: Far) -> None:
    await far.warm()
    far.line.lose()
    async with asyncio.timeout(PATIENCE_S):
        assert await asyncio.gather(*(far.store.write(one, urgent=True) for _ in range(6))) == [1] * 6
        assert await asyncio.gather(*(far.store.read(one) for _ in range(6))) == [1] * 6


async def test_what_was_under_way_fails_and_may_be_tried_again(far: Far) -> None:
    await far.warm()
    begun, lost = threading.Barrier(5), threading.Event()

    def under_way(connection: sa.Connection) -> int:
        begun.wait(10)
        lost.wait(10)
        return one(connection)

    writing = [asyncio.ensure_future(far.store.write(under_way, urgent=True)) for _ in range(4)]
    await asyncio.to_thread(begun.wait, 10)
    urgent = asyncio.ensure_future(far.store.write(one, urgent=True))
    far.line.lose()
    lost.set()
    async with asyncio.timeout(PATIENCE_S):
        for write in writing:
            with pytest.raises(TransientError, match=r"the server has said nothing for 0\.9 s"):
                await write
        assert await urgent == 1


async def test_nobody_is_waited_for_who_does_not_let_in(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(postgresql._REACHED, "connect_timeout", 2)
    url = sa.make_url(far.store._engine.url)
    far.line.half_open()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(Exception, match="cannot be opened"):
            await asyncio.to_thread(Store, url.render_as_string(hide_password=False))
    far.line.resume()


async def test_a_report_may_take_longer_and_every_days_work_may_not(far: Far) -> None:
    def slow(connection: sa.Connection) -> int:
        connection.exec_driver_sql(f"SELECT pg_sleep({STATEMENT_S + GRACE_S + 0.5})")
        return one(connection)

    assert await far.store.read(slow, report=True) == 1
    # PostgreSQL ends it, and says so, before we give up: the connection is as good as before.
    connections = far.line.connections
    for way in (far.store.read, far.store.write):
        with pytest.raises(TransientError, match="statement timeout"):
            await way(slow)
    assert await far.store.write(one) == 1
    assert far.line.connections <= connections + 1


async def test_who_limits_statements_in_the_url_is_waited_for_as_long(far: Far) -> None:
    limited = far.store._engine.url.update_query_dict({"options": "-c statement_timeout=2500"})
    store = await asyncio.to_thread(Store, limited.render_as_string(hide_password=False))
    began = boottime()
    with pytest.raises(TransientError, match="statement timeout"):
        await store.read(lambda connection: connection.exec_driver_sql("SELECT pg_sleep(9)"))
    assert boottime() - began > 2.4
    await asyncio.to_thread(store.close)


def test_a_lost_host_is_noticed_by_who_waits_and_who_does_not(postgres: Postgres) -> None:
    store = Store(f"{postgres.new_database()}?keepalives_idle=7")

    def told(connection: sa.Connection) -> dict[str, str]:
        driver = connection.connection.driver_connection
        assert isinstance(driver, postgresql.Patient)
        return driver.info.get_parameters()

    options = store.read_now(told)
    wanted = {"tcp_user_timeout": "10000", "keepalives_interval": "2", "keepalives_count": "3"}
    assert options | wanted | {"keepalives_idle": "7"} == options, "what the URL says is left alone"
    store.close()


def test_a_database_that_may_only_be_read_is_left_for_a_new_connection_and_tried_again(postgres: Postgres) -> None:
    store = Store(postgres.new_database())
    put = cursors.insert().values(name="x", position=1)

    def demoted(connection: sa.Connection) -> int:
        # Of this connection for good: so answers a standby, which was the primary before.
        connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        connection.commit()
        return one(connection)

    assert store.write_now(demoted) == 1
    with pytest.raises(TransientError, match="read-only"):
        store.write_now(lambda connection: connection.execute(put))
    store.write_now(lambda connection: connection.execute(put))
    store.close()
