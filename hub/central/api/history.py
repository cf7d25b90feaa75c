"""What was observed about a resident, as JSON."""

import datetime as dt
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, status
from pydantic import AwareDatetime

from hub.central.api import acts
from hub.central.api.guard import SignedIn
from hub.central.api.services import Of
from hub.domain.clock import UTC
from hub.domain.codes import Kind

router = APIRouter(prefix="/api/residents")

_DAY = dt.timedelta(hours=24)
_MOST = 10_000
_EARLIEST = dt.datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = dt.datetime(9999, 1, 1, tzinfo=UTC)
Instant = Annotated[AwareDatetime | None, Query()]


@router.get("/{resident_id}/history")
async def history(
    of: Of,
    session: SignedIn,
    resident_id: str,
    since: Instant = None,
    until: Instant = None,
    kind: Annotated[list[Kind] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 500,
) -> dict[str, Any]:
    """Return observations of a resident, the newest first; without ``since`` those of 24 hours.

    ``since`` and ``until`` are ISO 8601 with a zone (``2026-11-21T02:10:00Z``); ``kind`` may be given several
    times.
    """
    if resident_id not in of.centre.site.residents:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such resident in the site")
    end = _bounded(until or of.centre.clock.now().utc)
    begin = _bounded(since or end - _DAY)
    if begin > end:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "since is after until")
    await acts.seen(of.centre, session, "resident.read", f"resident:{resident_id}")
    rows = await of.history.observations(resident_id, begin, end, kinds=kind, limit=limit)
    return {
        "resident": resident_id,
        "since": begin.isoformat(),
        "until": end.isoformat(),
        "observations": msgspec.to_builtins(rows),
    }


def _bounded(at: dt.datetime) -> dt.datetime:
    """Return an instant that can be counted with: no sum or zone leads out of the calendar."""
    return min(max(at, _EARLIEST), _LATEST).astimezone(UTC)
