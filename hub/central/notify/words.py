"""Reads what a nurse typed: one known word or phrase, and at most one number. Anything else is not understood.

``OK 47``, ``ok47!``, ``47 ok``, ``På vei 47`` and the same in full-width characters are understood. ``not ok 47``,
``ok 47?``, ``ok 47 og 48`` and an echo of our own text are not: nothing odd may acknowledge an incident.
"""

import re
import unicodedata
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from hub.central.incidents.lifecycle import Event
from hub.central.texts.language import LANGUAGES, table

# Longer than any answer that is understood; what follows is not read.
_READ = 200
_PART = re.compile(r"[^\W\d_]+|\d+")
_DIGITS = 9


class Word(StrEnum):
    """What an answer can mean."""

    ACKNOWLEDGE = "acknowledge"
    DEPART = "depart"
    ARRIVE = "arrive"
    REJECT = "reject"
    CLOSE = "close"
    SHIFT = "shift"


EVENTS = {Word.ACKNOWLEDGE: Event.ACKNOWLEDGE, Word.DEPART: Event.DEPART, Word.ARRIVE: Event.ARRIVE}


class Answer(NamedTuple):
    """What was understood: a word, and the number of the incident if there was one."""

    word: Word
    number: int | None


def read(text: str) -> Answer | None:
    """Return what an answer means in any of our languages, or ``None`` when it is not understood."""
    if len(text) > _READ or "?" in _even(text):
        return None
    parts = _PART.findall(_even(text))
    numbers = [part for part in parts if part[0].isdecimal()]
    word = _words().get(" ".join(part for part in parts if not part[0].isdecimal()))
    if word is None or len(numbers) > 1 or any(len(number) > _DIGITS for number in numbers):
        return None
    return Answer(word, int(numbers[0]) if numbers else None)


@cache
def _words() -> dict[str, Word]:
    """Return every phrase of every language with what it means."""
    return {
        _even(phrase.strip()): word
        for language in LANGUAGES
        for word in Word
        for phrase in table(language)["word"][word].split(",")
    }


def _even(text: str) -> str:
    """Return a text without the differences that do not matter: case, width, how an accent is put together."""
    return unicodedata.normalize("NFKC", text).casefold()
