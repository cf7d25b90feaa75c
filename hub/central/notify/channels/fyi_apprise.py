"""Messages for information through Apprise: chat rooms, push services, webhooks (github.com/caronc/apprise).

Its libraries wait for the network in threads, each in its own way and not all with a limit. So each message has a
thread of its own that is left behind when it takes too long, and never more than a few of them: what hangs here
holds up neither the event loop, nor an alarm, nor the end of the process.
"""

import asyncio
import contextlib
import importlib.util
import logging
import threading
from collections.abc import Callable, Mapping

import msgspec

from hub.central.notify.channels import http
from hub.central.notify.channels.base import Accepted, Capability, Hookless, Outgoing
from hub.central.notify.message import FYI
from hub.domain.errors import MalformedError, PermanentError, RefusedError, TransientError

log = logging.getLogger(__name__)

NAME = "apprise"
# Far fewer than the sender's places: alarms that are tried again find one at any time.
_AT_ONCE = 4

#: Hands a text to one service and tells whether it took it.
Service = Callable[[str], bool]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """Where messages for information go.

    Attributes:
        urls: Apprise's address of each recipient, by its id in the site. They are secrets.
    """

    urls: dict[str, str]


class Apprise(Hookless):
    """Messages for information, each to one service.

    Args:
        services: By the recipient's id in the site.
        limit_s: How long an attempt may take.
    """

    name = NAME
    channel = FYI
    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, services: Mapping[str, Service], *, limit_s: float = http.TOTAL_S) -> None:
        self._services = services
        self._limit_s = limit_s
        self._running = 0

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand a message to the recipient's service, once.

        Raises:
            TransientError: The service did not take it, or not in time, or too many others still hang.
            RefusedError: The settings have no address for the recipient.
        """
        service = self._services.get(outgoing.number)
        if service is None:
            raise RefusedError(f'{NAME}: write the address of "{outgoing.number}" into "urls" of this provider')
        if self._running >= _AT_ONCE:
            raise TransientError(f"{NAME}: {_AT_ONCE} others are still under way")
        taken = self._begin(service, outgoing.text)
        try:
            async with asyncio.timeout(self._limit_s):
                await taken
        except TimeoutError as error:
            raise TransientError(f"{NAME}: no answer within {self._limit_s:g} s") from error
        if not taken.result():
            raise TransientError(f'{NAME}: the service of "{outgoing.number}" did not take it')
        return Accepted(outgoing.key)

    def _begin(self, service: Service, text: str) -> asyncio.Future[bool]:
        """Let a thread hand a text over; return what it will tell."""
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[bool] = loop.create_future()
        self._running += 1

        def ended(*, took: bool) -> None:
            self._running -= 1
            if not taken.done():
                taken.set_result(took)

        def hand_over() -> None:
            try:
                took = service(text)
            except Exception as error:  # noqa: BLE001 - the thread's boundary; a plug-in may raise anything
                # The kind of error is enough; its words may hold the address.
                log.warning("%s: %s", NAME, type(error).__name__)
                took = False
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(lambda: ended(took=took))

        # Not asyncio's own threads: the end of the process would wait for those.
        threading.Thread(target=hand_over, name=NAME, daemon=True).start()
        return taken


def make(settings: Settings, _hooks: str) -> Apprise:
    """Return the provider.

    Raises:
        PermanentError: Apprise is not installed.
        MalformedError: An address is none that Apprise knows.
    """
    if importlib.util.find_spec("apprise") is None:
        raise PermanentError(f"provider {NAME} needs Apprise: pip install 'welfare-hub[fyi]'")
    return Apprise({name: _service(name, url) for name, url in settings.urls.items()})


def _service(name: str, url: str) -> Service:
    from apprise import Apprise as Library  # noqa: PLC0415 - an extra, asked for in `make`

    service = Library.instantiate(url)
    if service is None:  # the address itself is not said: it is a secret
        raise MalformedError(f'provider {NAME}: key "urls": the address of "{name}" is none that Apprise knows')
    return lambda text: bool(service.notify(body=text))
