"""Twilio: texts and calls (twilio.com/docs: "Messages resource", "Calls resource", "TwiML", "Security")."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from firmware_sim.phone.model import Message, is_number
from firmware_sim.phone.webhook import Webhook, form
from firmware_sim.providers.api import Api
from firmware_sim.providers.calls import HUNG_UP, Call

_ACCOUNT = "/2010-04-01/Accounts/{account}"
_RING_S, _WAIT_S = 60, 5
_MOST_DOCUMENTS = 20
_STATUS = {"created": "queued", "sent": "sent", "delivered": "delivered", "failed": "undelivered"}
_UNKNOWN_PHONE, _UNREACHABLE = "30005", "30003"
_HTTP_STATUS = {20003: 401, 20404: 404, 20429: 429, 20503: 503, 21730: 503}


class Twilio(Api):
    """The Twilio API. The user is the account's SID, the password its token."""

    name = "twilio"

    def routes(self) -> list[Route]:
        """Return its API's paths."""
        return [
            self.post(f"{_ACCOUNT}/Messages.json", self._send),
            self.post(f"{_ACCOUNT}/Calls.json", self._call),
        ]

    def refusal(self, code: int | None, what: str) -> Response:
        """Return how it refuses: a code of its dictionary."""
        if what == "account":
            return _refused(20003, "Authenticate")
        return _refused(code or 21211, "The 'To' number +4700000012 is refused")

    def report(self, message: Message, url: str | None) -> Webhook | None:
        """Return the status callback; each message names its address. Twilio does not call again."""
        if url is None:
            return None
        fields = {
            "AccountSid": self.user,
            "From": message.sender,
            "To": message.to,
            "MessageSid": f"SM{message.id[1:]}",
            "MessageStatus": _STATUS[message.status],
        }
        if message.status == "failed":
            fields["ErrorCode"] = _UNREACHABLE if message.to in self.network.phones else _UNKNOWN_PHONE
        return self._signed(url, fields)

    def inbound(self, message: Message) -> Webhook | None:
        """Return the call about a text; the number at Twilio has its address."""
        if not self.manners.hooks:
            return None
        fields = {
            "MessageSid": f"SM{message.id[1:]}",
            "AccountSid": self.user,
            "From": message.sender,
            "To": message.to,
            "Body": message.message,
            "NumMedia": "0",
        }
        return self._signed(f"{self.manners.hooks}/inbound", fields)

    def answered(self, body: str) -> str:
        """Return the messages of an answer in TwiML."""
        return " ".join(verb.text or "" for verb in _document(body) if verb.tag == "Message")

    async def _send(self, request: Request) -> Response:
        fields = {key: str(value) for key, value in (await request.form()).items()}
        if refusal := await self._refused(request, fields, "Body", 21602):
            return refusal
        message = self.network.send(
            fields["From"], fields["To"], fields["Body"], fields.get("StatusCallback"), provider=self.name
        )
        answer = {"sid": f"SM{message.id[1:]}", "status": "queued", "error_code": None, "to": message.to}
        return JSONResponse(answer, 201)

    async def _call(self, request: Request) -> Response:
        fields = {key: str(value) for key, value in (await request.form()).items()}
        if refusal := await self._refused(request, fields, "Twiml", 21205):
            return refusal
        message = self.network.new("outgoing-call", fields["From"], fields["To"], "", provider=self.name)
        sid = f"CA{message.id[1:]}"
        call = Call(self.network, message, float(fields.get("Timeout", _RING_S)))
        named = {"CallSid": sid, "AccountSid": self.user, "From": message.sender, "To": message.to}

        async def talk(call: Call) -> None:
            await self._talk(call, fields["Twiml"], named)

        async def end(taken: str) -> None:
            status = {"answered": "completed"}.get(taken, taken)
            said = {**named, "CallStatus": status, "SequenceNumber": "0", "CallbackSource": "call-progress-events"}
            if taken == "answered" and "MachineDetection" in fields:
                said["AnsweredBy"] = "machine_start" if call.machine else "human"
            if url := fields.get("StatusCallback"):
                await self.network.tell(message, self._signed(url, said))

        self.network.tasks.start(call.run(talk, end), f"call {message.id}")
        return JSONResponse({"sid": sid, "status": "queued", "to": message.to}, 201)

    async def _refused(
        self, request: Request, fields: Mapping[str, str], what: str, missing: int
    ) -> Response | None:
        if not self.basic(request) or request.path_params["account"] != self.user:
            return _refused(20003, "Authenticate")
        if not is_number(fields.get("To", "")):
            return _refused(21211, f"Invalid 'To' Phone Number: {fields.get('To', '')}")
        if not is_number(fields.get("From", "")):
            return _refused(21212, "Invalid 'From' Number")
        if not fields.get(what):
            return _refused(missing, f"{what} is required")
        return await self.phone_faults(fields["To"])

    async def _talk(self, call: Call, twiml: str, named: Mapping[str, str]) -> None:
        """Run documents, each until its end or until a verb asks for the next one."""
        document: str | None = twiml
        for _ in range(_MOST_DOCUMENTS):
            if document is None:
                return
            document = await self._run(call, document, named)

    async def _run(self, call: Call, twiml: str, named: Mapping[str, str]) -> str | None:
        for verb in _document(twiml):
            if verb.tag == "Say":
                call.say(verb.text or "")
            elif verb.tag == "Gather":
                for said in verb:
                    call.say(said.text or "")
                key = await call.key(float(verb.get("timeout", _WAIT_S)))
                if key == HUNG_UP:
                    return None
                if key or verb.get("actionOnEmptyResult") == "true":
                    fields = {**named, "CallStatus": "in-progress", "Digits": key}
                    webhook = self._signed(verb.get("action", ""), fields)
                    return await self.network.caller.call(webhook, call.message.id)
            else:
                return None
        return None

    def _signed(self, url: str, fields: Mapping[str, str]) -> Webhook:
        token = "another" if self.manners.wrong_signature else self.password
        said = url + "".join(f"{name}{value}" for name, value in sorted(fields.items()))
        signature = base64.b64encode(hmac.digest(token.encode(), said.encode(), hashlib.sha1)).decode()
        headers = {"x-twilio-signature": signature, "i-twilio-idempotency-token": secrets.token_hex(16)}
        return form(url, fields, headers)._replace(retried=False)


def _document(twiml: str) -> list[ET.Element]:
    """Return the verbs of a document; none, when it is not TwiML."""
    try:
        root = ET.fromstring(twiml)  # noqa: S314 -- from the hub that is tried out, on this machine
    except ET.ParseError:
        return []
    return list(root) if root.tag == "Response" else []


def _refused(code: int, message: str) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    status = _HTTP_STATUS.get(code, 400)
    return JSONResponse({"code": code, "message": message, "more_info": more, "status": status}, status)
