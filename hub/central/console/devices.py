"""The page of one device: how it stands, and its test mode."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from hub.central.api.guard import SignedIn
from hub.central.api.services import Of, Services, inside, reader, respond
from hub.central.commissioning import mode, route
from hub.central.console import scene
from hub.central.console.render import Reader
from hub.domain.errors import MalformedError, RefusedError

router = APIRouter(prefix="/devices")
CHOICES = (10, mode.MINUTES, 60, mode.MOST_MINUTES)


class Asked(BaseModel):
    """What the form of a test mode brings along."""

    phone: str = Field(default="", max_length=64)
    minutes: int = Field(default=mode.MINUTES, ge=1, le=mode.MOST_MINUTES)


@router.get("/{device_id}")
async def device(request: Request, of: Of, session: SignedIn, device_id: str) -> Response:
    """Show how a device stands."""
    return await _page(request, of, reader(request, session), device_id)


@router.post("/{device_id}/test")
async def start(
    request: Request, of: Of, session: SignedIn, device_id: str, asked: Annotated[Asked, Form()]
) -> Response:
    """Put a device into test mode, then show it; a refusal is shown as a sentence."""
    _known(of, device_id)
    try:
        await of.centre.transact(
            lambda tx: mode.start(tx, device_id, asked.phone or None, asked.minutes, session.actor), urgent=True
        )
    except (MalformedError, RefusedError) as error:
        return await _page(request, of, reader(request, session), device_id, str(error))
    return _to(device_id)


@router.post("/{device_id}/test/end")
async def end(
    of: Of, session: SignedIn, device_id: str, back: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """End a device's test mode, then show it, or the page that the button stands on."""
    _known(of, device_id)
    await of.centre.transact(lambda tx: mode.end(tx, device_id, session.actor), urgent=True)
    return RedirectResponse(inside(back or f"/devices/{device_id}"), status.HTTP_303_SEE_OTHER)


def _known(of: Services, device_id: str) -> None:
    if device_id not in of.centre.site.devices:
        raise HTTPException(status.HTTP_404_NOT_FOUND)


async def _page(
    request: Request, of: Services, written_for: Reader, device_id: str, refusal: str = ""
) -> Response:
    _known(of, device_id)
    site = of.centre.site
    shown = await of.centre.store.read(
        lambda connection: scene.device(connection, site, device_id, written_for.now)
    )
    page = written_for.page(
        "device.html",
        here="hubs",
        at=f"/devices/{device_id}",
        device=site.devices[device_id],
        scene=shown,
        phones=[phone.id for phone in site.site.phones if route.can_be_told(phone)],
        chosen=site.site.site.test_phone,
        choices=CHOICES,
        minutes=mode.MINUTES,
        refusal=written_for.words("refused.other", sentence=written_for.said(refusal)) if refusal else "",
    )
    return respond(request, page, status.HTTP_409_CONFLICT if refusal else status.HTTP_200_OK)


def _to(device_id: str) -> Response:
    return RedirectResponse(f"/devices/{device_id}", status.HTTP_303_SEE_OTHER)
