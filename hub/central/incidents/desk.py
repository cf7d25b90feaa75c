"""What can be done with incidents: raise, add to, take, close, clear. Each in the caller's transaction."""

import datetime as dt

import msgspec

from hub.central.centre import Tx
from hub.central.commissioning import service
from hub.central.escalation import engine, limits
from hub.central.incidents import record
from hub.central.incidents.lifecycle import TAKEN, Cause, Event, Outcome, State, after
from hub.central.maintenance import holding
from hub.central.notify import fyi, taker
from hub.central.store import sql
from hub.central.store.tables import incidents
from hub.central.texts import Because
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError

CENTRE = "centre"

# Made once: to make a statement takes longer than to ask it.
_OPEN = sql.spelt(
    lambda insert: insert(incidents).on_conflict_do_nothing(index_elements=["open_key"]).returning(*incidents.c)
)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A reason to raise an incident.

    Attributes:
        incident_class: ``care`` or ``technical``.
        kind: What was found.
        severity: VKP severity.
        need: What belongs together as one incident: while one is open for it, it is added to that.
        reason: Why it is an incident, as a sentence.
        zone: Zone that answers for it.
        occurred_at: When it happened; an alarm that comes late is raised with its age.
        observation_id: The observation it rests on, or ``None``.
        flags: What was odd about it.
        unprotected: Residents who cannot be heard while it lasts.
        test: It is a test.
        test_id: The test mode it came in, or ``None``.
        test_phone: Who is told of the test instead of the plan, or ``None``.
    """

    incident_class: str
    kind: Kind
    severity: int
    need: str
    reason: str
    zone: str
    occurred_at: dt.datetime
    resident_id: str | None = None
    device_id: str | None = None
    hub_id: str | None = None
    room: str = ""
    observation_id: int | None = None
    flags: tuple[str, ...] = ()
    test: bool = False
    unprotected: tuple[str, ...] = ()
    test_id: int | None = None
    test_phone: str | None = None

    def because(self, reason: str) -> "Finding":
        """Return the same finding with a further reason."""
        return msgspec.structs.replace(self, reason=f"{self.reason} {reason}")


def raise_incident(tx: Tx, finding: Finding) -> int:
    """Open an incident and begin its escalation, or add to the one that is open; return its number.

    While maintenance of its device, hub or zone is running a technical finding is held instead, and 0 returned.
    """
    verdict = holding.decide(tx, finding)
    if verdict.finding is None:
        return 0
    number = None
    while number is None:
        existing = record.open_for(tx, verdict.finding.need)
        if existing is None:
            number = _open(tx, verdict.finding)
        else:
            number = int(existing.id)
            _add(tx, existing, verdict.finding)
    if verdict.said:
        record.note(tx, number, "maintenance", CENTRE, verdict.said)
    return number


def act(
    tx: Tx,
    number: int,
    event: Event,
    actor: str,
    *,
    outcome: Outcome | None = None,
    cause: Cause | None = None,
    note: str = "",
) -> State:
    """Let a person take an incident a step further; return its new state.

    Raises:
        RefusedError: There is no such incident, it does not take this event now, or it is to be closed
            without an outcome and a cause. The sentence tells which, and who took it.
    """
    row = record.get(tx, number)
    if event is Event.ACKNOWLEDGE and row.state in TAKEN:
        raise RefusedError(f"incident {number} was taken by {row.taken_by} at {row.taken_at:%H:%M} UTC")
    state = after(State(row.state), event, row.incident_class)
    if event is Event.CLOSE:
        if outcome is None or cause is None:
            raise RefusedError(f"incident {number} is closed with an outcome and a cause only")
        _close(tx, number, actor, outcome, cause, note)
        return state
    taken = {"taken_by": actor, "taken_at": tx.now.utc}
    limits.reached(tx, row, event)
    record.change(tx, number, state=state, **taken)
    record.note(tx, number, event, actor, note)
    if row.test_phone is not None:
        # A test is over when somebody has seen it: nobody is to go there.
        service.acknowledged(tx, row, actor)
        _close(tx, number, actor, Outcome.NO_HELP_NEEDED, Cause.TEST, note)
        return State.CLOSED
    engine.taken(tx, record.get(tx, number))
    if row.state == State.ALERTING:
        fyi.tell(tx, row, "taken")
    taker.tell(tx, row, actor, state)
    return state


def clear(tx: Tx, need: str, reason: str) -> bool:
    """Close the technical incident for a need, because its condition ended; tell whether there was one."""
    row = record.open_for(tx, need)
    if row is None:
        return False
    after(State(row.state), Event.CLEAR, row.incident_class)
    _close(tx, row.id, CENTRE, Outcome.CLEARED, Cause.TECHNICAL, reason)
    return True


def add_note(tx: Tx, need: str, detail: str, observation_id: int | None = None) -> bool:
    """Add to an open incident what neither raises nor closes it; tell whether there was one."""
    row = record.open_for(tx, need)
    if row is None:
        return False
    record.link(tx, row.id, observation_id)
    record.note(tx, row.id, "news", CENTRE, detail)
    return True


def _open(tx: Tx, finding: Finding) -> int | None:
    """Open an incident; ``None``: another centre has just opened one for the same need."""
    row = tx.connection.execute(
        _OPEN[tx.connection.dialect.name],
        {
            "incident_class": finding.incident_class,
            "kind": finding.kind,
            "also": "",
            "severity": finding.severity,
            "state": State.ALERTING,
            "zone": finding.zone,
            "resident_id": finding.resident_id,
            "device_id": finding.device_id,
            "hub_id": finding.hub_id,
            "room": finding.room,
            "unprotected": " ".join(finding.unprotected),
            "test": finding.test,
            "flags": " ".join(finding.flags),
            "reason": finding.reason,
            "occurred_at": finding.occurred_at,
            "opened_at": tx.now.utc,
            "presses": 1,
            "need": finding.need,
            "open_key": finding.need,
            "plan_round": 0,
            "plan_step": 0,
            "test_id": finding.test_id,
            "test_phone": finding.test_phone,
        },
    ).one_or_none()
    if row is None:
        return None
    record.link(tx, row.id, finding.observation_id)
    record.note(tx, row.id, "opened", CENTRE, finding.reason)
    if finding.incident_class == "care" and not finding.test:
        service.say_untested(tx, row.id, finding.device_id)
    engine.start(tx, row)
    fyi.tell(tx, row, "raised")
    return int(row.id)


def _add(tx: Tx, row: record.Incident, finding: Finding) -> None:
    state = after(State(row.state), Event.PRESS, row.incident_class)
    flags = dict.fromkeys([*row.flags.split(), *finding.flags])
    named = _named(row, finding)
    record.change(
        tx,
        row.id,
        state=state,
        presses=row.presses + 1,
        severity=max(row.severity, finding.severity),
        flags=" ".join(flags),
        **named,
    )
    record.link(tx, row.id, finding.observation_id)
    if named or row.incident_class == "care" or (row.presses & (row.presses - 1)) == 0:
        # A technical fault may repeat a thousand times an hour: each is counted, every doubling is told.
        record.note(tx, row.id, Event.PRESS, CENTRE, finding.reason)
    if row.state not in TAKEN and not named:
        return
    incident, graver = record.get(tx, row.id), finding.severity > row.severity
    if row.state in TAKEN:
        engine.past_taker(tx, incident, "it was pressed again")
    elif graver:
        engine.again(tx, incident, "it became more severe", Because.REPORTED)
    else:
        engine.tell_more(tx, incident, "something else was reported")
    if graver:
        limits.renew(tx, incident)
        fyi.tell(tx, incident, "raised", above=row.severity)


def _named(row: record.Incident, finding: Finding) -> dict[str, str]:
    """Return what an incident is called from now on: what was reported last of what is most severe."""
    if finding.severity > row.severity:
        return {"kind": finding.kind, "also": ""}
    told = [row.kind, *row.also.split()]
    if finding.severity < row.severity or finding.kind in told:
        return {}
    return {"kind": finding.kind, "also": " ".join(told)}


def _close(tx: Tx, number: int, actor: str, outcome: Outcome, cause: Cause, note: str) -> None:
    row = record.get(tx, number)
    limits.reached(tx, row, "closed")
    record.change(
        tx,
        number,
        state=State.CLOSED,
        open_key=None,
        closed_at=tx.now.utc,
        closed_by=actor,
        outcome=outcome,
        cause=cause,
    )
    record.note(tx, number, "closed", actor, " ".join(filter(None, [outcome, cause, note])))
    engine.stop(tx, number, "the incident is closed")
    fyi.tell(tx, row, "closed")
