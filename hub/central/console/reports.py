"""The page of reports: was every alarm followed up within the limits, and by whom; as CSV and JSON too."""

import datetime as dt
from typing import Annotated, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response, status

from hub.central.api import acts
from hub.central.api.guard import SignedIn
from hub.central.api.services import Of, Services, reader, respond
from hub.central.auth import Session
from hub.central.console.render import Reader
from hub.central.escalation.days import parse_date
from hub.central.reports import write
from hub.central.reports.figures import By
from hub.central.reports.report import Question, Report, make
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError

router = APIRouter()

LISTED = 500
# A report is made beside running alarms: a year of them at a time is enough.
MOST_DAYS = 366

Word = Annotated[str, Query(max_length=64)]
_CSV, _JSON = "text/csv; charset=utf-8", "application/json"


class Asked(msgspec.Struct, frozen=True):
    """What a reader asks for; without dates it is this month so far.

    Attributes:
        question: It, or the one that is shown instead when it has no period.
        wrong: It has none.
    """

    question: Question
    wrong: bool

    @property
    def query(self) -> str:
        """The question as a link's query."""
        asked = self.question
        named = {"from": asked.since, "to": asked.until, "zone": asked.zone, "kind": asked.kind, "by": asked.by}
        return urlencode({name: value for name, value in named.items() if value is not None})


def asked(
    request: Request,
    since: Annotated[str, Query(alias="from", max_length=32)] = "",
    to: Word = "",
    kind: Word = "",
    by: Word = "",
) -> Asked:
    """Read what is asked; the zone is the one that the reader looks at."""
    written_for = reader(request, None)
    today = written_for.now.utc.astimezone(written_for.zone).date()
    begin, end = today.replace(day=1), today + dt.timedelta(days=1)
    try:
        wished = (parse_date(since) if since else begin, parse_date(to) if to else end)
        wrong = not 0 < (wished[1] - wished[0]).days <= MOST_DAYS
    except MalformedError:
        wished, wrong = (begin, end), True
    question = Question(
        since=begin if wrong else wished[0],
        until=end if wrong else wished[1],
        kind=kind if kind in set(Kind) else None,
        zone=written_for.only or None,
        by=next((known for known in get_args(By) if known == by), "zone"),
    )
    return Asked(question, wrong)


@router.get("/reports")
async def page(request: Request, of: Of, session: SignedIn, wished: Annotated[Asked, Depends(asked)]) -> Response:
    """Show a report."""
    written_for = reader(request, session)
    report = None if wished.wrong else await _make(of, session, wished.question, written_for, LISTED)
    shown = written_for.page(
        "reports.html",
        here="reports",
        asked=wished,
        report=report,
        zones=sorted(of.centre.site.zones),
        kinds=sorted(Kind, key=written_for.words.kind),
        groupings=get_args(By),
        most_days=MOST_DAYS,
        span=write.span,
        local=lambda at: f"{at.astimezone(written_for.zone):%Y-%m-%d %H:%M}",
    )
    return respond(request, shown, status.HTTP_400_BAD_REQUEST if wished.wrong else status.HTTP_200_OK)


@router.get("/reports.{form}")
async def file(
    request: Request,
    of: Of,
    session: SignedIn,
    wished: Annotated[Asked, Depends(asked)],
    form: str,
    sheet: Word = "incidents",
) -> Response:
    """Return a report as a file; a CSV holds the ``sheet`` of ``incidents`` or of ``figures``."""
    if form not in {"csv", "json"}:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    if wished.wrong:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "from and to: write two dates, the last after the first")
    written_for = reader(request, session)
    report = await _make(of, session, wished.question, written_for, None)
    if form == "json":
        text, sort = write.as_json(report, written_for.zone), _JSON
    else:
        text, sort = write.as_csv(report, written_for.zone, incidents=sheet != "figures"), _CSV
    name = f"followup-{wished.question.since}-{wished.question.until}.{form}"
    return Response(text, media_type=sort, headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def _make(
    of: Services, session: Session, question: Question, written_for: Reader, listed: int | None
) -> Report:
    subject = f"report:{question.since}:{question.until}:{question.zone or '*'}:{question.kind or '*'}"
    await acts.seen(of.centre, session, "report.read", subject)
    zone: ZoneInfo = written_for.zone
    async with of.reporting:
        return await of.centre.store.read(
            lambda connection: make(connection, question, zone, written_for.now.utc, listed=listed), report=True
        )
