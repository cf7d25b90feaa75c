"""Every text of every kind and language: it fits, it says what it must, and it gives nobody away."""

import datetime as dt
import re
import string
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.links import tokens
from hub.central.site.model import Language
from hub.central.texts import Because, alert_text, gsm, render
from hub.central.texts.language import LANGUAGES, sentence, table
from hub.domain.codes import Kind
from tests.fakes.ward import START, make_site

SITES = {language: make_site(language) for language in ("nb", "nn", "en")}
TO_PHONES = ("kind", "alert", "state", "reply")
# What a text on a lost phone must not say: illness, drugs, persons, addresses.
GIVES_AWAY = re.compile(
    r"medisin|medicine|medication|legemid|tablett|pille|\bpill|diagnos|diabet|demens|dementia|insulin|blod|blood|"
    r"glukose|glucose|hjerte|heart|oksygen|spo2|temperatur|vekt|\bnavn\b|\bname\b|adress|personnum|født",
    re.IGNORECASE,
)
TOKEN = "0123456789abcdefABCDEF"
LINK = f"https://hub.example{tokens.PATH}{TOKEN}"
WAITING = f"https://hub.example{tokens.PATH}{tokens.PLACE}"
PLACES = re.compile(r"{(\w+)}")
names = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=48)


def incident(**columns: object) -> Any:
    row: dict[str, object] = {
        "id": 47,
        "incident_class": "care",
        "kind": Kind.ALARM_PRESSED,
        "zone": "nord-1",
        "resident_id": "r-12",
        "device_id": "d-1",
        "hub_id": "h-1",
        "room": "bad",
        "unprotected": "",
        "test": False,
        "flags": "",
        "occurred_at": START,
        "also": "",
        "presses": 1,
    }
    return SimpleNamespace(**(row | columns))


@given(
    kind=st.sampled_from(Kind),
    language=st.sampled_from(LANGUAGES),
    row=st.fixed_dictionaries(
        {
            "id": st.integers(1, 10**7),
            "incident_class": st.sampled_from(["care", "technical"]),
            "resident_id": st.none() | names,
            "device_id": st.none() | names,
            "hub_id": st.none() | names,
            "room": st.none() | st.text(max_size=64),
            "unprotected": st.lists(names, max_size=40).map(" ".join),
            "test": st.booleans(),
            "flags": st.sampled_from(["", "counter_back bad_time"]),
            "presses": st.integers(1, 99),
            "occurred_at": st.timedeltas(dt.timedelta(days=-400), dt.timedelta(hours=1)).map(lambda d: START + d),
        }
    ),
    again=st.none() | st.sampled_from(Because),
    spoken=st.none() | st.sampled_from(LANGUAGES),
    others=st.lists(st.integers(1, 10**7), max_size=60),
    link=st.sampled_from(["", LINK]),
)
def test_every_alert_is_one_text_and_asks_for_its_number(
    kind: Kind, language: Language, row: dict[str, object], again: Because | None, **more: Any
) -> None:
    spoken, others, link = more.pop("spoken"), more["others"], more["link"]
    text = alert_text(SITES[language], incident(kind=kind, **row), START, again=again, language=spoken, **more)
    language = spoken or language
    assert gsm.fits(text), (len(text), text)
    assert (LINK in text) or "https" not in text
    assert bool(link) or LINK not in text
    listed = re.search(r"(?:åpne|opne|open): ([0-9+ ]+)", text)
    if listed:
        words = listed[1].split()
        kept = [word for word in words if not word.startswith("+")]
        rest = sum(int(word) for word in words if word.startswith("+"))
        assert [int(word) for word in kept] == others[: len(kept)]
        assert len(kept) + rest == len(others)
    assert text.endswith(f"OK {row['id']}.")
    assert render(language, f"kind.{kind}") in text
    assert not GIVES_AWAY.search(render(language, f"kind.{kind}"))


def test_an_alert_word_for_word() -> None:
    assert alert_text(SITES["nb"], incident(), START) == "47 Trygghetsalarm: r-12, bad, 21:00. Svar OK 47."


def test_what_else_is_open_is_listed_and_the_link_stands_before_the_answer() -> None:
    text = alert_text(SITES["nb"], incident(), START, others=[45, 46], link=LINK)
    assert text == f"47 Trygghetsalarm: r-12, bad, 21:00. Også åpne: 45 46. {LINK} Svar OK 47."


@given(room=st.text(max_size=120) | st.text("(made when it goes)/l", max_size=120) | st.just(tokens.PLACE))
def test_as_it_leaves_it_is_the_text_that_was_measured(room: str) -> None:
    queued = alert_text(SITES["nb"], incident(room=room), START, link=WAITING)
    assert tokens.wanted(queued) is (WAITING in queued)
    assert tokens.filled(queued, TOKEN) == alert_text(SITES["nb"], incident(room=room), START, link=LINK)
    assert tokens.filled(queued, "") == alert_text(SITES["nb"], incident(room=room), START)


@given(st.text() | st.text("(made when it goes)\n\t\xa0", max_size=40))
def test_nobody_can_write_the_place_of_a_token(text: str) -> None:
    assert tokens.PLACE not in gsm.plain(text)
    assert not re.search(r"^[A-Za-z0-9_-]{22}$", tokens.PLACE)
    assert (len(tokens.PLACE), gsm.fits(tokens.PLACE)) == (len(TOKEN), True)


