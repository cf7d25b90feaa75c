"""``hub report followup``: was every alarm followed up within the site's own limits, and by whom."""

from zoneinfo import ZoneInfo

import sqlalchemy as sa

from hub.central.commands import Say
from hub.central.commands.stores import opened
from hub.central.reports import write
from hub.central.reports.report import Question, Report, make
from hub.central.site.apply import load_current
from hub.central.store.tables import incidents
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError, PermanentError


def followup(store_url: str, question: Question, form: str, *, listed: bool, now: Now, say: Say) -> int:
    """Say a report on follow-up.

    Args:
        store_url: Whose incidents.
        question: What is asked.
        form: ``table``, ``csv`` or ``json``.
        listed: Each incident is listed, not only the figures.
        now: This moment.
        say: Takes each line.

    Raises:
        HubError: The store cannot be read or holds no site, or the question asks for what there is not.
    """
    if question.kind is not None and question.kind not in set(Kind):
        raise MalformedError(
            f"--kind {question.kind}: there is no such kind; write one such as dose.not_dispensed"
        )

    def work(connection: sa.Connection) -> tuple[Report, ZoneInfo]:
        site = load_current(connection)
        if site is None:
            raise PermanentError(
                "the store holds no site yet: apply one with `hub site apply SITE.toml --store URL`"
            )
        if question.zone is not None and question.zone not in site.zones and not _was(connection, question.zone):
            raise MalformedError(f"--zone {question.zone}: there is no such zone, and no incident of it")
        zone = ZoneInfo(site.site.site.timezone)
        return make(connection, question, zone, now.utc, listed=None if listed else 0), zone

    with opened(store_url, make=False) as store:
        report, zone = store.read_now(work, report=True)
    if form == "json":
        say(write.as_json(report, zone))
    elif form == "csv":
        say(write.as_csv(report, zone, incidents=listed).removesuffix("\n"))
    else:
        for line in write.as_lines(report, zone, incidents=listed):
            say(line)
    return 0


def _was(connection: sa.Connection, zone: str) -> bool:
    """Tell whether there are incidents of a zone that may have left the site since."""
    query = sa.select(incidents.c.id).where(incidents.c.zone == zone).limit(1)
    return connection.execute(query).first() is not None
