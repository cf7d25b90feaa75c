"""What is switched off, as pages read it: whose it is, what it means, and what it concerns."""

import datetime as dt

import sqlalchemy as sa

from hub.central.console import upkeep
from hub.central.site.directory import Directory
from hub.central.store import tables
from hub.domain.clock import UTC
from tests.fakes.site import site

AT = dt.datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
HOUR = dt.timedelta(hours=1)
SITE = Directory(site(), 1)


def put(connection: sa.Connection, kind: str, subject: str, reason: str, *, hours: int, since: int = -1) -> None:
    row = {
        "kind": kind,
        "subject": subject,
        "reason": reason,
        "created_at": AT - HOUR,
        "created_by": "user:x",
        "starts_at": AT + since * HOUR,
        "ends_at": AT + hours * HOUR,
        "held": 0,
    }
    connection.execute(tables.maintenances.insert(), row)


def test_each_is_told_with_what_it_means_and_where_it_is(connection: sa.Connection) -> None:
    put(connection, "zone", "nord-2", "painting", hours=1)
    put(connection, "hub", "h-1", "moving", hours=9, since=2)
    put(connection, "device", "pendant-1", "broken: in water", hours=5)
    put(connection, "device", "d-gone", "new battery", hours=2)
    put(connection, "hub", "h-1", "broken", hours=3)  # of a hub it says nothing of alarms
    rows = upkeep.listed(connection, SITE, AT)
    assert [(row.sort, row.subject, row.reason, row.zone, row.resident, row.room) for row in rows] == [
        ("broken", "pendant-1", "in water", "nord-1", "r-1017", "stue"),
        ("maintenance", "nord-2", "painting", "nord-2", None, ""),
        ("maintenance", "d-gone", "new battery", "", None, ""),
        ("maintenance", "h-1", "broken", "nord-1", None, ""),
        ("planned", "h-1", "moving", "nord-1", None, ""),
    ]


def test_what_concerns_a_device_a_hub_and_a_resident(connection: sa.Connection) -> None:
    put(connection, "device", "door-1", "new battery", hours=1)
    put(connection, "hub", "h-1", "moving", hours=2)
    put(connection, "zone", "nord-2", "painting", hours=3)
    rows = upkeep.listed(connection, SITE, AT)

    def subjects(found: tuple[upkeep.Upkeep, ...]) -> list[str]:
        return [row.subject for row in found]

    assert subjects(upkeep.of_device(rows, SITE, SITE.devices["door-1"])) == ["door-1", "h-1"]
    assert subjects(upkeep.of_device(rows, SITE, SITE.devices["pendant-1"])) == ["h-1"]
    assert subjects(upkeep.of_hub(rows, SITE, SITE.hubs["h-1"])) == ["door-1", "h-1"]
    assert subjects(upkeep.of_resident(rows, SITE, "r-1018")) == ["door-1", "h-1"]
    assert upkeep.of_resident(rows, SITE, "r-nobody") == ()
