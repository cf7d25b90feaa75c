"""Web push: to the browser on a phone, through its maker's push service (RFC 8030, 8291 and 8292).

That a push service took a message proves nothing: it keeps it for a phone that may be off. Delivered it is when
the console's service worker has shown it and says so with the receipt from within the encrypted message, read when
it was tapped. What a push service learns is that something was sent to a browser, and when.
"""

import asyncio
import base64
import binascii
import hmac
import logging
import re
from collections.abc import Callable

import http_ece
import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid, VapidException

from hub.central.links.tokens import path_in
from hub.central.notify.channels import http, push_endpoint
from hub.central.notify.channels.base import (
    Accepted,
    Capability,
    Gone,
    Hook,
    Outgoing,
    ReceiptStatus,
    Reply,
    Report,
    Subscription,
    Tell,
    Told,
)
from hub.domain.clock import Clock, wall_time
from hub.domain.errors import MalformedError, PermanentError, RefusedError, TransientError

log = logging.getLogger(__name__)

NAME = "webpush"
#: For how long a push service keeps it for a phone that is off: later, the plan has told others, and rings again.
_TTL_S = 300
# A token of VAPID lasts a day at most (RFC 8292, 2); half of that lets our clock be wrong by as much either way.
_VAPID_S = 12 * 3600
# 128 bits: nobody guesses one.
_TOKEN_BYTES = 16
_PUBLIC_KEY_BYTES, _AUTH_BYTES, _PRIVATE_KEY_BYTES = 65, 16, 32
_TAKEN = frozenset({201, 202})
_GONE = frozenset({404, 410})
_CODES: http.Codes = {
    401: http.Meaning(RefusedError, "it does not take our key; is our clock right?"),
    403: http.Meaning(RefusedError, "the subscription is for another key; switch push on anew"),
    413: http.Meaning(RefusedError, "too long"),
}
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?/?")
RECEIPTS = {"received": ReceiptStatus.DELIVERED, "read": ReceiptStatus.READ}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """Who we are to the push services.

    Attributes:
        private_key: As ``hub push key`` prints it. With another one every subscription must be made anew.
        contact: ``mailto:`` or ``https:`` address at which a push service finds the operator.
        own_services: Origins such as ``https://push.kommune.example`` that need not be public.
    """

    private_key: str
    contact: str
    own_services: tuple[str, ...] = ()


