"""The rows of rounds: what each has come to, in one transaction each."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from hub.central import commander
from hub.central.centre import Tx
from hub.central.commissioning import route
from hub.central.incidents import desk, record
from hub.central.incidents.desk import Finding
from hub.central.store.tables import commands, incidents, messages, rounds
from hub.domain.codes import Kind, Severity
from hub.wire import command
from hub.wire.envelope import Event

COMPLETE, FAILED = "complete", "failed"
# What must happen one after the other, each with the part of the chain that has failed when it does not.
LEGS = {
    "observed_at": "the edge",
    "received_at": "the way from edge to centre",
    "sent_at": "the way from centre to provider",
    "delivered_at": "the way from provider to phone",
}


def begin(tx: Tx, hub_id: str, phone: str) -> str:
    """Ask a hub for a test alarm; return the round's id, which is the command's."""
    number = commander.put(tx, hub_id, hub_id, command.PROBE, {}, tx.owner)
    tx.connection.execute(
        rounds.insert().values(id=number, owner=tx.owner, hub_id=hub_id, phone=phone, started_at=tx.now.utc)
    )
    return number


def is_probe(event: Event) -> bool:
    """Tell whether an observation is the test alarm of a round: a hub's own, never a device's."""
    data = event.data
    asked = isinstance(data.value, dict) and "round" in data.value
    return asked and data.kind is Kind.ALARM_PRESSED and data.test and event.subject == event.hub_id


def observed(tx: Tx, event: Event) -> Finding | None:
    """Note that a round's test alarm has come in, and return what is raised; ``None``: it rings nobody."""
    value = event.data.value
    number = str(value.get("round")).replace("\0", "?") if isinstance(value, dict) else ""
    wanted = (rounds.c.id == number) & (rounds.c.hub_id == event.hub_id) & rounds.c.ended_at.is_(None)
    # Locked: whoever ends the round now has cleared what is raised of it, or is still to do so.
    row = tx.connection.execute(sa.select(rounds).where(wanted).with_for_update()).one_or_none()
    if row is None:
        return None
    if row.received_at is None:
        tx.connection.execute(rounds.update().where(wanted).values(observed_at=event.time, received_at=tx.now.utc))
    phone = tx.site.phones.get(row.phone)
    if phone is None or not route.can_be_told(phone):
        return None  # else the plan would be told; the round fails, and that is what is told
    return Finding(
        incident_class="technical",
        kind=Kind.ALARM_PRESSED,
        severity=Severity.NORMAL,
        need=_need(row.id),
        reason="A test alarm makes its round through the whole chain.",
        zone=tx.site.zone_of(event.hub_id, None),
        occurred_at=tx.now.utc,
        hub_id=event.hub_id,
        test=True,
        test_phone=row.phone,
    )


def progress(connection: sa.Connection, number: str) -> dict[str, Any]:
    """Return how far a round has come: the instants of its legs, and why the hub refused it, each or ``None``."""
    row = connection.execute(
        sa.select(rounds, commands.c.state, commands.c.reason.label("answer"), incidents.c.id.label("incident"))
        .join(commands, commands.c.id == rounds.c.id)
        .outerjoin(incidents, incidents.c.need == _need(number))
        .where(rounds.c.id == number)
    ).one()
    texts = connection.execute(
        sa.select(sa.func.min(messages.c.sent_at), sa.func.min(messages.c.delivered_at)).where(
            messages.c.incident_id == row.incident
        )
    ).one()
    refused = row.answer if row.state == commander.REFUSED and row.received_at is None else None
    return {
        "incident_id": row.incident,
        "observed_at": row.observed_at,
        "received_at": row.received_at,
        "sent_at": texts[0],
        "delivered_at": texts[1],
        "refused": refused,
    }


def end(tx: Tx, number: str) -> tuple[str, str]:
    """End a round as far as it has come; return its outcome and the reason.

    A failed round is told as a technical incident, which the next complete one clears.
    """
    come = progress(tx.connection, number)
    refused = come.pop("refused")
    stopped = next((part for leg, part in LEGS.items() if come[leg] is None), None)
    outcome = COMPLETE if stopped is None else FAILED
    reason = "" if stopped is None else f"It did not pass {stopped}." + (f" {refused}" if refused else "")
    tx.connection.execute(
        rounds.update()
        .where(rounds.c.id == number, rounds.c.ended_at.is_(None))
        .values(ended_at=tx.now.utc, outcome=outcome, reason=reason, **come)
    )
    desk.clear(tx, _need(number), "the round has ended")
    need = f"technical:{tx.owner}:round"
    if outcome == COMPLETE:
        desk.clear(tx, need, "a round was complete again")
    elif record.open_for(tx, need) is None:
        desk.raise_incident(tx, _failure(tx, need, reason))
    return outcome, reason


def abandon(tx: Tx) -> None:
    """End the rounds that this centre had begun before it was stopped."""
    query = sa.select(rounds.c.id).where(rounds.c.owner == tx.owner, rounds.c.ended_at.is_(None))
    for number in list(tx.connection.scalars(query)):
        tx.connection.execute(
            rounds.update()
            .where(rounds.c.id == number)
            .values(ended_at=tx.now.utc, outcome=FAILED, reason="The centre was started anew.")
        )
        desk.clear(tx, _need(number), "the round has ended")


def pinged(tx: Tx, number: str) -> None:
    """Note that the dead-man's switch has taken a round's ping."""
    tx.connection.execute(rounds.update().where(rounds.c.id == number).values(pinged_at=tx.now.utc))


def last_begun(connection: sa.Connection, owner: str) -> dt.datetime | None:
    """Return when a centre began its last round, ``None`` when it never did."""
    newest = sa.select(rounds.c.started_at).where(rounds.c.owner == owner).order_by(rounds.c.started_at.desc())
    return connection.scalar(newest.limit(1))


def _need(number: str) -> str:
    return f"test:round:{number}"


def _failure(tx: Tx, need: str, reason: str) -> Finding:
    return Finding(
        incident_class="technical",
        kind=Kind.ROUND_FAILED,
        severity=Severity.CRITICAL,
        need=need,
        reason=f"A test alarm has not come through the whole chain. {reason}",
        zone=tx.site.site.zones[0].id,
        occurred_at=tx.now.utc,
    )
