"""``hub audit verify`` and ``hub audit show``: whether the audit trail is what it was, and what it says."""

import datetime as dt
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from hub.central.audit.verify import Verdict, verify
from hub.central.commands import Say
from hub.central.commands.stores import opened
from hub.central.escalation.days import instant
from hub.central.site.apply import load_current
from hub.central.store.tables import audit
from hub.domain.clock import Now
from hub.domain.errors import MalformedError

_HASH_DIGITS = 64


def verify_trail(store_url: str, since: dt.date | None, written: str | None, now: Now, say: Say) -> int:
    """Walk the trail and what reports read; say how far they hold, and return 1 when they do not.

    Args:
        store_url: Where it is.
        since: Take what was noted before this local date as it is.
        written: A head that was written down elsewhere.
        now: This moment.
        say: Takes each line.

    Raises:
        HubError: The store cannot be read, or ``written`` is no hash.
    """
    if written is not None and (len(written) != _HASH_DIGITS or not set(written) <= set("0123456789abcdef")):
        raise MalformedError(f"--head {written}: write the {_HASH_DIGITS} hexadecimal digits of a head")

    def work(connection: sa.Connection) -> Verdict:
        begin = None if since is None else instant(since, 0, _zone(connection))
        return verify(connection, begin, written, now.utc)

    with opened(store_url, make=False) as store:
        verdict = store.read_now(work, report=True)
    if verdict.broken is not None:
        for broken in verdict.altered or (verdict.broken,):
            say(f"{broken.sort}: {broken.where}")
        say(_held(verdict))
        return 1
    walked = "" if since is None else f"; {verdict.since} of them since {since} were walked"
    say(f"the trail holds: {verdict.rows} rows, the last is row {verdict.row}{walked}")
    say(f"the history of incidents holds: {verdict.anchored} rows are anchored in what was walked")
    say(f"{verdict.incidents} incidents are what was noted of them{_bare(verdict)}")
    if written is not None:
        say(f"the head that was written down is row {verdict.written}")
    say(f"head {verdict.hash}")
    return 0


def show(store_url: str, subject: str, say: Say) -> int:
    """Say who did and saw what with a subject, the oldest first; return 1 when nothing was noted.

    Raises:
        HubError: The store cannot be read.
    """
    query = sa.select(audit).where(audit.c.subject == subject).order_by(audit.c.id)
    with opened(store_url, make=False) as store:
        zone, rows = store.read_now(
            lambda connection: (_zone(connection), connection.execute(query).all()), report=True
        )
    for row in rows:
        line = f"{row.at.astimezone(zone):%Y-%m-%d %H:%M:%S}  {row.actor}  {row.action}  {row.detail}"
        say("".join(sign if sign.isprintable() else " " for sign in line).rstrip())
    if not rows:
        say(f"nothing was noted about {subject}")
    return 0 if rows else 1


def _held(verdict: Verdict) -> str:
    if verdict.altered:
        return f"the trail holds, but {len(verdict.altered)} rows that reports read are not what was noted"
    if verdict.broken is not None and verdict.broken.sort == "unanchored":
        return (
            f"the trail holds, but what is not anchored may still be altered; {verdict.anchored} rows are anchored"
        )
    return f"the trail does not hold; before that {verdict.rows} rows do"


def _bare(verdict: Verdict) -> str:
    if not verdict.bare:
        return ""
    return f"; what {verdict.bare} of them were when they were opened was not anchored then"


def _zone(connection: sa.Connection) -> ZoneInfo:
    site = load_current(connection)
    return ZoneInfo("UTC" if site is None else site.site.site.timezone)
