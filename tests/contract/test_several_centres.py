"""Several centres on one store: nothing stale leaves, nothing is moved twice, everybody knows the newest site."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.central import app, presence, settings
from hub.central.centre import Tx
from hub.central.clockwork import LEASE
from hub.central.incidents import desk as incident_desk
from hub.central.incidents.desk import Finding
from hub.central.incidents.lifecycle import Event
from hub.central.notify import attempts, outcome
from hub.central.notify.outbox import SEND
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.central.site.apply import apply
from hub.central.site.keeper import SiteKeeper
from hub.central.site.load import load
from hub.central.store import name as name_module
from hub.central.store import tables
from hub.central.store.clock import DatabaseClock
from hub.central.store.engine import Store
from hub.central.store.name import Name
from hub.central.store.tables import due, hubs
from hub.central.supervision import device_need
from hub.domain.clock import UTC
from hub.domain.codes import Kind, Severity
from hub.domain.errors import MalformedError, PermanentError, TransientError
from hub.wire.mqtt import MqttLink, MqttSettings
from tests.fakes.centre import DeskCentre
from tests.fakes.postgres import Postgres
from tests.fakes.site import SITE
from tests.fakes.ward import ObedientProvider

MESSAGE = 1


def sending(desk: DeskCentre, provider: ObedientProvider) -> Sender:
    return Sender(desk.centre, Ways([provider]), lambda _name: "http://127.0.0.1/hooks")


async def pressed(url: str) -> tuple[DeskCentre, DeskCentre]:
    """Return two centres, the first of which has leased a message and not sent it."""
    first = DeskCentre(url, owner="first")
    await first.keep(first.event("pendant-1", Kind.ALARM_PRESSED))
    return first, DeskCentre(url, first.clock, owner="second")


async def test_a_message_that_another_centre_has_taken_over_is_let_go(
    store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await pressed(store_url)
    first.clock.go_on(LEASE.total_seconds())
    await second.clockwork._round()
    provider = ObedientProvider()
    await sending(first, provider).send(MESSAGE)
    assert (provider.sent, second.carried) == ([], [MESSAGE])
    assert "message 1 is let go: another centre has it now" in caplog.text
    await sending(second, provider).send(MESSAGE)
    assert len(provider.sent) == 1
    for centre in (first, second):
        centre.store.close()


async def test_a_lease_that_nobody_took_over_is_taken_anew_before_the_provider_is_called(store_url: str) -> None:
    first, second = await pressed(store_url)
    first.clock.go_on(LEASE.total_seconds() * 4)
    provider = ObedientProvider()
    provider.gate = asyncio.Event()
    sent = asyncio.create_task(sending(first, provider).send(MESSAGE))
    await provider.until_sent()
    await second.clockwork._round()
    assert second.carried == []
    provider.gate.set()
    await sent
    for centre in (first, second):
        centre.store.close()


async def test_a_failure_that_comes_after_the_lease_moves_nothing(store_url: str) -> None:
    first, second = await pressed(store_url)
    provider = ObedientProvider()
    provider.gate, provider.errors = asyncio.Event(), [TransientError("no answer")]
    sent = asyncio.create_task(sending(first, provider).send(MESSAGE))
    await provider.until_sent()
    first.clock.go_on(LEASE.total_seconds())
    await second.clockwork._round()
    provider.gate.set()
    await sent
    (row,) = await second.rows(due, due.c.kind == SEND)
    assert row.leased_by == "second"
    states = {attempt.state: attempt.reason for attempt in await second.rows(tables.attempts)}
    assert states == {"queued": "", "undeliverable": "no answer"}
    for centre in (first, second):
        centre.store.close()


async def test_who_stood_still_after_reading_a_message_reads_it_again(
    desk: DeskCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.keep(desk.event("pendant-1", Kind.ALARM_PRESSED))
    read, frozen = desk.store.read, iter([True])

    async def freezing(work: Callable[[sa.Connection], object]) -> object:
        found = await read(work)
        if next(frozen, False):
            desk.clock.go_on(LEASE.total_seconds() / 3)
            await desk.centre.transact(lambda tx: incident_desk.act(tx, 1, Event.ACKNOWLEDGE, "user:test"))
        return found

    monkeypatch.setattr(desk.store, "read", freezing)
    provider = ObedientProvider()
    await sending(desk, provider).send(MESSAGE)
    assert provider.sent == []


async def test_who_read_that_a_message_had_left_does_not_take_back_what_was_queued_since(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await pressed(store_url)
    await first.centre.transact(lambda tx: outcome.sent(tx, MESSAGE, MESSAGE, "one", "ref-1"))
    ways = Ways([ObedientProvider(), ObedientProvider("two")])
    read, reported = second.store.read, iter([False])

    def report(tx: Tx) -> None:
        row, attempt = outcome.find(tx, MESSAGE), attempts.named(tx, "one", "ref-1", MESSAGE)
        assert row is not None
        assert attempt is not None
        outcome.not_delivered(tx, row, attempt, "switched off", ways)

    async def slow(work: Callable[[sa.Connection], object]) -> object:
        found = await read(work)
        if not next(reported, True):
            await first.centre.transact(report)
        return found

    monkeypatch.setattr(second.store, "read", slow)
    provider = ObedientProvider()
    await sending(second, provider).send(MESSAGE)
    assert provider.sent == []
    assert [row.state for row in await first.rows(tables.attempts)] == ["undeliverable", "queued"]
    assert [row.leased_by for row in await first.rows(due, due.c.kind == SEND)] == ["first"]
    for centre in (first, second):
        centre.store.close()


async def test_a_new_site_is_taken_up_by_each_centre_and_so_is_what_is_silent(store_url: str) -> None:
    first = DeskCentre(store_url, owner="first")
    second = DeskCentre(store_url, first.clock, owner="second")
    link = MqttLink(MqttSettings(client_id="centre", port=1), subscriptions=[], on_message=lambda _incoming: None)
    told = asyncio.Event()
    keeper = SiteKeeper(second.centre, second.supervision, link, told)
    await keeper.look()
    assert not told.is_set()
    text = SITE + '\n[[hubs]]\nid = "h-new"\nzone = "nord-1"\n'
    now = first.clock.now()
    version = first.store.write_now(lambda connection: apply(connection, text, load(text), now, "test"))
    # The first one has done the row that was left behind.
    first.store.write_now(lambda connection: connection.execute(due.delete().where(due.c.kind == "site.changed")))
    lost = Finding(
        incident_class="technical",
        kind=Kind.DEVICE_LOST,
        severity=Severity.NORMAL,
        need=device_need("pendant-1"),
        reason="nothing was heard of it",
        zone="nord-1",
        occurred_at=first.clock.at,
    )
    await first.centre.transact(lambda tx: incident_desk.raise_incident(tx, lost))
    await keeper.look()
    assert (second.centre.site.version, told.is_set()) == (version, True)
    assert "h-new" in second.centre.site.hubs
    assert second.presence.lost == {device_need("pendant-1")}
    for centre in (first, second):
        centre.store.close()


async def test_old_news_of_a_frozen_centre_makes_nobody_silent(store_url: str) -> None:
    desk = DeskCentre(store_url)
    new, old = desk.clock.now().utc, desk.clock.now().utc - dt.timedelta(minutes=2)
    for at in (old, new, old):
        desk.presence.heard_hub("h-1", at)
        taken = desk.presence.take()
        desk.store.write_now(lambda connection: presence.write(connection, taken))  # noqa: B023 - done at once
    (row,) = await desk.rows(hubs, hubs.c.hub_id == "h-1")
    assert row.last_seen_at == new
    desk.store.close()


async def test_what_was_heard_while_the_store_was_away_is_written_when_it_is_back(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = DeskCentre(store_url, owner="first")
    at = first.clock.at
    first.presence.heard_device("pendant-1", at, "device.alive", 80, -60)
    transact, away, written = first.centre.transact, iter([True]), asyncio.Event()

    async def failing(work: Callable[[Tx], object]) -> object:
        if next(away, False):
            first.presence.heard_device("pendant-1", at + dt.timedelta(seconds=1), "device.alive", None, -70)
            raise TransientError("the store is away")
        done = await transact(work)
        written.set()
        return done

    monkeypatch.setattr(first.centre, "transact", failing)
    monkeypatch.setattr(app, "_PRESENCE_S", 0.01)
    writing = asyncio.create_task(app._write_presence(first.centre, first.presence))
    await asyncio.wait_for(written.wait(), 10)
    writing.cancel()
    (row,) = await first.rows(tables.devices, tables.devices.c.device_id == "pendant-1")
    assert (row.last_seen_at, row.battery_pct, row.rssi_dbm) == (at + dt.timedelta(seconds=1), 80, -70)
    first.store.close()


def test_postgresql_tells_the_time_of_every_transaction(postgres: Postgres) -> None:
    store = Store(postgres.new_database())
    clock = DatabaseClock(wall=lambda: 0.0, mono=store.clock._mono)
    store.clock = store._database_clock = clock
    assert clock.now().utc.year == 1970
    query = sa.text("SELECT clock_timestamp()")
    before, inside, after = store.write_now(lambda c: (c.scalar(query), clock.now().utc, c.scalar(query)))
    assert before - dt.timedelta(milliseconds=100) < inside.astimezone(UTC) < after
    assert clock.jump_s < -1e9
    store.close()


def test_an_answer_that_was_read_late_is_asked_for_again() -> None:
    mono = iter([0.0, 100.0, 220.0, 221.0, 221.1, 230.1])
    answers = iter([1_000_000_000_000_000, 1_000_000_121_000_000])

    class Frozen:
        def execute(self, _query: object) -> "Frozen":
            return self

        def scalar_one(self) -> int:
            return next(answers)

    clock = DatabaseClock(wall=lambda: 0.0, mono=lambda: next(mono))
    clock.ask(Frozen())  # type: ignore[arg-type]  # asked between 100 and 220, then between 221 and 221.1
    assert clock.now().utc.timestamp() == pytest.approx(1_000_000_130.0)


def test_a_centre_that_stands_still_in_a_transaction_holds_it_for_ten_seconds(postgres: Postgres) -> None:
    store = Store(postgres.new_database())

    def shown(connection: sa.Connection, name: str) -> object:
        return connection.exec_driver_sql(f"SHOW {name}").scalar_one()

    names = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")
    assert [store.read_now(lambda c: shown(c, name)) for name in names] == ["10s", "10s", "10s"]  # noqa: B023
    assert store.read_now(lambda c: shown(c, "statement_timeout"), report=True) == "1min"

    def frozen(connection: sa.Connection) -> None:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 50")
        while store.read_now(
            lambda c: c.exec_driver_sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)).first()
        ):
            pass
        connection.exec_driver_sql("SELECT 1")

    with pytest.raises(TransientError, match="idle-in-transaction"):
        store.write_now(frozen)
    assert store.write_now(lambda connection: connection.exec_driver_sql("SELECT 1").scalar_one()) == 1
    store.close()


class Namesakes:
    """Stores on one PostgreSQL, each as a centre's own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.stores: list[Store] = []

    def name(self, owner: str) -> Name:
        self.stores.append(Store(self.url))
        return Name(self.stores[-1], owner)

    def end(self, name: Name) -> None:
        """Let PostgreSQL end the connection of a name, as when its centre is killed or lost."""
        assert name._connection is not None
        pid = name._connection.scalar(sa.text("SELECT pg_backend_pid()"))
        self.stores[-1].write_now(lambda c: c.exec_driver_sql("SELECT pg_terminate_backend(%s)", (pid,)))


