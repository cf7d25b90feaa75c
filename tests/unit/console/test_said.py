"""What the rules and the centre say, in the reader's language: no sentence and no event is forgotten."""

import ast
import datetime as dt
import tomllib
import zoneinfo
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hub.central
import rules
from hub.central.auth import Session
from hub.central.console import said
from hub.central.console.render import Reader
from hub.central.console.words import LANGUAGES, Words
from hub.central.incidents.lifecycle import Event
from hub.central.incidents.view import Line
from hub.domain.clock import UTC, Now

CENTRE = Path(next(iter(hub.central.__path__)))
RULES = Path(next(iter(rules.__path__)))
# Whose sentences come to an incident's history, its reason or a message's.
SPEAKERS = [
    *(CENTRE / name for name in ("auditor.py", "supervision.py", "dose.py", "ingest.py", "incidents/desk.py")),
    CENTRE / "watch" / "troubles.py",
    *(CENTRE / "commissioning" / name for name in ("route.py", "service.py", "untaken.py")),
    *(CENTRE / "escalation" / name for name in ("engine.py", "plan.py", "rota.py")),
    *(CENTRE / "notify" / name for name in ("outcome.py", "stages.py", "receipts.py")),
    *(RULES / name for name in ("engine.py", "conditions.py")),
]
AT = dt.datetime(2026, 11, 21, 2, 10, tzinfo=UTC)


def reader(language: str) -> Reader:
    now = Now(AT, 0.0)
    zone = zoneinfo.ZoneInfo("Europe/Oslo")
    return Reader(words=Words(language), zone=zone, now=now, session=Session("kari-test", "token", AT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def sentences(path: Path) -> Iterator[str]:
    """Every text of more than one word, but docstrings, errors and the log; with a value at each place."""
    module = tree(path)
    beside: set[int] = set()
    for node in ast.walk(module):
        logged = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log.")
        if logged or isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and _text(node.value) is not None):
            beside |= {id(part) for part in ast.walk(node)}
        elif isinstance(node, ast.JoinedStr):
            beside |= {id(part) for part in ast.walk(node)} - {id(node)}
    for node in ast.walk(module):
        text = _text(node)
        if text is not None and id(node) not in beside and " " in text.strip():
            yield text


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "" for part in node.values)
    if isinstance(node, ast.FormattedValue):
        form = node.format_spec and _text(node.format_spec)
        return format(AT, form) if form and "%" in form else "xyz"
    return None


def known() -> list[str]:
    standard = tomllib.loads(
        resources.files("rules").joinpath("sets", "standard.toml").read_text(encoding="utf-8")
    )
    return [rule["reason"] for rule in standard["rules"]] + [
        sentence for path in SPEAKERS for sentence in sentences(path)
    ]


def noted() -> Iterator[tuple[str, str | None]]:
    """Every event that is written into an incident's history, ``None`` where it comes in by an argument."""
    for path in CENTRE.rglob("*.py"):
        for node in ast.walk(tree(path)):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in {"record.note", "_note"}
                and len(node.args) > 2
            ):
                event = node.args[2]
                if isinstance(event, ast.Attribute):
                    yield path.name, Event[event.attr]
                else:
                    yield path.name, _text(event)


@pytest.mark.parametrize("language", ["nb", "nn"])
def test_every_sentence_has_a_translation(language: str) -> None:
    found = known()
    assert len(found) > 80, "the sentences are not found any more"
    same_in_all = {"xyz: xyz", "xyz xyz"}
    assert [text for text in found if reader(language).said(text) == text and text not in same_in_all] == []


@pytest.mark.parametrize("typed", ["2026-13-45 10:00:00 UTC", "9999-12-31 23:59:59 UTC"])
def test_what_somebody_typed_and_is_no_instant_is_shown_as_it_is(typed: str) -> None:
    detail = f"device pendant-1 is under maintenance 1: since {typed}"
    assert typed in reader("nb").said(detail)


