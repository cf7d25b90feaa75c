"""Sveve: texts (sveve.no/apidok, "send" and "dlr"; sveve.no/sms-api-med-kodeord.jsp)."""

import itertools
import json
from collections.abc import Mapping
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from firmware_sim.phone.model import Message, is_number, parts
from firmware_sim.phone.network import Network
from firmware_sim.phone.webhook import Webhook
from firmware_sim.providers.api import Api

_LONGEST_TEXT, _LONGEST_REF = 1071, 36


class Sveve(Api):
    """The Sveve API."""

    name = "sveve"

    def __init__(self, network: Network, user: str, password: str) -> None:
        super().__init__(network, user, password)
        self._numbers = itertools.count(42_824_112)
        self._ids: dict[str, int] = {}

    def routes(self) -> list[Route]:
        """Return its API's path."""
        return [self.post("/SMS/SendMessage", self._send)]

    def refusal(self, code: int | None, what: str) -> Response:
        """Return how it refuses: 200 and a sentence. It has no codes."""
        if what == "account":
            return _answer(fatalError="Feil brukernavn/passord")
        if code is not None:
            return PlainTextResponse("", code)
        return _answer(msgOkCount=0, stdSMSCount=0, ids=[], errors=[_wrong("4700000012")])

    def report(self, message: Message, _url: str | None) -> Webhook | None:
        """Return the delivery report, a GET to the account's address; only the end is reported."""
        if not self.manners.hooks or message.status not in {"delivered", "failed"}:
            return None
        failed = message.status == "failed"
        fields = {
            "number": message.to.removeprefix("+"),
            "status": "false" if failed else "true",
            "id": str(self._ids[message.id]),
            "ref": message.ref,
            "errorCode": "1" if failed else "",
            "errorDesc": "Ugyldig nummer" if failed else "",
        }
        return Webhook(f"{self.manners.hooks}/delivery?{urlencode(fields)}", method="GET")

    def inbound(self, message: Message) -> Webhook | None:
        """Return the call about a reply, a GET; it bears the id of the message that is answered."""
        if not self.manners.hooks:
            return None
        fields = {"number": message.sender.removeprefix("+"), "msg": message.message}
        if message.answers in self._ids:
            fields["id"] = str(self._ids[message.answers])
        else:
            fields["shortnumber"] = message.to
        return Webhook(f"{self.manners.hooks}/inbound?{urlencode(fields)}", method="GET")

    async def _send(self, request: Request) -> Response:
        fields = await _fields(request)
        answer = await self._taken(fields)
        if fields.get("f") == "json" or answer.status_code != 200:
            return answer
        return Response(
            f"<sms><response>{escape(bytes(answer.body).decode())}</response></sms>", media_type="text/xml"
        )

    async def _taken(self, fields: Mapping[str, object]) -> Response:
        if (fields.get("user"), fields.get("passwd")) != (self.user, self.password):
            return self.refusal(None, "account")
        to, text, ref = (str(fields.get(name, "")) for name in ("to", "msg", "ref"))
        if not text or len(text) > _LONGEST_TEXT or len(ref) > _LONGEST_REF:
            return _answer(fatalError="Meldingsteksten mangler eller er for lang")
        number = to if to.startswith("+") else f"+{to}"
        if not is_number(number):
            return _answer(msgOkCount=0, stdSMSCount=0, ids=[], errors=[_wrong(to)])
        if fault := await self.phone_faults(number):
            return fault
        sender = self.network.service_number if fields.get("reply") else str(fields.get("from") or "27333")
        message = self.network.send(sender, number, text, None, provider=self.name, ref=ref)
        self._ids[message.id] = next(self._numbers)
        return _answer(msgOkCount=1, stdSMSCount=parts(text), ids=[self._ids[message.id]])


async def _fields(request: Request) -> Mapping[str, object]:
    """Return the order, from JSON or a form."""
    body = await request.body()
    if not body.lstrip().startswith(b"{"):
        return dict(await request.form())
    try:
        given = json.loads(body)
    except ValueError:
        return {}
    inner = given.get("request", given)
    return inner if isinstance(inner, dict) else {}


def _wrong(number: str) -> dict[str, str]:
    return {"number": number, "message": f"Telefonnummeret {number} er ikke gyldig"}


def _answer(**response: object) -> Response:
    return JSONResponse({"response": response})
