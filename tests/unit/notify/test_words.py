"""What a nurse types at 03:10, and what must never be taken for an acknowledgement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.notify.words import Answer, Word, read
from hub.central.texts.language import LANGUAGES, table


@pytest.mark.parametrize(
    "text",
    [
        "OK 47",
        "ok 47",
        "OK47",
        "ok 47!",
        "47 ok",
        "47ok",
        " Ok   47. ",
        "OK\n47",
        "JA 47",
        "yes, 47",
        "#47: ok",
        "\uff2f\uff2b \uff14\uff17",
    ],
)
def test_acknowledged(text: str) -> None:
    assert read(text) == Answer(Word.ACKNOWLEDGE, 47)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("OK", Answer(Word.ACKNOWLEDGE, None)),
        ("PÅ VEI 47", Answer(Word.DEPART, 47)),
        ("pa\u030a vei 47", Answer(Word.DEPART, 47)),  # the ring as a character of its own
        ("vei47", Answer(Word.DEPART, 47)),
        ("go 47", Answer(Word.DEPART, 47)),
        ("FREMME 47", Answer(Word.ARRIVE, 47)),
        ("her", Answer(Word.ARRIVE, None)),
        ("arrived 47", Answer(Word.ARRIVE, 47)),
        ("nei 47", Answer(Word.REJECT, 47)),
        ("Kan ikke 47", Answer(Word.REJECT, 47)),
        ("busy 47", Answer(Word.REJECT, 47)),
        ("FERDIG 47", Answer(Word.CLOSE, 47)),
        ("done 47", Answer(Word.CLOSE, 47)),
    ],
)
def test_the_other_words(text: str, answer: Answer) -> None:
    assert read(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "47",
        "ikke ok 47",
        "not ok 47",
        "OK 47?",
        "OK 47 og 48",
        "ok 4 7",
        "ok 1234567890",
        "okok 47",
        "nei takk, ok 47",
        "Liked “47 Trygghetsalarm: r-12, bad, 21:00. Svar OK 47.”",
        "47 Trygghetsalarm: r-12, bad, 21:00. Svar OK 47.",
        "ok 47 " * 60,
    ],
)
def test_not_understood(text: str) -> None:
    assert read(text) is None


@given(st.text(max_size=300))
def test_no_text_makes_it_stumble(text: str) -> None:
    answer = read(text)
    assert answer is None or answer.number is None or answer.number >= 0


def test_a_word_means_one_thing_in_all_languages() -> None:
    meanings: dict[str, set[Word]] = {}
    for language in LANGUAGES:
        for word in Word:
            for phrase in table(language)["word"][word].split(","):
                meanings.setdefault(phrase.strip(), set()).add(word)
    assert all(len(words) == 1 for words in meanings.values())
