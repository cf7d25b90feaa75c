"""What providers call: delivery reports, texts that came in, keys that were pressed in a call.

The address is a secret, at least 128 random bits in the path that providers alone are told, because not every one
signs its calls; signatures are checked by the provider's own code. The answer is given only after the commit:
anything else than success makes a provider call again.
"""

import datetime as dt
import logging
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, HTTPException, Request, Response, status

from hub.central.auth import audit as trail
from hub.central.centre import Centre, Tx
from hub.central.notify import keys, receipts, replies
from hub.central.notify.channels.base import Capability, Gone, Hook, Inbound, Keyed, Provider, Told
from hub.central.notify.ways import Ways
from hub.central.push import subscriptions
from hub.central.store.tables import audit
from hub.domain.errors import MalformedError, RefusedError, TransientError

log = logging.getLogger(__name__)

router = APIRouter(prefix="/hooks/{provider}/{secret}")

_BODY_BYTES = 16_384
_FIELDS = 50
_FORM = "application/x-www-form-urlencoded"
# 128 bits in base64url.
_SECRET_LENGTH = 22
# A flood of strangers writes one line of audit in this time; the log has them all.
_AUDIT_PAUSE = dt.timedelta(minutes=1)
_ACTION = "hook_refused"


class Desk(msgspec.Struct, frozen=True):
    """Where providers call.

    Attributes:
        public_url: How they reach this centre, without a slash at the end.
        secret: What their calls bear in the path.
        ways: The providers.
    """

    public_url: str
    secret: str
    ways: Ways

    def address(self, provider: str) -> str:
        """Return the address of a provider's hooks, without a slash at the end."""
        return address(self.public_url, self.secret, provider)


def address(public_url: str, secret: str, provider: str) -> str:
    """Return the address of a provider's hooks, without a slash at the end."""
    return f"{public_url.rstrip('/')}/hooks/{provider}/{secret}"


@router.get("/{what}", operation_id="hook_called_by_get")
@router.post("/{what}", operation_id="hook_called_by_post")
async def called(request: Request, provider: str, secret: str, what: str) -> Response:
    """Take what a provider tells, and answer when it is kept."""
    centre: Centre = request.app.state.centre
    desk: Desk = request.app.state.hooks
    known = desk.ways.named(provider) if _fits(desk.secret, secret) else None
    if known is None:
        log.warning("a call to the hooks with a wrong secret or an unknown provider")
        raise await _stranger(centre, "wrong secret")
    return await answered(request, known, what)


async def answered(request: Request, known: Provider, what: str) -> Response:
    """Take what a provider's call tells, whichever way it came in, and answer when it is kept.

    Raises:
        HTTPException: It is not theirs, it has no form, it is about nothing there is, or it came too early.
    """
    centre: Centre = request.app.state.centre
    desk: Desk = request.app.state.hooks
    hook = await _read(request, desk.public_url, what, centre.clock.now().utc)
    try:
        told = known.hook(hook)
    except RefusedError as error:
        log.warning("a call to the hooks of %s is not theirs: %s", known.name, error)
        raise await _stranger(centre, f"not a call of {known.name}") from error
    except MalformedError as error:
        log.warning("a call to the hooks of %s is refused: %s", known.name, error)
        raise HTTPException(status.HTTP_400_BAD_REQUEST, str(error)) from error
    try:
        text = await centre.transact(lambda tx: take(tx, known, told, desk.ways), urgent=True) if told else ""
    except TransientError as error:
        log.warning("%s is asked to call again: %s", known.name, error)
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE) from error
    except RefusedError as error:
        log.warning("a call of %s is refused: %s", known.name, error)
        raise HTTPException(status.HTTP_404_NOT_FOUND) from error
    reply = known.reply(hook, told, text)
    return Response(reply.body, reply.status, media_type=reply.content_type)


def take(tx: Tx, provider: Provider, told: tuple[Told, ...], ways: Ways) -> str:
    """Do what a call tells and return what is to be said to the phone.

    Raises:
        TransientError: It is too early for a part of it; nothing is kept.
        RefusedError: All of it is about what there is not.
    """
    text, refused = "", []
    for each in told:
        try:
            text = _do(tx, provider, each, ways) or text
        except RefusedError as error:  # the others of a batch are kept
            refused.append(error)
            log.warning("%s: %s", provider.name, error)
    if len(refused) == len(told):
        raise refused[0]
    return text


def _do(tx: Tx, provider: Provider, told: Told, ways: Ways) -> str:
    if isinstance(told, Inbound):
        return replies.receive(tx, told, apart=Capability.ANSWERS not in provider.capabilities)
    if isinstance(told, Keyed):
        return keys.pressed(tx, provider, told)
    if isinstance(told, Gone):
        subscriptions.gone(tx, told)
    else:
        receipts.reported(tx, provider, told, ways)
    return ""


def _fits(expected: str, given: str) -> bool:
    return len(expected) >= _SECRET_LENGTH and secrets.compare_digest(given.encode(), expected.encode())


async def _read(request: Request, public_url: str, what: str, now: dt.datetime) -> Hook:
    """Return a call as it came in.

    Raises:
        HTTPException: 413 or 400.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE)
    # As the provider called it: behind a web server ours is another, and signatures cover theirs.
    path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
    url = f"{public_url.rstrip('/')}{path}" + (f"?{query}" if query else "")
    is_form = request.headers.get("content-type", "").lower().startswith(_FORM)
    return Hook(
        what=what,
        url=url,
        query=_fields(query.encode("latin-1")),
        form=_fields(bytes(body)) if is_form else {},
        body=bytes(body),
        headers={name.lower(): value for name, value in request.headers.items()},
        now=now,
    )


def _fields(encoded: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(encoded.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        log.warning("a call to the hooks is refused: not a form")
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "not a form") from error
    # PostgreSQL keeps no NUL in a text.
    return {name: value.replace("\0", "") for name, value in pairs}


async def _stranger(centre: Centre, detail: str) -> HTTPException:
    """Note a caller that is not ours, without what was tried, and return the answer."""
    if await centre.store.read(lambda connection: _quiet_since(connection, centre.clock.now().utc)):
        await centre.transact(lambda tx: trail.note(tx.connection, tx.now, "unknown", _ACTION, "hooks", detail))
    return HTTPException(status.HTTP_403_FORBIDDEN)


def _quiet_since(connection: sa.Connection, now: dt.datetime) -> bool:
    latest = sa.select(sa.func.max(audit.c.at, type_=audit.c.at.type)).where(audit.c.action == _ACTION)
    at = connection.scalar(latest)
    return at is None or at < now - _AUDIT_PAUSE
