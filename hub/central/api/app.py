"""The centre's HTTP side, put together in one place."""

import logging
from collections.abc import Mapping
from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from hub.central import console
from hub.central.api import calendar, errors, health, history, incidents, shifts
from hub.central.api import hooks as provider_hooks
from hub.central.api.guard import signed_in
from hub.central.api.headers import SecurityHeaders
from hub.central.api.hooks import Desk
from hub.central.api.services import Check, Services
from hub.central.centre import Centre
from hub.central.console import devices, events, login, pages, reports
from hub.central.console import maintenance as upkeep_forms
from hub.central.console import shifts as shift_page
from hub.central.history import History
from hub.central.links import page as link_page
from hub.central.maintenance import api as maintenance
from hub.central.metrics import route as metrics
from hub.central.push import page as push

log = logging.getLogger(__name__)

_STATIC = Path(console.__file__).parent / "static"
_BODY_BYTES = 65_536
_PUBLIC = (
    health.router,
    metrics.router,
    provider_hooks.router,
    login.public,
    link_page.router,
    push.public,
    calendar.router,
)
# Whatever stands here is behind the login, whether or not its routes ask for the session themselves.
_PRIVATE = (
    login.router,
    pages.router,
    reports.router,
    shift_page.router,
    upkeep_forms.router,
    devices.router,
    events.router,
    incidents.router,
    maintenance.router,
    history.router,
    shifts.router,
    push.router,
)


def create_app(
    centre: Centre,
    past: History,
    *,
    hooks: Desk,
    secure_cookies: bool,
    checks: Mapping[str, Check] | None = None,
    gauges: metrics.Gauges | None = None,
) -> FastAPI:
    """Make the web application of a centre.

    Args:
        centre: Store, clock, site and bulletin.
        past: Who knows the residents' observations.
        hooks: Where the providers call.
        secure_cookies: The console is served over https; cookies are then for https only.
        gauges: What ``/metrics`` shows besides the store, and to whom.
        checks: Named questions that ``/health/ready`` asks besides the store; they must not wait.

    Returns:
        The application. Its live pages hold their connections open: before the server is told to end, set
        ``app.state.services.ended``, or give uvicorn a ``timeout_graceful_shutdown``.
    """
    app = FastAPI(
        title="Welfare hub",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        max_body_size=_BODY_BYTES,
    )
    app.state.centre = centre
    app.state.hooks = hooks
    app.state.services = Services(centre=centre, history=past, secure_cookies=secure_cookies, checks=checks or {})
    app.add_middleware(SecurityHeaders, https=secure_cookies)
    errors.add_handlers(app)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.state.gauges = gauges or metrics.Gauges()
    for router in _PUBLIC:
        app.include_router(router)
    for router in _PRIVATE:
        app.include_router(router, dependencies=[Depends(signed_in)])
    return app
