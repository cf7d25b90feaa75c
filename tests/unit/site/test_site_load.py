import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.site.load import load
from hub.document import DocumentError, Lines, place
from hub.domain.errors import MalformedError

SMALL = '[site]\nname = "small"\n'


def errors(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        load(text, "a.toml")
    assert len(str(caught.value).splitlines()) == len(caught.value.findings)
    return str(caught.value).splitlines()


def test_a_small_site_is_read_with_its_defaults() -> None:
    site = load(SMALL)
    assert (site.site.name, site.site.timezone, site.supervision.hub_silent_s) == ("small", "Europe/Oslo", 90)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            SMALL + '[[devices]]\nid="a"\nhub="h"\nlink="l"\ndriver="x"\n'
            '[[devices]]\nid="pendant-1"\nhub="h"\nlink="l"\ndriver="x"\naddres="y"\n',
            'a.toml:13: error: [[devices]] #2 (id "pendant-1"), key "addres": unknown key; did you mean "addr',
        ),
        (SMALL + "[supervison]\n", 'a.toml:3: error: [supervison]: unknown key; did you mean "supervision"?'),
        ("[site]\n", 'a.toml:1: error: [site], key "name": is missing; write it'),
        ("", "a.toml: error: [site]: is missing; write it"),
        (
            SMALL + '[[phones]]\nid = "a"\nnumber = 12\n',
            'a.toml:5: error: [[phones]] #1 (id "a"), key "number": 12 is a whole number; write text in quotes',
        ),
        (
            SMALL + '[[phones]]\nid = "a"\nnumber = "+47"\nkind = "mobil"\n',
            'a.toml:6: error: [[phones]] #1 (id "a"), key "kind": \'mobil\' is not known; did you mean "mobile"?',
        ),
        (
            SMALL + '[[plans]]\nclass = "care"\nsteps = [{ roles = ["duty"], channels = ["fax"] }]\n',
            "a.toml:5: error: [[plans]] #1, [[plans.steps]] #1, key \"channels\": 'fax' is not known; there are",
        ),
        (
            SMALL + '[[plans]]\nclass = "care"\n[[plans.steps]]\nroles = "duty"\n',
            "a.toml:6: error: [[plans]] #1, [[plans.steps]] #1, key \"roles\": 'duty' is text in quotes; write",
        ),
        (
            SMALL + '[[hubs]]\nid = "h"\nzone = "z"\n[[hubs.links]]\nid = "l"\nkind = "bel"\n',
            'a.toml:8: error: [[hubs]] #1 (id "h"), [[hubs.links]] #1, key "kind": \'bel\' is not known; did you',
        ),
        (
            SMALL + '[zones]\nid = "z"\n',
            "a.toml:3: error: [zones]: is one table; write [[zones]] with two brackets",
        ),
        ("site = 3\n", "a.toml:1: error: [site]: is no table"),
        (SMALL + "zones = [3]\n", 'a.toml:3: error: [site], key "zones": unknown key; did you mean "timezone"?'),
    ],
)
def test_an_error_names_line_table_and_key_and_says_what_to_do(text: str, expected: str) -> None:
    (line,) = errors(text)
    assert line.startswith(expected)


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = errors('[site]\nnam = "x"\n[[zones]]\n[[zones]]\nid = 1\nlast_resort = "a"\n')
    assert [line.partition(": ")[0] for line in found] == [
        "a.toml:2",
        "a.toml:1",
        "a.toml:3",
        "a.toml:3",
        "a.toml:5",
    ]


@pytest.mark.parametrize(
    "text", ["[site\n", "a = 08:00\n", "[site]\nname = 'a'\nname = 'b'\n", "\x00", "x = " + "[" * 5000]
)
def test_what_is_no_toml_is_one_error(text: str) -> None:
    (line,) = errors(text)
    assert "is no TOML" in line


def test_a_document_of_absurd_size_is_refused_unread() -> None:
    (line,) = errors("#" * (4 * 1024 * 1024 + 1))
    assert "this cannot be meant" in line


def test_a_site_error_is_malformed_input() -> None:
    assert issubclass(DocumentError, MalformedError)


@given(st.text(alphabet=st.sampled_from('[]{}="\n,.#az09 sitename'), max_size=80))
def test_no_document_does_anything_but_load_or_be_refused(text: str) -> None:
    with contextlib.suppress(DocumentError):
        load(text)


def test_lines_of_repeated_and_nested_tables_are_found() -> None:
    lines = Lines(
        "[site]\n[[plans]]\n[[plans.steps]]\na = 1\n[[plans]]\n[[plans.steps]]\n  [[plans.steps]]\nb=1 # c\n"
    )
    assert lines.of(("plans", 0, "steps", 0, "a")) == 4
    assert lines.of(("plans", 1, "steps", 1, "b")) == 8
    assert lines.of(("plans", 1, "steps", 1, "missing")) == 7
    assert lines.of(("plans", 1)) == 5
    assert lines.of(("hubs", 0)) is None


def test_places_in_words() -> None:
    assert place(("devices", 2, "address"), "pendant-1") == '[[devices]] #3 (id "pendant-1"), key "address"'
    assert place(("site",)) == "[site]"
    assert place(()) == "the file"
