"""In service: which devices have been heard on a test phone, and since when; whose assignment changed since."""

import hashlib
from typing import Any

import msgspec
import sqlalchemy as sa

from hub.central.auth import audit
from hub.central.bulletin import News
from hub.central.centre import Tx
from hub.central.incidents import record
from hub.central.maintenance import holding
from hub.central.notify.message import REACHED, phone_of
from hub.central.site.model import Device, Site
from hub.central.store.tables import device_tests, devices, messages
from hub.domain.clock import Now

_COMMISSIONING = "commissioning"

# Made once: it is asked with every incident.
_IN_SERVICE_AT = sa.select(devices.c.in_service_at).where(devices.c.device_id == sa.bindparam("device_id"))


def wiring(device: Device) -> str:
    """Return a digest of what a test proves: that this device is heard, here, as this resident's."""
    proven = [device.hub, device.link, device.driver, device.address, device.key, device.profile, device.resident]
    return hashlib.sha256(msgspec.json.encode(proven)).hexdigest()


def rewire(connection: sa.Connection, site: Site, now: Now, by: str) -> list[str]:
    """Note how each device is assigned now, and take those out of service and test that are assigned otherwise.

    Args:
        connection: The transaction in which the site is applied.
        site: The site.
        now: This moment.
        by: Who applies it, for the audit trail.

    Returns:
        The devices that were in service and are no longer.
    """
    _end_tests(connection, site, now, by)
    before = {row.device_id: row for row in connection.execute(sa.select(devices))}
    out = []
    for device in site.devices:
        row, digest = before[device.id], wiring(device)
        if row.wiring == digest:
            continue
        changed: dict[str, Any] = {"wiring": digest}
        if row.in_service_at is not None:
            out.append(device.id)
            changed |= dict.fromkeys(("in_service_at", "in_service_by", "in_service_incident"))
            audit.note(connection, now, by[:64], "device.out_of_service", f"device:{device.id}")
        connection.execute(devices.update().where(devices.c.device_id == device.id).values(changed))
    return out


def in_service(connection: sa.Connection) -> set[str]:
    """Return the devices that are in service."""
    return set(connection.scalars(sa.select(devices.c.device_id).where(devices.c.in_service_at.is_not(None))))


def say_untested(tx: Tx, number: int, device_id: str | None) -> None:
    """Note on an incident that its device is not in service, when that is so."""
    if device_id not in tx.site.devices:
        return
    if tx.connection.scalar(_IN_SERVICE_AT, {"device_id": device_id}) is None:
        reason = f"device {device_id} was never tested from end to end"
        record.note(tx, number, "not_in_service", _COMMISSIONING, reason)


def acknowledged(tx: Tx, incident: record.Incident, actor: str) -> bool:
    """Put a device in service whose test somebody took; tell whether that is so, and note why not.

    An answer from the test phone proves that the text arrived there; at the console the provider's report must.
    """
    why = _unproven(tx, incident, actor)
    if why is not None:
        record.note(tx, incident.id, "not_in_service", _COMMISSIONING, why)
        return False
    tx.connection.execute(
        devices.update()
        .where(devices.c.device_id == incident.device_id)
        .values(in_service_at=tx.now.utc, in_service_by=actor, in_service_incident=incident.id)
    )
    subject = f"device:{incident.device_id}"
    audit.note(tx.connection, tx.now, actor, "device.in_service", subject, f"incident:{incident.id}")
    record.note(tx, incident.id, "in_service", actor, f"device {incident.device_id} is in service")
    tx.effects.news.append(News("device", incident.device_id))
    return True


def end_test(connection: sa.Connection, now: Now, number: int, device_id: str, by: str) -> None:
    """End a test mode, with a line in the audit trail."""
    ended = {"running": None, "ended_at": now.utc, "ended_by": by[:64]}
    connection.execute(device_tests.update().where(device_tests.c.id == number).values(ended))
    audit.note(connection, now, by[:64], "device.test_ended", f"device:{device_id}", f"test:{number}")


def _end_tests(connection: sa.Connection, site: Site, now: Now, by: str) -> None:
    """End the test modes of devices that are assigned otherwise or gone: who has one now is not testing it."""
    wired = {device.id: wiring(device) for device in site.devices}
    running = sa.select(device_tests).where(device_tests.c.running.is_not(None))
    for test in connection.execute(running).all():
        if wired.get(test.device_id) == test.wiring:
            continue
        end_test(connection, now, test.id, test.device_id, by)


def _unproven(tx: Tx, incident: record.Incident, actor: str) -> str | None:
    """Return why an acknowledged test proves nothing, or ``None`` when it does."""
    test = tx.connection.execute(
        sa.select(device_tests).where(device_tests.c.id == incident.test_id)
    ).one_or_none()
    if test is None:
        return "the device was not in test mode"
    device = tx.site.devices.get(incident.device_id)
    if device is None or wiring(device) != test.wiring:
        return f"device {incident.device_id} was assigned anew since its test began"
    if holding.declared_broken(tx, device.id):
        return f"device {device.id} is declared broken: its alarms reach no nurse until that maintenance has ended"
    if phone_of(actor) == test.phone:
        return None
    arrived = sa.select(messages.c.id).where(
        messages.c.incident_id == incident.id,
        messages.c.phone == test.phone,
        messages.c.state.in_(REACHED),
    )
    if tx.connection.execute(arrived.limit(1)).first() is None:
        return f"no text about it has reached phone {test.phone}"
    return None
