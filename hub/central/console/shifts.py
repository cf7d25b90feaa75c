"""The page of shifts: who has the phone, who comes next, and the button that confirms a shift."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status
from fastapi.responses import RedirectResponse

from hub.central.api.guard import SignedIn
from hub.central.api.services import Of, Services, reader, respond
from hub.central.console import duty, scene
from hub.central.console.render import Reader
from hub.central.shifts import confirm
from hub.domain.errors import RefusedError

router = APIRouter(prefix="/shifts")


@router.get("")
async def page(request: Request, of: Of, session: SignedIn) -> Response:
    """Show who is on call, zone by zone."""
    return await _page(request, of, reader(request, session))


@router.post("/{number}/confirm")
async def confirmed(
    request: Request, of: Of, session: SignedIn, number: Annotated[int, Path(ge=1, le=2**53)]
) -> Response:
    """Confirm a shift, then show the page; a refusal is shown as a sentence."""
    written_for = reader(request, session)
    try:
        await of.centre.transact(lambda tx: confirm.by_user(tx, number, session.actor), urgent=True)
    except RefusedError as error:
        # A second tap is not an error.
        if await of.centre.store.read(lambda connection: duty.confirmed_by(connection, number)) != session.actor:
            return await _page(request, of, written_for, str(error))
    return RedirectResponse(f"/shifts{written_for.keep}", status.HTTP_303_SEE_OTHER)


async def _page(request: Request, of: Services, written_for: Reader, refusal: str = "") -> Response:
    site = of.centre.site
    shown = await of.centre.store.read(
        lambda connection: scene.shifts(connection, site, written_for.only, written_for.now)
    )
    page = written_for.page(
        "shifts.html",
        here="shifts",
        at="/shifts",
        scene=shown,
        refusal=written_for.words("refused.other", sentence=written_for.said(refusal)) if refusal else "",
    )
    return respond(request, page, status.HTTP_409_CONFLICT if refusal else status.HTTP_200_OK)
