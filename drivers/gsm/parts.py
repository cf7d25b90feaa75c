"""Messages to texts: each once, and long ones put together from parts that come in any order.

Source: 3GPP TS 23.040, 9.2.3.24.1. A part that stays away does not hold back the others: after a wait they
are told as they are, and once more, whole, should it still come.
"""

import datetime as dt
import hashlib
from typing import NamedTuple

import msgspec

from drivers.gsm.alphabet import text_of_utf16
from drivers.gsm.pdu import Deliver

# Parts of one text follow each other within seconds; an alarm must not wait longer for its other half.
WAIT_S = 60.0
# How long a part that stayed away may still be joined: after that its reference may be another text's.
LATE_S = 3600.0
# More than a SIM and the memory of a modem hold together: all of it may be read a second time.
REMEMBERED = 500
MAX_HALVES = 50
GAP = "[…]"


class Text(NamedTuple):
    """A text as far as it came.

    Attributes:
        sender: As in :class:`drivers.gsm.pdu.Deliver`.
        time: When the service centre took it, or ``None``.
        text: Its letters; :data:`GAP` stands for a part that is missing.
        missing: Numbers of the parts that are missing.
        readable: It is not compressed.
        head: As in :class:`drivers.gsm.pdu.Deliver`, of the part that came first.
    """

    sender: str
    time: dt.datetime | None
    text: str
    missing: tuple[int, ...] = ()
    readable: bool = True
    head: str = ""


class Half(msgspec.Struct, kw_only=True):
    """A long text of which parts are missing; ``parts`` in hexadecimal, by number."""

    sender: str
    reference: int
    total: int
    time: dt.datetime | None
    parts: dict[int, str]
    head: str = ""
    told: bool = False


class Kept(msgspec.Struct, kw_only=True):
    """What must be remembered across restarts: digests of what was read, and halves."""

    seen: list[str] = []
    halves: list[Half] = []


class Parts:
    """Takes messages, gives texts.

    Args:
        kept: What it remembered.
    """

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self._waiting: dict[int, float] = {}  # since when, by identity of the half

    def take(self, message: Deliver, mono: float) -> list[Text]:
        """Take one message; a repeat gives nothing.

        A message without a believable stamp cannot be told from another one with the same words: it is
        always told, for an alarm must not be taken for a repeat.
        """
        if message.time is not None:
            digest = _digest(message)
            if digest in self.kept.seen:
                return []
            self.kept.seen = [*self.kept.seen[1 - REMEMBERED :], digest]
        if message.concat is None or message.concat.total == 1:
            text = text_of_utf16(message.data)
            return [Text(message.sender, message.time, text, (), message.readable, message.head)]
        return self._join(message, mono)

    def due(self, mono: float) -> list[Text]:
        """Return the texts whose missing parts were waited for long enough."""
        told: list[Text] = []
        for half in tuple(self.kept.halves):
            waited_s = mono - self._waiting.setdefault(id(half), mono)
            if not half.told and waited_s >= WAIT_S:
                half.told = True
                told.append(_text(half))
            elif waited_s >= LATE_S:
                self._drop(half)
        return told

    def _join(self, message: Deliver, mono: float) -> list[Text]:
        concat = message.concat
        if concat is None:
            raise AssertionError("only a part is joined")
        told: list[Text] = []
        half = self._half(message.sender, concat.reference, concat.total)
        data = message.data.hex()
        if half is not None and half.parts.get(concat.number, data) != data:
            # The same number with other words: references came round, and this is another text.
            told += self._give_up(half)
            half = None
        if half is None:
            half = Half(
                sender=message.sender,
                reference=concat.reference,
                total=concat.total,
                time=message.time,
                parts={},
                head=message.head,
            )
            self.kept.halves.append(half)
        half.parts[concat.number] = data
        self._waiting.setdefault(id(half), mono)
        if len(half.parts) == half.total:
            self._drop(half)
            return [*told, _text(half)]
        if len(self.kept.halves) > MAX_HALVES:
            told += self._give_up(self.kept.halves[0])
        return told

    def _half(self, sender: str, reference: int, total: int) -> Half | None:
        key = (sender, reference, total)
        return next((h for h in self.kept.halves if (h.sender, h.reference, h.total) == key), None)

    def _give_up(self, half: Half) -> list[Text]:
        self._drop(half)
        return [] if half.told else [_text(half)]

    def _drop(self, half: Half) -> None:
        self.kept.halves = [each for each in self.kept.halves if each is not half]
        self._waiting.pop(id(half), None)


def _text(half: Half) -> Text:
    numbers = range(1, half.total + 1)
    gap = GAP.encode("utf-16-be")
    data = b"".join(bytes.fromhex(half.parts[at]) if at in half.parts else gap for at in numbers)
    missing = tuple(at for at in numbers if at not in half.parts)
    return Text(half.sender, half.time, text_of_utf16(data), missing, head=half.head)


def _digest(message: Deliver) -> str:
    told = (message.sender, message.time, message.concat, message.data.hex())
    return hashlib.sha256(repr(told).encode("utf-8", "replace")).hexdigest()[:16]
