"""Texts about a shift: which role, until when, which incidents are open by number. Nothing about anybody."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from hub.central.centre import Tx
from hub.central.escalation.rota import Place
from hub.central.incidents.lifecycle import OPEN
from hub.central.site.model import Phone
from hub.central.store.tables import incidents
from hub.central.texts import gsm, render
from hub.central.texts.alert import clock_time

# Of a role's or a zone's name; the answer that is asked for must not be cut off.
_NAME = 24


def handover_text(tx: Tx, place: Place, phone: Phone, until: dt.datetime | None) -> str:
    """Return the question to the phone that comes on duty: one message, with the numbers of what is open."""
    zone = tx.site.rota.zone
    language = tx.site.language_of(phone)
    end = render(language, "shift.until", time=clock_time(until, tx.now.utc, zone)) if until else ""

    def fill(numbers: str) -> str:
        open_ = render(language, "shift.open" if numbers else "shift.none", numbers=numbers)
        return render(language, "shift.ask", zone=place[0][:_NAME], role=place[1][:_NAME], until=end, open=open_)

    numbers = open_numbers(tx.connection, place[0])
    room = gsm.LIMIT - len(fill("0")) + 1
    return fill(gsm.join([str(number) for number in numbers], room)) if numbers else fill("")


def unconfirmed_text(tx: Tx, shift: sa.Row[Any], leader: Phone) -> str:
    """Return what the leader is told about a shift that nobody has confirmed."""
    return render(
        tx.site.language_of(leader),
        "shift.unconfirmed",
        zone=shift.zone[:_NAME],
        role=shift.role[:_NAME],
        phone=gsm.plain(shift.phone)[:_NAME],
        time=clock_time(shift.asked_at, tx.now.utc, tx.site.rota.zone),
    )


def open_numbers(connection: sa.Connection, zone: str) -> list[int]:
    """Return the open incidents of a zone, tests excepted, the oldest first."""
    query = sa.select(incidents.c.id).where(
        incidents.c.state.in_(OPEN), incidents.c.zone == zone, incidents.c.test.is_(False)
    )
    return list(connection.scalars(query.order_by(incidents.c.id)))
