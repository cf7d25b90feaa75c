"""The simulation itself: it repeats a run to the last line, and it finds what is broken on purpose."""

import asyncio
import datetime as dt
import itertools
import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from hub.central import clockwork, ingest
from hub.central.centre import Tx
from hub.central.clockwork import Clockwork, Due
from hub.central.escalation import engine, plan
from hub.central.incidents import record
from hub.central.incidents.lifecycle import TAKEN, Event, State
from hub.central.notify import attempts, keys, outbox, outcome, pipeline, replies
from hub.central.notify.channels.base import Keyed, Told
from hub.central.notify.message import MessageState
from hub.central.notify.words import Answer, Word, read
from hub.central.store import tables
from hub.central.texts import Because
from tests.simulation import run, script
from tests.simulation.gateway import SimGateway
from tests.simulation.world import World

# Something that is broken is found within so many seeds; CI plays 10,000.
_SEEDS = 300


def found(holds: Callable[[script.Script], bool] = lambda _script: True) -> str:
    """Return what the first seed that breaks says, of those whose script holds what it takes."""
    fit = (seed for seed in itertools.count() if holds(script.write(seed)))
    for seed in itertools.islice(fit, _SEEDS):
        broken = run.play(seed).broken
        if broken is not None:
            return broken
    return ""


def _two_and_frozen(one: script.Script) -> bool:
    return len(one.offsets) == 2 and bool(one.freezes)


def _patient(one: script.Script) -> bool:
    return one.patient


def _phone_off_for_ever(one: script.Script) -> bool:
    return any(carrier.off[1] == math.inf for carrier in one.carriers.values())


def _calls(one: script.Script) -> bool:
    return any(gateway.channel == "voice" for gateway in one.gateways)


def test_a_seed_plays_the_same_run_to_the_last_line() -> None:
    assert [run.play(seed) for seed in (4, 7)] == [run.play(4), run.play(7)]


def test_a_seed_plays_the_same_run_over_the_connection_of_production(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = [run.play(seed) for seed in range(20)]
    monkeypatch.setattr(run.database(), "connection", run.database().whole)
    assert [run.play(seed) for seed in range(20)] == quick


def test_the_seeds_hold_what_the_simulation_is_about() -> None:
    scripts = [script.write(seed) for seed in range(200)]
    assert {len(one.offsets) for one in scripts} == {1, 2}
    assert {len(one.deaths) for one in scripts} == {0, 1, 2}
    assert {len(one.freezes) for one in scripts} == {0, 1, 2}
    moods = {mood for one in scripts for gateway in one.gateways for _, mood in gateway.moods}
    assert moods == {script.GOOD, *script.TROUBLES}
    assert {carrier.habit for one in scripts for carrier in one.carriers.values()} == set(script.HABITS)
    assert any(one.jumps for one in scripts)
    assert any(one.undisturbed for one in scripts)
    assert any(_calls(one) for one in scripts)


def test_every_invariant_holds() -> None:
    assert [run.play(seed).broken for seed in range(15)] == [None] * 15


def _forgets(kind: str, every: int) -> Callable[..., None]:
    real, count = clockwork.schedule, 0

    def schedule(tx: Tx, at: object, what: str, subject: str) -> None:
        nonlocal count
        count += what == kind
        if what != kind or count % every:
            real(tx, at, what, subject)  # type: ignore[arg-type] # handed on as it came

    return schedule


def test_a_next_action_that_is_lost_now_and_then_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clockwork, "schedule", _forgets(engine.STEP, 20))
    assert "has no next action" in found()


