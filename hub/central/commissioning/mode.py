"""Test mode: for some minutes what a device observes is a test, told to one phone. It ends by itself."""

import datetime as dt
from typing import NamedTuple

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.auth import audit
from hub.central.bulletin import News
from hub.central.centre import Tx
from hub.central.commissioning import route, service
from hub.central.incidents.lifecycle import OPEN
from hub.central.store import sql
from hub.central.store.tables import device_tests, incident_observations, incidents, observations
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError, RefusedError

END = "device.test_end"
CENTRE = "centre"
MINUTES, MOST_MINUTES = 30, 120
# A test that nobody took within this may have been no test: it is raised in earnest.
TAKEN_WITHIN = dt.timedelta(minutes=3)
# The clocks of hub and centre may differ by this: a press right after the start is still within.
_SKEW = dt.timedelta(seconds=10)
# What a device says of itself and not of the home: that proves no sensor, and stays what it is.
_OF_ITSELF = ("battery.", "mains.", "device.", "hub.")
_TRIGGERS = frozenset(kind for kind in Kind if kind is Kind.DEVICE_TAMPER or not kind.value.startswith(_OF_ITSELF))


class Mode(NamedTuple):
    """A test mode that lasts."""

    id: int
    device_id: str
    phone: str
    started_at: dt.datetime
    started_by: str
    ends_at: dt.datetime


# Made once: it is asked with all that comes in.
_RUNNING = sa.select(*(device_tests.c[name] for name in Mode._fields)).where(
    device_tests.c.running.is_not(None),
    device_tests.c.ends_at > sa.bindparam("at", type_=device_tests.c.ends_at.type),
)


def running(connection: sa.Connection, at: dt.datetime) -> dict[str, Mode]:
    """Return the test modes that last at an instant, by device."""
    rows = connection.execute(_RUNNING, {"at": at})
    return {row.device_id: Mode(*row) for row in rows}


def holds(mode: Mode, kind: Kind, flags: tuple[str, ...], at: dt.datetime) -> bool:
    """Tell whether an observation in test mode is a test. What is odd or older than the mode is none.

    Args:
        mode: The device's test mode.
        kind: What was observed.
        flags: What is odd about it.
        at: When it happened.
    """
    return kind in _TRIGGERS and not flags and at >= mode.started_at - _SKEW


def start(tx: Tx, device_id: str, phone_id: str | None, minutes: int, actor: str) -> Mode:
    """Put a device into test mode; one that it is in already begins anew.

    Args:
        tx: The transaction.
        device_id: Which device.
        phone_id: The test phone; ``None``: the site's own.
        minutes: After which it ends by itself.
        actor: Who tests.

    Raises:
        MalformedError: There is no such device or phone, the phone takes no text, or the time is none.
        RefusedError: A real incident of the device is open: nothing may be taken for a test meanwhile.
    """
    device = tx.site.devices.get(device_id)
    if device is None:
        raise MalformedError(f"device {device_id!r}: the site has none of this name")
    phone_id = phone_id or tx.site.site.site.test_phone
    if phone_id is None:
        raise MalformedError("phone: name the phone that is told, or give the site a test_phone")
    phone = tx.site.phones.get(phone_id)
    if phone is None:
        raise MalformedError(f"phone {phone_id!r}: the site has none of this name")
    if not route.can_be_told(phone):
        raise MalformedError(f"phone {phone_id!r}: a {phone.kind} takes no text")
    if not 1 <= minutes <= MOST_MINUTES:
        raise MalformedError(f"minutes {minutes}: write 1 to {MOST_MINUTES}; a test mode is never without end")
    _refuse_in_earnest(tx, device_id)
    end(tx, device_id, actor)
    ends_at = tx.now.utc + dt.timedelta(minutes=minutes)
    values = {
        "device_id": device_id,
        "running": device_id,
        "phone": phone_id,
        "wiring": service.wiring(device),
        "started_at": tx.now.utc,
        "started_by": actor[:64],
        "ends_at": ends_at,
    }
    number = sql.new_id(tx.connection.execute(device_tests.insert(), values))
    clockwork.schedule(tx, ends_at, END, str(number))
    detail = f"phone {phone_id}, {minutes} min"
    audit.note(tx.connection, tx.now, actor[:64], "device.test_started", f"device:{device_id}", detail)
    tx.effects.news.append(News("device", device_id))
    return Mode(number, device_id, phone_id, tx.now.utc, actor, ends_at)


def end(tx: Tx, device_id: str, actor: str) -> bool:
    """End a device's test mode; tell whether it was in one."""
    number = tx.connection.scalar(sa.select(device_tests.c.id).where(device_tests.c.running == device_id))
    if number is None:
        return False
    service.end_test(tx.connection, tx.now, number, device_id, actor)
    clockwork.unschedule(tx, END, str(number))
    tx.effects.news.append(News("device", device_id))
    return True


def over(tx: Tx, subject: str) -> None:
    """Its time is over (the work of a due ``device.test_end``)."""
    device_id = tx.connection.scalar(sa.select(device_tests.c.running).where(device_tests.c.id == int(subject)))
    if device_id is not None:
        end(tx, device_id, CENTRE)


def await_answer(tx: Tx, number: int) -> None:
    """Ask after some minutes whether anybody took a test. A further press of it puts nothing off."""
    if clockwork.scheduled(tx, route.UNTAKEN, str(number)) is None:
        clockwork.schedule(tx, tx.now.utc + TAKEN_WITHIN, route.UNTAKEN, str(number))


def _refuse_in_earnest(tx: Tx, device_id: str) -> None:
    # Another device of the resident may have raised it, and this one reported it again.
    links = incident_observations
    reported = sa.select(links.c.incident_id).where(
        links.c.incident_id == incidents.c.id,
        links.c.observation_id == observations.c.id,
        observations.c.device_id == device_id,
    )
    query = sa.select(incidents.c.id).where(
        sa.or_(incidents.c.device_id == device_id, reported.exists()),
        incidents.c.incident_class == "care",
        incidents.c.test.is_(False),
        incidents.c.state.in_(OPEN),
    )
    number = tx.connection.scalar(query.limit(1))
    if number is not None:
        raise RefusedError(f"incident {number} of device {device_id} is open and real; test when it is closed")
