"""The tables of sentences, one file a language.

A key is ``table.entry`` (``reply.taken``, ``kind.dose.unknown``). A sentence that a language lacks is taken from
the next one in :data:`FALLBACK`, and if none has it the key itself is shown: a text that reads badly is better
than a text that does not leave.
"""

import logging
import tomllib
from functools import cache
from importlib import resources

log = logging.getLogger(__name__)

LANGUAGES = ("nb", "nn", "en")

FALLBACK: dict[str, tuple[str, ...]] = {
    "nb": ("nb", "en"),
    "nn": ("nn", "nb", "en"),
    "en": ("en",),
}


@cache
def table(language: str) -> dict[str, dict[str, str]]:
    """Return all sentences of a language, by table and entry."""
    document = resources.files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(document)


def sentence(language: str, key: str) -> str:
    """Return a sentence as it stands in its table, with its places for values unfilled."""
    name, _, entry = key.partition(".")
    for candidate in FALLBACK.get(language, ("en",)):
        found = table(candidate).get(name, {}).get(entry)
        if found is not None:
            return found
    log.error("no sentence for key %s in language %s", key, language)
    return key


def render(language: str, key: str, **values: object) -> str:
    """Return a sentence with its values filled in.

    Raises:
        KeyError: The sentence has a place for a value that was not given.
    """
    return sentence(language, key).format_map(values)
