"""Escalation: an open incident always has its next action in the list of what is due.

Alerting, that is the next step of the plan; taken, it is the instant at which whoever took it must have gone
further. A step that reaches nobody gives way to the next one at once; after the last the plan starts again.
"""

import datetime as dt
from typing import Any

import msgspec
import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.commissioning import route
from hub.central.escalation import limits, plan
from hub.central.escalation.plan import Move, Position, Target
from hub.central.incidents import record
from hub.central.incidents.lifecycle import OPEN, TAKEN, Event, State, after
from hub.central.links import tokens
from hub.central.notify import fyi, outbox
from hub.central.notify.message import FYI, MessageState
from hub.central.store.tables import due, incidents, messages
from hub.central.texts import Because, alert_text
from hub.domain.codes import Kind

STEP = "incident.step"
DEADLINE = "incident.deadline"
UNREACHABLE = "phones.unreachable"
ENGINE = "escalation"

# A round in which every message failed at once is not begun anew faster than this.
_FAILED_ROUND_S = 30
# What whoever took it was to say next, within the plan's patience.
_NEXT = {
    State.ACKNOWLEDGED: State.ON_THE_WAY,
    State.ON_THE_WAY: State.ARRIVED,
    State.ARRIVED: State.CLOSED,
}

# Statements are made once: to make one takes longer than to ask it.
_MESSAGE = sa.select(messages).where(messages.c.id == sa.bindparam("message_id"))
_TOLD_AND_OPEN = (
    sa.select(incidents.c.id)
    .join(messages, messages.c.incident_id == incidents.c.id)
    .where(
        incidents.c.state.in_(OPEN),
        incidents.c.id != sa.bindparam("number"),
        sa.not_(incidents.c.test),
        messages.c.number == sa.bindparam("phone_number"),
    )
    .distinct()
    .subquery()
)
# In one row: each that is fetched from SQLite lets another thread go first, and a thousand may be open.
_OPEN_BESIDES = sa.select(sa.func.aggregate_strings(sa.cast(_TOLD_AND_OPEN.c.id, sa.String), " "))
_AWAITED = sa.select(due.c.id).where(
    due.c.kind == outbox.RECEIPT, due.c.subject == sa.cast(messages.c.id, sa.String)
)
_ABOUT_IT = (messages.c.incident_id == sa.bindparam("incident_id")) & (messages.c.channel != FYI)
_NUMBERS = sa.select(messages.c.number).where(_ABOUT_IT).distinct()
_TOLD: sa.Select[Any] = (
    sa.select(messages.c.zone, messages.c.role, messages.c.phone, messages.c.channel)
    .where(_ABOUT_IT, messages.c.plan_round == sa.bindparam("round"))
    .distinct()
)
# Another message of the same step that somebody may still answer.
_HOPEFUL = (
    sa.select(messages.c.id)
    .where(
        messages.c.incident_id == sa.bindparam("incident_id"),
        messages.c.plan_round == sa.bindparam("round"),
        messages.c.plan_step == sa.bindparam("step"),
        messages.c.id != sa.bindparam("message_id"),
        sa.or_(
            messages.c.state.in_([MessageState.DELIVERED, MessageState.READ]),
            # One that a provider has failed is tried again, but nobody knows for how long.
            sa.and_(messages.c.state == MessageState.QUEUED, messages.c.attempts == 0),
            sa.and_(messages.c.state == MessageState.SENT, _AWAITED.exists()),
        ),
    )
    .limit(1)
)


def start(tx: Tx, incident: record.Incident) -> None:
    """Begin the plan of a new incident, and the site's own limits."""
    limits.begin(tx, incident)
    _move(tx, incident, Position(0, 0))


def again(tx: Tx, incident: record.Incident, reason: str, because: Because = Because.NOBODY_CAME) -> None:
    """Begin the plan anew for an incident that was taken and led nowhere, or has become worse."""
    record.note(tx, incident.id, "alerts_again", ENGINE, reason)
    _move(tx, incident, Position(incident.plan_round + 1, 0), because)


