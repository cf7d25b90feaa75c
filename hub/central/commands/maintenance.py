"""``hub maintenance add|list|end``."""

import datetime as dt
from collections.abc import Callable
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from hub.central.centre import Effects, Tx
from hub.central.commands import Say
from hub.central.commands.stores import opened
from hub.central.escalation.days import local_instant, parse_local
from hub.central.maintenance import service
from hub.central.maintenance.service import Maintenance, Subject
from hub.central.site.apply import load_current
from hub.domain.clock import Now
from hub.domain.errors import PermanentError

T = TypeVar("T")


def add(
    about: tuple[Subject, str],
    reason: str,
    period: tuple[str | None, str],
    store_url: str,
    *,
    by: str,
    now: Now,
    say: Say,
) -> int:
    """Begin or plan a maintenance; ``period`` is in the site's local time.

    Raises:
        HubError: It cannot be, or the store not be written.
    """
    (kind, subject), (since, until) = about, period

    def work(tx: Tx) -> tuple[Maintenance, ZoneInfo]:
        zone = ZoneInfo(tx.site.site.site.timezone)
        begins = None if since is None else local_instant(parse_local(since), zone)
        ends = local_instant(parse_local(until), zone)
        return service.add(tx, kind, subject, reason, by, until=ends, since=begins), zone

    begun, zone = _in_store(store_url, by, now, work)
    say(f"maintenance {begun.id} of {kind} {subject} until {_local(begun.ends_at, zone)}; it ends by itself")
    return 0


def end(number: int, store_url: str, *, by: str, now: Now, say: Say) -> int:
    """End a maintenance.

    Raises:
        HubError: There is none of this number that is under way, or the store cannot be written.
    """
    ended = _in_store(store_url, by, now, lambda tx: service.end(tx, number, by))
    say(f"maintenance {number} of {ended.kind} {ended.subject} has ended; it held {ended.held} faults")
    return 0


def list_all(store_url: str, *, as_json: bool, say: Say) -> int:
    """Say what is under way or to come, one a line.

    Raises:
        HubError: The store cannot be read, or holds no site.
    """
    with opened(store_url, make=False) as store:
        site = store.read_now(load_current)
        rows = store.read_now(service.listed)
    if site is None:
        raise PermanentError(_NO_SITE)
    zone = ZoneInfo(site.site.site.timezone)
    if not rows and not as_json:
        say("no maintenance is under way or to come")
    for row in rows:
        if as_json:
            say(msgspec.json.encode(row).decode())
        else:
            period = f"{_local(row.starts_at, zone)} to {_local(row.ends_at, zone)}"
            say(
                f"{row.id}  {row.kind} {row.subject}  {period}  held {row.held}  by {row.created_by}: {row.reason}"
            )
    return 0


_NO_SITE = "the store holds no site yet: apply one with `hub site apply SITE.toml --store URL`"


def _local(at: dt.datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _in_store(store_url: str, by: str, now: Now, work: Callable[[Tx], T]) -> T:
    with opened(store_url, make=False) as store:
        site = store.read_now(load_current)
        if site is None:
            raise PermanentError(_NO_SITE)
        return store.write_now(lambda connection: work(Tx(connection, site, now, by, Effects())))
