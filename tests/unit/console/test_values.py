"""What a device said, as a person reads it."""

from typing import Any

import pytest

from hub.central.console import values
from hub.central.console.words import Words


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, None, ""),
        (None, "lx", ""),
        ({"button": 1, "press": "single"}, None, "knapp 1, enkelt trykk"),
        ({"rocker": "BI"}, None, "vippe BI"),
        (
            {"code": 48, "device_seq": 1, "doses_left": 28, "mains": True, "lid_open": False},
            None,
            "kode 48, melding 1, 28 doser igjen, nettstrøm: ja, lokk åpent: nei",
        ),
        ({"press": "0x0A", "sunspots": None, "odd": [1, 2]}, None, "0x0A, odd: [1,2]"),
        ({}, None, ""),
        (120.0, "lx", "120 lx"),
        (21.5, "Cel", "21,5 °C"),
        (0.1 + 0.2, "mm[Hg]", "0,3 mmHg"),
        (4.0, "{count}", "4"),
        (1, "1", "1"),
        (True, None, "ja"),
        ("<b>", None, "<b>"),
    ],
)
def test_a_value_in_words(value: Any, unit: str | None, shown: str) -> None:
    assert values.say(value, unit, Words("nb")) == shown


def test_a_value_as_the_store_keeps_it() -> None:
    words = Words("en")
    assert values.stored(None, None, words) == ""
    assert values.stored("null", None, words) == ""
    assert values.stored('{"button":2,"press":"long"}', None, words) == "button 2, long press"
    assert values.stored("21.5", "Cel", words) == "21.5 °C"
