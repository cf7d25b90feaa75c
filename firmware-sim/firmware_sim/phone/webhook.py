"""Calls of the service to whoever sends messages through it, tried until they are accepted."""

import asyncio
import itertools
import logging
import ssl
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple
from urllib.parse import urlencode

import httpx

from firmware_sim.clock import Clock

log = logging.getLogger(__name__)

_ACCEPTED = range(200, 205)
#: 46elks keeps trying a webhook for at least 6 hours and at least 5 times; the steps are ours.
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.25, 30.0
_GIVE_UP_S, _FEWEST_TRIES = 6 * 3600.0, 5
_WEBHOOK_TIMEOUT_S = 10.0
_FORM = "application/x-www-form-urlencoded"


class Webhook(NamedTuple):
    """One call to make.

    Attributes:
        url: Where to.
        content: Its body.
        headers: Besides the usual ones.
        method: GET or POST.
        retried: Whether this provider calls again when it is not accepted.
    """

    url: str
    content: bytes = b""
    headers: Mapping[str, str] = {}
    method: str = "POST"
    retried: bool = True


def form(url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Webhook:
    """Return a webhook that posts a form."""
    return Webhook(url, urlencode(fields).encode(), {"content-type": _FORM, **(headers or {})})


@cache
def _trusted() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


class Caller:
    """Makes the calls.

    Args:
        clock: The simulator's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=_WEBHOOK_TIMEOUT_S, trust_env=False, verify=_trusted())

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def call(self, webhook: Webhook, about: str) -> str | None:
        """Make a call until it is accepted and return the answer's text; ``None`` when given up."""
        started_s, wait_s = self._clock.mono_s(), _FIRST_RETRY_S
        for tries in itertools.count(1):
            why = await self._once(webhook)
            if isinstance(why, httpx.Response):
                return why.text
            given_up = tries >= _FEWEST_TRIES and self._clock.mono_s() - started_s > _GIVE_UP_S
            if given_up or not webhook.retried:
                log.error("webhook about %s given up after %d tries: %s", about, tries, why)
                break
            log.warning("webhook about %s: %s, again in %.1f s", about, why, wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_RETRY_S)
        return None

    async def _once(self, webhook: Webhook) -> httpx.Response | str:
        try:
            answer = await self._client.request(
                webhook.method, webhook.url, content=webhook.content, headers=dict(webhook.headers)
            )
        except httpx.TransportError as error:
            return type(error).__name__
        return answer if answer.status_code in _ACCEPTED else f"HTTP {answer.status_code}"