def tell_more(tx: Tx, incident: record.Incident, reason: str) -> None:
    """Tell whoever was told of an incident in this round what else it is now; the plan goes on as it did."""
    record.note(tx, incident.id, "alerts_again", ENGINE, reason)
    for row in tx.connection.execute(_TOLD, {"incident_id": incident.id, "round": incident.plan_round}).all():
        phone = tx.site.phones.get(row.phone)
        if phone is not None:
            target = Target(row.zone, row.role, phone, row.channel, reason)
            _tell(tx, incident, target, Position(incident.plan_round, incident.plan_step), Because.REPORTED)


def past_taker(tx: Tx, incident: record.Incident, reason: str) -> None:
    """Alert past whoever took an incident that was reported again: that phone, its step and the next, at once."""
    record.note(tx, incident.id, "alerts_again", ENGINE, reason)
    if incident.test_phone is not None:
        _move(tx, incident, Position(incident.plan_round + 1, 0), Because.REPORTED)
        return
    told = _told_taker(tx, incident)
    begin = Position(incident.plan_round + 1, 0 if told is None else max(told.plan_step, 0))
    found = plan.past(tx.site, incident.zone, incident.incident_class, incident.severity, tx.now.utc, begin)
    taker = None if told is None else _taker(tx, told)
    if taker is not None and all(target.phone.number != taker.phone.number for target in found.targets):
        found = msgspec.structs.replace(found, targets=(taker, *found.targets))
    _follow(tx, incident, found, Because.REPORTED)


def _told_taker(tx: Tx, incident: record.Incident) -> sa.Row[Any] | None:
    """Return the last message to the phone that took an incident; ``None``: a person at the console did."""
    way, _, phone = (incident.taken_by or "").partition(":")
    if way == "user":
        return None
    return outbox.last(tx, incident.id, phone)


def _taker(tx: Tx, told: sa.Row[Any]) -> Target | None:
    phone = tx.site.phones.get(told.phone)
    return (
        None if phone is None else Target(told.zone, told.role, phone, told.channel, "it was taken by this phone")
    )


def taken(tx: Tx, incident: record.Incident) -> None:
    """Stop the plan and set the deadline of whoever took the incident."""
    outbox.cancel(tx, incident.id, f"taken by {incident.taken_by}", incident.taken_by)
    clockwork.unschedule(tx, STEP, str(incident.id))
    chosen = plan.choose(tx.site.site, incident.zone, incident.incident_class, incident.severity)
    seconds = {
        State.ACKNOWLEDGED: chosen.on_the_way_s,
        State.ON_THE_WAY: chosen.arrived_s,
        State.ARRIVED: chosen.closed_s,
    }[State(incident.state)]
    clockwork.schedule(tx, tx.now.utc + dt.timedelta(seconds=seconds), DEADLINE, str(incident.id))


def stop(tx: Tx, number: int, reason: str) -> None:
    """End the escalation of a closed incident."""
    outbox.cancel(tx, number, reason)
    clockwork.unschedule(tx, STEP, str(number))
    clockwork.unschedule(tx, DEADLINE, str(number))


def step_due(tx: Tx, subject: str) -> None:
    """Nobody took the incident in time: go on to the next step."""
    incident = record.get(tx, int(subject))
    if incident.state == State.ALERTING:
        _move(tx, incident, Position(incident.plan_round, incident.plan_step + 1))


def deadline_due(tx: Tx, subject: str) -> None:
    """Whoever took the incident has not gone further in time: it alerts again."""
    incident = record.get(tx, int(subject))
    if incident.state in TAKEN:
        state = after(State(incident.state), Event.EXPIRE, incident.incident_class)
        record.change(tx, incident.id, state=state)
        record.note(tx, incident.id, "breach", ENGINE, f"{_NEXT[State(incident.state)]}: time passed")
        fyi.tell(tx, incident, "breached")
        record.note(tx, incident.id, Event.EXPIRE, ENGINE, f"{incident.state} led nowhere")
        reason = f"{incident.taken_by} took it and went no further"
        again(tx, record.get(tx, incident.id), reason, Because.EXPIRED)


