"""Sentences of the rules and of the centre, in the reader's language.

They are stored in English, and the English sentence is the key of its translation. A key may have places in
braces: each stands for one word, ``{at}`` for an instant as it is stored, ``{start}`` and ``{end}`` for a time of
the day, ``{why}`` for the rest of a sentence, which is translated in turn. What has no translation is shown as it
is: nothing is held back for want of a word.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache

# A place's name, and the text it stood for: returns what is shown there.
Fill = Callable[[str, str], str]

_PLACE = re.compile(r"\{(\w+)\}")
_SENTENCE_END = re.compile(r"(?<=\.) (?=[A-Z0-9])")
_STANDS_FOR = {
    "why": r".+",
    "at": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC",
    "start": r"\d\d:\d\d",
    "end": r"\d\d:\d\d",
}


@cache
def pattern(key: str) -> re.Pattern[str]:
    """Return the expression that finds a key's sentence and the texts at its places."""
    pieces = _PLACE.split(key)  # text, place, text, place, … text
    places = [f"(?P<{name}>{_STANDS_FOR.get(name, '[^ ]+?')})" for name in pieces[1::2]]
    texts = [re.escape(text) for text in pieces[::2]]
    return re.compile("".join(text + place for text, place in zip(texts, [*places, ""], strict=True)), re.DOTALL)


def say(text: str, said: Mapping[str, str], fill: Fill) -> str:
    """Return a text in the words of ``said``, sentence by sentence where it has none for the whole.

    Args:
        text: As it is stored.
        said: Translations by English sentence; where several fit, the first.
        fill: What is shown at a place.
    """
    whole = _one(text, said, fill)
    if whole is not None:
        return whole
    sentences = _SENTENCE_END.split(text)
    return " ".join(_one(sentence, said, fill) or sentence for sentence in sentences)


def _one(text: str, said: Mapping[str, str], fill: Fill) -> str | None:
    if text in said and not _PLACE.search(text):
        return said[text]
    for key, translation in said.items():
        found = pattern(key).fullmatch(text) if "{" in key else None
        if found:
            return translation.format_map(_filled(found.groupdict(), said, fill))
    return None


def _filled(places: Mapping[str, str], said: Mapping[str, str], fill: Fill) -> dict[str, str]:
    return {name: say(text, said, fill) if name == "why" else fill(name, text) for name, text in places.items()}
