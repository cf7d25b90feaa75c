"""The centre's own side of push: settings whose push service is the simulated one."""

import contextlib
import re
from collections.abc import AsyncIterator

from firmware_sim.clock import SystemClock
from firmware_sim.providers.webpush import PushService
from hub.central.notify.channels.base import Subscription
from hub.central.notify.channels.webpush import Settings, WebPush, new_key
from hub.central.store.tables import messages
from tests.fakes.centre import DeskCentre
from tests.fakes.serving import serving
from tests.fakes.site import SITE

_STEP = 'steps = [{ roles = ["duty"], wait_s = 180 }'
# Whose first step pushes, and whose second one texts.
PUSHED = SITE.replace(
    _STEP, 'steps = [{ roles = ["duty"], channels = ["push", "sms"], wait_s = 20 }, ' + _STEP[9:]
)
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
    return WebPush(Settings(private_key=private_key or new_key(), contact=CONTACT, own_services=(service.url,)))


def subscribed(service: PushService, webpush: WebPush, number: int = 1) -> Subscription:
    """Return what a browser says of itself once it has subscribed."""
    given = service.subscribe(webpush.public_key)
    keys = given["keys"]
    assert isinstance(keys, dict)
    return Subscription(id=number, endpoint=str(given["endpoint"]), p256dh=keys["p256dh"], auth=keys["auth"])


async def code_of(desk: DeskCentre) -> str:
    """Return the code that was texted last, which nothing but the text holds."""
    rows = await desk.rows(messages, messages.c.channel == "sms", messages.c.role == "push")
    found = re.search(r"[0-9]{6}", max(rows, key=lambda row: int(row.id)).text)
    assert found
    return found[0]