def test_the_languages_translate_the_same_sentences() -> None:
    assert list(Words("nb").said) == list(Words("nn").said) == list(Words("en").said)
    for language in LANGUAGES:
        for key, translation in Words(language).said.items():
            places = {part.partition("}")[0] for part in translation.split("{")[1:]}
            assert places <= {part.partition("}")[0] for part in key.split("{")[1:]}, (language, key)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_of_a_history_has_a_word(language: str) -> None:
    events = list(noted())
    # Two pass on what they are given: a person's act, and what their callers in the same file name.
    assert sorted(name for name, event in events if event is None) == ["desk.py", "outcome.py"]
    names = {event for _, event in events if event is not None}
    assert {"opened", "told", "sent", "delivered", "withheld", "closed", Event.EXPIRE} <= names
    acts = {Event.ACKNOWLEDGE, Event.DEPART, Event.ARRIVE}
    assert [event for event in names | acts if Words(language).name("event", event) == event] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A resident calls for help.", "En beboer ber om hjelp."),
        (
            "The door was opened at night. 22:31 lies in the night hours 21:00-00:00.",
            "Døren ble åpnet om natten. Kl. 22:31 er innenfor natten (21:00-00:00).",
        ),
        ("nord-1 duty: nord-1-duty by sms", "nord-1 vakt: nord-1-duty med SMS"),
        (
            "message 7 to nord-1-duty: attempt 2: 46elks: no answer",
            "melding 7 til nord-1-duty: forsøk 2: 46elks: no answer",
        ),
        (
            "message 7 to nord-1-duty: taken by user:kari-test",
            "melding 7 til nord-1-duty: tatt av kari-test (deg)",
        ),
        ("acknowledged led nowhere", "«Tatt» førte ikke videre"),
        ("duty of nord-1: mon-fri,holiday 15:00-08:00", "vakt i nord-1: mandag-fredag, helligdag 15:00-08:00"),
        ("daily 00:00-24:00 (Andre juledag)", "Andre juledag, alle dager 00:00-24:00"),
        ("Summer leave, sat 00:00-24:00, phone 2 of 3", "Summer leave, lørdag 00:00-24:00, telefon 2 av 3"),
        ("override (sick), night nurse is ill", "sykdom: night nurse is ill"),
        ("override (swap), course, phone 2 of 2", "bytte: course, telefon 2 av 2"),
        ("override, shared with nord-2", "unntak: shared with nord-2"),
        (
            "shift 4 was confirmed by user:kari-test at 2026-11-20 21:30:00 UTC",
            "vakten er bekreftet av kari-test (deg) 20. nov. 22:30",
        ),
        ("maintenance 3 ended at 2026-11-20 21:30:00 UTC", "vedlikehold 3 sluttet 20. nov. 22:30"),
        ("sms:nord-1-duty took it and went no further", "telefon nord-1-duty tok den og kom ikke videre"),
        (
            "nothing was heard of hub h-1 since 2026-11-20 21:30:00 UTC",
            "Ingenting er hørt fra hub h-1 siden 20. nov. 22:30",
        ),
        ("nothing was heard of device d since it was assigned", "Ingenting er hørt fra enhet d siden oppsettet"),
        ("The house rule. A resident calls for help.", "The house rule. En beboer ber om hjelp."),
        ("Somebody wrote this: {why}", "Somebody wrote this: {why}"),
        ("", ""),
    ],
)
def test_a_sentence_is_said_in_the_readers_language(text: str, shown: str) -> None:
    assert reader("nb").said(text) == shown


def test_english_is_what_it_was_in_local_time() -> None:
    assert reader("en").said("nothing was heard of hub h-1 since 2026-11-20 21:30:00 UTC") == (
        "nothing was heard of hub h-1 since 20 Nov 22:30"
    )
    assert reader("en").said("The resident got up at night.") == "The resident got up at night."


def test_what_a_person_wrote_stays_as_it_was_written() -> None:
    def line(actor: str, event: str, detail: str) -> str:
        return reader("nb").detail(Line(at=AT, event=event, actor=actor, detail=detail))

    assert line("user:kari-test", "depart", "taken by surprise") == "taken by surprise"
    assert (
        line("user:kari-test", "closed", "help_given fall it is heard again")
        == "Hjelp gitt. Fall. it is heard again"
    )
    assert line("centre", "closed", "cleared technical it is heard again").endswith("Teknisk feil. Høres igjen")
    assert line("sms:nord-1-duty", "acknowledge", "reply s-1") == "Svarte på tekstmeldingen"


@given(st.text())
def test_nothing_that_is_not_known_is_changed_or_refused(text: str) -> None:
    assert said.say(text, {"a {b} c": "A {b} C"}, lambda _, found: found) in {text, f"A{text[1:-1]}C"}


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(reader("nn").said(text), str)
