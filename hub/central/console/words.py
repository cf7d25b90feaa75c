"""The words on the console's pages, in each language.

A key is ``table.entry`` (``page.board``). Kinds are called what the texts to the phones call them, so that a nurse
finds on the page the very words that woke her.
"""

import tomllib
from functools import cache
from importlib import resources

from hub.central.texts import language as phone_texts

LANGUAGES = {"nb": "Bokmål", "nn": "Nynorsk", "en": "English"}


@cache
def table(language: str) -> dict[str, dict[str, str]]:
    """Return all texts of a language, by table and entry."""
    document = resources.files(__package__).joinpath("texts", f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(document)


class Words:
    """The texts of one language.

    Args:
        language: One of :data:`LANGUAGES`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._table = table(language)

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values filled in.

        Raises:
            KeyError: There is no such text, or one of its values is missing: a mistake of ours, not of data.
        """
        name, _, entry = key.partition(".")
        return self._table[name][entry].format_map(values)

    def name(self, group: str, code: object) -> str:
        """Return what a code of the data is called; one that has no name here is shown as it is."""
        return self._table[group].get(str(code), str(code))

    def kind(self, kind: str) -> str:
        """Return what a kind is called."""
        return phone_texts.table(self.language)["kind"].get(kind, kind)

    def closing(self, detail: str) -> str:
        """Return what the history noted at a closing (``help_given need a note``) in words."""
        outcome, _, rest = detail.partition(" ")
        cause, _, note = rest.partition(" ")
        return ". ".join(filter(None, [self.name("outcome", outcome), self.name("cause", cause), note]))

    def month(self, number: int) -> str:
        """Return the short name of a month, 1 to 12."""
        return self._table["month"][str(number)]
