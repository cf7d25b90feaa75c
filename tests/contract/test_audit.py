"""The audit trail on both databases: one chain, only ever added to, and every tampering found."""

import asyncio
import datetime as dt
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import hub
from hub.central.audit import anchor
from hub.central.audit.anchor import Anchors
from hub.central.audit.chain import GENESIS, Entry, hash_of
from hub.central.audit.verify import Verdict, verify
from hub.central.auth import audit as trail
from hub.central.centre import Effects, Tx
from hub.central.incidents import desk
from hub.central.store import migrate
from hub.central.store.engine import Store
from hub.central.store.tables import audit, incident_events
from hub.cli import main
from tests.fakes.centre import DeskCentre
from tests.fakes.clock import FakeClock
from tests.fakes.ward import press

OFF = {
    "sqlite": [
        "DROP TRIGGER audit_no_update",
        "DROP TRIGGER audit_no_delete",
        "DROP TRIGGER incident_events_no_update",
    ],
    "postgresql": ["ALTER TABLE audit DISABLE TRIGGER USER", "ALTER TABLE incident_events DISABLE TRIGGER USER"],
}


@pytest.fixture
def store(store_url: str) -> Store:
    return Store(store_url)


def fill(store: Store, rows: int = 6) -> None:
    clock = FakeClock()
    for number in range(rows):
        now = clock.now()
        store.write_now(
            lambda c, n=number, now=now: trail.note(
                c, now, "user:kari-test", "incident.read", f"incident:{n}", "é\n\u2028"
            )  # type: ignore[misc]  # defaults bind the loop's values
        )
        clock.go_on(3600)


def tamper(store: Store, *statements: str) -> None:
    """Do by hand what somebody with the database's password can."""

    def work(connection: sa.Connection) -> None:
        for statement in (*OFF[connection.dialect.name], *statements):
            connection.exec_driver_sql(statement)

    store.write_now(work)


def rows(store: Store) -> list[Any]:
    return list(store.read_now(lambda c: c.execute(sa.select(audit).order_by(audit.c.id)).all()))


def test_the_trail_is_one_chain_from_its_first_row_to_its_head(store: Store) -> None:
    assert store.read_now(verify) == Verdict(0, 0, 0, GENESIS, 0, None)
    fill(store)
    found = rows(store)
    assert [row.previous for row in found] == [GENESIS, *(row.hash for row in found[:-1])]
    verdict = store.read_now(verify)
    assert verdict.broken is None
    assert (verdict.rows, verdict.row, verdict.hash) == (6, found[-1].id, found[-1].hash)
    written = store.read_now(lambda c: verify(c, None, found[2].hash))
    assert (written.broken, written.written) == (None, found[2].id)
    lost = store.read_now(lambda c: verify(c, None, "a" * 64))
    assert lost.broken is not None
    assert "the row with the hash aaaa" in lost.broken.where
    store.close()


def test_no_row_can_be_changed_or_taken_away(store: Store) -> None:
    fill(store, 2)
    for table in ("audit", "incident_events"):
        changes = [f"UPDATE {table} SET detail = 'x'", f"DELETE FROM {table}"]  # noqa: S608 - the names are ours
        if table == "incident_events":
            give_history(store)
        for change in changes if store.is_sqlite else [*changes, f"TRUNCATE {table}"]:
            with pytest.raises(sa.exc.DBAPIError, match=f"{table} is only ever added to"):
                store.write_now(lambda connection, change=change: connection.exec_driver_sql(change))  # type: ignore[misc]  # defaults bind the loop's values
    assert [row.action for row in rows(store)] == ["incident.read", "incident.read", "site.applied"]
    store.close()


def give_history(store: Store) -> None:
    desk_centre = DeskCentre(store._engine.url.render_as_string(hide_password=False))
    desk_centre.store.write_now(
        lambda c: desk.raise_incident(
            Tx(c, desk_centre.centre.site, desk_centre.clock.now(), "centre", Effects()), press()
        )
    )
    desk_centre.store.close()


FORGED = "INSERT INTO audit (id, at, actor, action, subject, detail, previous, hash) VALUES "
TAMPERED = [
    ("UPDATE audit SET actor = 'user:ola-test' WHERE id = 3", "altered", "row 3: its hash"),
    ("UPDATE audit SET at = at + 1 WHERE id = 1", "altered", "row 1: its hash"),
    ("UPDATE audit SET hash = 'f' WHERE id = 4", "altered", "row 4: its hash"),
    ("DELETE FROM audit WHERE id = 3", "missing", "between row 2 and row 4"),
    ("DELETE FROM audit WHERE id IN (3, 4)", "missing", "between row 2 and row 5"),
    ("DELETE FROM audit WHERE id = 1", "missing", "before row 2"),
    ("DELETE FROM audit WHERE id >= 5", "missing", "rows after row 4: the chain ends at row 6"),
    ("DELETE FROM audit", "missing", "rows after row 0"),
    (FORGED + "(7, 1, 'a', 'b', 'c', '', NULL, NULL)", "inserted", "row 7: it is in no chain"),
    ("UPDATE audit_head SET length = 5", "altered", "the head: it counts 5 rows, there are 6"),
    ("UPDATE audit_head SET hash = 'f'", "altered", "row 6"),
    ("DELETE FROM audit_head", "inserted", "row 6: the chain ends at row 0"),
]


