"""``hub devices test`` and ``hub devices list``: test mode, and which devices are in service."""

import datetime as dt
from collections.abc import Callable
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from hub.central.centre import Effects, Tx
from hub.central.commands import Say
from hub.central.commands.stores import opened
from hub.central.commissioning import mode, standing
from hub.central.commissioning.standing import Standing
from hub.central.site.apply import load_current
from hub.domain.clock import Now
from hub.domain.errors import PermanentError

T = TypeVar("T")
_HEAD = ("DEVICE", "RESIDENT", "ROOM", "STATE", "SINCE", "LAST HEARD")


def start(device: str, phone: str | None, minutes: int, store_url: str, *, by: str, now: Now, say: Say) -> int:
    """Put a device into test mode and say what to do.

    Raises:
        HubError: It cannot be tested now, or the store not be written.
    """

    def work(tx: Tx) -> tuple[mode.Mode, ZoneInfo]:
        return mode.start(tx, device, phone, minutes, by), ZoneInfo(tx.site.site.site.timezone)

    begun, zone = _in_store(store_url, by, now, work)
    say(f"{device} is in test mode until {begun.ends_at.astimezone(zone):%H:%M}; it ends by itself")
    say(
        f"press or trigger it now: phone {begun.phone} gets a text that begins with TEST; answer OK and its number"
    )
    say("a test that nobody answers within 3 minutes is raised as a real alarm")
    return 0


def end(device: str, store_url: str, *, by: str, now: Now, say: Say) -> int:
    """End a device's test mode; return 1 when it was in none.

    Raises:
        HubError: The store cannot be written.
    """
    ended = _in_store(store_url, by, now, lambda tx: mode.end(tx, device, by))
    say(f"{device}: test mode has ended" if ended else f"{device} is not in test mode")
    return 0 if ended else 1


def list_devices(store_url: str, *, as_json: bool, now: Now, say: Say) -> int:
    """Say every device with its standing, those that were never tested first.

    Raises:
        HubError: The store cannot be read, or holds no site.
    """

    def work(connection: sa.Connection) -> tuple[list[Standing], ZoneInfo]:
        site = load_current(connection)
        if site is None:
            raise PermanentError(
                "the store holds no site yet: apply one with `hub site apply SITE.toml --store URL`"
            )
        return standing.standings(connection, site, now.utc), ZoneInfo(site.site.site.timezone)

    with opened(store_url, make=False) as store:
        rows, zone = store.read_now(work)
    if as_json:
        for row in rows:
            say(msgspec.json.encode(row).decode())
        return 0
    table = [_HEAD, *(_cells(row, zone) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells in table:
        say("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    return 0


def _cells(row: Standing, zone: ZoneInfo) -> tuple[str, ...]:
    def local(at: dt.datetime | None) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else "-"

    return (
        row.id,
        row.resident or "-",
        row.room or "-",
        row.state,
        local(row.in_service_at),
        local(row.last_seen_at),
    )


def _in_store(store_url: str, by: str, now: Now, work: Callable[[Tx], T]) -> T:
    def transaction(connection: sa.Connection) -> T:
        site = load_current(connection)
        if site is None:
            raise PermanentError(
                "the store holds no site yet: apply one with `hub site apply SITE.toml --store URL`"
            )
        return work(Tx(connection, site, now, by, Effects()))

    with opened(store_url, make=False) as store:
        return store.write_now(transaction)
