"""Phones, messages, and how they can misbehave."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from firmware_sim.errors import Unfit

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_KEYS = frozenset("0123456789-h")
_ASKED = re.compile(r"\bOK \d+\b")
#: 46elks counts in 10000ths of the account's currency: 0.52 SEK a part.
_COST_PER_PART = 5200
# GSM 03.38: the basic alphabet, and what costs two places. Anything else makes the message UCS-2.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_DOUBLE = frozenset("^{}\\[~]|€")


def is_number(text: str) -> bool:
    """Tell whether this is a phone number in E.164 form."""
    return _E164.fullmatch(text) is not None


def parts(text: str) -> int:
    """Return how many SMS this text takes (GSM 03.38 and 03.40: 160/153 places, UCS-2 70/67)."""
    if all(sign in _GSM or sign in _GSM_DOUBLE for sign in text):
        places, alone, joined = sum(2 if sign in _GSM_DOUBLE else 1 for sign in text), 160, 153
    else:
        places, alone, joined = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if places <= alone else -(-places // joined)


@dataclass
class Message:
    """One text message; the names are those of the 46elks API, ``sender`` being its ``from``.

    ``at_s`` is Unix time and ``mono_s`` monotonic, when the service got it; ``log`` tells what became of it.
    ``provider`` carries it, ``ref`` is what the sender calls it, ``answers`` the id of the message it replies to.
    """

    id: str
    direction: str
    sender: str
    to: str
    message: str
    at_s: float
    mono_s: float
    status: str = "created"
    log: list[tuple[str, float]] = field(default_factory=list)
    provider: str = "46elks"
    ref: str = ""
    answers: str = ""

    @property
    def cost(self) -> int:
        """Return its price in 10000ths."""
        return 0 if self.direction == "incoming" else _COST_PER_PART * parts(self.message)


@dataclass(frozen=True)
class Nurse:
    """A human who answers by herself.

    Attributes:
        after_s: How long she takes.
        answer: What she answers; ``{ok}`` stands for the ``OK 47`` that the text asks for. Texts that ask
            for none are left alone.
    """

    after_s: float = 2.0
    answer: str = "{ok}"

    def reply_to(self, text: str) -> str | None:
        """Return her answer to this text, or ``None``."""
        asked = _ASKED.search(text)
        return self.answer.replace("{ok}", asked.group()) if asked else None


@dataclass(frozen=True)
class Behaviour:
    """How a phone, and the service on the way to it, behave.

    Attributes:
        on: The phone is switched on. Off, messages wait for it.
        drop: The service accepts messages and loses them: no delivery, no report.
        fail: Messages cannot be delivered, and the report says so.
        slow_s: Seconds until delivery.
        refuse_next: How many next requests the API answers with 503.
        hang_next: How many next requests the API never answers.
        duplicate_report: Each delivery report comes twice.
        lose_webhook: No webhook about this phone is ever sent.
        nurse: Who answers by herself, or ``None``. In a call she presses 1.
        busy: Calls find it busy.
        unanswered: Calls ring in vain.
        machine: A machine takes calls.
        keys: What is pressed in calls, one sign for each wait: a digit, ``-`` for none, ``h`` hangs up.
        hasty: Ringing, and waiting for a key, take no time.
    """

    on: bool = True
    drop: bool = False
    fail: bool = False
    slow_s: float = 0.0
    refuse_next: int = 0
    hang_next: int = 0
    duplicate_report: bool = False
    lose_webhook: bool = False
    nurse: Nurse | None = None
    busy: bool = False
    unanswered: bool = False
    machine: bool = False
    keys: str = ""
    hasty: bool = False

    def changed(self, given: Mapping[str, object]) -> "Behaviour":
        """Return this behaviour with some of it changed, from plain data.

        Raises:
            Unfit: A name is unknown or a value does not fit it.
        """
        defaults = {item.name: item.default for item in fields(self)}
        values: dict[str, object] = {}
        for name, value in given.items():
            if name not in defaults:
                raise Unfit(f"unknown behaviour {name!r}; known: {', '.join(defaults)}")
            values[name] = _nurse(value) if name == "nurse" else _fitting(name, value, defaults[name])
        return replace(self, **values)  # type: ignore[arg-type] # each has just been checked


def _fitting(name: str, value: object, default: object) -> object:
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        raise Unfit(f"{name!r} is true or false, not {value!r}")
    if isinstance(default, str):
        if isinstance(value, str) and set(value) <= _KEYS:
            return value
        raise Unfit(f"{name!r} is made of digits, '-' and 'h', not {value!r}")
    whole = isinstance(default, int)
    fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not fits or value < 0:  # type: ignore[operator] # a number, if it fits
        raise Unfit(f"{name!r} is a {'whole ' if whole else ''}number from 0, not {value!r}")
    return value


def _nurse(value: object) -> Nurse | None:
    if value is None:
        return None
    if isinstance(value, Mapping) and value.keys() <= {"after_s", "answer"}:
        after_s, answer = value.get("after_s", Nurse.after_s), value.get("answer", Nurse.answer)
        if isinstance(after_s, int | float) and after_s >= 0 and isinstance(answer, str):
            return Nurse(float(after_s), answer)
    raise Unfit(f'\'nurse\' is null or {{"after_s": 2, "answer": "{{ok}}"}}, not {value!r}')


@dataclass
class Phone:
    """One phone on the network."""

    number: str
    label: str
    behaviour: Behaviour = field(default_factory=Behaviour)
