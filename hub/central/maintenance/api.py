"""Maintenance as JSON: what is under way, beginning one, ending one."""

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hub.central.api.guard import SignedIn
from hub.central.api.services import Of
from hub.central.maintenance import service

router = APIRouter(prefix="/api/maintenance")
Number = Annotated[int, Path(ge=1, le=2**53)]


class Wanted(BaseModel):
    """The body of a maintenance to begin. Instants name their offset."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["hub", "device", "zone"]
    subject: str = Field(max_length=64)
    reason: str = Field(max_length=600)
    until: AwareDatetime
    since: AwareDatetime | None = None


@router.get("")
async def listed(of: Of, _session: SignedIn) -> dict[str, Any]:
    """Return what is under way or to come, the one that ends first at the top."""
    rows = await of.centre.store.read(service.listed)
    return {"maintenance": msgspec.to_builtins(rows)}


@router.post("", status_code=201)
async def add(of: Of, session: SignedIn, wanted: Wanted) -> dict[str, Any]:
    """Begin a maintenance; 409 with the reason when it cannot be."""
    until = wanted.until.astimezone(dt.UTC)
    since = wanted.since.astimezone(dt.UTC) if wanted.since else None
    begun = await of.centre.transact(
        lambda tx: service.add(
            tx, wanted.kind, wanted.subject, wanted.reason, session.actor, until=until, since=since
        )
    )
    return dict(msgspec.to_builtins(begun))


@router.post("/{number}/end")
async def end(of: Of, session: SignedIn, number: Number) -> dict[str, Any]:
    """End a maintenance; 409 with the reason when there is none under way."""
    ended = await of.centre.transact(lambda tx: service.end(tx, number, session.actor))
    return dict(msgspec.to_builtins(ended))
