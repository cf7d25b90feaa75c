"""What calls of every provider share: what is said, which keys count, how a call that led nowhere is told."""

import datetime as dt
from typing import Literal, NamedTuple

from hub.central.notify.channels.base import Capability, Keyed, Outgoing, ReceiptStatus, Report, Told

#: What a call can do: it rings any phone, and a key comes back.
CAPABILITIES = frozenset({Capability.VOICE, Capability.TWO_WAY, Capability.LANDLINE})

#: How long a phone rings: longer and a mailbox takes it, shorter and she has not got it out of her pocket.
RING_S = 20
#: How long is waited for a key after each reading. Ringing, two readings and their waits take about a minute.
KEY_WAIT_S = 5
TIMES = 2

Language = Literal["nb", "nn", "en"]


class Speech(NamedTuple):
    """How a language is spoken: the voice, and what explains the keys."""

    voice: str
    keys: str


#: No provider has a voice for Nynorsk; the Norwegian one reads it.
SPEECH: dict[Language, Speech] = {
    "nb": Speech("nb-NO", "Trykk 1 for å ta alarmen, 2 hvis du er på vei, 9 for neste person."),
    "nn": Speech("nb-NO", "Trykk 1 for å ta alarmen, 2 om du er på veg, 9 for neste person."),
    "en": Speech("en-GB", "Press 1 to take the alarm, 2 if you are on your way, 9 for the next person."),
}


def chosen(wished: str | None, otherwise: Language) -> Language:
    """Return the language of a call: the wished one where it is one of ours."""
    return next((language for language in SPEECH if language == wished), otherwise)


def key_address(hooks: str, outgoing: Outgoing) -> str:
    """Return the address that a key is told to; it bears the phone's language, for what is said next."""
    language = f"&language={outgoing.language}" if outgoing.language else ""
    return f"{hooks}/voice?message={outgoing.message_id}{language}"


def spoken(text: str, language: Language) -> str:
    """Return what a call says, once."""
    return f"{text} {SPEECH[language].keys}"


def pressed(call: str, message_id: int, digits: str, now: dt.datetime) -> tuple[Told, ...]:
    """Return what the end of a reading tells: a key, or that there was none."""
    if digits:
        return (Keyed(provider_ref=call, message_id=message_id, digits=digits),)
    return (ended(call, message_id, "no key was pressed", now),)


def ended(call: str, message_id: int | None, reason: str, now: dt.datetime, *, person: bool = True) -> Report:
    """Return that a call led nowhere; ``person``: because whoever it rang at did not take it.

    The end of a call is told after its keys. Who pressed one has been heard: such a message is no longer *sent*,
    and this report changes nothing.
    """
    return Report(
        provider_ref=call,
        message_id=message_id,
        status=ReceiptStatus.FAILED,
        at=now,
        reason=reason,
        person=person,
    )
