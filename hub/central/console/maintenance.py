"""The forms that begin and end a maintenance."""

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Response, status
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from hub.central.api.guard import SignedIn
from hub.central.api.services import Of, inside
from hub.central.maintenance import service
from hub.central.maintenance.api import Number
from hub.central.maintenance.holding import BROKEN

router = APIRouter(prefix="/maintenance")
_MOST_HOURS = service.MOST // dt.timedelta(hours=1)

Path = Annotated[str, Form(max_length=200)]


class Wanted(BaseModel):
    """What the form of a maintenance brings along.

    Attributes:
        broken: The device is not to be believed: its care alarms become faults.
        back: The page that the form stands on.
    """

    kind: Literal["hub", "device"]
    subject: str = Field(max_length=64)
    reason: str = Field(default="", max_length=480)
    hours: int = Field(ge=1, le=_MOST_HOURS)
    broken: bool = False
    back: str = Field(default="/", max_length=200)


@router.post("")
async def begin(of: Of, session: SignedIn, wanted: Annotated[Wanted, Form()]) -> Response:
    """Begin a maintenance, then show the page that the form stands on.

    Raises:
        RefusedError: It cannot be; the sentence says why.
    """
    reason = f"{BROKEN}: {wanted.reason.strip()}" if wanted.broken else wanted.reason
    until = of.centre.clock.now().utc + dt.timedelta(hours=wanted.hours)
    await of.centre.transact(
        lambda tx: service.add(tx, wanted.kind, wanted.subject, reason, session.actor, until=until), urgent=True
    )
    return RedirectResponse(inside(wanted.back), status.HTTP_303_SEE_OTHER)


@router.post("/{number}/end")
async def end(of: Of, session: SignedIn, number: Number, back: Path = "/") -> Response:
    """End a maintenance now, then show the page that the button stands on.

    Raises:
        RefusedError: There is none of this number, or it has ended.
    """
    await of.centre.transact(lambda tx: service.end(tx, number, session.actor), urgent=True)
    return RedirectResponse(inside(back), status.HTTP_303_SEE_OTHER)
