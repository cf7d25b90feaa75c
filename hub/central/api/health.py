"""Whether the centre lives and whether it can do its work; public, and says nothing about anybody."""

import asyncio
import logging

import sqlalchemy as sa
from fastapi import APIRouter, Response, status

from hub.central.api.services import Of
from hub.domain.errors import TransientError

log = logging.getLogger(__name__)
router = APIRouter(prefix="/health")

# A store that says nothing is none; who asks (a load balancer, a script) is seldom more patient.
_PATIENCE_S = 3.0


@router.get("/live")
async def live() -> dict[str, bool]:
    """Answer at all."""
    return {"live": True}


@router.get("/ready")
async def ready(of: Of, response: Response) -> dict[str, object]:
    """Ask the store and every named check; 503 when one of them says no."""
    checks = {"store": await _store_answers(of)}
    checks |= {name: bool(check()) for name, check in of.checks.items()}
    if not all(checks.values()):
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return {"ready": all(checks.values()), "checks": checks}


async def _store_answers(of: Of) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await of.centre.store.read(lambda connection: connection.execute(sa.select(1)))
    except (TransientError, TimeoutError) as error:
        log.warning("not ready: %s", error or "the store does not answer")
        return False
    return True
