"""LINK Mobility: texts over its "Common" REST API (SMS REST API, MT and Delivery Reports 2.4; MO messages)."""

import json
from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from firmware_sim.clock import utc
from firmware_sim.phone.model import Message, is_number, parts
from firmware_sim.phone.webhook import Webhook
from firmware_sim.providers.api import Api

_QUEUED, _DELIVERED, _NOT_DELIVERED, _UNKNOWN_SUBSCRIBER = 1005, 1001, 1006, 2104
_TONS = frozenset({"MSISDN", "ALPHANUMERIC", "SHORTNUMBER"})
_JSON: Mapping[str, str] = MappingProxyType({"content-type": "application/json"})


class Link(Api):
    """The LINK Mobility API."""

    name = "link"

    def routes(self) -> list[Route]:
        """Return its API's path."""
        return [self.post("/sms/send", self._send)]

    def refusal(self, code: int | None, what: str) -> Response:
        """Return how it refuses, with one of its result codes."""
        if what == "account":
            return _refused(403, 106101, "Access denied")
        return _refused(400, code or 2106, "Refused")

    def report(self, message: Message, _url: str | None) -> Webhook | None:
        """Return the delivery report to the gate; only the end is reported."""
        if not self.manners.hooks or message.status not in {"delivered", "failed"}:
            return None
        known = message.to in self.network.phones
        code = _DELIVERED if message.status == "delivered" else _NOT_DELIVERED if known else _UNKNOWN_SUBSCRIBER
        count = parts(message.message)
        return _json(
            f"{self.manners.hooks}/delivery",
            {
                "refId": message.ref,
                "id": message.id if count == 1 else f"{message.id}$1",
                "operator": "no.telenor",
                "sentTimestamp": _instant(message.at_s),
                "timestamp": _instant(message.log[-1][1]),
                "resultCode": code,
                "operatorResultCode": "0",
                "segments": count,
            },
        )

    def inbound(self, message: Message) -> Webhook | None:
        """Return the call about a text to the gate."""
        if not self.manners.hooks:
            return None
        return _json(
            f"{self.manners.hooks}/inbound",
            {
                "messageId": message.id,
                "source": message.sender,
                "destination": message.to,
                "content": {"type": "TEXT", "encoding": "GSM", "userData": message.message},
                "operator": "no.telenor",
                "timestamp": _instant(message.at_s),
            },
        )

    def answered(self, _body: str) -> str:
        """Return nothing: the answer to a text is not sent on."""
        return ""

    async def _send(self, request: Request) -> Response:
        if not self.basic(request):
            return _refused(401, 106100, "Invalid authentication")
        try:
            order = json.loads(await request.body())
        except ValueError:
            return _refused(400, 106000, "Unknown error")
        if problem := _problem(order):
            return _refused(400, *problem)
        if fault := await self.phone_faults(order["destination"]):
            return fault
        text, ref = str(order.get("userData", "")), str(order.get("refId", ""))
        message = self.network.send(order["source"], order["destination"], text, None, provider=self.name, ref=ref)
        answer = {"messageId": message.id, "resultCode": _QUEUED, "description": "Queued", "smsCount": parts(text)}
        return JSONResponse(answer)


def _problem(order: Mapping[str, object]) -> tuple[int, str] | None:
    if not order.get("platformId"):
        return 106200, "Invalid or missing platformId"
    if not order.get("platformPartnerId"):
        return 106201, "Invalid or missing platformPartnerId"
    if not order.get("source") or order.get("sourceTON", "ALPHANUMERIC") not in _TONS:
        return 2000, "Invalid source"
    if not is_number(str(order.get("destination", ""))):
        return 2106, "Number error"
    if order.get("useDeliveryReport", True) and not order.get("deliveryReportGates"):
        return 106204, "Specified gate not available"
    return None


def _refused(status: int, code: int, description: str) -> Response:
    return JSONResponse({"status": code, "description": description}, status)


def _json(url: str, said: Mapping[str, object]) -> Webhook:
    return Webhook(url, json.dumps(said).encode(), _JSON)


def _instant(wall_s: float) -> str:
    return utc(wall_s).isoformat(timespec="seconds")