@pytest.fixture
def namesakes(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Namesakes]:
    monkeypatch.setattr(name_module, "WAIT_S", 0.0)
    made = Namesakes(postgres.new_database())
    yield made
    for store in made.stores:
        store.close()


async def test_two_centres_of_one_name_do_not_run_on_one_store(namesakes: Namesakes) -> None:
    first, second = namesakes.name("centre-1"), namesakes.name("centre-2")
    await first.take()
    await second.take()
    copy = settings.Settings(
        owner="centre-1",
        store=namesakes.url,
        hook_secret="0" * 32,
        mqtt=MqttSettings(client_id="copy"),
        providers=(),
    )
    with pytest.raises(PermanentError, match='owner "centre-1" is running on this store: write for each centre'):
        await app.run(copy)
    first.close()
    second.close()


async def test_who_begins_waits_for_the_end_of_its_former_self(
    namesakes: Namesakes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(name_module, "WAIT_S", 30.0)
    monkeypatch.setattr(name_module, "_AGAIN_S", 0.01)
    former, name = namesakes.name("centre-1"), namesakes.name("centre-1")
    await former.take()
    real, refused = name._taken, 0

    async def taken() -> bool:
        nonlocal refused
        if await real():
            return True
        refused += 1
        if refused == 2:
            former.close()
        return False

    monkeypatch.setattr(name, "_taken", taken)
    await name.take()
    assert refused >= 2
    assert "a centre with owner centre-1 is running on this store: waiting for its end" in caplog.text
    name.close()


async def test_a_name_whose_connection_was_lost_is_taken_again_or_missed(
    namesakes: Namesakes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name, copy = namesakes.name("centre-1"), namesakes.name("centre-1")
    await name.take()
    namesakes.end(name)
    await name.look()
    assert "the name waits: store: terminating connection" in caplog.text
    await name.look()
    with pytest.raises(PermanentError):  # the first has it again
        await copy.take()
    assert name.unfit() is None
    monkeypatch.setattr(name_module, "WAIT_S", 10.0)
    namesakes.end(name)
    await copy.take()
    await name.look()
    await name.look()
    assert "another centre with owner centre-1 has begun" in caplog.text
    assert name.unfit() == "another centre bears the name centre-1"
    for one in (name, copy):
        one.close()


@pytest.mark.parametrize(
    ("share", "store", "complaint"),
    [
        ("centres", "sqlite:///central.db", "several centres need one PostgreSQL"),
        ("a/#", "postgresql://x", "group"),
    ],
)
def test_what_cannot_be_shared_is_said(tmp_path: Path, share: str, store: str, complaint: str) -> None:
    path = tmp_path / "centre.toml"
    head = f'share = "{share}"\nstore = "{store}"\nhook_secret = "{"0" * 32}"\nproviders = []\n'
    path.write_text(head + '[mqtt]\nclient_id = "centre"\n')
    with pytest.raises(MalformedError, match=f'key "share": .*{complaint}'):
        settings.load(path)


def test_centres_that_share_have_a_name_each(tmp_path: Path) -> None:
    path = tmp_path / "centre.toml"
    text = (
        f'share = "centres"\nstore = "postgresql+psycopg://x/y"\nhook_secret = "{"0" * 32}"\n'
        '[mqtt]\nclient_id = "centre"\n[[providers]]\nkind = "sveve"\nusername = "hub"\npassword = "x"\n'
    )
    for written in ("", 'owner = "centre"\n'):
        path.write_text(written + text)
        with pytest.raises(MalformedError, match=r'key "owner": .*such as owner = "centre-1"'):
            settings.load(path)
    path.write_text('owner = "centre-1"\n' + text)
    assert settings.load(path).owner == "centre-1"
