"""Every error as a small answer that says what to do: a page for people, JSON for programs."""

import logging
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request, Response, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from hub.central.api.guard import NotSignedInError
from hub.central.api.services import reader
from hub.domain.errors import RefusedError, TransientError

log = logging.getLogger(__name__)

_PROGRAMS = ("/api/", "/health/", "/hooks/", "/events/")
_RETRY_S = "5"


def add_handlers(app: FastAPI) -> None:
    """Teach an app to answer errors."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(NotSignedInError, _sign_in)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(TransientError, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


def answer(request: Request, code: int, sentence: str = "", headers: dict[str, str] | None = None) -> Response:
    """Return an error as the caller can read it; without a sentence, what is always said of this code."""
    written_for = reader(request, None)
    words = written_for.words
    known = str(code) if words.name("error", code) != str(code) else "400" if code < 500 else "500"
    sentence = sentence or words(f"error.{known}")
    if _is_program(request):
        return JSONResponse({"error": sentence}, code, headers)
    page = written_for.page("error.html", at="" if request.method == "GET" else "/", sentence=sentence)
    return HTMLResponse(page, code, headers)


def _is_program(request: Request) -> bool:
    return request.url.path.startswith(_PROGRAMS)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
    headers = dict(error.headers) if error.headers else None
    return answer(request, error.status_code, detail, headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    places = [problem["loc"] for problem in error.errors()]
    if any(place[0] == "path" for place in places):
        return answer(request, status.HTTP_404_NOT_FOUND)
    # Which field and why; what was sent is not repeated, it may be a password.
    told = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
    return answer(request, status.HTTP_400_BAD_REQUEST, told if _is_program(request) else "")


async def _sign_in(request: Request, error: Exception) -> Response:
    del error
    if _is_program(request):
        return JSONResponse({"error": "sign in first: POST /login"}, status.HTTP_401_UNAUTHORIZED)
    after = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = "/login" if after == "/" or request.method != "GET" else f"/login?next={quote(after)}"
    return RedirectResponse(target, status.HTTP_303_SEE_OTHER)


async def _refused(request: Request, error: Exception) -> Response:
    sentence = str(error)
    if not _is_program(request):
        written_for = reader(request, None)
        sentence = written_for.words("refused.other", sentence=written_for.said(sentence))
    return answer(request, status.HTTP_409_CONFLICT, sentence)


async def _unavailable(request: Request, error: Exception) -> Response:
    log.error("%s %s: %s", request.method, request.url.path, error)
    return answer(request, status.HTTP_503_SERVICE_UNAVAILABLE, headers={"Retry-After": _RETRY_S})


async def _unexpected(request: Request, error: Exception) -> Response:
    del error  # the server logs it with its traceback
    return answer(request, status.HTTP_500_INTERNAL_SERVER_ERROR)
