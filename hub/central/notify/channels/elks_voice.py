"""46elks: calls that play a text and take a key (46elks.com/docs, "Make call", "Call actions", "Action: IVR").

46elks plays sound files and does not speak (its text-to-speech is on request only), so what is said comes from an
address that makes sound of a text, or is a recorded file that is the same for every alarm. The actions go along
with the request: a call is heard even when 46elks cannot reach us. It has no key against double calling.
"""

import json
from urllib.parse import quote

import httpx
import msgspec

from hub.central.notify.channels import http, voice
from hub.central.notify.channels.base import Accepted, Hook, Keyed, Outgoing, Reply, Told
from hub.domain.errors import MalformedError, RefusedError

NAME = "46elks-voice"
_TEXT = "{text}"
_LANGUAGE = "{language}"
#: How a call ended (``state``), and why it led nowhere. ``success`` comes after the keys: see :func:`voice.ended`.
_ENDS = {"success": "hung up without a key", "busy": "busy", "failed": "not answered"}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag=NAME):
    """The account.

    Attributes:
        base_url: ``https://api.46elks.com``, or a simulator's.
        username: API user name.
        password: API password.
        sender: Our number there, E.164, with voice.
        speech_url: The sound that is played: WAV, MP3 or OGG. ``{text}`` in it stands for what is to be said; an
            address without it is a recorded sentence that also explains the keys. ``{language}`` stands for the
            voice, ``nb-NO`` or ``en-GB``.
        language: Of the sentence that explains the keys and of the voice, where the phone has none of its own.
    """

    base_url: str = "https://api.46elks.com"
    username: str
    password: str
    sender: str
    speech_url: str
    language: voice.Language = "nb"


class _Call(msgspec.Struct):
    id: str
    state: str = "ongoing"


class ElksVoice:
    """Calls through 46elks.

    Args:
        settings: The account.
        hooks: The address of our hooks, with the secret in its path.
    """

    name = NAME
    channel = "voice"
    capabilities = voice.CAPABILITIES

    def __init__(self, settings: Settings, hooks: str) -> None:
        self._settings = settings
        self._hooks = hooks.rstrip("/")
        self._line = http.Line(NAME, settings.base_url, (settings.username, settings.password))

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Have a phone called, once.

        Raises:
            TransientError: No answer, a late one, or one that is not theirs.
            RefusedError: They do not call this number.
            PermanentError: They make no calls for this account.
        """
        language = voice.chosen(outgoing.language, self._settings.language)
        action = {
            "ivr": self._sound(voice.spoken(outgoing.text, language), language),
            "digits": 1,
            "timeout": voice.KEY_WAIT_S,
            "repeat": voice.TIMES,
            "next": voice.key_address(self._hooks, outgoing),
        }
        form = {
            "from": self._settings.sender,
            "to": outgoing.number,
            "voice_start": json.dumps(action),
            "whenhangup": outgoing.receipt_url,
            "timeout": str(voice.RING_S),
        }
        return _read(await self._line.post("/a1/calls", form=form))

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Read the end of a reading, with its key, or the end of the call.

        46elks signs nothing: its secret is the address, which is checked before this.

        Raises:
            MalformedError: It is not of their form.
        """
        message_id = http.message_id(hook.query.get("message"))
        if hook.what == "delivery":
            state = http.required(hook.form, "state")
            if state not in _ENDS:
                raise MalformedError("'state' is unknown")
            called = http.required(hook.form, "id")
            # "failed" is also what a number is that could not be called at all.
            person = state != "failed"
            return (voice.ended(called, message_id, _ENDS[state], hook.now, person=person),)
        if hook.what != "voice" or message_id is None:
            raise MalformedError(f"{NAME} has no hook {hook.what!r} without a message")
        result = http.required(hook.form, "result")
        digits = result if http.message_id(result) is not None else ""
        return voice.pressed(http.required(hook.form, "callid"), message_id, digits, hook.now)

    def reply(self, hook: Hook, told: tuple[Told, ...], text: str) -> Reply:
        """Answer a key: play what came of it, where text can be made sound; the call then ends."""
        speaks = _TEXT in self._settings.speech_url
        if text and speaks and any(isinstance(each, Keyed) for each in told):
            language = voice.chosen(hook.query.get("language"), self._settings.language)
            action = {"play": self._sound(text, language), "skippable": False}
        else:
            action = {"hangup": "reject"}
        return Reply(json.dumps(action).encode(), "application/json")

    async def close(self) -> None:
        """Close the connections."""
        await self._line.close()

    def _sound(self, text: str, language: voice.Language) -> str:
        address = self._settings.speech_url.replace(_LANGUAGE, voice.SPEECH[language].voice)
        return address.replace(_TEXT, quote(text, safe=""))


def make(settings: Settings, hooks: str) -> ElksVoice:
    """Return the provider."""
    return ElksVoice(settings, hooks)


def _read(answer: httpx.Response) -> Accepted:
    """Make of an answer what our errors call it. 46elks has sentences, no table of codes."""
    if answer.status_code == httpx.codes.FORBIDDEN:
        # It may be about this number only; 401 and 402 are about the account.
        raise RefusedError(f"{NAME} answered {answer.status_code}")
    if not answer.is_success:
        raise http.failure(NAME, answer, None, {})
    call = http.read(NAME, answer, _Call)
    if call.state == "failed":
        raise RefusedError(f"{NAME}: the call failed at once")
    return Accepted(call.id)
