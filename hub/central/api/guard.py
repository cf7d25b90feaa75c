"""The door of everything that is not public: a session, and for every change its token."""

import secrets
from typing import Annotated

from fastapi import Depends, HTTPException, Request, status

from hub.central.api.services import services
from hub.central.auth import Session, find_session

CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD"})


class NotSignedInError(Exception):
    """There is no session, or it has ended."""


async def find(request: Request) -> Session | None:
    """Return the session that the request's cookie names, if it holds."""
    of = services(request)
    token = request.cookies.get(of.cookie)
    if not token:
        return None
    now = of.centre.clock.now()
    return await of.centre.store.read(lambda connection: find_session(connection, token, now))


async def signed_in(request: Request) -> Session:
    """Return the session of a request that may go ahead.

    Raises:
        NotSignedInError: Nobody is signed in.
        HTTPException: 403, a change that did not bring the session's token.
    """
    session = await find(request)
    if session is None:
        raise NotSignedInError
    if request.method not in _SAFE:
        refuse_other_sites(request)
        token = request.headers.get(CSRF_HEADER) or await _field(request)
        if not secrets.compare_digest(token.encode(), session.csrf.encode()):
            raise HTTPException(status.HTTP_403_FORBIDDEN)
    return session


def refuse_other_sites(request: Request) -> None:
    """Refuse a change that the browser says another site has begun; older browsers say nothing.

    Raises:
        HTTPException: 403.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise HTTPException(status.HTTP_403_FORBIDDEN)


async def _field(request: Request) -> str:
    # Our own forms are never multipart; nobody's files are spooled on the way to a refusal.
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return ""
    value = (await request.form()).get(CSRF_FIELD, "")
    return value if isinstance(value, str) else ""


SignedIn = Annotated[Session, Depends(signed_in)]
