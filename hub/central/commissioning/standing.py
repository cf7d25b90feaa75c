"""How each device stands: in service, in test mode, or never tested."""

import datetime as dt
from typing import Literal

import msgspec
import sqlalchemy as sa

from hub.central.commissioning import mode
from hub.central.site.directory import Directory
from hub.central.store.tables import devices

State = Literal["untested", "testing", "in_service"]
_ORDER: tuple[State, ...] = ("untested", "testing", "in_service")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One device of the site.

    Attributes:
        id: The device.
        hub: Where it is heard.
        resident: Whose it is, or ``None``.
        room: Where it is.
        state: ``untested``: no press or trigger has travelled the whole chain since it was assigned as it is.
        in_service_at: Since when it is in service; it stays so while it is tested again.
        in_service_by: Who acknowledged its test.
        test_until: When its test mode ends by itself, or ``None``.
        test_phone: Who is told of its tests meanwhile.
        last_seen_at: When it was last heard.
    """

    id: str
    hub: str
    resident: str | None
    room: str
    state: State
    in_service_at: dt.datetime | None
    in_service_by: str | None
    test_until: dt.datetime | None
    test_phone: str | None
    last_seen_at: dt.datetime | None


def standings(connection: sa.Connection, site: Directory, at: dt.datetime) -> list[Standing]:
    """Return every device of the site, those that were never tested first."""
    rows = {row.device_id: row for row in connection.execute(sa.select(devices))}
    modes = mode.running(connection, at)
    found = []
    for device in site.site.devices:
        row, tested = rows.get(device.id), modes.get(device.id)
        proven = row.in_service_at if row else None
        found.append(
            Standing(
                id=device.id,
                hub=device.hub,
                resident=device.resident,
                room=device.room,
                state="testing" if tested else "in_service" if proven else "untested",
                in_service_at=proven,
                in_service_by=row.in_service_by if row else None,
                test_until=tested.ends_at if tested else None,
                test_phone=tested.phone if tested else None,
                last_seen_at=row.last_seen_at if row else None,
            )
        )
    return sorted(found, key=lambda one: (_ORDER.index(one.state), one.id))
