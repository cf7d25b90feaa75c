"""Keys that are pressed in a call: 1 takes the incident, 2 says on the way, 9 passes it on to the next person.

Whoever took it passes it on with 9 as well. A key is an answer to the very message that was read out, so there is
never a doubt which incident it means.
"""

import logging
from typing import Any

import sqlalchemy as sa

from hub.central.centre import Tx
from hub.central.incidents import desk, record
from hub.central.incidents.lifecycle import TABLE, TAKEN, Event, State
from hub.central.notify import attempts, outcome, taker
from hub.central.notify.channels.base import Keyed, Provider
from hub.central.notify.message import BY_KEY, MessageState
from hub.central.store.tables import incident_events
from hub.central.texts import render
from hub.domain.errors import RefusedError

log = logging.getLogger(__name__)

EVENTS = {"1": Event.ACKNOWLEDGE, "2": Event.DEPART}
NEXT_PERSON = "9"

# What this very call has said already: it takes one key.
_SAID = (
    sa.select(incident_events.c.id)
    .where(
        incident_events.c.incident_id == sa.bindparam("number"),
        incident_events.c.event == sa.bindparam("event"),
        incident_events.c.actor == sa.bindparam("by"),
        incident_events.c.detail == sa.bindparam("note"),
    )
    .limit(1)
)


def pressed(tx: Tx, provider: Provider, keyed: Keyed) -> str:
    """Do what a key says and return what to say to the phone; empty when nothing was pressed.

    The same key again changes nothing.

    Raises:
        RefusedError: There is no such call.
    """
    row = outcome.find(tx, keyed.message_id)
    attempt = attempts.named(tx, provider.name, keyed.provider_ref, None)
    of_another = attempt is not None and attempt.message_id != keyed.message_id
    if row is None or row.incident_id is None or row.channel != provider.channel or of_another:
        raise RefusedError(f"no call of {provider.name} about message {keyed.message_id}")
    if not keyed.digits:
        return ""
    incident = record.get(tx, row.incident_id)
    entry = _do(tx, row, incident, keyed)
    log.info("key %s in a call about message %d: %s", keyed.digits, row.id, entry)
    language = tx.site.language_of(tx.site.phones.get(row.phone))
    who = taker.name(incident.taken_by or "", language)
    over = taker.taken_over(incident, _actor(row), language) if entry in EVENTS.values() else ""
    return render(language, f"key.{entry}", number=incident.id, who=who) + over


def _do(tx: Tx, row: sa.Row[Any], incident: record.Incident, keyed: Keyed) -> str:
    """Return the entry of the sentence that is said."""
    if keyed.digits != NEXT_PERSON and keyed.digits not in EVENTS:
        return "unknown"
    if incident.state == State.CLOSED:
        return "closed"
    if keyed.digits == NEXT_PERSON:
        return _pass_on(tx, row, incident, keyed)
    event = EVENTS[keyed.digits]
    if event not in TABLE[State(incident.state)] or _done(tx, row, event, keyed):
        return _late(row, incident)
    try:
        state = desk.act(tx, incident.id, event, _actor(row), note=_note(keyed))
    except RefusedError as error:
        log.warning("a key about message %d is refused: %s", row.id, error)
        return _late(row, incident)
    outcome.answered(tx, row.id, MessageState.ACCEPTED)
    return "tested" if state is State.CLOSED else str(event)


def _pass_on(tx: Tx, row: sa.Row[Any], incident: record.Incident, keyed: Keyed) -> str:
    has_it = incident.state in TAKEN
    if has_it and not taker.took(incident.taken_by, row.phone):
        return "taken"
    if row.state != MessageState.REJECTED and not _done(tx, row, Event.PASS_ON, keyed):  # else it is said again
        if has_it:
            outcome.passed_on(tx, row.id, _actor(row), _note(keyed))
        else:
            outcome.rejected(tx, row.id)
    return "reject"


def _done(tx: Tx, row: sa.Row[Any], event: Event, keyed: Keyed) -> bool:
    """Tell whether this call has said so before.

    A centre that was frozen over the question wakes late: another has done it since, and the phone undone it.
    """
    said = {"number": row.incident_id, "event": event, "by": _actor(row), "note": _note(keyed)}
    return tx.connection.scalar(_SAID, said) is not None


def _note(keyed: Keyed) -> str:
    return f"call {keyed.provider_ref}"


def _actor(row: sa.Row[Any]) -> str:
    return f"{BY_KEY}{row.phone}"


def _late(row: sa.Row[Any], incident: record.Incident) -> str:
    return "yours" if taker.took(incident.taken_by, row.phone) else "taken"