def message_failed(tx: Tx, message_id: int, reason: str) -> None:
    """A message cannot reach its phone: when it was the step's last hope, the next step starts."""
    message = tx.connection.execute(_MESSAGE, {"message_id": message_id}).one()
    if message.incident_id is None:
        return
    record.note(tx, message.incident_id, "not_reached", ENGINE, f"{message.phone}: {reason}")
    if record.get(tx, message.incident_id).test_id is not None:
        # Nobody can be told that it is a test: whether it is one is asked now.
        clockwork.schedule(tx, tx.now.utc, route.UNTAKEN, str(message.incident_id))
        return
    _give_way(tx, message)


def no_receipt(tx: Tx, message_id: int) -> None:
    """The provider accepted a message and reported no delivery in time: do not wait for it any longer."""
    message = tx.connection.execute(_MESSAGE, {"message_id": message_id}).one()
    if message.incident_id is None or message.state != MessageState.SENT:
        return
    record.note(tx, message.incident_id, "no_receipt", ENGINE, f"{message.phone}: no delivery reported")
    _give_way(tx, message)


def delayed(tx: Tx, message_id: int) -> None:
    """Each provider has failed with a message: it is tried again, and the plan does not wait for that.

    The round is not begun anew for it: that has the plan's own time.
    """
    message = tx.connection.execute(_MESSAGE, {"message_id": message_id}).one()
    if message.incident_id is not None and message.channel != FYI and message.state == MessageState.QUEUED:
        _give_way(tx, message, anew=False)


def rejected(tx: Tx, message_id: int) -> None:
    """Somebody said no to a message: the next step starts at once, whoever else may still answer."""
    message = tx.connection.execute(_MESSAGE, {"message_id": message_id}).one()
    if message.incident_id is None:
        return
    record.note(tx, message.incident_id, "rejected", ENGINE, f"{message.phone}: said no")
    incident = record.get(tx, message.incident_id)
    here = Position(incident.plan_round, incident.plan_step)
    if incident.state != State.ALERTING or here != Position(message.plan_round, message.plan_step):
        return  # the plan has gone on already
    following = Position(here.round, here.step + 1)
    if route.move(tx.site, incident, tx.now.utc, following).position.round == here.round:
        _move(tx, incident, following)
        return
    # That was the last step: it begins again soon, but whoever said no is not rung up in the same breath.
    _begin_soon(tx, incident)


def passed_on(tx: Tx, message_id: int, actor: str, note: str) -> None:
    """Whoever took the incident says no after all: it alerts again, from the step after theirs.

    Args:
        tx: The transaction.
        message_id: The message that told that phone: the plan goes on after its step.
        actor: Who says no (``sms:p-duty``).
        note: How it was said.

    Raises:
        RefusedError: Nobody has the incident.
    """
    message = tx.connection.execute(_MESSAGE, {"message_id": message_id}).one()
    incident = record.get(tx, message.incident_id)
    state = after(State(incident.state), Event.PASS_ON, incident.incident_class)
    record.change(tx, incident.id, state=state)
    record.note(tx, incident.id, Event.PASS_ON, actor, note)
    record.note(tx, incident.id, "alerts_again", ENGINE, f"{incident.taken_by} took it and passed it on")
    following = Position(incident.plan_round + 1, message.plan_step + 1)
    move = route.move(tx.site, incident, tx.now.utc, following)
    if move.position.round == following.round:
        _follow(tx, incident, move, Because.PASSED_ON)
        return
    # That was the last step: as where it was rejected, it begins again soon, and not in the same breath.
    record.change(tx, incident.id, plan_step=message.plan_step)
    clockwork.unschedule(tx, DEADLINE, str(incident.id))
    _begin_soon(tx, incident)


def unattended(connection: sa.Connection) -> list[int]:
    """Return the open incidents that have no next action of their state: there must never be one."""
    action = sa.case((incidents.c.state == State.ALERTING, STEP), else_=DEADLINE)
    planned = sa.select(due.c.id).where(due.c.kind == action, due.c.subject == sa.cast(incidents.c.id, sa.String))
    query = sa.select(incidents.c.id).where(incidents.c.state.in_(OPEN), ~planned.exists())
    return list(connection.scalars(query))