def test_what_was_tampered_with_is_found_and_named(store: Store) -> None:
    fill(store)

    def work(connection: sa.Connection) -> None:
        for statement in OFF[connection.dialect.name]:
            connection.exec_driver_sql(statement)
        for statement, sort, where in TAMPERED:
            connection.exec_driver_sql("SAVEPOINT untouched")
            connection.exec_driver_sql(statement)
            broken = verify(connection).broken
            assert broken is not None, statement
            assert (broken.sort, where in broken.where) == (sort, True), (statement, broken)
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT untouched")
        assert verify(connection).broken is None

    store.write_now(work)
    store.close()


def test_a_row_that_was_written_anew_with_its_hash_is_found(store: Store) -> None:
    fill(store)
    third = rows(store)[2]
    forged = hash_of(Entry(5, "user:ola-test", third.action, third.subject, third.detail), third.previous)
    tamper(store, f"UPDATE audit SET at = 5, actor = 'user:ola-test', hash = '{forged}' WHERE id = 3")  # noqa: S608 - a test's own
    broken = store.read_now(verify).broken
    assert broken is not None
    assert broken.where.startswith("row 3: row 4 follows another one")
    store.close()


def test_a_row_put_in_between_is_found(store: Store) -> None:
    fill(store, 3)
    # PostgreSQL leaves a number unused when a transaction is given up; here somebody uses it.
    tamper(store, "UPDATE audit SET id = 5 WHERE id = 3", "UPDATE audit_head SET last_id = 5")
    last = rows(store)[1].hash
    tamper_again = FORGED + f"(4, 9, 'a', 'b', 'c', '', '{last}', 'f')"
    store.write_now(lambda c: c.exec_driver_sql(tamper_again))
    assert "row 4" in str(store.read_now(verify).broken)
    store.close()


def test_a_trail_whose_head_was_taken_away_is_still_written_and_tells_it(store: Store) -> None:
    fill(store, 3)
    tamper(store, "DELETE FROM audit_head")
    fill(store, 2)
    assert len(rows(store)) == 5
    broken = store.read_now(verify).broken
    assert broken is not None
    assert "row 4: it begins a chain anew" in broken.where
    store.close()


def test_from_a_date_on_only_the_rest_is_walked(store: Store) -> None:
    fill(store)
    tamper(store, "UPDATE audit SET detail = 'x' WHERE id = 2")
    since = FakeClock().at + dt.timedelta(hours=3)
    assert store.read_now(verify).broken is not None
    verdict = store.read_now(lambda c: verify(c, since))
    assert (verdict.broken, verdict.rows, verdict.since) == (None, 6, 3)
    late = store.read_now(lambda c: verify(c, since + dt.timedelta(days=1)))
    assert (late.broken, late.since) == (None, 0)
    store.close()


async def test_several_centres_keep_one_chain(store_url: str) -> None:
    stores = [Store(store_url), Store(store_url)]
    now = FakeClock().now()

    def noting(store: Store, number: int) -> Any:
        return store.write(lambda c: trail.note(c, now, "user:kari-test", "incident.read", f"incident:{number}"))

    await asyncio.gather(*(noting(stores[number % 2], number) for number in range(40)))
    verdict = stores[0].read_now(verify)
    assert (verdict.broken, verdict.rows) == (None, 40)
    for store in stores:
        store.close()


async def test_what_is_given_up_leaves_the_chain_whole(store: Store) -> None:
    fill(store, 2)
    now = FakeClock().now()

    def half(connection: sa.Connection) -> None:
        trail.note(connection, now, "a", "b", "c")
        raise ValueError("the power went")

    with pytest.raises(ValueError, match="power"):
        await store.write(half)
    fill(store, 1)
    verdict = store.read_now(verify)
    assert (verdict.broken, verdict.rows) == (None, 3)
    store.close()


