"""The auditor of a centre that is started anew: what counts from before, and what does not. On both databases."""

import asyncio
import datetime as dt

import pytest

from hub.central import app, clockwork
from hub.central.auditor import ROUND_S, Auditor
from hub.central.centre import Tx
from hub.central.listener import Listener
from hub.central.settings import Influx, Settings
from hub.central.store import mark
from hub.central.store.engine import Store
from hub.central.store.tables import due
from hub.central.watch.steadiness import Steadiness
from hub.central.watch.troubles import HISTORY, OVERDUE_S, QUEUE_S
from hub.domain.clock import SteadyClock
from hub.wire.mqtt import MqttSettings
from tests.fakes.centre import RULES, DeskCentre
from tests.fakes.watch import Watch


class Lives:
    """A centre that ends and begins again: each life is a watch of its own on one store."""

    def __init__(self, desk: DeskCentre, url: str) -> None:
        self.desk, self.url = desk, url

    async def live(self, for_s: float) -> list[str]:
        """Look at the begin and each round, then die; return what was found."""
        watch = Watch(self.desk, self.url)
        found = await watch.look()
        for _ in range(int(for_s / ROUND_S)):
            found += await watch.look(after_s=ROUND_S)
        self.desk.clock.go_on(for_s % ROUND_S)
        watch.store.close()
        return found

    async def put_off(self) -> None:
        """Put something into the list that is due now, leased by somebody who does nothing."""

        def work(tx: Tx) -> None:
            tx.connection.execute(due.delete())
            clockwork.lease_new(tx, "dose.window", "dispenser-1")
            tx.connection.execute(due.update().values(leased_until=tx.now.utc + dt.timedelta(days=1)))

        await self.desk.centre.transact(work)


@pytest.mark.parametrize("life_s", [3, 25, 55])
async def test_a_centre_that_dies_again_and_again_tells_what_it_has_not_done(
    desk: DeskCentre, store_url: str, life_s: float
) -> None:
    lives = Lives(desk, store_url)
    await lives.put_off()
    begun = desk.clock.mono
    while desk.clock.mono - begun <= OVERDUE_S:
        found = await lives.live(life_s)
        desk.clock.go_on(5)
    assert "overdue" in found + await lives.live(life_s)


async def test_a_centre_that_was_off_says_nothing_of_what_it_is_about_to_do(
    desk: DeskCentre, store_url: str
) -> None:
    lives = Lives(desk, store_url)
    for off_s in (QUEUE_S - 1, 3600):
        await desk.centre.transact(lambda tx: tx.connection.execute(due.delete()))
        assert await lives.live(100) == []
        await desk.centre.transact(lambda tx: clockwork.schedule(tx, tx.now.utc, "dose.window", "dispenser-1"))
        desk.clock.go_on(off_s)
        assert await lives.live(0) == []
    assert await lives.live(QUEUE_S + ROUND_S) == ["due"]


async def test_a_clock_that_was_put_right_does_not_silence_it(desk: DeskCentre, store_url: str) -> None:
    lives = Lives(desk, store_url)
    await lives.put_off()
    now = desk.clock.now()
    ahead = now.utc + dt.timedelta(days=365)
    await desk.centre.transact(lambda tx: mark.keep(tx.connection, tx.owner, now, awake=ahead))
    assert await lives.live(OVERDUE_S + ROUND_S) == ["overdue"]


async def test_it_looks_as_soon_as_it_begins(
    desk: DeskCentre, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = asyncio.Event()
    loop = asyncio.get_running_loop()
    auditor = Auditor(desk.centre, Store(store_url), SteadyClock(), {}, Steadiness(), loop)
    monkeypatch.setattr(auditor, "look", lambda: loop.call_soon_threadsafe(looked.set))
    auditor.start()
    async with asyncio.timeout(ROUND_S / 2):
        await looked.wait()
    auditor.close()


async def test_a_centre_with_a_history_server_has_its_outbox_watched(desk: DeskCentre, store_url: str) -> None:
    broker = MqttSettings(client_id="centre", port=1)
    settings = Settings(
        hook_secret="0" * 32, store=store_url, mqtt=broker, providers=(), influx=Influx(url="http://127.0.0.1:1")
    )
    _, feeder = app._history(settings, desk.store, desk.clock)
    assert feeder is not None
    listener = Listener(desk.centre, desk.presence, desk.supervision, RULES, broker)
    auditor = app._auditor(desk.centre, listener, feeder, settings)
    feeder.unwritten.begin("batch")
    assert auditor.ages()[HISTORY] > 0
    auditor._store.close()
