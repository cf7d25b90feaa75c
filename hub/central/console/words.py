"""The words on the console's pages, in each language.

A key is ``table.entry`` (``page.board``). Kinds are called what the texts to the phones call them, so that a nurse
finds on the page the very words that woke her. Table ``said`` has sentences for keys; see
:mod:`hub.central.console.said`.
"""

import tomllib
from collections.abc import Callable
from functools import cache
from importlib import resources

from hub.central.incidents.view import Incident
from hub.central.texts import language as phone_texts

# Places in a sentence that hold a code of the table of the same name.
CODES = frozenset({"role", "channel", "state"})
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

    Attributes:
        said: Translations of what the rules and the centre say, by English sentence.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._table = table(language)
        # What the rules and the centre say is English already.
        self.said = self._table["said"] if language != "en" else {key: key for key in table("nb")["said"]}

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

    def what(self, incident: Incident) -> str:
        """Return what an incident is called: its kind, and what else was reported."""
        return " + ".join(map(self.kind, (incident.kind, *incident.also)))

    def detail(self, name: str, value: str) -> str:
        """Return a named detail of an observation (``button 1``); without words here it is ``name: value``."""
        pattern = self._table["detail"].get(name)
        return f"{name}: {value}" if pattern is None else pattern.format(value=value)

    def closing(self, detail: str, said: Callable[[str], str] = str) -> str:
        """Return what was noted at a closing (``help_given need a note``) in words; ``said`` reads the note."""
        outcome, _, rest = detail.partition(" ")
        cause, _, note = rest.partition(" ")
        note = said(note)
        return ". ".join(filter(None, [self.name("outcome", outcome), self.name("cause", cause), note]))

    def days(self, text: str) -> str:
        """Return the days of a weekly rule (``mon-fri,holiday``) in words."""
        spans = (span.partition("-") for span in text.split(","))
        return ", ".join("-".join(self.name("weekday", day) for day in span[::2] if day) for span in spans)

    def month(self, number: int) -> str:
        """Return the short name of a month, 1 to 12."""
        return self._table["month"][str(number)]
