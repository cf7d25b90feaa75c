"""Subscriptions: which browser takes the pushes of which phone of the site.

A push that another browser than the phone's own shows would count as delivered while nobody on call has it. So a
subscription belongs to a phone only when whoever asked for it has typed the code that was texted to that phone's
number, and only as long as the site has that number for it. People come and go; the phone of the rota stays.
"""

import datetime as dt
import hashlib
import hmac
import logging
import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hub.central.auth import audit
from hub.central.centre import Tx
from hub.central.escalation.plan import SUITS, Position, Target
from hub.central.notify import outbox
from hub.central.notify.channels.base import Gone, Subscription
from hub.central.site.model import ChannelName, Phone
from hub.central.store import sql
from hub.central.store.tables import push_subscriptions
from hub.central.texts import render
from hub.domain.errors import RefusedError

log = logging.getLogger(__name__)

CODE_LASTS = dt.timedelta(minutes=10)
# Of a phone: more browsers than this are an error or an attack, and each push goes to all of them.
MOST = 5
# One of a million codes is right.
_CODE_DIGITS = 6
_MOST_TRIES = 5
_ROLE = "push"
_WATCH = "push"

_OF = sa.select(push_subscriptions).where(
    push_subscriptions.c.phone == sa.bindparam("phone"),
    push_subscriptions.c.number == sa.bindparam("number"),
    push_subscriptions.c.confirmed_at.is_not(None),
)


def of(connection: sa.Connection, phone: str, number: str) -> tuple[Subscription, ...]:
    """Return where a phone takes pushes: what was confirmed from the number that it has."""
    rows = connection.execute(_OF, {"phone": phone, "number": number}).all()
    return tuple(
        Subscription(id=row.id, endpoint=row.endpoint, p256dh=row.p256dh, auth=row.auth)
        for row in sorted(rows, key=lambda row: row.id)
    )


def listed(connection: sa.Connection, now: dt.datetime) -> Sequence[sa.Row[Any]]:
    """Return every subscription that stands or can still be confirmed, by phone."""
    query = sa.select(push_subscriptions).where(_stands(now))
    return connection.execute(query.order_by(push_subscriptions.c.phone, push_subscriptions.c.id)).all()


def ask(tx: Tx, phone_id: str, browser: Subscription, by: str) -> int:
    """Write a subscription that waits for its code, and text the code to the phone; return its number.

    Args:
        tx: The transaction.
        phone_id: The phone of the site that it is to be for.
        browser: What the browser says about itself, checked; its own number does not count.
        by: Who asks (``user:…``).

    Raises:
        RefusedError: The site has no such phone, or it takes no push, or has too many already.
    """
    phone = tx.site.phones.get(phone_id)
    if phone is None or not can_have(phone):
        raise RefusedError(f"the site has no phone {phone_id!r} that takes push")
    table = push_subscriptions
    tx.connection.execute(table.delete().where(sa.not_(_stands(tx.now.utc))))
    digest = _digest(browser.endpoint)
    former = tx.connection.execute(sa.select(table).where(table.c.endpoint_hash == digest)).one_or_none()
    if former is not None:
        tx.connection.execute(table.delete().where(table.c.id == former.id))
    count = tx.connection.scalar(sa.select(sa.func.count()).where(table.c.phone == phone.id)) or 0
    if count >= MOST:
        raise RefusedError(f"phone {phone.id} has {count} subscriptions already; switch one of them off")
    code = f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}"
    row = {
        "phone": phone.id,
        "number": phone.number,
        "endpoint_hash": digest,
        "endpoint": browser.endpoint,
        "p256dh": browser.p256dh,
        "auth": browser.auth,
        "created_at": tx.now.utc,
        "created_by": by,
        "code_hash": _code_hash(digest, code),
        "tries": 0,
    }
    number = sql.new_id(tx.connection.execute(table.insert(), row))
    _tell(tx, phone, "sms", render(tx.site.language_of(phone), "push.code", code=code))
    if former is not None:
        _audit(tx, by, "push.off", former, "the same browser asks anew")
    audit.note(tx.connection, tx.now, by, "push.asked", f"phone:{phone.id}", f"subscription {number}")
    return number


