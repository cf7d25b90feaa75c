"""The simulation itself: it repeats a run to the last line, and it finds what is broken on purpose."""

import datetime as dt
import itertools
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from hub.central import clockwork, ingest
from hub.central.centre import Tx
from hub.central.escalation import engine
from hub.central.incidents import record
from hub.central.incidents.lifecycle import Event, State
from hub.central.notify import keys, outcome, pipeline, replies
from hub.central.notify.words import Answer, Word, read
from hub.central.store.tables import messages
from tests.simulation import run, script

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


def test_a_next_person_who_has_to_wait_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "rejected", lambda _tx, _message_id: None)
    assert "the next waits" in found(_calls)


def test_a_no_that_is_not_heard_from_whoever_took_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "passed_on", lambda *_its: None)
    assert "which says no" in found()


def test_a_next_person_who_has_to_wait_when_it_was_passed_on_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(tx: Tx, message_id: int, actor: str, note: str) -> None:
        query = sa.select(messages.c.incident_id).where(messages.c.id == message_id)
        number = tx.connection.execute(query).scalar_one()
        record.change(tx, number, state=State.ALERTING)
        record.note(tx, number, Event.PASS_ON, actor, note)
        clockwork.unschedule(tx, engine.DEADLINE, str(number))
        clockwork.schedule(tx, tx.now.utc + dt.timedelta(seconds=60), engine.STEP, str(number))

    monkeypatch.setattr(engine, "passed_on", slow)
    # In a call the key itself is looked at.
    assert "is passed on and the next waits 60 s" in found(lambda one: not _calls(one))


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


def test_leases_that_nobody_takes_over_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clockwork, "_release_own", lambda _tx: None)
    monkeypatch.setattr(clockwork, "LEASE", 1000 * clockwork.LEASE)
    assert "to leave" in found()


def test_a_press_that_is_receipted_before_it_is_kept_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = ingest.keep, 0

    def keep(*arguments: object) -> None:
        nonlocal count
        count += 1
        if count % 5:
            real(*arguments)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(ingest, "keep", keep)
    assert "presses stored" in found()
