"""Twilio: calls that read a text out and take a key (twilio.com/docs/voice, "Calls resource", TwiML ``<Gather>``).

What is said goes along with the request, so a call speaks even when Twilio cannot reach us. A call whose answer
was lost is made again: the phone may ring twice.
"""

from xml.sax.saxutils import escape, quoteattr

import msgspec

from hub.central.notify.channels import http, twilio, twilio_signature, voice
from hub.central.notify.channels.base import Accepted, Hook, Keyed, Outgoing, ReceiptStatus, Reply, Report, Told
from hub.domain.errors import MalformedError

NAME = "twilio-voice"

#: How a call ended, and why it led nowhere. ``completed`` comes after the keys: see :func:`voice.ended`.
_ENDS = {
    "completed": "hung up without a key",
    "busy": "busy",
    "no-answer": "not answered",
    "failed": "the call failed",
    "canceled": "the call was cancelled",
}
#: It never rang: another provider may do better.
_NOT_PLACED = frozenset({"failed", "canceled"})
_UNDER_WAY = frozenset({"queued", "initiated", "ringing", "in-progress"})
#: Who has answered hears nothing until it is known that she is no machine; theirs would be 30 s.
_DETECT_S = 5
_MACHINES = ("machine", "fax")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """The account.

    Attributes:
        base_url: ``https://api.twilio.com``, or a simulator's.
        account_sid: AC and 32 hexadecimal digits.
        auth_token: Its token; Twilio signs its calls with it.
        sender: Our number there, E.164.
        language: Of the sentence that explains the keys and of the voice, where the phone has none of its own.
    """

    base_url: str = "https://api.twilio.com"
    account_sid: str
    auth_token: str
    sender: str
    language: voice.Language = "nb"


class TwilioVoice:
    """Calls through Twilio.

    Args:
        settings: The account.
        hooks: The address of our hooks, with the secret in its path, exactly as Twilio calls it.
    """

    name = NAME
    channel = "voice"
    capabilities = voice.CAPABILITIES

    def __init__(self, settings: Settings, hooks: str) -> None:
        self._settings = settings
        self._hooks = hooks.rstrip("/")
        self._line = http.Line(NAME, settings.base_url, (settings.account_sid, settings.auth_token))

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Have a phone called, once.

        Raises:
            TransientError: No answer, a late one, or one that is not theirs.
            RefusedError: They do not call this number.
            PermanentError: They make no calls for this account.
        """
        form = {
            "From": self._settings.sender,
            "To": outgoing.number,
            "Twiml": twilio.twiml(self._asked(outgoing)).body.decode(),
            "StatusCallback": outgoing.receipt_url,
            "Timeout": str(voice.RING_S),
            "MachineDetection": "Enable",
            "MachineDetectionTimeout": str(_DETECT_S),
        }
        path = f"/2010-04-01/Accounts/{self._settings.account_sid}/Calls.json"
        return twilio.accepted(NAME, await self._line.post(path, form=form))

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Read the end of a reading, with its key, or the end of the call.

        Raises:
            RefusedError: The signature does not fit.
            MalformedError: It is not of their form.
        """
        twilio_signature.signed(hook, self._settings.auth_token)
        call = http.required(hook.form, "CallSid")
        message_id = http.message_id(hook.query.get("message"))
        if hook.what == "delivery":
            return (_report(hook, call, message_id),)
        if hook.what != "voice" or message_id is None:
            raise MalformedError(f"{NAME} has no hook {hook.what!r} without a message")
        return voice.pressed(call, message_id, hook.form.get("Digits", ""), hook.now)

    def reply(self, hook: Hook, told: tuple[Told, ...], text: str) -> Reply:
        """Answer a key: say what came of it, and hang up."""
        if not text or not any(isinstance(each, Keyed) for each in told):
            return twilio.twiml("<Hangup/>")
        language = voice.chosen(hook.query.get("language"), self._settings.language)
        return twilio.twiml(f"{_say(text, language)}<Hangup/>")

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    def _asked(self, outgoing: Outgoing) -> str:
        """Return the readings, each followed by a wait for a key; the last one is reported without a key too."""
        action = quoteattr(voice.key_address(self._hooks, outgoing))
        language = voice.chosen(outgoing.language, self._settings.language)
        said = _say(voice.spoken(outgoing.text, language), language)
        gather = f'<Gather numDigits="1" timeout="{voice.KEY_WAIT_S}" finishOnKey="" action={action}'
        return f"{gather}>{said}</Gather>" * (voice.TIMES - 1) + (
            f'{gather} actionOnEmptyResult="true">{said}</Gather>'
        )


def make(settings: Settings, hooks: str) -> TwilioVoice:
    """Return the provider."""
    return TwilioVoice(settings, hooks)


def _say(text: str, language: voice.Language) -> str:
    return f'<Say language="{voice.SPEECH[language].voice}">{escape(text)}</Say>'


def _report(hook: Hook, call: str, message_id: int | None) -> Report:
    status = http.required(hook.form, "CallStatus")
    if status in _UNDER_WAY:
        return Report(provider_ref=call, message_id=message_id, status=ReceiptStatus.SENT, at=hook.now)
    if status not in _ENDS:
        raise MalformedError("'CallStatus' is unknown")
    machine = hook.form.get("AnsweredBy", "").startswith(_MACHINES)
    said = "a machine answered" if machine else _ENDS[status]
    return voice.ended(call, message_id, said, hook.now, person=machine or status not in _NOT_PLACED)
