"""The rows of shifts, and the texts that belong to them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hub.central.bulletin import News
from hub.central.centre import Tx
from hub.central.escalation.plan import Position, Target
from hub.central.escalation.rota import Place
from hub.central.notify import attempts, outbox
from hub.central.notify.message import MessageState
from hub.central.site.model import Phone
from hub.central.store import sql
from hub.central.store.tables import messages, shift_messages, shifts

ShiftRow = sa.Row[Any]


def get(tx: Tx, number: int) -> ShiftRow | None:
    """Return a shift, locked for this transaction."""
    return tx.connection.execute(sa.select(shifts).where(shifts.c.id == number).with_for_update()).one_or_none()


def standing(tx: Tx, place: Place) -> ShiftRow | None:
    """Return the shift that lasts in a role of a zone, locked for this transaction."""
    query = sa.select(shifts).where(shifts.c.open_key == _key(place))
    return tx.connection.execute(query.with_for_update()).one_or_none()


def all_standing(tx: Tx) -> Sequence[ShiftRow]:
    """Return every shift that lasts, by zone and role."""
    query = sa.select(shifts).where(shifts.c.open_key.is_not(None))
    return tx.connection.execute(query.order_by(shifts.c.zone, shifts.c.role)).all()


def waiting(tx: Tx, number: str) -> Sequence[ShiftRow]:
    """Return the shifts that a phone was told of and that nobody has confirmed, the oldest first, locked."""
    told = (
        sa.select(shift_messages.c.shift_id)
        .join(messages, messages.c.id == shift_messages.c.message_id)
        .where(messages.c.number == number)
    )
    query = sa.select(shifts).where(
        shifts.c.open_key.is_not(None), shifts.c.confirmed_at.is_(None), shifts.c.id.in_(told)
    )
    return tx.connection.execute(query.order_by(shifts.c.id).with_for_update()).all()


def on_duty(tx: Tx, number: str) -> bool:
    """Tell whether a phone has a shift that lasts and is confirmed."""
    query = sa.select(shifts.c.id).where(
        shifts.c.open_key.is_not(None), shifts.c.confirmed_at.is_not(None), shifts.c.number == number
    )
    return tx.connection.execute(query.limit(1)).first() is not None


def begin(tx: Tx, place: Place, phone: Phone, until: dt.datetime | None) -> int:
    """Write a shift that begins to be asked about now; return its number."""
    result = tx.connection.execute(
        shifts.insert(),
        {
            "zone": place[0],
            "role": place[1],
            "phone": phone.id,
            "number": phone.number,
            "open_key": _key(place),
            "asked_at": tx.now.utc,
            "until": until,
            "leader_told": 0,
        },
    )
    number = sql.new_id(result)
    tx.effects.news.append(News("shift", str(number)))
    return number


def change(tx: Tx, number: int, **columns: object) -> None:
    """Change a shift and tell whoever watches."""
    tx.connection.execute(shifts.update().where(shifts.c.id == number).values(**columns))
    tx.effects.news.append(News("shift", str(number)))


def tell(tx: Tx, number: int, place: Place, phone: Phone, text: str) -> None:
    """Send a text about a shift; it belongs to no incident."""
    target = Target(place[0], place[1], phone, "sms")
    message_id = outbox.queue(tx, None, target, text, Position(0, 0))
    tx.connection.execute(shift_messages.insert(), {"shift_id": number, "message_id": message_id})


def withdraw(tx: Tx, number: int, reason: str, spare: str | None = None) -> None:
    """Take back the texts about a shift that have not left yet, those to the phone ``spare`` excepted."""
    of = sa.select(shift_messages.c.message_id).where(shift_messages.c.shift_id == number)
    query = sa.select(messages.c.id).where(messages.c.id.in_(of), messages.c.state == MessageState.QUEUED)
    if spare is not None:
        query = query.where(messages.c.number != spare)
    for message_id in list(tx.connection.scalars(query)):
        attempts.withdraw(tx, message_id, MessageState.CANCELLED, reason)
        attempts.settle(tx, message_id, reason=reason)


def _key(place: Place) -> str:
    return f"{place[0]}:{place[1]}"
