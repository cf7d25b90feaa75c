"""Where push is switched on and off, and what the service worker needs: itself, and a place for its receipts."""

import math
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response, status
from fastapi import Path as InPath
from fastapi.responses import FileResponse, RedirectResponse
from pydantic import BaseModel, Field

from hub.central import console
from hub.central.api import hooks
from hub.central.api.guard import SignedIn
from hub.central.api.services import Of, Services, reader, respond
from hub.central.console.render import Reader
from hub.central.notify.channels.base import Subscription
from hub.central.notify.channels.webpush import WebPush
from hub.central.push import subscriptions
from hub.domain.errors import MalformedError, RefusedError

public = APIRouter(include_in_schema=False)
router = APIRouter(prefix="/push")

# At the root: a service worker has the pages below itself.
_WORKER = Path(console.__file__).parent / "static" / "sw.js"

Number = Annotated[int, InPath(ge=1, le=2**53)]


class Asked(BaseModel):
    """What the form brings along: the phone, and what the browser says about itself."""

    phone: str = Field(default="", max_length=64)
    endpoint: str = Field(default="", max_length=2000)
    p256dh: str = Field(default="", max_length=96)
    auth: str = Field(default="", max_length=32)


class Code(BaseModel):
    """What was typed."""

    code: str = Field(default="", max_length=16)


@public.get("/sw.js")
async def worker() -> Response:
    """Return the service worker."""
    return FileResponse(_WORKER, media_type="text/javascript")


@public.post("/push/received")
async def received(request: Request) -> Response:
    """Take the receipt of a message that was shown; only the message itself bore it."""
    return await hooks.answered(request, _provider(request), "received")


@public.post("/push/read")
async def read(request: Request) -> Response:
    """Take the receipt of a message that was tapped."""
    return await hooks.answered(request, _provider(request), "read")


@router.get("")
async def page(request: Request, of: Of, session: SignedIn) -> Response:
    """Show the browsers that take pushes, and how to add this one."""
    return await _page(request, of, reader(request, session))


@router.post("/subscriptions")
async def ask(request: Request, of: Of, session: SignedIn, asked: Annotated[Asked, Form()]) -> Response:
    """Text a code to the phone that this browser is said to be on."""
    written_for = reader(request, session)
    wait_s = math.ceil(of.throttle.take(f"push:{asked.phone}", of.centre.clock.now().mono))
    if wait_s:
        return await _page(request, of, written_for, written_for.words("push.wait", seconds=wait_s))
    browser = Subscription(id=0, endpoint=asked.endpoint, p256dh=asked.p256dh, auth=asked.auth)
    try:
        _provider(request).check(browser)
        await of.centre.transact(
            lambda tx: subscriptions.ask(tx, asked.phone, browser, session.actor), urgent=True
        )
    except (MalformedError, RefusedError) as error:
        sentence = written_for.said(str(error))
        return await _page(request, of, written_for, written_for.words("push.refused", sentence=sentence))
    return _to_page()


@router.post("/subscriptions/{number}/confirm")
async def confirm(
    request: Request, of: Of, session: SignedIn, number: Number, typed: Annotated[Code, Form()]
) -> Response:
    """Let a subscription stand, if the code is right."""
    stands = await of.centre.transact(
        lambda tx: subscriptions.confirm(tx, number, typed.code, session.actor), urgent=True
    )
    if not stands:
        written_for = reader(request, session)
        return await _page(request, of, written_for, written_for.words("push.wrong_code"))
    return _to_page()


@router.post("/subscriptions/{number}/off")
async def off(
    of: Of, session: SignedIn, number: Number, endpoint: Annotated[str, Form(max_length=64)]
) -> Response:
    """Switch a subscription off: the one that the page showed, by its digest."""
    await of.centre.transact(lambda tx: subscriptions.off(tx, number, endpoint, session.actor), urgent=True)
    return _to_page()


def _provider(request: Request) -> WebPush:
    desk: hooks.Desk = request.app.state.hooks
    for provider in desk.ways:
        if isinstance(provider, WebPush):
            return provider
    raise HTTPException(status.HTTP_404_NOT_FOUND)


async def _page(request: Request, of: Services, written_for: Reader, refusal: str = "") -> Response:
    provider = _provider(request)
    site, now = of.centre.site, written_for.now.utc
    page = written_for.page(
        "push.html",
        here="push",
        at="/push",
        public_key=provider.public_key,
        rows=await of.centre.store.read(lambda connection: subscriptions.listed(connection, now)),
        phones=[phone.id for phone in site.site.phones if subscriptions.can_have(phone)],
        numbers={phone.id: phone.number for phone in site.site.phones},
        refusal=refusal,
    )
    return respond(request, page, status.HTTP_409_CONFLICT if refusal else status.HTTP_200_OK)


def _to_page() -> Response:
    return RedirectResponse("/push", status.HTTP_303_SEE_OTHER)
