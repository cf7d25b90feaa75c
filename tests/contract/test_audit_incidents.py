"""What a report reads is what was noted: an incident's row, its messages and its site, on both databases."""

import datetime as dt
from functools import partial
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from hub.central import setback
from hub.central.audit import anchor, facts
from hub.central.audit import incidents as holds
from hub.central.audit.anchor import Anchors
from hub.central.audit.facts import Facts
from hub.central.audit.verify import Verdict, verify
from hub.central.centre import Tx
from hub.central.incidents import desk as act
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.notify import outcome
from hub.central.reports import followup
from hub.central.site.apply import apply
from hub.central.site.load import load
from hub.central.store.tables import audit, incident_events, incidents, messages, sites
from hub.cli import main
from hub.domain.codes import Kind
from tests.fakes.centre import DeskCentre
from tests.fakes.site import SITE
from tests.fakes.ward import press

# Each column that a report shows or asks for, altered by hand: for incident 1, which is closed.
ALTERED = {
    "incident_class": "incident_class = 'technical'",
    "kind": "kind = 'dose.not_dispensed'",
    "also": "also = 'fall.detected'",
    "severity": "severity = 10",
    "zone": "zone = 'nord-2'",
    "resident_id": "resident_id = NULL",
    "device_id": "device_id = 'd-other'",
    "test": "test = (1 = 1)",
    "opened_at": "opened_at = opened_at - 3456000000000",
    "presses": "presses = 7",
    "closed_at": "closed_at = opened_at + 1",
    "closed_by": "closed_by = 'user:ola-test'",
    "outcome": "outcome = 'no_help_needed'",
    "cause": "cause = 'mistake'",
}


async def closes(desk: DeskCentre, number: int) -> None:
    ending: Any = {"outcome": Outcome.HELP_GIVEN, "cause": Cause.FALL, "note": "mistake of nobody"}
    await desk.centre.transact(lambda tx: act.act(tx, number, Event.CLOSE, "user:kari-test", **ending))


async def raised(desk: DeskCentre, resident: str = "r-1017", **more: Any) -> int:
    at = desk.clock.at
    return await desk.centre.transact(lambda tx: act.raise_incident(tx, press(resident, at, **more)))


async def rest(desk: DeskCentre) -> None:
    """Let what was noted come to rest and be anchored."""
    for _ in range(3):
        desk.clock.go_on(anchor.PERIOD.total_seconds())
        await Anchors(desk.centre).round()


async def two(desk: DeskCentre) -> None:
    """One incident that is closed and one that is open, both anchored; a message of the first was sent."""
    await Anchors(desk.centre).round()
    first = await raised(desk)
    await raised(desk, "r-1018")

    def send(tx: Tx) -> None:
        message = tx.connection.scalar(sa.select(messages.c.id).where(messages.c.incident_id == first))
        assert message is not None
        outcome.sent(tx, message, None, "elks", "ref-1")

    desk.clock.go_on(1)
    await desk.centre.transact(send)
    desk.clock.go_on(4000)
    await closes(desk, first)
    await rest(desk)


async def verdict(desk: DeskCentre, **more: Any) -> Verdict:
    now = desk.clock.at
    return await desk.store.read(partial(verify, now=now, **more))