def _later(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    real = clockwork.schedule

    def schedule(tx: Tx, at: dt.datetime, what: str, subject: str) -> None:
        real(tx, at + dt.timedelta(days=what == kind), what, subject)

    monkeypatch.setattr(clockwork, "schedule", schedule)


@pytest.mark.parametrize(("kind", "state"), [(engine.STEP, "alerting"), (engine.DEADLINE, "acknowledged")])
def test_a_next_action_that_comes_a_day_late_is_found(
    monkeypatch: pytest.MonkeyPatch, kind: str, state: str
) -> None:
    _later(monkeypatch, kind)
    assert f"is {state}, and its next action comes 86400 s too late" in found()


def test_a_step_that_waits_longer_than_its_plan_says_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = engine._follow

    def follow(tx: Tx, incident: record.Incident, move: plan.Move, because: Because | None) -> None:
        real(tx, incident, msgspec.structs.replace(move, wait_s=move.wait_s + 30), because)

    monkeypatch.setattr(engine, "_follow", follow)
    assert "is alerting, and its next action comes" in found()


def test_a_deadline_that_is_put_off_again_and_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def deadline_due(tx: Tx, subject: str) -> None:
        clockwork.schedule(tx, tx.now.utc + dt.timedelta(seconds=10), engine.DEADLINE, subject)

    monkeypatch.setattr(engine, "deadline_due", deadline_due)
    assert "is acknowledged, and its next action comes" in found(_patient)


def test_what_is_due_and_not_done_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Clockwork._do

    async def do(self: Clockwork, row: Due) -> None:
        if row.kind == outbox.RECEIPT:
            await asyncio.sleep(30)
        await real(self, row)

    monkeypatch.setattr(Clockwork, "_do", do)
    assert "is due and not done" in found()


def test_a_plan_that_waits_for_whom_nothing_reaches_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_give_way", lambda _tx, _message: None)
    assert "nobody can answer any more" in found()


def test_a_plan_that_waits_for_what_nobody_reports_as_delivered_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "no_receipt", lambda _tx, _message_id: None)
    assert "nobody can answer any more" in found()


def test_a_provider_without_receipts_that_no_other_follows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "no_receipt", lambda tx, message_id, _ways: engine.no_receipt(tx, message_id))
    assert "no other provider has its turn" in found()


def test_a_plan_that_tells_only_the_first_phone_of_a_step_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = engine._follow

    def follow(tx: Tx, incident: record.Incident, move: plan.Move, because: Because | None) -> None:
        real(tx, incident, msgspec.structs.replace(move, targets=move.targets[:1]), because)

    monkeypatch.setattr(engine, "_follow", follow)
    assert "was to reach a phone within" in found(lambda one: one.undisturbed)


def test_a_plan_that_never_gets_beyond_its_first_step_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = engine._move

    def move(tx: Tx, incident: record.Incident, begin: plan.Position, because: Because | None = None) -> None:
        real(tx, incident, plan.Position(begin.round + begin.step, 0), because)

    monkeypatch.setattr(engine, "_move", move)
    assert "and no phone shows it" in found(_phone_off_for_ever)


def test_a_text_that_leaves_for_what_is_closed_or_taken_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "held", lambda _draft, _channels: None)
    assert "leaves for incident" in found()


def test_a_text_that_leaves_on_the_word_of_a_centre_that_stood_still_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "_FRESH", dt.timedelta(hours=1))
    assert "which has no lease of it" in found(_two_and_frozen)


def test_a_text_that_leaves_from_two_centres_at_once_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clockwork, "leased", lambda *_its: True)
    assert "which has no lease of it" in found(_two_and_frozen)


def test_a_key_that_does_what_another_means_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "EVENTS", {"1": Event.DEPART, "2": Event.ACKNOWLEDGE})
    assert "has no cause" in found(_calls)


def test_a_key_that_does_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "EVENTS", {})
    assert "is heard and it still alerts" in found(_calls)


def test_a_key_that_is_heard_again_late_and_done_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    call = World.call

    async def twice(self: World, gateway: SimGateway, told: Told) -> None:
        await call(self, gateway, told)
        if isinstance(told, Keyed):
            await asyncio.sleep(90)
            await call(self, gateway, told)

    # As from a frozen centre, which is one in a thousand seeds with calls.
    monkeypatch.setattr(World, "call", twice)
    monkeypatch.setattr(keys, "_SAID", keys._SAID.where(sa.false()))
    assert "a second time" in found(_calls)


