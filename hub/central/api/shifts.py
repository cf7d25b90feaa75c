"""Shifts in the console: which last, and the button that confirms one."""

from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request, Response, status

from hub.central.api.guard import SignedIn
from hub.central.api.services import services
from hub.central.shifts import confirm
from hub.central.store.tables import shifts
from hub.domain.errors import RefusedError, TransientError

router = APIRouter(prefix="/api/shifts")

_SHOWN = ("id", "zone", "role", "phone", "asked_at", "until", "confirmed_at", "confirmed_by", "leader_told")


@router.get("")
async def lasting(request: Request, session: SignedIn) -> list[dict[str, Any]]:
    """Return the shifts that last, by zone and role; phones by their ids."""
    del session
    query = sa.select(*(shifts.c[name] for name in _SHOWN)).where(shifts.c.open_key.is_not(None))
    rows = await services(request).centre.store.read(
        lambda connection: connection.execute(query.order_by(shifts.c.zone, shifts.c.role)).all()
    )
    return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name begins so


@router.post("/{number}/confirm")
async def confirmed(request: Request, session: SignedIn, number: int) -> Response:
    """Confirm a shift for whoever has it.

    Raises:
        HTTPException: 409, there is none or it is confirmed already; 503, the store cannot be reached.
    """
    try:
        await services(request).centre.transact(lambda tx: confirm.by_user(tx, number, session.actor))
    except RefusedError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, str(error)) from error
    except TransientError as error:
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE) from error
    return Response(status_code=status.HTTP_204_NO_CONTENT)
