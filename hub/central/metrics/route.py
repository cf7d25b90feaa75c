"""``/metrics``: for a reader with the token, or on this very machine."""

import asyncio
import ipaddress
import logging
import secrets
from collections.abc import Callable, Mapping
from functools import partial

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response, status
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from hub.central.api.services import Of
from hub.central.metrics import figures
from hub.central.metrics.figures import Figures
from hub.central.metrics.text import write
from hub.domain.errors import TransientError

log = logging.getLogger(__name__)
router = APIRouter()

# Shorter than Prometheus' own patience (10 s), so that a store that hangs is seen as one.
_PATIENCE_S = 5.0
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """What ``/metrics`` shows besides the store, and to whom.

    Attributes:
        token: Bearer token that a reader must bring; ``None``: readers on this machine only.
        ages: Returns how long the oldest in each queue in memory has waited.
        fit: Tells whether the auditor can be relied on.
    """

    token: str | None = None
    ages: Callable[[], Mapping[str, float]] = dict
    fit: Callable[[], bool] = lambda: True


@router.get("/metrics")
async def metrics(of: Of, request: Request) -> Response:
    """Return the figures."""
    gauges: Gauges = request.app.state.gauges
    if not _may_read(request, gauges.token):
        raise HTTPException(status.HTTP_403_FORBIDDEN)
    centre = of.centre
    look = partial(figures.take, now=centre.clock.now().utc, owner=centre.owner)
    seen: Figures | None = None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            seen = await centre.store.read(look)
    except (TransientError, TimeoutError) as error:
        log.warning("metrics without the store: %s", error or "it does not answer")
    return Response(write(seen, gauges.ages(), fit=gauges.fit()), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_read(request: Request, token: str | None) -> bool:
    if token is not None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        return secrets.compare_digest(given.encode(), token.encode())
    # Behind a proxy on this machine everybody comes from here.
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    return ipaddress.ip_address(request.client.host).is_loopback