def test_a_next_person_who_has_to_wait_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = keys._pass_on

    def passed_on(tx: Tx, row: sa.Row[Any], incident: record.Incident, keyed: Keyed) -> str:
        if incident.state in TAKEN:
            return heard(tx, row, incident, keyed)
        outcome.answered(tx, row.id, MessageState.REJECTED)
        return "reject"

    monkeypatch.setattr(keys, "_pass_on", passed_on)
    assert "the next waits" in found(_calls)


def test_a_no_that_is_not_heard_from_whoever_took_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "passed_on", lambda *_its: None)
    assert "which says no" in found()


def test_a_next_person_who_has_to_wait_when_it_was_passed_on_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(tx: Tx, message_id: int, actor: str, note: str) -> None:
        query = sa.select(tables.messages.c.incident_id).where(tables.messages.c.id == message_id)
        number = tx.connection.execute(query).scalar_one()
        record.change(tx, number, state=State.ALERTING)
        record.note(tx, number, Event.PASS_ON, actor, note)
        clockwork.unschedule(tx, engine.DEADLINE, str(number))
        clockwork.schedule(tx, tx.now.utc + dt.timedelta(seconds=60), engine.STEP, str(number))

    monkeypatch.setattr(engine, "passed_on", slow)
    # In a call the key itself is looked at.
    assert "is passed on and the next waits 60 s" in found(lambda one: not _calls(one))


def test_a_no_that_nobody_hears_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "rejected", lambda _tx, _message_id: None)
    assert "nobody can answer any more" in found()


def test_a_no_that_nobody_said_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def passed_on(tx: Tx, message_id: int, _reason: str) -> None:
        engine.rejected(tx, message_id)

    monkeypatch.setattr(engine, "message_failed", passed_on)
    assert "rejected has no cause" in found()


def test_an_answer_that_is_taken_for_what_it_does_not_say_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(text: str) -> Answer | None:
        understood = read(text)
        return understood or Answer(Word.ACKNOWLEDGE, None)

    monkeypatch.setattr(replies, "read", lenient)
    assert "has no cause" in found()


def test_a_text_that_counts_as_sent_before_it_is_accepted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def optimistic(tx: Tx, message_id: int, attempt_id: int | None, fault: outcome.Fault, _ways: object) -> None:
        outcome.sent(tx, message_id, attempt_id, fault.provider, "surely")

    monkeypatch.setattr(outcome, "failed", optimistic)
    assert "never accepted" in found()


def _forgetful(real: Callable[..., object]) -> Callable[..., None]:
    """Return what does as ``real``, but for each fifth time."""
    times = itertools.count(1)

    def now_and_then(*arguments: object) -> None:
        if next(times) % 5:
            real(*arguments)

    return now_and_then


def test_an_accepted_text_that_is_not_noted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "sent", _forgetful(outcome.sent))
    assert "has not noted it" in found()


def test_an_accepted_text_that_is_noted_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = outcome.sent

    def sent(tx: Tx, message_id: int, attempt_id: int | None, provider: str, ref: str) -> None:
        real(tx, message_id, attempt_id, provider, ref)
        attempts.add(tx, message_id, MessageState.ACCEPTED, provider=provider, provider_ref=ref)

    monkeypatch.setattr(outcome, "sent", sent)
    assert "noted twice" in found(lambda one: one.undisturbed)


def test_an_accepted_text_that_is_withdrawn_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = tables.attempts.update().where(tables.attempts.c.message_id == sa.bindparam("of_message"))
    monkeypatch.setattr(attempts, "_WITHDRAW", everything)
    assert "which was accepted" in found()


def test_a_delivery_that_is_reported_and_not_counted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "arrived", lambda *_its, **_named: None)
    assert "was reported as delivered and does not count" in found()


def test_a_failure_that_is_reported_and_not_counted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "not_delivered", lambda *_its: None)
    assert "was reported as failed and counts as sent" in found()


def test_leases_that_nobody_takes_over_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clockwork, "_release_own", lambda _tx: None)
    monkeypatch.setattr(clockwork, "LEASE", 1000 * clockwork.LEASE)
    assert "to leave" in found()


def test_a_press_that_is_receipted_before_it_is_kept_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "keep", _forgetful(ingest.keep))
    assert "presses stored" in found()
