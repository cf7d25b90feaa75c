"""Incidents as JSON, for other systems of the municipality."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, HTTPException, status
from pydantic import BaseModel, ConfigDict, Field

from hub.central.api import acts
from hub.central.api.guard import SignedIn
from hub.central.api.services import Of
from hub.central.console.pages import Number
from hub.central.console.scene import Act
from hub.central.incidents import view
from hub.central.incidents.lifecycle import OUTCOMES, Cause, Event, Outcome

router = APIRouter(prefix="/api/incidents")


class Ending(BaseModel):
    """The body of a closing; of the other events only the note is used."""

    model_config = ConfigDict(extra="forbid")

    outcome: Outcome | None = None
    cause: Cause | None = None
    note: str = Field(default="", max_length=500, pattern=r"^[^\x00]*$")
    presses: int | None = Field(default=None, ge=0, le=2**53)


@router.get("")
async def listed(of: Of, session: SignedIn) -> dict[str, Any]:
    """Return the open incidents, the most urgent first."""
    await acts.seen(of.centre, session, "incidents.read", "zone:*")
    cards = await of.centre.store.read(view.open_cards)
    return {"incidents": msgspec.to_builtins(cards)}


@router.get("/{number}")
async def one(of: Of, session: SignedIn, number: Number) -> dict[str, Any]:
    """Return one incident with its history, messages and observations."""
    story = await _story(of, number)
    await acts.seen(of.centre, session, "incident.read", f"incident:{number}")
    return dict(msgspec.to_builtins(story))


@router.post("/{number}/{event}")
async def act(
    of: Of, session: SignedIn, number: Number, event: Act, body: Annotated[Ending | None, Body()] = None
) -> dict[str, Any]:
    """Take an incident a step further; 409 with the reason when that is refused."""
    await _story(of, number)
    body = body or Ending()
    if body.outcome is not None and body.outcome not in OUTCOMES:
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST,
            f"outcome {body.outcome} is the centre's own; use one of {', '.join(OUTCOMES)}",
        )
    ending = (body.outcome, body.cause) if body.outcome and body.cause else None
    state = await acts.act(
        of.centre, session, number, Event(event), ending=ending, note=body.note, presses=body.presses
    )
    return {"number": number, "state": state}


async def _story(of: Of, number: int) -> view.Story:
    story = await of.centre.store.read(lambda connection: view.story(connection, number))
    if story is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no incident {number}")
    return story
