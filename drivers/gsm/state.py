"""What the driver of a modem remembers across restarts. It stays in the home."""

import datetime as dt

import msgspec

from drivers.gsm.parts import Kept

# Texts that nobody understood, for a technician who stands before the hub.
KEPT_TEXTS = 50


class KeptText(msgspec.Struct, kw_only=True):
    """A text that fitted no pattern, or a message that could not be read (then ``text`` is its PDU)."""

    number: int
    sender: str
    time: dt.datetime
    text: str


class State(msgspec.Struct, kw_only=True):
    """What is remembered.

    Attributes:
        kept: Which messages were read, and parts of long texts.
        texts: The last texts that were not understood, oldest first.
        next_text: Number of the next one.
        troubles: What was told and has not ended.
        pin: The PIN that the next two tell of.
        pin_sends: How often it was sent without an answer.
        pin_refused: It is wrong, and is never sent again.
    """

    kept: Kept = msgspec.field(default_factory=Kept)
    texts: list[KeptText] = []
    next_text: int = 1
    troubles: list[str] = []
    pin: str = ""
    pin_sends: int = 0
    pin_refused: bool = False

    def keep(self, sender: str, time: dt.datetime, text: str) -> int:
        """Keep a text and return its number."""
        number, self.next_text = self.next_text, self.next_text + 1
        kept = KeptText(number=number, sender=sender, time=time, text=text)
        self.texts = [*self.texts[1 - KEPT_TEXTS :], kept]
        return number


def load(state: bytes) -> State:
    """Read a state; a damaged one starts anew, so that a text is rather told twice."""
    try:
        return msgspec.json.decode(state, type=State) if state else State()
    except (msgspec.DecodeError, ValueError):
        return State()
