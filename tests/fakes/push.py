"""The centre's own side of push: settings whose push service is the simulated one."""

import contextlib
from collections.abc import AsyncIterator

from firmware_sim.clock import SystemClock
from firmware_sim.providers.webpush import PushService
from hub.central.notify.channels.base import Subscription
from hub.central.notify.channels.webpush import Settings, WebPush, new_key
from tests.fakes.serving import serving

CONTACT = "mailto:operator@kommune.example"


@contextlib.asynccontextmanager
async def push_service() -> AsyncIterator[PushService]:
    """Serve a simulated push service until the block ends."""
    service = PushService(SystemClock())
    async with serving(service.app()) as service.url:
        yield service
        service.close()


def provider(service: PushService, private_key: str | None = None) -> WebPush:
    """Return the centre's provider, which may send to the simulated service besides the public ones."""
    return WebPush(
        Settings(private_key=private_key or new_key(), contact=CONTACT, own_services=(service.url,))
    )


def subscribed(service: PushService, webpush: WebPush, number: int = 1) -> Subscription:
    """Return what a browser says of itself once it has subscribed."""
    given = service.subscribe(webpush.public_key)
    keys = given["keys"]
    assert isinstance(keys, dict)
    return Subscription(id=number, endpoint=str(given["endpoint"]), p256dh=keys["p256dh"], auth=keys["auth"])