def _move(tx: Tx, incident: record.Incident, begin: Position, because: Because | None = None) -> None:
    """Go to the first step from ``begin`` that reaches somebody, and tell them."""
    told = None
    if begin.round == incident.plan_round and begin.step > 0:
        told = set(tx.connection.scalars(_NUMBERS, {"incident_id": incident.id}))
    _follow(tx, incident, route.move(tx.site, incident, tx.now.utc, begin, told), because)


def _follow(tx: Tx, incident: record.Incident, move: Move, because: Because | None) -> None:
    """Make a move: note it, tell its targets, and set the instant of the next one."""
    for reason in move.reasons:
        record.note(tx, incident.id, "passed_over", ENGINE, reason)
    if move.position != Position(incident.plan_round, incident.plan_step):
        record.change(tx, incident.id, plan_round=move.position.round, plan_step=move.position.step)
    if because is None and move.position.round > 0:
        because = Because.NOBODY_CAME
    for target in move.targets:
        _tell(tx, incident, target, move.position, because)
    clockwork.unschedule(tx, DEADLINE, str(incident.id))
    clockwork.schedule(tx, tx.now.utc + dt.timedelta(seconds=move.wait_s), STEP, str(incident.id))


def _tell(tx: Tx, incident: record.Incident, target: Target, position: Position, because: Because | None) -> None:
    outbox.queue(tx, incident.id, target, _text(tx, incident, target, because), position)
    said = f"{target.zone} {target.role}: {target.phone.id} by {target.channel}"
    record.note(tx, incident.id, "told", ENGINE, said)


def _begin_soon(tx: Tx, incident: record.Incident) -> None:
    """Begin the plan anew in a little while, or at the next step's own time if that is sooner."""
    at = tx.now.utc + dt.timedelta(seconds=_FAILED_ROUND_S)
    clockwork.schedule(tx, min(at, clockwork.scheduled(tx, STEP, str(incident.id)) or at), STEP, str(incident.id))


def _text(tx: Tx, incident: record.Incident, target: Target, because: Because | None) -> str:
    others = _open_besides(tx, incident.id, target.phone.number)
    language = target.phone.language
    link = "" if incident.test else tokens.address(tx, target.channel)
    return alert_text(tx.site, incident, tx.now.utc, again=because, language=language, others=others, link=link)


def _open_besides(tx: Tx, number: int, phone_number: str) -> list[int]:
    """Return the other open incidents that a phone was told of; tests do not change what a real alarm says."""
    found = tx.connection.scalar(_OPEN_BESIDES, {"number": number, "phone_number": phone_number})
    return sorted(map(int, (found or "").split()))


def _give_way(tx: Tx, message: sa.Row[tuple[object, ...]], *, anew: bool = True) -> None:
    """Start the next step when no message of this one can still be answered; after the last ``anew`` or not."""
    incident = record.get(tx, message.incident_id)
    here = Position(incident.plan_round, incident.plan_step)
    if incident.test_phone is not None:
        return  # there is no other phone; the same one is told again
    if incident.state != State.ALERTING or here != Position(message.plan_round, message.plan_step):
        return
    step = {"incident_id": incident.id, "round": here.round, "step": here.step, "message_id": message.id}
    if tx.connection.execute(_HOPEFUL, step).first() is not None:
        return
    following = Position(here.round, here.step + 1)
    ahead = plan.move(tx.site, incident.zone, incident.incident_class, incident.severity, tx.now.utc, following)
    if ahead.position.round == here.round:
        _move(tx, incident, following)
        return
    if not anew:
        return
    _begin_soon(tx, incident)
    record.note(tx, incident.id, "round_failed", ENGINE, "no phone of this round could be reached")
    if incident.kind != Kind.PHONE_UNREACHABLE:
        clockwork.schedule(tx, tx.now.utc, UNREACHABLE, incident.zone)
