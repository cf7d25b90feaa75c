"""The page of a link, without a login. GET and HEAD show; only the page's own form acts."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response, status
from fastapi.responses import RedirectResponse

from hub.central.api.guard import refuse_other_sites
from hub.central.api.services import Of, reader, respond
from hub.central.console.words import LANGUAGES, Words
from hub.central.incidents.lifecycle import TABLE, Event, State
from hub.central.links import service
from hub.central.links.service import ACTS, Link
from hub.central.links.tokens import PATH
from hub.central.notify import taker
from hub.central.texts import render
from hub.central.texts.alert import what
from hub.domain.errors import RefusedError

router = APIRouter(include_in_schema=False)
# As long as a token is; anything else is not even looked up.
Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]


@router.api_route(PATH + "{token}", methods=["GET", "HEAD"])
async def show(request: Request, of: Of, token: Token) -> Response:
    """Show what the link is about; nothing changes, however often it is opened."""
    now = of.centre.clock.now().utc
    link = await of.centre.store.read(lambda connection: service.find(connection, token, now))
    return _page(request, of, token, link)


@router.post(PATH + "{token}")
async def act(request: Request, of: Of, token: Token) -> Response:
    """Take the incident a step further, and show it."""
    refuse_other_sites(request)
    form = await request.form()
    brought, event = str(form.get("form", "")), str(form.get("act", ""))
    now = of.centre.clock.now().utc
    link = await of.centre.store.read(lambda connection: service.find(connection, token, now))
    if link is None or not service.is_form_token(token, brought) or event not in set(ACTS):
        return _page(request, of, token, link, refused=link is not None)
    try:
        await of.centre.transact(lambda tx: service.act(tx, token, Event(event)), urgent=True)
    except RefusedError:
        link = await of.centre.store.read(lambda connection: service.find(connection, token, now))
        return _page(request, of, token, link, refused=link is not None)
    return RedirectResponse(_address(request, token), status.HTTP_303_SEE_OTHER)


def _address(request: Request, token: str) -> str:
    """Return the page's own address, in the language that was chosen on it."""
    wished = request.query_params.get("lang")
    return f"{PATH}{token}?lang={wished}" if wished in LANGUAGES else f"{PATH}{token}"


def _page(request: Request, of: Of, token: str, link: Link | None, *, refused: bool = False) -> Response:
    site = of.centre.site
    phone = site.phones.get(link.phone) if link else None
    wished = request.query_params.get("lang")
    language = wished if wished in LANGUAGES else site.language_of(phone)
    written = msgspec.structs.replace(reader(request, None), words=Words(language))

    def say(key: str, **values: object) -> str:
        return render(language, f"link.{key}", **values)

    if link is None:
        page = written.page("link.html", link=None, say=say)
        return respond(request, str(page), status.HTTP_404_NOT_FOUND)
    possible = [event for event in ACTS if event in TABLE[State(link.state)]]
    page = written.page(
        "link.html",
        link=link,
        say=say,
        what=what(language, link.kind, link.also.split()),
        state=render(language, f"state.{link.state}"),
        mine=taker.took(link.taken_by, link.phone),
        who=taker.name(link.taken_by or "", language),
        possible=possible,
        form=service.form_token(token),
        address=_address(request, token),
        refused=refused,
    )
    return respond(request, str(page), status.HTTP_409_CONFLICT if refused else status.HTTP_200_OK)