async def tamper(desk: DeskCentre, *statements: str) -> None:
    def work(connection: sa.Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    await desk.store.write(work)


def test_every_column_that_a_report_shows_is_among_the_facts() -> None:
    shown = {*followup.Row._fields, *followup.Told._fields, "test"}
    assert shown == {*Facts.__struct_fields__}
    assert {*ALTERED} | {"id", "sent_at", "delivered_at"} == shown


async def test_what_nobody_touched_holds(desk: DeskCentre) -> None:
    await two(desk)
    found = await verdict(desk)
    assert (found.broken, found.altered, found.incidents, found.bare) == (None, (), 2, 0)


@pytest.mark.parametrize("column", ALTERED)
async def test_an_altered_row_is_found_and_named(desk: DeskCentre, column: str) -> None:
    await two(desk)
    await tamper(desk, f"UPDATE incidents SET {ALTERED[column]} WHERE id = 1")  # noqa: S608 - a test's own
    found = await verdict(desk)
    assert [(one.sort, one.where.partition(":")[0]) for one in found.altered] == [("altered", "incident 1")]
    assert column in found.altered[0].where
    assert found.broken == found.altered[0]


@pytest.mark.parametrize("column", [name for name in ALTERED if name not in {"outcome", "cause", "closed_by"}])
async def test_so_is_that_of_an_open_one_also_after_it_was_closed(desk: DeskCentre, column: str) -> None:
    await two(desk)
    await tamper(desk, f"UPDATE incidents SET {ALTERED[column]} WHERE id = 2")  # noqa: S608 - a test's own
    assert [one.where[:10] for one in (await verdict(desk)).altered] == ["incident 2"]
    if column != "closed_at":  # closing writes it anew
        await closes(desk, 2)
        await rest(desk)
        assert [one.where[:10] for one in (await verdict(desk)).altered] == ["incident 2"]


@pytest.mark.parametrize("column", ["sent_at", "delivered_at"])
async def test_so_is_when_its_message_was_sent_and_delivered(desk: DeskCentre, column: str) -> None:
    await two(desk)
    await tamper(desk, f"UPDATE messages SET {column} = 1 WHERE incident_id = 1")  # noqa: S608 - a test's own
    assert [one.where for one in (await verdict(desk)).altered] == [
        f"incident 1: {column}: not what row {await last_anchor(desk)} of the trail says"
    ]


async def last_anchor(desk: DeskCentre) -> int:
    """Return the row of the last anchor that tells of incident 1."""
    found = await desk.store.read(lambda c: list(anchor.anchors(c)))
    return [row for row, said in found if any(one.id == 1 for one in said.facts)][-1]


async def test_what_may_change_while_it_is_open_may(desk: DeskCentre) -> None:
    await two(desk)
    for severity in (10, 40):
        await raised(desk, "r-1018", severity=severity)
        desk.clock.go_on(400)
        await Anchors(desk.centre).round()
        assert (await verdict(desk)).altered == ()
    await desk.centre.transact(lambda tx: act.act(tx, 2, Event.ACKNOWLEDGE, "sms:nord-1-duty"))
    await desk.pass_time(601)
    await closes(desk, 2)
    assert (await verdict(desk)).altered == ()
    await rest(desk)
    found = await verdict(desk)
    assert (found.broken, found.altered) == (None, ())


async def test_a_technical_one_is_counted_in_silence_and_only_upwards(desk: DeskCentre) -> None:
    await Anchors(desk.centre).round()
    fault: dict[str, Any] = {"incident_class": "technical", "need": "technical:x"}
    for _ in range(5):
        await raised(desk, **fault)
    await rest(desk)
    for _ in range(2):  # the sixth and the seventh: no line tells of them
        await raised(desk, **fault)
    assert (await verdict(desk)).altered == ()
    await tamper(desk, "UPDATE incidents SET presses = 4")
    assert ["presses" in one.where for one in (await verdict(desk)).altered] == [True]


async def test_incidents_that_are_gone_or_that_nothing_opened_are_found(desk: DeskCentre) -> None:
    await two(desk)
    await tamper_without_keys(desk, "DELETE FROM incidents WHERE id = 2")
    columns = ", ".join(column.name for column in incidents.c if column.name not in {"id", "open_key"})
    await tamper(desk, f"INSERT INTO incidents (id, {columns}) SELECT 9, {columns} FROM incidents WHERE id = 1")  # noqa: S608 - a test's own
    assert [(one.sort, one.where) for one in (await verdict(desk)).altered] == [
        ("inserted", "incident 9: its history opens it 0 times"),
        ("missing", "incident 2: it has a history"),
    ]


async def tamper_without_keys(desk: DeskCentre, statement: str) -> None:
    """Do by hand what foreign keys refuse."""
    if desk.store.is_sqlite:
        with desk.store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.exec_driver_sql(statement)
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        return
    await tamper(
        desk, "SET session_replication_role = replica", statement, "SET session_replication_role = DEFAULT"
    )


async def test_a_second_closing_put_into_the_history_is_found(desk: DeskCentre) -> None:
    await two(desk)
    await desk.store.write(
        lambda c: c.execute(
            incident_events.insert().values(
                incident_id=1, at=desk.clock.at, event="closed", actor="user:ola-test", detail="referred need"
            )
        )
    )
    assert ("inserted", "incident 1: its history closes it 2 times") in (await verdict(desk)).altered


async def test_a_history_that_nobody_anchored_in_time_is_told(desk: DeskCentre) -> None:
    await two(desk)
    await raised(desk, "r-1019")
    desk.clock.go_on(899)
    assert (await verdict(desk)).broken is None
    desk.clock.go_on(2)
    found = (await verdict(desk)).broken
    assert found is not None
    assert (found.sort, "2026-11-21" in found.where) == ("unanchored", True)
    await rest(desk)
    assert (await verdict(desk)).broken is None


async def test_what_is_younger_than_its_anchor_rests_on_its_history(desk: DeskCentre) -> None:
    await two(desk)
    await raised(desk, "r-1019")
    await closes(desk, 3)
    assert (await verdict(desk)).altered == ()
    await tamper(desk, "UPDATE incidents SET cause = 'mistake', opened_at = 1 WHERE id = 3")
    assert [one.where for one in (await verdict(desk)).altered] == [
        "incident 3: opened_at, cause: not what its history says"
    ]


async def test_rows_from_before_are_told_to_be_not_anchored_then(
    desk: DeskCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(facts, "read", lambda *_: ())
        await two(desk)
    found = await verdict(desk)
    assert (found.broken, found.altered, found.incidents, found.bare) == (None, (), 2, 2)
    await tamper(desk, "UPDATE incidents SET zone = 'nord-2' WHERE id = 1")
    assert (await verdict(desk)).altered == ()
    await tamper(desk, "UPDATE incidents SET closed_by = 'user:ola-test' WHERE id = 1")
    assert [one.where for one in (await verdict(desk)).altered] == [
        "incident 1: closed_by: not what its history says"
    ]


async def test_from_a_date_on_what_came_before_is_taken_as_it_is(desk: DeskCentre) -> None:
    await two(desk)
    desk.clock.go_on(3600)
    since = desk.clock.at
    await raised(desk, "r-1019")
    await rest(desk)
    await tamper(desk, "UPDATE incidents SET zone = 'nord-2' WHERE id = 1")
    found = await verdict(desk, since=since)
    assert (found.altered, found.incidents, found.bare) == ((), 1, 0)
    await tamper(desk, "UPDATE incidents SET zone = 'nord-2' WHERE id = 3")
    assert [one.where[:10] for one in (await verdict(desk, since=since)).altered] == ["incident 3"]


async def test_a_store_that_was_brought_back_to_the_right_time_holds(desk: DeskCentre) -> None:
    await two(desk)
    await raised(desk, "r-1019")
    await rest(desk)
    desk.clock.go_on(-dt.timedelta(days=2).total_seconds())
    await desk.centre.transact(lambda tx: setback.bring_back(tx, dt.timedelta(hours=1)))
    assert (await verdict(desk)).altered == ()
    desk.clock.go_on(dt.timedelta(days=3).total_seconds())
    await rest(desk)
    assert (await verdict(desk)).altered == ()


async def test_what_comes_after_a_clock_that_was_ahead_is_anchored_as_ever(desk: DeskCentre) -> None:
    await two(desk)
    ahead = dt.timedelta(days=30)
    await desk.centre.transact(lambda tx: setback.bring_back(tx, ahead))
    desk.clock.go_on(-ahead.total_seconds())
    await raised(desk, "r-1019")
    await rest(desk)
    desk.clock.go_on(3600)
    found = await verdict(desk)
    assert (found.broken, found.altered) == (None, ())
    assert found.anchored == len(await desk.rows(incident_events))


async def test_a_site_that_was_altered_is_found(desk: DeskCentre) -> None:
    await two(desk)
    version = (await desk.rows(sites))[0].version
    await tamper(desk, "UPDATE sites SET document = 'name = 1'")
    assert [tuple(one) for one in (await verdict(desk)).altered] == [
        ("altered", f"site version {version}: not what row 1 of the trail says")
    ]
    await tamper(desk, "DELETE FROM sites")
    assert [tuple(one) for one in (await verdict(desk)).altered] == [
        ("missing", f"site version {version}: row 1 of the trail says that it was applied")
    ]


async def test_a_site_that_is_applied_meanwhile_is_none_that_was_put_in(
    desk: DeskCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, now = SITE + "\n", desk.clock.now()
    await desk.store.write(lambda c: apply(c, SITE + "\n\n", load(SITE), now, "test"))

    def digest(of: str) -> str:
        if of == SITE:
            desk.store.write_now(lambda c: apply(c, document, load(document), now, "test"))
        return read(of)

    read = holds.digest
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(holds, "digest", digest)
        assert (await verdict(desk)).altered == ()
    assert len(await desk.rows(sites)) == 3


async def test_the_command_names_each(
    desk: DeskCentre, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await two(desk)
    assert main(["audit", "verify", "--store", store_url]) == 0
    assert "2 incidents are what was noted of them\n" in capsys.readouterr().out
    await tamper(desk, "UPDATE incidents SET test = (1 = 1)")
    assert main(["audit", "verify", "--store", store_url]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("altered: incident 1: test: not what row")
    assert out[1].startswith("altered: incident 2: test: not what row")
    assert await desk.rows(audit, audit.c.action == anchor.ACTION)


async def test_an_anchor_that_says_nothing_of_what_else_was_reported_is_not_held_against_it(
    desk: DeskCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(*given: Any) -> tuple[Facts, ...]:
        return tuple(msgspec.structs.replace(one, also=None) for one in read(*given))

    read = facts.read
    await Anchors(desk.centre).round()
    await raised(desk)
    await raised(desk, kind=Kind.FALL_DETECTED)
    with monkeypatch.context() as before:
        before.setattr(facts, "read", older)
        await rest(desk)
    assert (await verdict(desk)).altered == ()
    await raised(desk, kind=Kind.DOSE_UNKNOWN)
    await rest(desk)
    assert (await verdict(desk)).altered == ()
    await tamper(desk, "UPDATE incidents SET also = ''")
    assert ["also" in one.where for one in (await verdict(desk)).altered] == [True]
