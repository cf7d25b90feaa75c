"""Incidents whatever happens in whatever order: nothing open is ever without its next action.

Each run begins with an incident, and half of the rules do what its state allows: drawn blindly, the most would be
refused, and an incident that was taken would hardly ever expire or be pressed again.
"""

import asyncio
import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from functools import cache, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import event as happened
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.central.centre import Tx
from hub.central.escalation import engine
from hub.central.escalation.limits import LIMIT
from hub.central.incidents import desk as acts
from hub.central.incidents.lifecycle import OPEN, OUTCOMES, TABLE, TAKEN, Cause, Event, Outcome, State
from hub.central.maintenance import service as maintenance
from hub.central.notify.outcome import passed_on
from hub.central.store.tables import due, incident_events, incident_observations, incidents, messages, observations
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError
from tests.fakes.centre import DeskCentre
from tests.fakes.site import SITE

CARE, TECHNICAL = '[[plans]]\nclass = "care"\n', '[[plans]]\nclass = "technical"\n'
DOCUMENT = SITE.replace(CARE, CARE + "acknowledge_s = 300\nclose_s = 3600\n").replace(
    TECHNICAL, TECHNICAL + 'hours = "07:00-15:00"\n'
)
ACTORS = ("sms:nord-1-duty", "sms:nord-2-duty", "sms:leader", "user:kari")
SEEN = (
    ("pendant-1", Kind.ALARM_PRESSED),
    ("pendant-1", Kind.FALL_DETECTED),
    ("door-1", Kind.ALARM_PRESSED),
    ("door-1", Kind.BATTERY_LOW),
    ("dispenser-1", Kind.DISPENSER_JAMMED),
    ("stranger-1", Kind.ALARM_PRESSED),
)
# What a person does, in the order in which it goes.
STEPS = (Event.ACKNOWLEDGE, Event.DEPART, Event.ARRIVE)
which = st.integers(0, 7)
actors = st.sampled_from(ACTORS)


def standing(*states: State) -> Callable[["IncidentMachine"], bool]:
    """Tell whether an incident is in one of these states."""
    return lambda machine: any(row.state in states for row in machine.known)


@cache
def empty() -> Path:
    """A store that holds the site and nothing else; made once."""
    path = Path(tempfile.mkdtemp()) / "central.db"
    DeskCentre(f"sqlite:///{path}", document=DOCUMENT).store.close()
    return path


class IncidentMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "central.db"
        shutil.copy(empty(), path)
        self.runner = asyncio.Runner()
        self.desk = self.run(self._opened(f"sqlite:///{path}"))
        self.sent: list[Any] = []
        self.known: list[Any] = []

    async def _opened(self, url: str) -> DeskCentre:
        return DeskCentre(url)

    def run(self, doing: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(doing)

    def rows(self, table: sa.Table, *where: Any) -> list[Any]:
        found: list[Any] = self.run(self.desk.rows(table, *where))
        return sorted(found, key=lambda row: row[0])

    def in_state(self, number: int, *states: State) -> Any:
        return self.one([row for row in self.known if row.state in states], number)

    def act(self, incident: Any, event: Event, actor: str, **ending: Any) -> None:
        self.run(self.desk.centre.transact(lambda tx: acts.act(tx, incident.id, event, actor, **ending)))

    def one(self, rows: list[Any], number: int) -> Any:
        return rows[number % len(rows)] if rows else None

    def teardown(self) -> None:
        for name in sorted({row.event for row in self.rows(incident_events)}):
            happened(name)  # pytest --hypothesis-show-statistics tells in how many examples
        self.desk.store.close()
        self.runner.close()
        self.folder.cleanup()

    @initialize(seen=st.sampled_from(SEEN[:3]), steps=st.sets(st.sampled_from(STEPS)), actor=actors)
    def begin(self, seen: tuple[str, Kind], steps: set[Event], actor: str) -> None:
        self.observe(seen, 0)
        for event in sorted(steps, key=STEPS.index):
            self.act(self.rows(incidents)[0], event, actor)

    @rule(seen=st.sampled_from(SEEN), late_s=st.sampled_from([0, 0, 0, 90, 86_400]))
    def observe(self, seen: tuple[str, Kind], late_s: int) -> None:
        event = self.desk.event(*seen, at=self.desk.clock.at - dt.timedelta(seconds=late_s))
        self.sent.append(event)
        self.run(self.desk.keep(event))

    @rule(number=which)
    def deliver_again(self, number: int) -> None:
        event = self.one(self.sent, number)
        if event is not None:
            before = [row.presses for row in self.rows(incidents)]
            self.run(self.desk.keep(event))
            assert [row.presses for row in self.rows(incidents)] == before

    @rule(
        number=which,
        event=st.sampled_from([Event.ACKNOWLEDGE, Event.DEPART, Event.ARRIVE, Event.CLOSE]),
        actor=actors,
        outcome=st.none() | st.sampled_from(OUTCOMES),
        cause=st.sampled_from(Cause),
    )
    def answer(self, number: int, event: Event, actor: str, outcome: Outcome | None, cause: Cause) -> None:
        incident = self.one(self.rows(incidents), number)
        if incident is None:
            return
        possible = event in TABLE[State(incident.state)] and (event is not Event.CLOSE or outcome is not None)
        try:
            self.act(incident, event, actor, outcome=outcome, cause=cause)
        except RefusedError:
            assert not possible
        else:
            assert possible

    @precondition(standing(*TAKEN))
    @rule(number=which)
    def hand_back(self, number: int) -> None:
        incident = self.in_state(number, *TAKEN)
        told = self.rows(messages, messages.c.incident_id == incident.id)
        theirs = [row.id for row in told if f"sms:{row.phone}" == incident.taken_by]
        if theirs:
            work = partial(passed_on, message_id=theirs[-1], actor=incident.taken_by, note="reply in-1")
            self.run(self.desk.centre.transact(work))
            (now,) = self.rows(incidents, incidents.c.id == incident.id)
            assert now.state == State.ALERTING

    @precondition(standing(State.ALERTING, State.ACKNOWLEDGED, State.ON_THE_WAY))
    @rule(number=which, step=st.integers(0, 2), actor=actors)
    def go_further(self, number: int, step: int, actor: str) -> None:
        incident = self.in_state(number, State.ALERTING, State.ACKNOWLEDGED, State.ON_THE_WAY)
        possible = [event for event in STEPS if event in TABLE[State(incident.state)]]
        self.act(incident, possible[step % len(possible)], actor)

    @precondition(standing(*TAKEN))
    @rule(number=which)
    def let_it_expire(self, number: int) -> None:
        incident = self.in_state(number, *TAKEN)
        (deadline,) = self.rows(due, due.c.kind == engine.DEADLINE, due.c.subject == str(incident.id))
        self.run(self.desk.pass_time((deadline.at - self.desk.clock.at).total_seconds()))
        (now,) = self.rows(incidents, incidents.c.id == incident.id)
        assert now.state in {State.ALERTING, State.CLOSED}  # what is technical may have cleared itself meanwhile

    @precondition(standing(*TAKEN))
    @rule(number=which)
    def press_again(self, number: int) -> None:
        incident = self.in_state(number, *TAKEN)
        self.observe((incident.device_id, Kind(incident.kind)), 0)

    @precondition(standing(*OPEN))
    @rule(number=which, actor=actors, outcome=st.sampled_from(OUTCOMES), cause=st.sampled_from(Cause))
    def close(self, number: int, actor: str, outcome: Outcome, cause: Cause) -> None:
        self.act(self.in_state(number, *OPEN), Event.CLOSE, actor, outcome=outcome, cause=cause)

    @rule(seconds=st.sampled_from([1, 30, 61, 180, 300, 600, 1800, 3600]))
    def wait(self, seconds: int) -> None:
        self.run(self.desk.pass_time(seconds))

    @rule(number=which)
    def message_fails(self, number: int) -> None:
        message = self.one(self.rows(messages, messages.c.state == "queued"), number)
        if message is not None:
            failed = messages.update().where(messages.c.id == message.id).values(state="undeliverable")

            def work(tx: Tx) -> None:
                tx.connection.execute(failed)
                engine.message_failed(tx, message.id, "no such number")

            self.run(self.desk.centre.transact(work))

    @rule(reason=st.sampled_from(["new battery", "broken: sends by itself"]), minutes=st.sampled_from([1, 20]))
    def maintain(self, reason: str, minutes: int) -> None:
        until = self.desk.clock.at + dt.timedelta(minutes=minutes)
        self.run(
            self.desk.centre.transact(
                lambda tx: maintenance.add(tx, "device", "door-1", reason, "user:x", until=until)
            )
        )

    @invariant()
    def it_is_known_what_stands(self) -> None:
        self.known = self.rows(incidents)

    @invariant()
    def nothing_open_is_without_a_next_action(self) -> None:
        assert self.run(self.desk.store.read(engine.unattended)) == []
        planned: dict[str, list[Any]] = {}
        for row in self.rows(due, due.c.kind.in_([engine.STEP, engine.DEADLINE])):
            planned.setdefault(row.subject, []).append(row)
        for incident in self.rows(incidents):
            (action, *more) = planned.pop(str(incident.id), [None])
            assert not more
            if incident.state == State.CLOSED:
                assert action is None
                continue
            assert action.kind == (engine.DEADLINE if incident.state in TAKEN else engine.STEP)
            longest = dt.timedelta(hours=24 if incident.incident_class == "technical" else 1)
            assert action.at <= self.desk.clock.at + longest
        assert planned == {}

    @invariant()
    def nobody_is_alerted_for_what_is_closed_or_taken(self) -> None:
        done = [row.id for row in self.rows(incidents) if row.state in {*TAKEN, State.CLOSED}]
        waiting = self.rows(messages, messages.c.state == "queued")
        assert not {row.incident_id for row in waiting} & set(done)
        limits = self.rows(due, due.c.kind == LIMIT)
        closed = {str(row.id) for row in self.rows(incidents) if row.state == State.CLOSED}
        assert not {row.subject for row in limits} & closed

    @invariant()
    def only_what_is_one_residents_is_bundled(self) -> None:
        of = {row.id: row.resident_id for row in self.rows(observations)}
        bundled: dict[int, set[str | None]] = {}
        for row in self.rows(incident_observations):
            bundled.setdefault(row.incident_id, set()).add(of[row.observation_id])
        assert all(len(residents) == 1 for residents in bundled.values())
        needs = [row.need for row in self.rows(incidents) if row.state in OPEN]
        assert len(needs) == len(set(needs))

    @invariant()
    def what_is_closed_has_outcome_and_cause(self) -> None:
        for row in self.rows(incidents, incidents.c.state == State.CLOSED):
            assert row.outcome
            assert row.cause
            assert row.closed_by


TestIncidents = IncidentMachine.TestCase
TestIncidents.settings = settings(
    max_examples=8,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