class WebPush:
    """Pushes to browsers.

    Args:
        settings: Who we are.
        wall: Returns Unix seconds, for what we sign.

    Raises:
        MalformedError: Key, contact or services are not as they must be.
    """

    name = NAME
    channel = "push"
    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, settings: Settings, wall: Callable[[], float] = wall_time) -> None:
        self._vapid = _vapid(settings.private_key)
        self._contact = settings.contact
        self._own = frozenset(_origin(each) for each in settings.own_services)
        self._wall = wall
        self._receipts = hmac.digest(_bytes(settings.private_key), b"receipts of pushes", "sha256")
        self._line = http.Line(NAME, "")
        self._gone: asyncio.Queue[Gone] = asyncio.Queue()
        self._signed("https://push.example")  # what cannot be signed is said at the start

    @property
    def public_key(self) -> str:
        """What a browser ties its subscription to, base64url: it takes pushes of this key only."""
        return _encoded(_point(self._vapid.public_key))

    def check(self, subscription: Subscription) -> None:
        """Check what a browser says about itself.

        Raises:
            MalformedError: Nothing could ever be sent there; the sentence says why.
        """
        push_endpoint.check(subscription.endpoint, self._own)
        if len(_bytes(subscription.auth)) != _AUTH_BYTES:
            raise MalformedError("the subscription's secret is not 16 bytes of base64url")
        try:
            point = _bytes(subscription.p256dh)
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except ValueError as error:
            raise MalformedError("the subscription's key is no point of P-256") from error
        if len(point) != _PUBLIC_KEY_BYTES:
            raise MalformedError("the subscription's key is not written out whole")

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand a message to the push services of all the phone's browsers; one that takes it is enough.

        Raises:
            TransientError: None has taken it, and one of them may later.
            RefusedError: The phone has no subscription, or none that takes it.
        """
        if not outgoing.subscriptions:
            raise RefusedError(f"{NAME}: push is switched on nowhere for the phone")
        errors = await asyncio.gather(*(self._post(outgoing, each) for each in outgoing.subscriptions))
        if None in errors:
            return Accepted(_ref(outgoing.message_id))
        failed = [error for error in errors if error is not None]
        raise next((error for error in failed if isinstance(error, TransientError)), failed[0])

    async def listen(self, tell: Tell, clock: Clock) -> None:
        """Tell which subscriptions are gone."""
        del clock
        while True:
            gone = await self._gone.get()
            try:
                await tell((gone,))
            except TransientError as error:  # the next message finds it gone once more
                log.warning("subscription %d is gone, which cannot be noted: %s", gone.subscription.id, error)

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Read what a service worker says of a message.

        Raises:
            RefusedError: It does not bear the receipt that was in the message.
            MalformedError: It is not of the form that our own service worker sends.
        """
        status = RECEIPTS.get(hook.what)
        if status is None:
            raise MalformedError(f"{NAME} has no hook {hook.what!r}")
        message_id = http.message_id(http.required(hook.form, "message"))
        subscription_id = http.message_id(http.required(hook.form, "subscription"))
        if message_id is None or subscription_id is None:
            raise MalformedError("'message' and 'subscription' are numbers")
        brought = http.required(hook.form, "token")
        if not hmac.compare_digest(self._token(message_id, subscription_id).encode(), brought.encode()):
            raise RefusedError("a receipt that was in no message")
        return (Report(provider_ref=_ref(message_id), status=status, at=hook.now, message_id=message_id),)

    def reply(self, _hook: Hook, _told: tuple[Told, ...], _text: str) -> Reply:
        """Answer nothing."""
        return Reply(b"")

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    async def _post(self, outgoing: Outgoing, to: Subscription) -> TransientError | PermanentError | None:
        """Hand a message to the push service of one browser; return why it has not taken it."""
        headers = {
            **self._signed(push_endpoint.origin(to.endpoint)),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(_TTL_S),
            "Urgency": "high",
            "Topic": self._topic(outgoing),
        }
        try:
            body = encrypted(self._message(outgoing, to), to)
            answer = await self._line.status(await push_endpoint.request(to.endpoint, self._own, headers, body))
            self._read(answer, to)
        except (TransientError, PermanentError) as error:
            return error
        return None

    def _read(self, answer: httpx.Response, to: Subscription) -> None:
        if answer.status_code in _TAKEN:
            return
        if answer.is_success:  # a proxy or a login page answers 200 as well
            raise TransientError(f"{NAME}: an answer that is not theirs ({answer.status_code})")
        if answer.status_code in _GONE:
            reason = f"{NAME}: the subscription is gone ({answer.status_code})"
            self._gone.put_nowait(Gone(subscription=to, reason=reason))
            raise RefusedError(reason)
        known = answer.status_code if answer.status_code in _CODES else None
        raise http.failure(NAME, answer, known, _CODES)

    def _message(self, outgoing: Outgoing, to: Subscription) -> bytes:
        """Return what the service worker gets: the text, where a tap leads, and its receipt."""
        said = {
            "text": outgoing.text,
            "page": path_in(outgoing.text) or _page(outgoing.incident_id),
            "tag": _page(outgoing.incident_id),
            "receipt": {
                "message": str(outgoing.message_id),
                "subscription": str(to.id),
                "token": self._token(outgoing.message_id, to.id),
            },
        }
        return msgspec.json.encode(said)

    def _signed(self, audience: str) -> dict[str, str]:
        claims = {"aud": audience, "exp": int(self._wall()) + _VAPID_S, "sub": self._contact}
        try:
            signed: dict[str, str] = self._vapid.sign(claims)
        except VapidException as error:
            raise MalformedError(
                f'provider {NAME}: "contact" must be mailto:somebody@host.example or https://host.example'
            ) from error
        return signed

    def _topic(self, outgoing: Outgoing) -> str:
        """Return the same for all messages about an incident: of those that wait, the newest is kept."""
        about = outgoing.key if outgoing.incident_id is None else f"incident-{outgoing.incident_id}"
        return self._digest(f"topic:{about}")

    def _token(self, message_id: int, subscription_id: int) -> str:
        return self._digest(f"receipt:{message_id}:{subscription_id}")

    def _digest(self, said: str) -> str:
        return _encoded(hmac.digest(self._receipts, said.encode(), "sha256")[:_TOKEN_BYTES])


def make(settings: Settings, _hooks: str) -> WebPush:
    """Return the provider.

    Raises:
        MalformedError: Key, contact or services are not as they must be.
    """
    return WebPush(settings)


def new_key() -> str:
    """Return a new private key, as the settings take it."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return _encoded(number.to_bytes(_PRIVATE_KEY_BYTES))


def encrypted(
    message: bytes, to: Subscription, *, key: ec.EllipticCurvePrivateKey | None = None, salt: bytes | None = None
) -> bytes:
    """Return a message as only that browser can read it (RFC 8291); ``key`` and ``salt`` are new each time."""
    sealed: bytes = http_ece.encrypt(
        message,
        salt=salt,
        private_key=key or ec.generate_private_key(ec.SECP256R1()),
        dh=_bytes(to.p256dh),
        auth_secret=_bytes(to.auth),
        version="aes128gcm",
        keyid=None,
    )
    return sealed


def _vapid(private_key: str) -> Vapid:
    try:
        raw = _bytes(private_key)
        if len(raw) != _PRIVATE_KEY_BYTES:
            raise ValueError  # noqa: TRY301 - said below, with what the library refuses
        return Vapid.from_raw(private_key.encode())
    except ValueError as error:
        raise MalformedError(f'provider {NAME}: "private_key" is none; make one with: hub push key') from error


def _origin(service: str) -> str:
    if _ORIGIN.fullmatch(service.lower()) is None:
        raise MalformedError(
            f'provider {NAME}: "own_services": {service!r} is no origin such as https://push.example'
        )
    return push_endpoint.origin(service)


def _ref(message_id: int) -> str:
    return f"message-{message_id}"


def _page(incident_id: int | None) -> str:
    return "/" if incident_id is None else f"/incidents/{incident_id}"


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(encoded: str) -> bytes:
    """Return what base64url stands for; nothing for what is none."""
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
