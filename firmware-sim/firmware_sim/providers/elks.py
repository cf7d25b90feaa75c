"""46elks: texts and calls (46elks.com/docs: "Send SMS", "SMS delivery reports", "Make call", "Call actions")."""

import json
from collections.abc import Mapping
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from firmware_sim.phone.model import Message, is_number, parts
from firmware_sim.phone.network import api_time
from firmware_sim.phone.webhook import Webhook, form
from firmware_sim.providers.api import Api
from firmware_sim.providers.calls import HUNG_UP, Call

_LONGEST_SENDER_NAME = 11
_RING_S = 60
_WAIT_S, _REPEAT = 10, 3
_MOST_ACTIONS = 20


class Elks(Api):
    """The 46elks API."""

    name = "46elks"

    def routes(self) -> list[Route]:
        """Return its API's paths; the documentation writes them in both ways."""
        paths = {"/a1/sms": self._send, "/a1/SMS": self._send, "/a1/calls": self._call, "/a1/Calls": self._call}
        return [self.post(path, handler) for path, handler in paths.items()]

    def refusal(self, code: int | None, what: str) -> Response:
        """Return how it refuses: a short text; it has no codes but those of HTTP."""
        if what == "account":
            return PlainTextResponse("Not enough credits", 402)
        return PlainTextResponse("Invalid to number", code or 403)

    def report(self, message: Message, url: str | None) -> Webhook | None:
        """Return the delivery report; each message names its address."""
        if url is None:
            return None
        fields = {"id": message.id, "status": message.status}
        if message.status == "delivered":
            fields["delivered"] = api_time(message.log[-1][1])
        return form(url, fields)

    def inbound(self, message: Message) -> Webhook | None:
        """Return the call about a text; the number at 46elks has its address."""
        url = f"{self.manners.hooks}/inbound" if self.manners.hooks else self.network.incoming_url
        if url is None:
            return None
        return form(
            url,
            {
                "direction": "incoming",
                "id": message.id,
                "from": message.sender,
                "to": message.to,
                "created": api_time(message.at_s),
                "message": message.message,
            },
        )

    async def _send(self, request: Request) -> Response:
        if not self.basic(request):
            return _stranger()
        fields = await _fields(request)
        if problem := _problem(fields, "message"):
            return PlainTextResponse(problem, 403)
        if fault := await self.phone_faults(fields["to"]):
            return fault
        message = self.network.send(fields["from"], fields["to"], fields["message"], fields.get("whendelivered"))
        answer = {
            "status": "created",
            "direction": "outgoing",
            "from": message.sender,
            "created": api_time(message.at_s),
            "parts": parts(message.message),
            "to": message.to,
            "cost": message.cost,
            "message": message.message,
            "id": message.id,
        }
        return JSONResponse(answer)

    async def _call(self, request: Request) -> Response:
        if not self.basic(request):
            return _stranger()
        fields = await _fields(request)
        if problem := _problem(fields, "voice_start"):
            return PlainTextResponse(problem, 403)
        if fault := await self.phone_faults(fields["to"]):
            return fault
        message = self.network.new("outgoing-call", fields["from"], fields["to"], "", provider=self.name)
        call = Call(self.network, message, float(fields.get("timeout", _RING_S)))

        async def talk(call: Call) -> None:
            await self._talk(call, fields["voice_start"])

        async def end(taken: str) -> None:
            if url := fields.get("whenhangup"):
                await self.network.tell(message, form(url, _ended(message, taken)))

        self.network.tasks.start(call.run(talk, end), f"call {message.id}")
        return JSONResponse({**_named(message), "id": message.id, "state": "ongoing", "legs": [], "actions": []})

    async def _talk(self, call: Call, start: str) -> None:
        action = await self._action(call, start, {"result": "newoutgoing"})
        for _ in range(_MOST_ACTIONS):
            if "play" in action:
                call.say(unquote(str(action["play"])))
                result = {"result": "ok"}
            elif "ivr" in action:
                key = await _asked(call, action)
                if key == HUNG_UP:
                    return
                result = {"result": key} if key else {"result": "failed", "why": "noinput"}
            else:
                return
            if "next" not in action:
                return
            action = await self._action(call, action["next"], result)

    async def _action(self, call: Call, what: object, result: Mapping[str, str]) -> Mapping[str, object]:
        """Return an action that is given, or that an address answers with."""
        if isinstance(what, dict):
            return what
        text = str(what)
        if not text.lstrip().startswith("{"):
            fields = {**_named(call.message), "callid": call.message.id, **result}
            text = await self.network.caller.call(form(text, fields), call.message.id) or "{}"
        try:
            action = json.loads(text)
        except ValueError:
            return {}
        return action if isinstance(action, dict) else {}


async def _asked(call: Call, action: Mapping[str, object]) -> str:
    wait_s, repeat = action.get("timeout", _WAIT_S), action.get("repeat", _REPEAT)
    for _ in range(repeat if isinstance(repeat, int) else _REPEAT):
        call.say(unquote(str(action["ivr"])))
        if key := await call.key(wait_s if isinstance(wait_s, int) and 1 <= wait_s <= 30 else _WAIT_S):
            return key
    return ""


def _named(message: Message) -> dict[str, str]:
    return {
        "direction": "outgoing",
        "from": message.sender,
        "to": message.to,
        "created": api_time(message.at_s),
    }


def _ended(message: Message, taken: str) -> dict[str, str]:
    state = {"answered": "success", "busy": "busy"}.get(taken, "failed")
    return {**_named(message), "id": message.id, "state": state, "actions": "[]", "cost": "0", "duration": "0"}


def _stranger() -> Response:
    headers = {"www-authenticate": 'Basic realm="46elks API"'}
    return PlainTextResponse("API access requires Basic HTTP authentication", 401, headers)


async def _fields(request: Request) -> dict[str, str]:
    return {key: str(value) for key, value in (await request.form()).items()}


def _problem(fields: Mapping[str, str], what: str) -> str | None:
    """Return what 46elks would refuse, in its manner: a short text."""
    for key in ("from", "to", what):
        if not fields.get(key):
            return f"Missing key {key}"
    if not is_number(fields["to"]):
        return "Invalid to number"
    sender = fields["from"]
    name = sender.isalnum() and not sender[0].isdigit() and len(sender) <= _LONGEST_SENDER_NAME
    if not is_number(sender) and not name:
        return "Invalid from"
    return None
