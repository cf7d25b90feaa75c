"""What each provider over HTTP answers and tells, from its documentation: the rows of their contract."""

import base64
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from hub.central.notify.channels.base import Hook, Outgoing
from hub.domain.clock import UTC

NUMBER, OURS, TOKEN = "+4700000012", "+4700000001", "a-token-of-the-tests"
TEXT = "47 Trygghetsalarm: r-12, på badet, 21:00. Svar OK 47."
NOW = dt.datetime(2026, 11, 22, 3, 10, tzinfo=UTC)
BASIC = {"username": "user", "password": TOKEN, "sender": OURS}
SID = {"account_sid": "AC1", "auth_token": TOKEN, "sender": OURS}


def hooks(name: str) -> str:
    """Return the address of a provider's hooks."""
    return f"https://centre.example/hooks/{name}/a-secret-of-the-tests-0123456789"


def outgoing(name: str) -> Outgoing:
    """Return a message for a provider."""
    return Outgoing(
        message_id=7,
        number=NUMBER,
        text=TEXT,
        key="message-7",
        receipt_url=f"{hooks(name)}/delivery?message=7",
    )


class Call(NamedTuple):
    """A call of a provider to us, before its address and signature are known."""

    what: str
    form: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: bytes = b""

    def hook(self, name: str, *, token: str = TOKEN) -> Hook:
        """Return the call as it comes in, signed as Twilio signs: others do not."""
        query = urlencode(self.query)
        url = f"{hooks(name)}/{self.what}" + (f"?{query}" if query else "")
        said = url + "".join(field + self.form[field] for field in sorted(self.form))
        digest = hmac.digest(token.encode(), said.encode(), hashlib.sha1)
        headers = {"x-twilio-signature": base64.b64encode(digest).decode()}
        return Hook(
            what=self.what,
            url=url,
            query=self.query,
            form=self.form,
            body=self.body,
            headers=headers if name.startswith("twilio") else {},
            now=NOW,
        )


def said(**fields: object) -> bytes:
    """Return JSON."""
    return json.dumps(fields).encode()


class Bench(NamedTuple):
    """One provider.

    Attributes:
        settings: What its settings say, besides the address.
        path: Where a message is posted to.
        user: Who we are there, as basic authentication; ``None``: it is in the body.
        good: An answer that accepts the message as ``ref``.
        refused: Answers that refuse this number.
        account: Answers that refuse us.
        busy: Answers of its own that ask for another try.
        sent: Where in a request our own name or address for the message stands.
        delivered: The call that says so; ``failed`` and ``under_way`` the same.
        reason: What the failure's reason names.
        inbound: A text ``OK 47`` of the phone; ``None``: it takes none.
        keyed: The call about the key 1; ``None``: it makes no calls.
    """

    settings: Mapping[str, Any]
    path: str
    user: str | None
    good: tuple[int, str]
    ref: str
    refused: tuple[tuple[int, str], ...]
    account: tuple[tuple[int, str], ...]
    busy: tuple[tuple[int, str], ...]
    sent: bytes
    delivered: Call | None
    failed: Call
    under_way: Call | None
    reason: str
    inbound: Call | None = None
    keyed: Call | None = None


ABOUT = {"message": "7"}


def _sveve(**response: object) -> tuple[int, str]:
    return 200, json.dumps({"response": response})


def _twilio(status: int, code: int, message: str = f"about {NUMBER}: {TEXT}") -> tuple[int, str]:
    return status, json.dumps({"code": code, "message": message, "status": status})


def _link(answered: int, **fields: object) -> tuple[int, str]:
    return answered, json.dumps(fields)


