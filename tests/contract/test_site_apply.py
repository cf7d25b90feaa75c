import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hub.central.site.apply import CHANGED, apply, export, load_current
from hub.central.site.hub_config import hub_config
from hub.central.site.load import load
from hub.central.store.engine import Store
from hub.central.store.tables import audit, devices, due, hubs, sites
from hub.document import DocumentError
from hub.domain.clock import UTC, Now
from hub.domain.errors import MalformedError, RefusedError
from hub.wire import config

FIRST = Now(dt.datetime(2026, 11, 21, 19, tzinfo=UTC), 1.0)
LATER = Now(FIRST.utc + dt.timedelta(hours=1), 3601.0)

SITE = """
[site]
name = "test"  # a comment that must come back
[supervision]
alive_s = 5.0
[[phones]]
id = "duty"
number = "+4700000012"
[[zones]]
id = "nord-1"
last_resort = "duty"
[[residents]]
id = "r-1"
zone = "nord-1"
[[hubs]]
id = "h-1"
zone = "nord-1"
links = [{ id = "air", kind = "ble" }, { id = "line", kind = "serial", port = "/dev/l", driver = "dispenser" }]
[[devices]]
id = "door"
hub = "h-1"
link = "air"
driver = "bthome"
address = "A4:C1:38:00:00:01"
resident = "r-1"
night = "22:00-06:00"
supervision_s = 600
[[devices]]
id = "box"
hub = "h-1"
link = "line"
driver = "dispenser"
resident = "r-1"
[[doses]]
device = "box"
at = "08:30"
days = "mon,sun"
window_min = 45
"""
SECOND_HUB = '[[hubs]]\nid = "h-2"\nzone = "nord-1"\n'


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


def put(store: Store, text: str, now: Now = FIRST) -> int:
    return store.write_now(lambda connection: apply(connection, text, load(text), now, "ward-office"))


def rows(store: Store, table: sa.Table) -> list[dict[str, object]]:
    return store.read_now(
        lambda connection: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
    )


def test_a_site_comes_back_as_it_was_applied(store: Store) -> None:
    assert store.read_now(load_current) is None
    version = put(store, SITE)
    directory = store.read_now(load_current)
    assert directory is not None
    assert (directory.version, directory.site) == (version, load(SITE))
    assert store.read_now(export) == SITE


def test_a_version_is_higher_than_any_before_it_and_than_those_of_a_store_before_this_one(store: Store) -> None:
    before = int(FIRST.utc.timestamp())
    assert [put(store, SITE) - before for _ in range(3)] == [0, 1, 2]


def test_nothing_applied_is_nothing_exported(store: Store) -> None:
    with pytest.raises(RefusedError, match="no site was applied"):
        store.read_now(export)


def test_hubs_and_devices_are_supervised_from_the_day_they_came(store: Store) -> None:
    put(store, SITE)
    store.write_now(
        lambda connection: connection.execute(hubs.update().values(last_seen_at=FIRST.utc, online=True))
    )
    shorter = SITE.partition('[[devices]]\nid = "box"')[0]
    assert put(store, shorter + SECOND_HUB, LATER) == int(LATER.utc.timestamp())
    assert {
        row["hub_id"]: (row["assigned_at"], row["last_seen_at"], row["online"]) for row in rows(store, hubs)
    } == {
        "h-1": (FIRST.utc, FIRST.utc, True),
        "h-2": (LATER.utc, None, False),
    }
    assert {row["device_id"]: row["assigned_at"] for row in rows(store, devices)} == {"door": FIRST.utc}
    put(store, SITE, LATER)
    assert {row["device_id"]: row["assigned_at"] for row in rows(store, devices)} == {
        "door": FIRST.utc,
        "box": LATER.utc,
    }


def test_a_running_centre_is_told_once_even_when_it_was_just_told(store: Store) -> None:
    put(store, SITE)
    store.write_now(
        lambda connection: connection.execute(
            due.update().values(leased_by="centre", leased_until=LATER.utc, attempts=3)
        )
    )
    put(store, SITE, LATER)
    (notice,) = rows(store, due)
    assert {key: notice[key] for key in ("kind", "subject", "at", "attempts", "leased_by", "leased_until")} == {
        "kind": CHANGED,
        "subject": "site",
        "at": LATER.utc,
        "attempts": 0,
        "leased_by": None,
        "leased_until": None,
    }


def test_who_applied_what_is_on_record(store: Store) -> None:
    version = put(store, SITE)
    (entry,) = rows(store, audit)
    assert (entry["actor"], entry["action"], entry["subject"]) == (
        "ward-office",
        "site.applied",
        f"site:{version}",
    )


def test_an_application_that_fails_leaves_everything_as_it_was(store: Store) -> None:
    put(store, SITE)

    def fail(connection: sa.Connection) -> None:
        apply(connection, SITE + SECOND_HUB, load(SITE + SECOND_HUB), LATER, "ward-office")
        raise RefusedError("the power went")

    with pytest.raises(RefusedError):
        store.write_now(fail)
    assert store.read_now(export) == SITE
    assert len(rows(store, hubs)) == len(rows(store, audit)) == 1


def test_a_stored_site_that_cannot_be_read_is_named(store: Store) -> None:
    row = {"version": 1, "applied_at": FIRST.utc, "applied_by": "x", "document": "[site]\nnam = 1\n"}
    store.write_now(lambda connection: connection.execute(sites.insert().values(row)))
    with pytest.raises(DocumentError, match="site version 1:2: error"):
        store.read_now(load_current)


def test_a_hub_is_told_what_concerns_it(store: Store) -> None:
    version = put(store, SITE + SECOND_HUB)
    directory = store.read_now(load_current)
    assert directory is not None
    told = hub_config(directory, "h-1")
    assert (told.version, told.hub_id, told.timezone) == (version, "h-1", "Europe/Oslo")
    assert told.intervals.alive_s == 5.0
    assert [(device.id, device.critical, device.supervision_s) for device in told.devices] == [
        ("door", True, 600),
        ("box", False, None),
    ]
    (dose,) = told.doses
    assert (dose.device, dose.minute_of_day, dose.weekdays, dose.window_min) == ("box", 510, 0b100_0001, 45)
    assert config.decode(config.encode(told), "h-1") == told
    assert hub_config(directory, "h-2").devices == ()
    with pytest.raises(MalformedError, match="none of this name"):
        hub_config(directory, "h-3")
