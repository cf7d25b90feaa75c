"""Confirming a shift, by text or in the console. It never acknowledges an incident, nor the other way round."""

import datetime as dt

from hub.central.auth import audit
from hub.central.centre import Tx
from hub.central.shifts import record, start
from hub.domain.errors import RefusedError

ACTION = "shift_confirmed"


def by_phone(tx: Tx, number: str, actor: str) -> int:
    """Confirm every shift that a phone was told of and that waits; return how many those were."""
    rows = record.waiting(tx, number)
    for row in rows:
        _confirm(tx, row, actor)
    return len(rows)


def asked(tx: Tx, number: str, typed_at: dt.datetime) -> bool:
    """Tell whether a phone has a shift of its own to confirm, and was asked before it wrote."""
    return any(row.number == number and row.asked_at <= typed_at for row in record.waiting(tx, number))


def is_on_duty(tx: Tx, number: str) -> bool:
    """Tell whether a phone has confirmed a shift that lasts."""
    return record.on_duty(tx, number)


def by_user(tx: Tx, number: int, actor: str) -> None:
    """Confirm one shift for whoever has it.

    Raises:
        RefusedError: There is none that lasts of this number, or it is confirmed already.
    """
    row = record.get(tx, number)
    if row is None or row.open_key is None:
        raise RefusedError(f"there is no shift {number} that lasts")
    if row.confirmed_at is not None:
        at = f"{row.confirmed_at:%Y-%m-%d %H:%M:%S} UTC"
        raise RefusedError(f"shift {number} was confirmed by {row.confirmed_by} at {at}")
    _confirm(tx, row, actor)


def _confirm(tx: Tx, row: record.ShiftRow, actor: str) -> None:
    start.confirmed(tx, row, actor)
    detail = f"{row.phone} is {row.role} of {row.zone}"
    audit.note(tx.connection, tx.now, actor, ACTION, f"shift:{row.id}", detail)
