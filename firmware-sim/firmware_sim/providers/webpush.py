"""A push service with its browsers (RFC 8030, 8188, 8291, 8292): it lets nothing through that they would not.

It has no phones behind it as the other providers have: a page subscribes, and what a browser would hand to the
page's service worker lies in :attr:`PushService.pushed`, decrypted with that browser's own key.
"""

import asyncio
import base64
import binascii
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from firmware_sim.clock import Clock

_MOST_BYTES = 4096
_DAY_S = 86_400
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_AUTHORIZATION = re.compile(r"vapid\s+t=([\w.-]+)\s*,\s*k=([\w-]+)", re.IGNORECASE)
_HEADER_BYTES, _TAG_BYTES, _POINT_BYTES = 21, 16, 65
_CURVE = ec.SECP256R1()

#: What may happen to one request, besides the number of an HTTP status: ``410``.
FAULTS = {
    "busy": "429 with Retry-After",
    "hang": "no answer, ever",
    "login": "200 with the HTML login page of somebody else",
    "lost": "it is taken, and the browser never gets it",
    "late": "it is taken, and the answer never comes",
    "flood": "it is taken, and the answer never ends",
}


@dataclass(frozen=True)
class Pushed:
    """What a browser got.

    Attributes:
        subscription: By which of its subscriptions.
        data: The message, decrypted.
        ttl_s: For how long the service would have kept it.
        urgency: ``Urgency``.
        topic: ``Topic``; empty for none.
    """

    subscription: str
    data: bytes
    ttl_s: int
    urgency: str
    topic: str


@dataclass(frozen=True)
class _Browser:
    key: ec.EllipticCurvePrivateKey
    auth: bytes
    server_key: str


class PushService:
    """The push service of one maker of browsers.

    Args:
        clock: By what it judges how old a token is.

    Attributes:
        url: Where it is served; whoever serves it says so.
        next: What happens to the next requests, one word of :data:`FAULTS` or a status for each.
        pushed: What browsers got, in order.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.url = ""
        self.next: list[str] = []
        self.pushed: asyncio.Queue[Pushed] = asyncio.Queue()
        self._browsers: dict[str, _Browser] = {}
        self._closing = asyncio.Event()

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(routes=[Route("/push/{subscription}", self._push, methods=["POST"])])

    def close(self) -> None:
        """End hanging answers."""
        self._closing.set()

    def subscribe(self, server_key: str) -> dict[str, object]:
        """Return a new subscription, as ``PushSubscription.toJSON`` does.

        Args:
            server_key: ``applicationServerKey`` in base64url; only its owner can push to it.
        """
        name, browser = (
            _text(os.urandom(16)),
            _Browser(ec.generate_private_key(_CURVE), os.urandom(16), server_key),
        )
        self._browsers[name] = browser
        keys = {"p256dh": _text(_point(browser.key.public_key())), "auth": _text(browser.auth)}
        return {"endpoint": f"{self.url}/push/{name}", "expirationTime": None, "keys": keys}

    def end(self, endpoint: str) -> None:
        """Let a subscription end, as when its page's data are cleared."""
        del self._browsers[endpoint.rpartition("/")[2]]

    async def _push(self, request: Request) -> Response:
        fault = self.next.pop(0) if self.next else ""
        before: Mapping[str, Callable[[], Response]] = {
            "busy": lambda: PlainTextResponse("Too Many Requests", 429, {"retry-after": "7"}),
            "login": lambda: HTMLResponse("<title>Guest network</title><form>Please log in</form>"),
        }
        if fault in before:
            return before[fault]()
        if fault.isdigit():
            return PlainTextResponse("", int(fault))
        if fault == "hang":
            await self._closing.wait()
        answer, pushed = self._taken(request, await request.body())
        if pushed is not None and fault != "lost":
            self.pushed.put_nowait(pushed)
        if fault == "late":
            await self._closing.wait()
        if fault == "flood":
            return StreamingResponse(self._flood(request), 201)
        return answer

    async def _flood(self, request: Request) -> AsyncIterator[bytes]:
        while not self._closing.is_set() and not await request.is_disconnected():
            yield b"x" * 65_536

    def _taken(self, request: Request, body: bytes) -> tuple[Response, Pushed | None]:
        name = request.path_params["subscription"]
        browser = self._browsers.get(name)
        if browser is None:
            return PlainTextResponse("no such subscription", 410), None
        if len(body) > _MOST_BYTES:
            return PlainTextResponse("too long", 413), None
        status, wrong = self._wrong(request, browser)
        if wrong:
            return PlainTextResponse(wrong, status), None
        location = f"{self.url}/message/{_text(os.urandom(12))}"
        answer = Response(status_code=201, headers={"location": location, "ttl": request.headers["ttl"]})
        data = decrypted(body, browser.key, browser.auth)
        if data is None:  # a browser drops what it cannot read, and the service has never looked into it
            return answer, None
        headers = request.headers
        ttl_s, urgency = int(headers["ttl"]), headers.get("urgency", "normal")
        return answer, Pushed(name, data, ttl_s, urgency, headers.get("topic", ""))

    def _wrong(self, request: Request, browser: _Browser) -> tuple[int, str]:
        """Return how a request is refused, and why; nothing where it is right."""
        headers = request.headers
        if not headers.get("ttl", "").isdigit():
            return 400, "TTL is missing"
        if headers.get("urgency", "normal") not in _URGENCIES:
            return 400, "Urgency is none of the four"
        if "topic" in headers and not _TOPIC.fullmatch(headers["topic"]):
            return 400, "Topic is not of 32 letters of base64url"
        if headers.get("content-encoding") != "aes128gcm":
            return 415, "Content-Encoding is not aes128gcm"
        return self._unsigned(headers.get("authorization", ""), browser)

    def _unsigned(self, authorization: str, browser: _Browser) -> tuple[int, str]:
        found = _AUTHORIZATION.fullmatch(authorization)
        if found is None:
            return 401, "no VAPID"
        token, key = found.groups()
        claims = _claims(token, _raw(key))
        if claims is None:
            return 401, "the signature is wrong"
        now_s, expires_s = self._clock.wall_s(), claims.get("exp")
        refusals = {
            "the subscription is for another key": key != browser.server_key,
            "exp is over, or more than a day ahead": not isinstance(expires_s, int)
            or not now_s < expires_s <= now_s + _DAY_S,
            "aud is another's": claims.get("aud") != self.url,
            "sub is missing": not str(claims.get("sub", "")).startswith(("mailto:", "https:")),
        }
        wrong = next((why for why, is_so in refusals.items() if is_so), "")
        return (403, wrong) if wrong else (0, "")


