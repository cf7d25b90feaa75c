"""Signing in and out."""

import asyncio
import logging
import math
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, status
from fastapi.responses import RedirectResponse

from hub.central.api.guard import SignedIn, find, refuse_other_sites
from hub.central.api.services import Of, Services, inside, reader, respond
from hub.central.auth import Session, accounts, audit, check_password, close_session, open_session
from hub.central.auth.sessions import LIFETIME
from hub.central.centre import Tx
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name

log = logging.getLogger(__name__)
public = APIRouter()
router = APIRouter()

_NOBODY = "?"


@public.get("/login")
async def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the name in the address
    """Show the form; who is signed in already goes on."""
    session = await find(request)
    if session is not None:
        return RedirectResponse(inside(next), status.HTTP_303_SEE_OTHER)
    return _form(request, next)


@public.post("/login")
async def login(
    request: Request,
    of: Of,
    username: Annotated[str, Form(max_length=64)] = "",
    password: Annotated[str, Form(max_length=accounts.MAX_LENGTH)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - the name in the address
) -> Response:
    """Begin a session; an unknown name and a wrong password get the same answer after the same time."""
    refuse_other_sites(request)
    name = _name(username)
    address = request.client.host if request.client else _NOBODY
    key = f"{name}@{address}"
    wait_s = math.ceil(of.throttle.take(key, of.centre.clock.now().mono))
    words = reader(request, None).words
    if wait_s:
        # Where from is what can be blocked; whose it is stands with each failure in the audit trail.
        log.warning("logins of one user from %s are throttled for %d s", address, wait_s)
        return _form(request, next, words("login.wait", seconds=wait_s), username, _wait(wait_s))
    stored = await of.centre.store.read(lambda connection: accounts.stored_hash(connection, name))
    fits = await _fits(of, stored, password)
    former = request.cookies.get(of.cookie)

    def begin(tx: Tx) -> str | None:
        # It may have been changed while it was checked; then it opens nothing any more.
        if not fits or accounts.stored_hash(tx.connection, name) != stored:
            _audit(tx, name, "login.failed", address)
            return None
        if former:
            close_session(tx.connection, former)
        _audit(tx, name, "login", address)
        return open_session(tx.connection, name, tx.now)

    token = await of.centre.transact(begin, urgent=fits)
    if token is None:
        return _form(request, next, words("login.wrong"), username)
    of.throttle.forgive(key)
    response = RedirectResponse(inside(next), status.HTTP_303_SEE_OTHER)
    response.set_cookie(
        of.cookie,
        token,
        max_age=int(LIFETIME.total_seconds()),
        httponly=True,
        # Strict would show the login to who comes from a link in a text.
        samesite="lax",
        secure=of.secure_cookies,
    )
    return response


@router.post("/logout")
async def logout(request: Request, of: Of, session: SignedIn) -> Response:
    """End the session."""
    token = request.cookies[of.cookie]

    def end(tx: Tx) -> None:
        close_session(tx.connection, token)
        _audit(tx, session.username, "logout", "")

    await of.centre.transact(end, urgent=True)
    response = RedirectResponse("/login", status.HTTP_303_SEE_OTHER)
    response.delete_cookie(of.cookie, secure=of.secure_cookies, httponly=True, samesite="lax")
    return response


@router.get("/api/session")
async def session(session: SignedIn) -> dict[str, str]:
    """Tell whose session this is, when it ends, and the token that changes must bring along."""
    return {"username": session.username, "expires_at": session.expires_at.isoformat(), "csrf": session.csrf}


def _form(
    request: Request, after: str, problem: str = "", username: str = "", headers: dict[str, str] | None = None
) -> Response:
    written_for = reader(request, None)
    page = written_for.page("login.html", next=inside(after), problem=problem, username=username)
    code = status.HTTP_200_OK
    if problem:
        code = status.HTTP_429_TOO_MANY_REQUESTS if headers else status.HTTP_401_UNAUTHORIZED
    response = respond(request, page, code)
    response.headers.update(headers or {})
    return response


def _wait(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def _name(username: str) -> str:
    """Return a name that may stand in the log: what is no name may be a password in the wrong field."""
    try:
        return checked_name(username.strip().lower(), "user")
    except MalformedError:
        return _NOBODY


async def _fits(of: Services, stored: str | None, password: str) -> bool:
    async with of.hashing:
        return await asyncio.to_thread(check_password, stored, password)


def _audit(tx: Tx, name: str, action: str, detail: str) -> None:
    actor = Session(name, "", tx.now.utc).actor
    audit.note(tx.connection, tx.now, actor, action, actor, detail)
