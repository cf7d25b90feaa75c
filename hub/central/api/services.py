"""What every route can reach."""

import asyncio
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Annotated

import msgspec
from fastapi import Depends, Request, status
from fastapi.responses import HTMLResponse

from hub.central.auth import Session, Throttle
from hub.central.centre import Centre
from hub.central.console.render import Reader
from hub.central.console.words import LANGUAGES, Words
from hub.central.history import History
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name

LANGUAGE_COOKIE = "lang"
# Each check of a password takes 64 MiB; strangers must not be able to take all memory.
_HASHING_AT_ONCE = 2
_YEAR_S = 31_536_000

Check = Callable[[], bool]


class Services(msgspec.Struct, kw_only=True):
    """The parts of a running centre that the routes use.

    Attributes:
        centre: Store, clock, site and bulletin.
        history: Who knows the residents' observations.
        secure_cookies: The console is served over https.
        checks: Named questions for ``/health/ready``.
        throttle: Slows down the guessing of passwords.
        hashing: Bounds how many passwords are checked at once.
        reporting: Held while a report is made: what reads for seconds must not take every reader from the alarms.
        ended: Set when the centre closes, so that live pages let go.
    """

    centre: Centre
    history: History
    secure_cookies: bool
    checks: Mapping[str, Check]
    throttle: Throttle = msgspec.field(default_factory=Throttle)
    hashing: asyncio.Semaphore = msgspec.field(default_factory=lambda: asyncio.Semaphore(_HASHING_AT_ONCE))
    reporting: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    ended: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    @property
    def cookie(self) -> str:
        """Name of the session's cookie; ``__Host-`` ties it to https and to this host (RFC 6265bis, 4.1.3)."""
        return "__Host-hub" if self.secure_cookies else "hub"


def services(request: Request) -> Services:
    """Return what the routes can reach."""
    found: Services = request.app.state.services
    return found


Of = Annotated[Services, Depends(services)]


def reader(request: Request, session: Session | None) -> Reader:
    """Return for whom a page is written: language by query, cookie or site, and the zone that is looked at."""
    centre = services(request).centre
    settings = centre.site.site.site
    wished = (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE), settings.language)
    language = next(code for code in wished if code in LANGUAGES)
    return Reader(
        words=Words(language),
        zone=zoneinfo.ZoneInfo(settings.timezone),
        now=centre.clock.now(),
        session=session,
        only=_zone(request),
        push="push" in request.app.state.hooks.ways.channels,
    )


def respond(request: Request, page: str, code: int = status.HTTP_200_OK) -> HTMLResponse:
    """Return a page, and keep the language that was asked for."""
    response = HTMLResponse(page, code)
    wished = request.query_params.get("lang")
    if wished in LANGUAGES:
        secure = services(request).secure_cookies
        response.set_cookie(LANGUAGE_COOKIE, wished, max_age=_YEAR_S, httponly=True, samesite="lax", secure=secure)
    return response


def inside(path: str) -> str:
    """Return a path of this site; anything that could lead elsewhere becomes the first page."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else "/"


def _zone(request: Request) -> str:
    wished = request.query_params.get("zone", "")
    if not wished:
        return ""
    try:
        zone = checked_name(wished, "zone")
    except MalformedError:
        return ""
    return zone if zone in services(request).centre.site.zones else ""
