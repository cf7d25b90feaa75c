"""Shift start: whoever comes on duty is asked to confirm it, and the leader is told when nobody does.

One row of ``shifts`` is one phone on duty in one role of one zone, from its first shift until another phone takes
over: a shift that continues on the same phone is not asked again. It is on for zones with ``shift_check``.
"""

import datetime as dt

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Tx
from hub.central.escalation.plan import LAST_RESORT, SUITS
from hub.central.escalation.rota import OnCall, Place
from hub.central.shifts import record
from hub.central.shifts.texts import handover_text, unconfirmed_text
from hub.central.site.model import Phone
from hub.central.store.tables import due

CHANGE = "shift.change"
UNCONFIRMED = "shift.unconfirmed"

LEADER = "leader"
# The incoming phone has this long; then the leader is told, and again after as long, until somebody confirms.
PATIENCE = dt.timedelta(minutes=10)
# A change further ahead is looked for later.
_AHEAD = dt.timedelta(days=7)


def subject(place: Place) -> str:
    """Name a role of a zone in the list of what is due: neither holds a colon."""
    return f"{place[0]}:{place[1]}"


def arm(tx: Tx) -> None:
    """Look at every role at once: the site is new, or the centre was away when a shift changed."""
    wanted = {subject(place) for place in tx.site.rota.places if _checked(tx, place)}
    armed = set(tx.connection.scalars(sa.select(due.c.subject).where(due.c.kind == CHANGE)))
    standing = {subject((row.zone, row.role)) for row in record.all_standing(tx)}
    for gone in armed - wanted - standing:
        clockwork.unschedule(tx, CHANGE, gone)
    for name in sorted(wanted | standing):
        clockwork.schedule(tx, tx.now.utc, CHANGE, name)


def change_due(tx: Tx, name: str) -> None:
    """Ask whoever is on duty now, unless the same phone was asked before; look again when the rota changes."""
    zone, _, role = name.partition(":")
    place = (zone, role)
    standing = record.standing(tx, place)
    checked = _checked(tx, place)
    on_duty = _can_confirm(tx.site.rota.who_all(*place, tx.now.utc)) if checked else None
    if standing is not None and (on_duty is None or on_duty.number != standing.number):
        _end(tx, standing)
        standing = None
    if on_duty is not None and standing is None:
        _ask(tx, place, on_duty)
    if checked:
        clockwork.schedule(tx, _next_change(tx, place), CHANGE, name)


def unconfirmed_due(tx: Tx, number: str) -> None:
    """Nobody has confirmed a shift in time: tell the leader, and go on until somebody does."""
    shift = record.get(tx, int(number))
    if shift is None or shift.ended_at is not None or shift.confirmed_at is not None:
        return
    leader = _leader(tx, shift)
    if leader is not None:
        # What has not left yet says nothing new; the question itself stays on its way.
        record.withdraw(tx, shift.id, "a newer text about the shift", spare=shift.number)
        text = unconfirmed_text(tx, shift, leader)
        record.tell(tx, shift.id, (shift.zone, LEADER), leader, text)
    record.change(tx, shift.id, leader_told=shift.leader_told + 1)
    clockwork.schedule(tx, tx.now.utc + PATIENCE, UNCONFIRMED, number)


def confirmed(tx: Tx, shift: record.ShiftRow, actor: str) -> None:
    """Note that somebody has confirmed a shift; nobody is told of it any more."""
    record.change(tx, shift.id, confirmed_at=tx.now.utc, confirmed_by=actor)
    record.withdraw(tx, shift.id, "the shift is confirmed")
    clockwork.unschedule(tx, UNCONFIRMED, str(shift.id))


def _ask(tx: Tx, place: Place, phone: Phone) -> None:
    until = _until(tx, place, phone)
    number = record.begin(tx, place, phone, until)
    record.tell(tx, number, place, phone, handover_text(tx, place, phone, until))
    clockwork.schedule(tx, tx.now.utc + PATIENCE, UNCONFIRMED, str(number))


def _end(tx: Tx, shift: record.ShiftRow) -> None:
    record.change(tx, shift.id, ended_at=tx.now.utc, open_key=None)
    record.withdraw(tx, shift.id, "another phone is on duty")
    clockwork.unschedule(tx, UNCONFIRMED, str(shift.id))


def _checked(tx: Tx, place: Place) -> bool:
    zone = tx.site.zones.get(place[0])
    return zone is not None and zone.shift_check and place in tx.site.rota.places


def _can_confirm(order: tuple[OnCall, ...]) -> Phone | None:
    """Return the first phone of an order that can be asked: a landline takes no text."""
    return next((one.phone for one in order if one.phone and one.phone.kind in SUITS["sms"]), None)


def _leader(tx: Tx, shift: record.ShiftRow) -> Phone | None:
    """Return who is told: the zone's leader, else its last resort; another phone than the one that is silent."""
    order = tx.site.rota.who_all(shift.zone, LEADER, tx.now.utc)
    zone = tx.site.zones.get(shift.zone)
    last = tx.site.phones.get(zone.last_resort) if zone else None
    able = [one for one in (*order, OnCall(last, LAST_RESORT)) if one.phone and one.phone.kind in SUITS["sms"]]
    others = [one.phone for one in able if one.phone and one.phone.number != shift.number]
    return others[0] if others else None


def _next_change(tx: Tx, place: Place) -> dt.datetime:
    now = tx.now.utc
    edges = tx.site.rota.edges(*place, now, now + _AHEAD)
    return next((edge for edge in edges if edge > now), now + _AHEAD)


def _until(tx: Tx, place: Place, phone: Phone) -> dt.datetime | None:
    """Return when another phone takes over, or ``None`` when that is not in sight."""
    now = tx.now.utc
    for edge in tx.site.rota.edges(*place, now, now + _AHEAD)[1:-1]:
        after = _can_confirm(tx.site.rota.who_all(*place, edge))
        if after is None or after.number != phone.number:
            return edge
    return None
