"""What 46elks calls: delivery reports and texts that came in.

46elks signs nothing, so the address is the secret: at least 128 random bits in the path, known to the provider
alone. An answer of 200 is given only after the commit; anything else makes 46elks call again for hours.
"""

import datetime as dt
import logging
import secrets
from typing import Annotated
from urllib.parse import parse_qsl

import sqlalchemy as sa
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response, status

from hub.central.auth import audit as trail
from hub.central.centre import Centre, Tx
from hub.central.notify import receipts, replies
from hub.central.notify.receipts import ReceiptStatus
from hub.central.notify.replies import Inbound
from hub.central.store.tables import audit
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError, RefusedError, TransientError

log = logging.getLogger(__name__)

router = APIRouter(prefix="/hooks/46elks/{secret}")

_CHANNEL = "sms"
_BODY_BYTES = 16_384
_FIELDS = 20
_LONGEST = {"id": 96, "from": 32, "to": 32, "message": 2_000, "status": 32}
# 128 bits in base64url.
_SECRET_LENGTH = 22
# A flood of strangers writes one line of audit in this time; the log has them all.
_AUDIT_PAUSE = dt.timedelta(minutes=1)
_ACTION = "hook_refused"


async def known_caller(request: Request, secret: str) -> Centre:
    """Return the centre, for a caller who knows the secret.

    Raises:
        HTTPException: 403; it is noted, without what was tried.
    """
    centre: Centre = request.app.state.centre
    expected: str = request.app.state.hook_secret
    if len(expected) >= _SECRET_LENGTH and secrets.compare_digest(secret.encode(), expected.encode()):
        return centre
    log.warning("a call to the hooks of 46elks with a wrong secret")
    if await centre.store.read(lambda connection: _quiet_since(connection, centre.clock.now().utc)):
        await centre.transact(_note_stranger)
    raise HTTPException(status.HTTP_403_FORBIDDEN)


Known = Annotated[Centre, Depends(known_caller)]


@router.post("/delivery")
async def delivery(
    request: Request, centre: Known, message: Annotated[int | None, Query(ge=1, le=2**62)] = None
) -> Response:
    """Note a delivery report (form fields ``id``, ``status``, ``delivered``)."""
    form = await _form(request)
    provider_ref = _required(form, "id")
    try:
        report = ReceiptStatus(_required(form, "status"))
    except ValueError as error:
        raise _refused("an unknown status") from error
    at = _instant(form.get("delivered", ""), centre.clock.now().utc)
    try:
        await centre.transact(
            lambda tx: receipts.delivered(tx, _CHANNEL, provider_ref, report, at, message_id=message),
            urgent=True,
        )
    except TransientError as error:
        raise _later(error) from error
    except RefusedError as error:
        log.warning("delivery report refused: %s", error)
        raise HTTPException(status.HTTP_404_NOT_FOUND) from error
    return Response()


@router.post("/sms")
async def sms(request: Request, centre: Known) -> Response:
    """Take a text that came in (form fields ``id``, ``from``, ``to``, ``message``, ``created``); answer it."""
    form = await _form(request)
    inbound = Inbound(
        channel=_CHANNEL,
        provider_ref=_required(form, "id"),
        sender=_required(form, "from"),
        recipient=form.get("to", ""),
        text=form.get("message", ""),
        at=_instant(form.get("created", ""), centre.clock.now().utc),
    )
    try:
        answer = await centre.transact(lambda tx: replies.receive(tx, inbound), urgent=True)
    except TransientError as error:
        raise _later(error) from error
    return Response(answer, media_type="text/plain; charset=utf-8")


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form, none longer than it may be.

    Raises:
        HTTPException: 413 or 400.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise HTTPException(status.HTTP_413_CONTENT_TOO_LARGE)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise _refused("not a form") from error
    # PostgreSQL keeps no NUL in a text.
    form = {name: value.replace("\0", "") for name, value in pairs}
    for name, longest in _LONGEST.items():
        if len(form.get(name, "")) > longest:
            raise _refused(f"{name} is too long")
    return form


def _required(form: dict[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise _refused(f"{name} is missing")
    return value


def _instant(text: str, now: dt.datetime) -> dt.datetime:
    """Return an instant of 46elks: ISO 8601 in UTC without saying so; without one, now."""
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        return now
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _refused(reason: str) -> HTTPException:
    log.warning("a call to the hooks of 46elks is refused: %s", reason)
    return HTTPException(status.HTTP_400_BAD_REQUEST, str(MalformedError(reason)))


def _later(error: TransientError) -> HTTPException:
    log.warning("46elks is asked to call again: %s", error)
    return HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE)


def _quiet_since(connection: sa.Connection, now: dt.datetime) -> bool:
    latest = sa.select(sa.func.max(audit.c.at, type_=audit.c.at.type)).where(audit.c.action == _ACTION)
    at = connection.scalar(latest)
    return at is None or at < now - _AUDIT_PAUSE


def _note_stranger(tx: Tx) -> None:
    trail.note(tx.connection, tx.now, "unknown", _ACTION, "46elks", "wrong secret")