BENCHES: dict[str, Bench] = {
    "elks": Bench(
        settings=BASIC,
        path="/a1/sms",
        user="user",
        good=(200, '{"status":"created","id":"s17"}'),
        ref="s17",
        refused=((403, f"Invalid to number {NUMBER}"), (400, "no"), (200, '{"id":"s1","status":"failed"}')),
        account=((401, "no"), (402, "Not enough credits"), (404, "")),
        busy=(),
        sent=b"delivery%3Fmessage%3D7",
        delivered=Call("delivery", {"id": "s17", "status": "delivered"}, ABOUT),
        failed=Call("delivery", {"id": "s17", "status": "failed"}, ABOUT),
        under_way=Call("delivery", {"id": "s17", "status": "sent"}, ABOUT),
        reason="",
        inbound=Call("inbound", {"id": "s9", "from": NUMBER, "to": OURS, "message": "OK 47"}),
    ),
    "elks_voice": Bench(
        settings=BASIC | {"speech_url": "https://speech.example/nb?say={text}"},
        path="/a1/calls",
        user="user",
        good=(200, '{"state":"ongoing","id":"c17"}'),
        ref="c17",
        refused=((403, f"Invalid to number {NUMBER}"), (400, "no"), (200, '{"id":"c1","state":"failed"}')),
        account=((401, "no"), (402, "Not enough credits"), (404, "")),
        busy=(),
        sent=b"delivery%3Fmessage%3D7",
        delivered=None,
        failed=Call("delivery", {"id": "c17", "state": "busy", "to": NUMBER}, ABOUT),
        under_way=None,
        reason="busy",
        keyed=Call("voice", {"callid": "c17", "result": "1", "to": NUMBER}, ABOUT),
    ),
    "sveve": Bench(
        settings={"username": "user", "password": TOKEN},
        path="/SMS/SendMessage",
        user=None,
        good=_sveve(msgOkCount=1, stdSMSCount=1, ids=[42824112]),
        ref="42824112",
        refused=(
            _sveve(
                msgOkCount=0, ids=[], errors=[{"number": NUMBER, "message": f"{NUMBER} er ikke gyldig: {TEXT}"}]
            ),
            _sveve(msgOkCount=0, stdSMSCount=0, ids=[]),
            (400, ""),
        ),
        account=(_sveve(fatalError="Feil brukernavn/passord"), (401, "")),
        busy=(),
        sent=b'"ref":"7"',
        delivered=Call("delivery", query={"number": NUMBER[1:], "status": "true", "id": "42824112", "ref": "7"}),
        failed=Call(
            "delivery",
            query={
                "number": NUMBER[1:],
                "status": "false",
                "id": "42824112",
                "ref": "7",
                "errorCode": "23",
                "errorDesc": f"Ukjent nummer {NUMBER[1:]}",
            },
        ),
        under_way=None,
        reason="23 Ukjent nummer",
        inbound=Call("inbound", query={"number": "00000012", "msg": "OK 47", "id": "42824112"}),
    ),
    "twilio": Bench(
        settings=SID,
        path="/2010-04-01/Accounts/AC1/Messages.json",
        user="AC1",
        good=(201, '{"sid":"SM17","status":"queued","error_code":null}'),
        ref="SM17",
        refused=(
            _twilio(400, 21211),
            _twilio(400, 21610),
            _twilio(400, 21614),
            _twilio(400, 99999),
            (201, '{"sid":"SM1","status":"failed","error_code":30006}'),
        ),
        account=(_twilio(401, 20003), _twilio(400, 21606), _twilio(400, 10001), (404, "")),
        busy=(_twilio(429, 20429), _twilio(400, 21611), _twilio(400, 30001)),
        sent=b"delivery%3Fmessage%3D7",
        delivered=Call("delivery", {"MessageSid": "SM17", "MessageStatus": "delivered", "To": NUMBER}, ABOUT),
        failed=Call(
            "delivery", {"MessageSid": "SM17", "MessageStatus": "undelivered", "ErrorCode": "30003"}, ABOUT
        ),
        under_way=Call("delivery", {"MessageSid": "SM17", "MessageStatus": "sent"}, ABOUT),
        reason="30003, the phone is unreachable",
        inbound=Call("inbound", {"MessageSid": "SM9", "From": NUMBER, "To": OURS, "Body": "OK 47"}),
    ),
    "twilio_voice": Bench(
        settings=SID,
        path="/2010-04-01/Accounts/AC1/Calls.json",
        user="AC1",
        good=(201, '{"sid":"CA17","status":"queued"}'),
        ref="CA17",
        refused=(_twilio(400, 21211), _twilio(400, 21214), _twilio(400, 21215)),
        account=(_twilio(401, 20003), _twilio(400, 21210)),
        busy=(_twilio(429, 20429),),
        sent=b"delivery%3Fmessage%3D7",
        delivered=None,
        failed=Call("delivery", {"CallSid": "CA17", "CallStatus": "no-answer", "To": NUMBER}, ABOUT),
        under_way=Call("delivery", {"CallSid": "CA17", "CallStatus": "ringing"}, ABOUT),
        reason="not answered",
        keyed=Call("voice", {"CallSid": "CA17", "Digits": "1", "To": NUMBER}, ABOUT),
    ),
    "link": Bench(
        settings=BASIC | {"platform_id": "COMMON_API", "platform_partner_id": "17", "gate_id": "g-1"},
        path="/sms/send",
        user="user",
        good=_link(200, messageId="L17", resultCode=1005, description="Queued"),
        ref="L17",
        refused=(
            _link(200, messageId="L1", resultCode=2104, description=f"{NUMBER} {TEXT}"),
            _link(400, status=2106, description=NUMBER),
            (400, NUMBER),
        ),
        account=(
            _link(403, status=106101, description="Access denied"),
            _link(400, errorCode="106200", description="platformId"),
            _link(200, messageId="L1", resultCode=2000),
            (401, ""),
        ),
        busy=(_link(200, messageId="L1", resultCode=3), _link(200, resultCode=1)),
        sent=b'"refId":"7"',
        delivered=Call(
            "delivery", body=said(refId="7", id="L17$1", resultCode=1001, timestamp="2026-11-22T04:10:01+01:00")
        ),
        failed=Call("delivery", body=said(refId="7", id="L17", resultCode=2104, operator="no.telenor")),
        under_way=Call("delivery", body=said(refId="7", id="L17", resultCode=1000)),
        reason="2104, unknown subscriber",
        inbound=Call(
            "inbound",
            body=said(
                messageId="m9", source=NUMBER, destination=OURS, content={"userData": "OK 47", "type": "TEXT"}
            ),
        ),
    ),
}