def decrypted(body: bytes, key: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes | None:
    """Return what a message says, as a browser reads it (RFC 8291, 3.4); ``None`` when it cannot.

    Args:
        body: Header and one record (RFC 8188, 2.1).
        key: The browser's key.
        auth: Its authentication secret.
    """
    salt, record_bytes, length = body[:16], int.from_bytes(body[16:20]), body[20] if len(body) > 20 else 0
    sender, record = body[_HEADER_BYTES : _HEADER_BYTES + length], body[_HEADER_BYTES + length :]
    if length != _POINT_BYTES or not _TAG_BYTES < len(record) <= record_bytes:
        return None
    try:
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, sender)
        shared = key.exchange(ec.ECDH(), theirs)
        info = b"WebPush: info\0" + _point(key.public_key()) + sender
        secret = _derived(shared, auth, info, 32)
        content_key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
        padded = AESGCM(content_key).decrypt(nonce, record, None)
    except (ValueError, InvalidTag):
        return None
    said = padded.rstrip(b"\0")
    return said[:-1] if said.endswith(b"\2") else None


def _claims(token: str, key: bytes) -> Mapping[str, object] | None:
    """Return what a token claims (RFC 7515, ES256), ``None`` when that key has not signed it."""
    signed, _, signature = token.rpartition(".")
    head, _, body = signed.partition(".")
    try:
        r, s = int.from_bytes(_raw(signature)[:32]), int.from_bytes(_raw(signature)[32:])
        public = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, key)
        public.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
        header, claims = json.loads(_raw(head)), json.loads(_raw(body))
    except (ValueError, InvalidSignature):
        return None
    return claims if isinstance(claims, dict) and header.get("alg") == "ES256" else None


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b""