def test_it_is_written_in_the_language_of_the_phone() -> None:
    text = alert_text(SITES["nb"], incident(), START, again=Because.EXPIRED, language="en")
    assert text == "AGAIN, taken and nobody came: 47 Safety alarm: r-12, bad, 21:00. Reply OK 47."


def test_a_late_odd_repeated_test_says_so() -> None:
    row = incident(
        occurred_at=START - dt.timedelta(hours=2, minutes=5), flags="counter_back", presses=3, test=True
    )
    assert alert_text(SITES["nb"], row, START, again=Because.NOBODY_CAME) == (
        "TEST IGJEN, ingen kom: 47 Trygghetsalarm: r-12, bad, 18:55 (2 t 5 min gammel), 3 ganger. "
        "NB! usikker melding. Svar OK 47."
    )


@pytest.mark.parametrize(("seconds", "said"), [(60, ""), (61, " (1 min old)"), (90_061, " (1 d 1 h old)")])
def test_age_is_told_when_it_is_more_than_a_minute(seconds: int, said: str) -> None:
    text = alert_text(SITES["en"], incident(occurred_at=START - dt.timedelta(seconds=seconds)), START)
    assert (said in text) if said else ("old" not in text)


def test_yesterday_is_named_in_local_time() -> None:
    # 22:30 UTC is 23:30 in Oslo; 23:30 UTC is tomorrow there.
    at = dt.datetime(2026, 11, 20, 22, 30, tzinfo=dt.UTC)
    assert ", 20.11. 23:30 (1 h 0 min old)." in alert_text(
        SITES["en"], incident(occurred_at=at), at + dt.timedelta(hours=1)
    )


def test_a_lost_hub_names_who_is_unprotected_as_far_as_there_is_room() -> None:
    row = incident(
        kind=Kind.HUB_LOST,
        incident_class="technical",
        resident_id=None,
        device_id=None,
        room=None,
        unprotected=" ".join(f"r-{n:04}" for n in range(40)),
    )
    text = alert_text(SITES["nb"], row, START)
    found = re.search(r"h-1 ((?:r-\d{4} )+)\+(\d+)", text)
    assert found
    assert len(found[1].split()) + int(found[2]) == 40
    assert gsm.LIMIT - len(text) < len(" r-0000")


def test_an_alarm_from_nobody_known_says_where_it_came_from() -> None:
    text = alert_text(SITES["nb"], incident(resident_id=None), START)
    assert "ukjent beboer d-1 h-1" in text


def test_an_unknown_dose_says_that_it_is_unknown_and_why() -> None:
    text = alert_text(SITES["nb"], incident(kind=Kind.DOSE_UNKNOWN), START)
    assert "Ukjent om dose er tatt, ingen kontakt" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_a_phrase(language: str) -> None:
    assert set(table(language)["kind"]) == {str(kind) for kind in Kind}


def test_languages_have_the_same_sentences_with_the_same_places() -> None:
    def shape(language: str) -> dict[tuple[str, str], set[str]]:
        return {
            (name, entry): set(PLACES.findall(text))
            for name, entries in table(language).items()
            for entry, text in entries.items()
        }

    assert shape("nn") == shape("nb") == shape("en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_for_phones_are_gsm_and_give_nobody_away(language: str) -> None:
    for name in TO_PHONES:
        for entry, text in table(language)[name].items():
            said = PLACES.sub("", text)
            assert gsm.BASIC.issuperset(said), (name, entry)
            assert not GIVES_AWAY.search(said), (name, entry)


def test_what_a_language_lacks_comes_from_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sentence("nn", "kind.alarm.pressed") == "Tryggleiksalarm"
    monkeypatch.delitem(table("nn")["kind"], "alarm.pressed")
    assert sentence("nn", "kind.alarm.pressed") == "Trygghetsalarm"
    monkeypatch.delitem(table("nb")["kind"], "alarm.pressed")
    assert sentence("nn", "kind.alarm.pressed") == "Safety alarm"
    assert sentence("nn", "kind.none.such") == "kind.none.such"


@given(st.text(max_size=80))
def test_plain_text_is_one_line_of_the_basic_alphabet(text: str) -> None:
    said = gsm.plain(text)
    assert gsm.BASIC.issuperset(said)
    assert "\n" not in said


def test_sami_letters_keep_their_likeness() -> None:
    assert gsm.plain("Čáhcesuolu, áŋgir\n đ") == "Cahcesuolu, angir d"


@given(st.lists(names, max_size=20), st.integers(10, 160))
def test_joined_names_never_outgrow_their_room(several: list[str], width: int) -> None:
    assert len(gsm.join(several, width)) <= width


def test_of_a_hundred_thousand_only_those_that_may_fit_are_looked_at() -> None:
    many = range(1, 100_001)
    names = [f"r-{number}" for number in many]
    assert gsm.join(names, 20) == "r-1 r-2 r-3 +99997"
    text = alert_text(SITES["nb"], incident(), START, others=many)
    assert " Også åpne: 1 2 3 4 5 " in text
    assert gsm.fits(text)
