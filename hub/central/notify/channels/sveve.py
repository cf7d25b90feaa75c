"""Sveve: texts over HTTP (sveve.no/apidok, "send" and "dlr"; docs/providers/sveve.md says what was not checked).

Sveve has no key against double sending: a text whose answer is lost is sent again and may arrive twice. Both bear
the same ``ref``, so that the report about either finds the message.
"""

import hashlib
from collections.abc import Mapping

import httpx
import msgspec

from hub.central.notify.channels import http
from hub.central.notify.channels.base import (
    Accepted,
    Capability,
    Hook,
    Inbound,
    Outgoing,
    ReceiptStatus,
    Reply,
    Report,
    Told,
)
from hub.domain.errors import MalformedError, PermanentError, RefusedError

NAME = "sveve"
#: Sveve answers 429 to more requests than this of one account side by side.
_AT_ONCE = 5
_REPORTED = {"true": ReceiptStatus.DELIVERED, "false": ReceiptStatus.FAILED}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """The account.

    Attributes:
        base_url: ``https://sveve.no``, or a simulator's.
        username: User name.
        password: API password.
        sender: What phones show, 11 characters at most. Without it Sveve sends from a number of its own that can
            be replied to; to a name nobody can reply.
    """

    base_url: str = "https://sveve.no"
    username: str
    password: str
    sender: str | None = None


class _Problem(msgspec.Struct):
    message: str = ""


class _Response(msgspec.Struct, rename="camel"):
    msg_ok_count: int = 0
    ids: list[int] = []
    errors: list[_Problem] = []
    fatal_error: str = ""


class _Answer(msgspec.Struct):
    response: _Response


class Sveve:
    """Texts through Sveve.

    Args:
        settings: The account. Its reports and replies go to the address that Sveve's support was told.
    """

    name = NAME
    channel = "sms"

    def __init__(self, settings: Settings) -> None:
        self.capabilities = frozenset(
            {Capability.SMS} if settings.sender else {Capability.SMS, Capability.TWO_WAY, Capability.ANSWERS}
        )
        self._settings = settings
        self._line = http.Line(NAME, settings.base_url, at_once=_AT_ONCE)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand a message to Sveve, once.

        Raises:
            TransientError: No answer, a late one, or one that is not theirs.
            RefusedError: They do not take this message.
            PermanentError: They do not take messages from this account.
        """
        ref = str(outgoing.message_id)
        order: dict[str, object] = {
            "user": self._settings.username,
            "passwd": self._settings.password,
            "to": outgoing.number,
            "msg": outgoing.text,
            "ref": ref,
            "f": "json",
        }
        order |= {"from": self._settings.sender} if self._settings.sender else {"reply": True}
        answer = await self._line.post("/SMS/SendMessage", json=order)
        return _read(answer, outgoing, ref)

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Read a delivery report or a text that came in; both are parameters of a GET or fields of a form.

        Sveve signs nothing: its secret is the address, which is checked before this.

        Raises:
            MalformedError: It is not of their form.
        """
        fields = {**hook.query, **hook.form}
        if hook.what == "delivery":
            return (_report(fields, hook),)
        if hook.what == "inbound":
            return (_inbound(fields, hook),)
        raise MalformedError(f"sveve has no hook {hook.what!r}")

    def reply(self, _hook: Hook, _told: tuple[Told, ...], text: str) -> Reply:
        """Answer: Sveve sends the body to the phone, where the account is set up so."""
        return Reply(text.encode())

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()


def make(settings: Settings, _hooks: str) -> Sveve:
    """Return the provider."""
    return Sveve(settings)


def _read(answer: httpx.Response, outgoing: Outgoing, ref: str) -> Accepted:
    """Make of an answer what our errors call it. Sveve has no codes, only sentences."""
    if not answer.is_success:
        raise http.failure(NAME, answer, None, {})
    response = http.read(NAME, answer, _Answer).response
    private = (outgoing.text, outgoing.number)
    if response.fatal_error:
        raise PermanentError(f"{NAME}: {http.masked(response.fatal_error, *private)}")
    if response.msg_ok_count < 1:
        said = response.errors[0].message if response.errors else "no message was taken"
        raise RefusedError(f"{NAME}: {http.masked(said, *private)}")
    # An accepted message without its id has been seen; the report bears our own reference anyway.
    return Accepted(str(response.ids[0]) if response.ids else f"ref-{ref}")


def _report(fields: Mapping[str, str], hook: Hook) -> Report:
    status = _REPORTED.get(http.required(fields, "status").lower())
    if status is None:
        raise MalformedError("'status' is neither true nor false")
    why = " ".join(part for part in (fields.get("errorCode"), fields.get("errorDesc")) if part)
    return Report(
        provider_ref=http.required(fields, "id"),
        status=status,
        at=hook.now,
        message_id=http.message_id(fields.get("ref")),
        reason=http.masked(why, fields.get("number", "")) if status is ReceiptStatus.FAILED and why else "",
    )


def _inbound(fields: Mapping[str, str], hook: Hook) -> Inbound:
    number, text = http.required(fields, "number"), http.text(fields.get("msg", ""))
    return Inbound(
        provider=NAME,
        provider_ref=_name(fields, hook),
        sender=http.e164(number),
        recipient=http.text(fields.get("shortnumber", "")),
        text=text,
        at=hook.now,
    )


def _name(fields: Mapping[str, str], hook: Hook) -> str:
    """Return a name for a text: Sveve gives none, and calls again after 5 s, 15 s, a minute and later.

    A reply bears the id of the message that it answers: the same words to the same message mean the same. Without
    that id only what comes within one minute is the same: an ``OK`` to the next alarm must never be lost.
    """
    where = fields.get("id") or hook.now.strftime("%Y-%m-%dT%H:%M")
    parts = (where, fields.get("number", ""), fields.get("shortnumber", ""), fields.get("msg", ""))
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]
