"""What the APIs of all providers share: credentials, the faults of the moment, and answers that break."""

import asyncio
import base64
import binascii
import hmac
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from firmware_sim.phone.model import Message
from firmware_sim.phone.network import Network
from firmware_sim.phone.webhook import Webhook
from firmware_sim.providers.manners import Manners

Handler = Callable[[Request], Awaitable[Response]]

_LOGIN = "<!doctype html><title>Guest network</title><form>Please log in</form>"
_RETRY_AFTER_S = 2
_DRIP_S = 0.05


class Api(ABC):
    """The face of one provider.

    Args:
        network: The phones behind it.
        user: API user name.
        password: API password.
    """

    name: str

    def __init__(self, network: Network, user: str, password: str) -> None:
        self.network = network
        self.manners = Manners()
        self.user = user
        self.password = password
        self._closing = asyncio.Event()
        network.join(self)

    @abstractmethod
    def routes(self) -> list[Route]:
        """Return its API's paths."""

    @abstractmethod
    def refusal(self, code: int | None, what: str) -> Response:
        """Return how it refuses a ``number``, an ``account``, or with a code of its own."""

    @abstractmethod
    def report(self, message: Message, url: str | None) -> Webhook | None:
        """Return how it tells what became of a message."""

    @abstractmethod
    def inbound(self, message: Message) -> Webhook | None:
        """Return how it tells that a phone sent a message."""

    def answered(self, body: str) -> str:
        """Return what of the answer to that goes back to the phone."""
        return body

    def close(self) -> None:
        """End hanging answers."""
        self._closing.set()

    def post(self, path: str, handler: Handler) -> Route:
        """Return a path of the API, with the faults of the moment on the way to it."""

        async def endpoint(request: Request) -> Response:
            fault, self.manners = self.manners.taken()
            return await self._faulty(fault, request, handler)

        return Route(path, endpoint, methods=["POST"])

    async def phone_faults(self, number: str) -> Response | None:
        """Misbehave towards one number, if its phone is set so."""
        if self.network.take(number, "hang_next"):
            await self._closing.wait()
        if self.network.take(number, "refuse_next"):
            return PlainTextResponse("Service Unavailable", 503)
        return None

    def basic(self, request: Request) -> bool:
        """Tell whether the request bears the right credentials as basic authentication."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        try:
            known = f"{self.user}:{self.password}".encode()
            return scheme.lower() == "basic" and hmac.compare_digest(base64.b64decode(given), known)
        except binascii.Error:
            return False

    async def _faulty(self, fault: str, request: Request, handler: Handler) -> Response:
        plain: Mapping[str, Callable[[], Response]] = {
            "unavailable": lambda: PlainTextResponse("Service Unavailable", 503),
            "error": lambda: PlainTextResponse("Internal Server Error", 500),
            "busy": lambda: PlainTextResponse("Too Many Requests", 429, {"retry-after": str(_RETRY_AFTER_S)}),
            "login": lambda: HTMLResponse(_LOGIN),
            "garbage": lambda: JSONResponse([1, 2, 3]),
        }
        if fault in plain:
            return plain[fault]()
        if fault == "hang":
            await self._closing.wait()
        if fault in {"number", "account"}:
            return self.refusal(None, fault)
        if fault.startswith("code "):
            return self.refusal(int(fault.removeprefix("code ")), "code")
        before = len(self.network.messages)
        answer = await handler(request)
        if fault == "early":
            for message in self.network.messages[before:]:
                await self.network.settle(message)
        return Broken(answer, self._closing, slow=fault == "slow") if fault in {"cut", "slow"} else answer


class Broken(Response):
    """An answer of which only the beginning comes: then the connection breaks, or it drips without end.

    Args:
        whole: The answer it would have been.
        closing: Ends the dripping.
        slow: It drips.
    """

    def __init__(self, whole: Response, closing: asyncio.Event, *, slow: bool) -> None:
        super().__init__(bytes(whole.body), whole.status_code)
        self._closing = closing
        self._slow = slow

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the beginning. A server that sees the rest missing closes the connection."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000000")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body[:1], "more_body": True})
        while self._slow and not self._closing.is_set():
            await asyncio.sleep(_DRIP_S)
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