def confirm(tx: Tx, number: int, code: str, by: str) -> bool:
    """Let a subscription stand if the code is right; its phone gets a first push. Tell whether it stands.

    After five wrong codes the subscription is gone, as it is when its time is over.
    """
    table = push_subscriptions
    query = sa.select(table).where(table.c.id == number, _stands(tx.now.utc)).with_for_update()
    row = tx.connection.execute(query).one_or_none()
    phone = None if row is None else tx.site.phones.get(row.phone)
    if row is None or phone is None or phone.number != row.number:
        return False
    if row.confirmed_at is not None:
        return True  # a second tap
    if not hmac.compare_digest(_code_hash(row.endpoint_hash, code.strip()).encode(), row.code_hash.encode()):
        wrong = row.tries + 1
        one = table.c.id == number
        tx.connection.execute(
            table.delete().where(one) if wrong >= _MOST_TRIES else table.update().where(one).values(tries=wrong)
        )
        _audit(tx, by, "push.wrong_code", row, f"wrong code {wrong} of {_MOST_TRIES}")
        return False
    tx.connection.execute(
        table.update().where(table.c.id == number).values(confirmed_at=tx.now.utc, code_hash=None)
    )
    # To every browser that the phone has: whoever carries it sees that one more was added.
    _tell(tx, phone, "push", render(tx.site.language_of(phone), "push.on", phone=phone.id))
    _audit(tx, by, "push.on", row, "")
    return True


def off(tx: Tx, number: int, endpoint_hash: str, by: str) -> None:
    """Switch a subscription off; one that is off already is no error.

    Its number alone does not tell which is meant: SQLite gives that of the last one, once gone, to the next.
    """
    query = sa.select(push_subscriptions.c.endpoint).where(
        push_subscriptions.c.id == number, push_subscriptions.c.endpoint_hash == endpoint_hash
    )
    meant = tx.connection.scalar(query)
    row = None if meant is None else _taken_out(tx, number, meant)
    if row is not None:
        _audit(tx, by, "push.off", row, "")


def gone(tx: Tx, told: Gone) -> None:
    """Drop a subscription that its push service has dropped, and tell the phone by text: nobody would notice."""
    row = _taken_out(tx, told.subscription.id, told.subscription.endpoint)
    if row is None:
        return
    log.warning("phone %s: subscription %d is dropped: %s", row.phone, row.id, told.reason)
    phone = tx.site.phones.get(row.phone)
    if phone is not None and phone.number == row.number:
        _tell(tx, phone, "sms", render(tx.site.language_of(phone), "push.gone"))
    _audit(tx, _WATCH, "push.gone", row, told.reason)


def can_have(phone: Phone) -> bool:
    """Tell whether a phone can show a push, and take the text that proves whose it is."""
    return phone.kind in SUITS["push"] & SUITS["sms"]


def _stands(now: dt.datetime) -> sa.ColumnElement[bool]:
    table = push_subscriptions
    return sa.or_(table.c.confirmed_at.is_not(None), table.c.created_at > now - CODE_LASTS)


def _taken_out(tx: Tx, number: int, endpoint: str | None = None) -> sa.Row[Any] | None:
    """Delete a subscription and return it; with an endpoint only the one that has it."""
    table = push_subscriptions
    query = sa.select(table).where(table.c.id == number).with_for_update()
    row = tx.connection.execute(query).one_or_none()
    if row is None or endpoint not in {None, row.endpoint}:
        return None
    tx.connection.execute(table.delete().where(table.c.id == number))
    return row


def _tell(tx: Tx, phone: Phone, channel: ChannelName, text: str) -> None:
    """Send a text that belongs to no incident and no zone."""
    outbox.queue(tx, None, Target("", _ROLE, phone, channel), text, Position(0, 0))


def _audit(tx: Tx, by: str, action: str, row: sa.Row[Any], detail: str) -> None:
    said = f"subscription {row.id}"
    audit.note(tx.connection, tx.now, by, action, f"phone:{row.phone}", f"{said}: {detail}" if detail else said)


def _digest(endpoint: str) -> str:
    return hashlib.sha256(endpoint.encode()).hexdigest()


def _code_hash(endpoint_hash: str, code: str) -> str:
    return hashlib.sha256(f"{endpoint_hash}:{code}".encode()).hexdigest()
