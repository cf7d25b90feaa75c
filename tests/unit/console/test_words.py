"""The console's texts: every language has every text, and every code of the data has a name."""

import string

import pytest

from hub.central.console.words import LANGUAGES, Words, table
from hub.central.incidents.lifecycle import Cause, Event, Outcome, State
from hub.central.notify.message import MessageState
from hub.domain.clock import TimeQuality
from hub.domain.codes import Kind, Severity

NAMED: dict[str, list[object]] = {
    "state": [*State],
    "outcome": [*Outcome],
    "cause": [*Cause],
    "severity": [int(severity) for severity in Severity],
    "message": [*MessageState],
    "quality": [*TimeQuality],
    "event": [event for event in Event if event is not Event.CLOSE] + ["opened", "closed", "told"],
    "class": ["care", "technical"],
}


def keys(language: str) -> set[tuple[str, str]]:
    """Every text but the sentences, which have their own rules."""
    return {(name, entry) for name, texts in table(language).items() if name != "said" for entry in texts}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_values(language: str) -> None:
    assert keys(language) == keys("nb")
    for name, entry in keys(language):
        assert places(table(language)[name][entry]) == places(table("nb")[name][entry]), (name, entry)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_a_name(language: str) -> None:
    words = Words(language)
    for group, codes in NAMED.items():
        assert {str(code) for code in codes} <= set(table(language)[group])
    for kind in Kind:
        assert words.kind(kind) != kind


def test_a_code_that_nobody_named_is_shown_as_it_is() -> None:
    assert Words("nb").name("flag", "sunspots") == "sunspots"
    assert Words("nb").kind("rain.detected") == "rain.detected"


def test_a_closing_is_told_in_words() -> None:
    words = Words("en")
    assert words.closing("help_given fall sat in the chair") == "Help given. Fall. sat in the chair"
    assert words.closing("help_given fall") == "Help given. Fall"
    assert words.closing("") == ""