def test_the_rows_of_an_older_store_are_chained_once_and_marked(bare_url: str) -> None:
    engine = sa.create_engine(bare_url, isolation_level="AUTOCOMMIT")
    config = Config()
    config.set_main_option("script_location", str(migrate._SCRIPTS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for _ in range(2):
            connection.exec_driver_sql(
                "INSERT INTO audit (at, actor, action, subject, detail)"
                " VALUES (1, 'user:kari-test', 'incident.read', 'incident:1', '')"
            )
    engine.dispose()
    for _ in range(2):
        store = Store(bare_url)
        assert [row.action for row in rows(store)] == ["incident.read", "incident.read", "audit.chained"]
        assert rows(store)[2].detail == "2 rows were chained afterwards"
        verdict = store.read_now(verify)
        assert (verdict.broken, verdict.rows) == (None, 3)
        store.close()


async def anchored(desk_centre: DeskCentre) -> Anchors:
    """Raise a few incidents and let their history be anchored."""
    anchors = Anchors(desk_centre.centre)
    await anchors.round()
    for number in range(3):
        at = desk_centre.clock.at
        await desk_centre.centre.transact(
            lambda tx, n=number, at=at: desk.raise_incident(tx, press(f"r-{n}", at))  # type: ignore[misc]  # defaults bind the loop's values
        )
    for _ in range(2):
        desk_centre.clock.go_on(anchor.PERIOD.total_seconds())
        await anchors.round()
    return anchors


async def test_the_history_of_incidents_is_anchored_when_it_has_come_to_rest(desk: DeskCentre) -> None:
    anchors = await anchored(desk)
    events = await desk.rows(incident_events)
    found = await desk.store.read(lambda c: [said for _, said in anchor.anchors(c)])
    assert sum(said.rows for said in found) == len(events) > 3
    assert found[1].rows == 0  # what was seen five minutes ago, and no more
    desk.clock.go_on(3600)
    assert await anchors.round() == 0  # no news, no anchor
    verdict = await desk.store.read(verify)
    assert (verdict.broken, verdict.anchored) == (None, len(events))


async def test_many_rows_are_anchored_in_pieces(desk: DeskCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor, "ROWS", 4)
    await anchored(desk)
    events = await desk.rows(incident_events)
    found = await desk.store.read(lambda c: [said for _, said in anchor.anchors(c)])
    assert sum(said.rows for said in found) == len(events)
    assert max(said.rows for said in found) == 4
    assert (await desk.store.read(verify)).broken is None


async def test_an_altered_history_of_an_incident_is_found(desk: DeskCentre) -> None:
    await anchored(desk)
    tamper(desk.store, "UPDATE incident_events SET actor = 'user:ola-test' WHERE id = 2")
    broken = (await desk.store.read(verify)).broken
    assert broken is not None
    assert broken.where.startswith("one of the rows 1 to ")


async def test_two_centres_do_not_anchor_twice(desk: DeskCentre) -> None:
    await anchored(desk)
    desk.clock.go_on(3600)
    await desk.centre.transact(desk_note)
    await asyncio.gather(Anchors(desk.centre).round(), Anchors(desk.centre).round())
    desk.clock.go_on(3600)
    await asyncio.gather(Anchors(desk.centre).round(), Anchors(desk.centre).round())
    found = await desk.store.read(lambda c: [said for _, said in anchor.anchors(c)])
    spans = [(said.first, said.last) for said in found if said.last >= said.first]
    assert all(after[0] == before[1] + 1 for before, after in pairwise(spans))
    assert (await desk.store.read(verify)).broken is None


def desk_note(tx: Any) -> None:
    desk.add_note(tx, press("r-0", tx.now.utc).need, "news")


def test_the_command_tells_what_holds_and_what_does_not(
    store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(store_url)
    fill(store)
    assert main(["audit", "verify", "--store", store_url]) == 0
    out = capsys.readouterr().out
    head = rows(store)[-1].hash
    assert "the trail holds: 6 rows, the last is row 6\n" in out
    assert out.endswith(f"head {head}\n")
    assert main(["audit", "verify", "--store", store_url, "--head", head, "--since", "2026-11-21"]) == 0
    assert "the head that was written down is row 6" in capsys.readouterr().out
    assert main(["audit", "verify", "--store", store_url, "--head", "ff"]) == 1
    assert "64 hexadecimal digits" in capsys.readouterr().err
    assert main(["audit", "show", "--store", store_url, "--subject", "incident:3"]) == 0
    assert capsys.readouterr().out == "2026-11-21 22:00:00  user:kari-test  incident.read  é\n"
    assert main(["audit", "show", "--store", store_url, "--subject", "incident:99"]) == 1
    tamper(store, "UPDATE audit SET actor = 'user:ola-test' WHERE id = 3")
    capsys.readouterr()
    assert main(["audit", "verify", "--store", store_url]) == 1
    assert capsys.readouterr().out.startswith("altered: row 3")
    store.close()


def test_nobody_writes_past_the_chain() -> None:
    files = [path for path in Path(hub.__file__).parent.rglob("*.py") if "versions" not in path.parts]
    past = [path for path in files if re.search(r"\baudit\.insert\(|insert\((tables\.)?audit\b", path.read_text())]
    assert [path.name for path in past] == ["audit.py"]
