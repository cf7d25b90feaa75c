"""The service over HTTP: the providers' APIs, a control API for tests, and a page with the phones."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import Lifespan

from firmware_sim.clock import utc
from firmware_sim.errors import Unfit
from firmware_sim.phone.model import Message
from firmware_sim.phone.network import Network, api_time
from firmware_sim.providers.all import PROVIDERS
from firmware_sim.providers.manners import Manners

_HERE = Path(__file__).parent
_PAGES = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE), autoescape=True)
_ASSETS = {"page.css": "text/css", "page.js": "text/javascript"}


class Service:
    """The HTTP face of a network.

    Args:
        network: The phones behind it.
        user: User name of every API; Twilio's account SID.
        password: Password of every API; Twilio's token.
    """

    def __init__(self, network: Network, user: str, password: str) -> None:
        self._network = network
        self.providers = {each.name: each(network, user, password) for each in PROVIDERS}

    def app(self, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
        """Return the application."""
        apis = [route for api in self.providers.values() for route in api.routes()]
        routes = [
            *apis,
            Route("/", self._page),
            Route("/assets/{name}", self._asset),
            Route("/phones", self._phones),
            Route("/phones/{number}/reply", self._reply, methods=["POST"]),
            Route("/phones/{number}/press", self._press, methods=["POST"]),
            Route("/phones/{number}/behaviour", self._behaviour, methods=["POST"]),
            Route("/behaviour", self._behaviour, methods=["POST"]),
            Route("/providers", self._manners),
            Route("/providers/{name}/behaviour", self._mannered, methods=["POST"]),
            Route("/messages", self._messages),
            Route("/events", self._events),
        ]
        return Starlette(routes=routes, lifespan=lifespan)

    def mannered(self, name: str, given: Mapping[str, object]) -> Manners:
        """Change how a provider behaves, and return its new manners.

        Raises:
            Unfit: There is no such provider, or no such behaviour.
        """
        if name not in self.providers:
            raise Unfit(f"no provider {name!r}; known: {', '.join(self.providers)}")
        api = self.providers[name]
        api.manners = api.manners.changed(given)
        return api.manners

    async def close(self) -> None:
        """End open streams and hanging answers."""
        for api in self.providers.values():
            api.close()
        await self._network.stop()

    async def _page(self, _request: Request) -> Response:
        template = _PAGES.get_template("page.html")
        phones = list(self._network.phones.values())
        bubbles = {phone.number: [_bubble(m) for m in self._of(phone.number)] for phone in phones}
        return HTMLResponse(template.render(phones=phones, bubbles=bubbles))

    async def _asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _ASSETS:
            return PlainTextResponse("not found", 404)
        return FileResponse(_HERE / name, media_type=_ASSETS[name])

    async def _phones(self, _request: Request) -> Response:
        return JSONResponse(
            [
                {
                    "number": phone.number,
                    "label": phone.label,
                    "behaviour": asdict(phone.behaviour),
                    "messages": [_plain(message) for message in self._of(phone.number)],
                }
                for phone in self._network.phones.values()
            ]
        )

    async def _reply(self, request: Request) -> Response:
        try:
            given = await _object(request)
            seems = given.get("from")
            message = self._network.reply(
                request.path_params["number"], str(given.get("message", "")), str(seems) if seems else None
            )
        except Unfit as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(_plain(message))

    async def _press(self, request: Request) -> Response:
        try:
            given = await _object(request)
            self._network.press(request.path_params["number"], str(given.get("key", "")))
        except Unfit as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({})

    async def _manners(self, _request: Request) -> Response:
        return JSONResponse({name: asdict(api.manners) for name, api in self.providers.items()})

    async def _mannered(self, request: Request) -> Response:
        try:
            manners = self.mannered(request.path_params["name"], await _object(request))
        except Unfit as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(asdict(manners))

    async def _behaviour(self, request: Request) -> Response:
        try:
            number = request.path_params.get("number")
            behaviour = await self._network.behave(number, await _object(request))
        except Unfit as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(asdict(behaviour))

    async def _messages(self, _request: Request) -> Response:
        return JSONResponse([_plain(message) for message in self._network.messages])

    async def _events(self, request: Request) -> Response:
        as_page = request.query_params.get("as") == "page"
        return StreamingResponse(self._stream(as_page=as_page), media_type="text/event-stream")

    async def _stream(self, *, as_page: bool) -> AsyncIterator[str]:
        # A comment first, so that the client knows at once that it is connected.
        yield ": hello\n\n"
        async for message in self._network.changes():
            data = _for_page(message) if as_page else _plain(message)
            yield f"event: message\nid: {message.id}\ndata: {json.dumps(data)}\n\n"

    def _of(self, number: str) -> list[Message]:
        return [message for message in self._network.messages if number in {message.to, message.sender}]


async def _object(request: Request) -> Mapping[str, object]:
    try:
        given = await request.json()
    except ValueError as error:
        raise Unfit("the body must be JSON") from error
    if not isinstance(given, dict):
        raise Unfit("the body must be a JSON object")
    return given


def _plain(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "direction": message.direction,
        "from": message.sender,
        "to": message.to,
        "message": message.message,
        "status": message.status,
        "provider": message.provider,
        "created": api_time(message.at_s),
        "mono_s": message.mono_s,
        "log": [{"status": status, "at": api_time(at_s)} for status, at_s in message.log],
    }


_SHOWN = {"delivered", "received", "told", "completed"}


def _bubble(message: Message) -> dict[str, object]:
    """Return what the page shows of a message."""
    return {
        "id": message.id,
        "mine": message.direction == "incoming",
        "text": message.message,
        "time": utc(message.at_s).isoformat(timespec="seconds"),
        "status": message.status,
        "faint": message.status not in _SHOWN,
    }


def _for_page(message: Message) -> dict[str, object]:
    phone = message.sender if message.direction == "incoming" else message.to
    html = _PAGES.get_template("bubble.html").render(bubble=_bubble(message))
    return {"phone": phone, "id": message.id, "html": html}
