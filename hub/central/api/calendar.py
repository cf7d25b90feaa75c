"""The calendar of a zone, for whoever knows its key: no session, as calendar programs have none."""

import asyncio
import datetime as dt
import logging
import secrets
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request, Response, status

from hub.central.api.services import services
from hub.central.escalation.days import instant
from hub.central.rota.feed import MEDIA_TYPE, feed

log = logging.getLogger(__name__)

router = APIRouter()

_YEAR_DAYS = 366
# A day back, so that the night that lasts now is whole.
_BACK = dt.timedelta(days=1)


@router.get("/calendar/{zone}.ics")
async def calendar(request: Request, zone: str, key: str = "") -> Response:
    """Return a year of a zone's rota. A wrong key and a zone without a calendar are answered alike.

    Raises:
        HTTPException: 404.
    """
    centre = services(request).centre
    directory = centre.site
    found = directory.zones.get(zone)
    # A key is compared even where there is none, so that the time tells nothing.
    known = (found.calendar_key if found else None) or ""
    if not secrets.compare_digest(key.encode(), known.encode()) or not known:
        log.warning("a calendar was asked for without its key")
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    local = ZoneInfo(directory.site.site.timezone)
    today = centre.clock.now().utc.astimezone(local).date()
    since = instant(today - _BACK, 0, local)
    until = instant(today + dt.timedelta(days=_YEAR_DAYS), 0, local)
    # Off the loop: a year of a large zone takes longer than an alarm may wait.
    data = await asyncio.to_thread(feed, directory.rota, zone, since, until)
    return Response(data, headers={"content-type": MEDIA_TYPE, "cache-control": "private, max-age=900"})
