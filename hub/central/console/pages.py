"""The pages of the console, and the forms on them."""

import datetime as dt
import logging
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Form, HTTPException, Path, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from hub.central.api import acts
from hub.central.api.guard import SignedIn
from hub.central.api.services import Of, Services, reader, respond
from hub.central.auth import Session
from hub.central.console import scene
from hub.central.console.render import Reader
from hub.central.incidents import view
from hub.central.incidents.lifecycle import OUTCOMES, TAKEN, Cause, Event, Outcome, State
from hub.domain.codes import Kind
from hub.domain.errors import RefusedError, TransientError

log = logging.getLogger(__name__)
router = APIRouter()

# The largest number both databases keep is far above; no incident will ever have it.
Number = Annotated[int, Path(ge=1, le=2**53)]
HISTORY_ROWS = 500
_DAY = dt.timedelta(hours=24)
# A hub whose clock is ahead is still to be seen.
_AHEAD = dt.timedelta(hours=1)
_LEADS_TO = {Event.ACKNOWLEDGE: TAKEN, Event.DEPART: {State.ON_THE_WAY}, Event.ARRIVE: {State.ARRIVED}}


class Filled(BaseModel):
    """What the form of an act brings along."""

    outcome: str = Field(default="", max_length=32)
    cause: str = Field(default="", max_length=32)
    note: str = Field(default="", max_length=500)
    presses: int | None = Field(default=None, ge=0, le=2**53)

    def ending(self) -> tuple[Outcome, Cause] | None:
        """Return outcome and cause, when both were chosen."""
        if self.outcome in OUTCOMES and self.cause in set(Cause):
            return Outcome(self.outcome), Cause(self.cause)
        return None

    def plain_note(self) -> str:
        """Return the note without what PostgreSQL cannot keep in a text."""
        return self.note.replace("\0", "").strip()


@router.get("/")
async def board(request: Request, of: Of, session: SignedIn) -> Response:
    """Show the open incidents, the most urgent first."""
    written_for = reader(request, session)
    await acts.seen(of.centre, session, "incidents.read", f"zone:{written_for.only or '*'}")
    site = of.centre.site
    shown = await of.centre.store.read(
        lambda connection: scene.board(connection, site, written_for.only, written_for.now)
    )
    return respond(request, written_for.page("board.html", here="board", scene=shown))


@router.get("/incidents/{number}")
async def incident(request: Request, of: Of, session: SignedIn, number: Number) -> Response:
    """Show one incident whole."""
    story = await _story(of, number)
    await acts.seen(of.centre, session, "incident.read", f"incident:{number}")
    return _incident_page(request, reader(request, session), story)


@router.post("/incidents/{number}/{event}")
async def act(
    request: Request,
    of: Of,
    session: SignedIn,
    number: Number,
    event: scene.Act,
    filled: Annotated[Filled, Form()],
) -> Response:
    """Take an incident a step further, then show it; a refusal is shown as a sentence."""
    written_for = reader(request, session)
    done, ending = Event(event), filled.ending()
    try:
        await acts.act(
            of.centre, session, number, done, ending=ending, note=filled.plain_note(), presses=filled.presses
        )
    except RefusedError as error:
        story = await _story(of, number)
        if _done_already(story.incident, done, session):
            return _to(number, written_for)
        sentence = _refusal(error, story.incident, written_for, asked=done, ending=ending)
        return _incident_page(request, written_for, story, sentence)
    return _to(number, written_for)


@router.get("/hubs")
async def hubs(request: Request, of: Of, session: SignedIn) -> Response:
    """Show the hubs and their devices, those in trouble first."""
    written_for = reader(request, session)
    site = of.centre.site
    shown = await of.centre.store.read(lambda connection: scene.hubs(connection, site, written_for.now))
    return respond(request, written_for.page("hubs.html", here="hubs", scene=shown))


@router.get("/residents/{resident_id}")
async def resident(request: Request, of: Of, session: SignedIn, resident_id: str, kind: str = "") -> Response:
    """Show what was observed about a resident in the last 24 hours."""
    known = of.centre.site.residents.get(resident_id)
    if known is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    await acts.seen(of.centre, session, "resident.read", f"resident:{resident_id}")
    written_for = reader(request, session)

    site = of.centre.site

    def about(connection: sa.Connection) -> tuple[list[view.Incident], scene.Scene]:
        switched_off = scene.resident(connection, site, resident_id, written_for.now)
        return view.open_about(connection, resident_id=resident_id), switched_off

    until = written_for.now.utc
    kinds = [Kind(kind)] if kind in set(Kind) else None
    try:
        rows = await of.history.observations(
            resident_id, until - _DAY, until + _AHEAD, kinds=kinds, limit=HISTORY_ROWS
        )
    except (TransientError, RefusedError) as error:
        log.warning("history of %s: %s", resident_id, error)
        rows = None
    incidents, shown = await of.centre.store.read(about)
    page = written_for.page(
        "resident.html",
        resident=known,
        devices=[device for device in site.site.devices if device.resident == resident_id],
        incidents=incidents,
        scene=shown,
        rows=rows,
        kind=kind,
        kinds=sorted(Kind, key=written_for.words.kind),
        limit=HISTORY_ROWS,
    )
    return respond(request, page)


async def _story(of: Services, number: int) -> view.Story:
    story = await of.centre.store.read(lambda connection: view.story(connection, number))
    if story is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND)
    return story


def _incident_page(request: Request, written_for: Reader, story: view.Story, refusal: str = "") -> Response:
    page = written_for.page(
        "incident.html",
        at=f"/incidents/{story.incident.id}",
        incident=story.incident,
        scene=scene.incident(story),
        refusal=refusal,
    )
    return respond(request, page, status.HTTP_409_CONFLICT if refusal else status.HTTP_200_OK)


def _to(number: int, written_for: Reader) -> Response:
    return RedirectResponse(f"/incidents/{number}{written_for.keep}", status.HTTP_303_SEE_OTHER)


def _done_already(incident: view.Incident, event: Event, session: Session) -> bool:
    """Tell whether the refused thing has been done by the same person: a second tap is not an error."""
    if event is Event.CLOSE:
        return incident.state == State.CLOSED and incident.closed_by == session.actor
    return incident.state in _LEADS_TO[event] and incident.taken_by == session.actor


def _refusal(
    error: RefusedError,
    incident: view.Incident,
    written_for: Reader,
    *,
    asked: Event,
    ending: tuple[Outcome, Cause] | None,
) -> str:
    words = written_for.words
    if incident.closed_at is not None:
        who, time = written_for.who(incident.closed_by or ""), written_for.clock(incident.closed_at)
        return words("refused.closed", who=who, time=time)
    if isinstance(error, acts.PressedMeanwhileError):
        return words("refused.pressed")
    if asked is Event.CLOSE and ending is None:
        return words("refused.choose")
    if incident.taken_by and incident.taken_at and not incident.alerting:
        who, time = written_for.who(incident.taken_by), written_for.clock(incident.taken_at)
        return words("refused.taken", who=who, time=time)
    return words("refused.other", sentence=error)
