"""Alphabets and messages: held against vectors, and against the simulated network's own reading and writing."""

import datetime as dt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.gsm.alphabet import Alphabet, packed, text_of, text_of_utf16, unpacked
from drivers.gsm.pdu import Concat, Deliver, StatusReport, coding, read_line, read_pdu, stamp, validity
from drivers.gsm.split import submits
from firmware_sim.devices.gsm import pdu as network
from hub.domain.clock import UTC
from hub.domain.errors import MalformedError

OSLO = dt.timezone(dt.timedelta(hours=1))
AT = dt.datetime(2026, 11, 21, 8, 30, 5, tzinfo=OSLO)
NUMBER = "+4700000012"
# Every letter that a text can have: half a surrogate pair is none.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=600)
GSM_TEXTS = st.text(st.sampled_from("abcÆØÅæøå @£$_^{}[]~|€\\\n\r\fΔ"), max_size=1400)


def delivered(text: str, reference: int = 7, *, wide: bool = False, sender: str = NUMBER) -> list[Deliver]:
    made = [read_pdu(octets) for octets in network.deliver(sender, text, AT, reference, wide=wide)]
    return [each for each in made if isinstance(each, Deliver)]


def test_packing_is_the_published_one() -> None:
    septets = [ord(letter) for letter in "hellohello"]
    assert packed(septets).hex() == "e8329bfd4697d9ec37"
    assert unpacked(bytes.fromhex("e8329bfd4697d9ec37"), 10) == septets
    assert unpacked(b"\xff", 10) == [0x7F]


def test_an_unknown_extension_shows_the_main_table() -> None:
    assert text_of([0x1B, 0x65, 0x1B, 0x41, 0x1B, 0x1B, 0x41, 0x1B]) == "€A A"


def test_a_submit_is_what_the_specification_says() -> None:
    (made,) = submits("+4700000012", "hellohello", 0, valid_s=3600)
    assert made.hex == "00" + "3100" + "0A91" + "7400000021" + "00" + "00" + "0B" + "0A" + "E8329BFD4697D9EC37"
    assert made.octets == len(made.hex) // 2 - 1


@given(TEXTS | GSM_TEXTS, st.integers(0, 0xFFFF))
def test_the_network_reads_what_is_sent(text: str, reference: int) -> None:
    made = submits(NUMBER, text, reference)
    assume(len(made) <= 10)
    read = [network.read_submit(bytes.fromhex(each.hex)) for each in made]
    assert "".join(each.text for each in read) == text
    assert {(each.recipient, each.wants_report) for each in read} == {(NUMBER, True)}
    if len(made) > 1:
        assert [each.part for each in read] == [(reference, len(made), at + 1) for at in range(len(made))]
    assert all(len(bytes.fromhex(each.hex)) <= 1 + 14 + 140 for each in made)


@given(TEXTS | GSM_TEXTS, st.integers(1, 0xFFFF), st.booleans())
def test_what_the_network_delivers_is_read(text: str, reference: int, wide: bool) -> None:
    read = delivered(text, reference, wide=wide)
    assert "".join(text_of_utf16(each.data) for each in read) == text
    told = {(each.sender, each.time, each.message_class, each.readable) for each in read}
    assert told == {(NUMBER, AT.astimezone(UTC), None, True)}
    if len(read) > 1:
        number = reference if wide else reference % 256
        assert [each.concat for each in read] == [Concat(number, len(read), at + 1) for at in range(len(read))]


@pytest.mark.parametrize(
    ("text", "reference", "parts"),
    [
        ("a" * 160, 1, 1),
        ("a" * 161, 1, 2),
        ("a" * 306, 1, 2),
        ("a" * 306, 300, 3),
        ("a" * 152 + "€" * 2, 1, 1),
        ("ж" * 70, 1, 1),
        ("ж" * 71, 1, 2),
        ("ж" * 134, 1, 2),
        ("ж" * 133, 300, 3),
        ("😀" * 35, 1, 1),
        ("😀" * 36, 1, 2),
    ],
)
def test_parts_are_as_few_as_can_be(text: str, reference: int, parts: int) -> None:
    assert len(submits(NUMBER, text, reference)) == parts


@pytest.mark.parametrize(
    ("number", "text", "reference", "why"),
    [
        ("TELENOR", "x", 1, "recipient"),
        ("", "x", 1, "recipient"),
        (NUMBER, "x" * 40000, 1, "255 is the most"),
        (NUMBER, "x", 0x10000, "reference"),
    ],
)
def test_what_cannot_be_sent_is_said(number: str, text: str, reference: int, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        submits(number, text, reference)


def test_senders_of_every_kind() -> None:
    assert [
        delivered("x", sender=who)[0].sender for who in (NUMBER, "90000012", "1963", "Kommune", "Æsop[1]")
    ] == [
        NUMBER,
        "90000012",
        "1963",
        "Kommune",
        "Æsop[1]",
    ]


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (0x00, (Alphabet.GSM7, None, True)),
        (0x04, (Alphabet.OCTETS, None, True)),
        (0x08, (Alphabet.UCS2, None, True)),
        (0x0C, (Alphabet.GSM7, None, True)),
        (0x10, (Alphabet.GSM7, 0, True)),
        (0x19, (Alphabet.UCS2, 1, True)),
        (0x20, (Alphabet.GSM7, None, False)),
        (0x48, (Alphabet.UCS2, None, True)),
        (0x80, (Alphabet.GSM7, None, True)),
        (0xC8, (Alphabet.GSM7, None, True)),
        (0xD0, (Alphabet.GSM7, None, True)),
        (0xE0, (Alphabet.UCS2, None, True)),
        (0xF2, (Alphabet.GSM7, 2, True)),
        (0xF7, (Alphabet.OCTETS, 3, True)),
    ],
)
def test_data_coding_schemes(scheme: int, expected: tuple[Alphabet, int | None, bool]) -> None:
    assert coding(scheme) == expected


@pytest.mark.parametrize(
    ("octets", "hour"),
    [("62111280035040", 7), ("6211128003508A", 15)],  # UTC+1; -(2 * 10 + 8) quarters of an hour, UTC-7
)
def test_time_stamps(octets: str, hour: int) -> None:
    assert stamp(bytes.fromhex(octets)) == dt.datetime(2026, 11, 21, hour, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "octets", ["62311280035040", "62111280035077", "F2111280035040", "6211128003504F", "00000000000000"]
)
def test_a_stamp_that_is_no_instant(octets: str) -> None:
    assert stamp(bytes.fromhex(octets)) is None


@given(st.integers(0, 98 * 365 * 86400), st.integers(-56, 56))
def test_any_stamp_in_any_zone(seconds: int, quarters: int) -> None:
    at = dt.datetime(2001, 1, 1, tzinfo=UTC) + dt.timedelta(seconds=seconds)
    local = at.astimezone(dt.timezone(dt.timedelta(minutes=15 * quarters)))
    assert stamp(network.stamp(local)) == local.astimezone(UTC)


def test_unknown_header_elements_are_skipped_and_bad_parts_ignored() -> None:
    def read(header: str) -> Deliver:
        body = bytes.fromhex(header) + "Hei".encode("utf-16-be")
        pdu = "00" + "44" + "0A91" + "7400000021" + "0008" + "62111280035040" + f"{len(body):02X}" + body.hex()
        made = read_pdu(bytes.fromhex(pdu))
        assert isinstance(made, Deliver)
        assert text_of_utf16(made.data) == "Hei"
        return made

    assert read("0A" + "2401FF" + "0003070201" + "7000").concat == Concat(7, 2, 1)
    for wrong in (
        "0500030702" + "00",
        "0500030702" + "03",
        "0500030700" + "00",
        "0400020702",
        "0500090702" + "01",
    ):
        assert read(wrong).concat is None


def test_a_status_report() -> None:
    made = read_pdu(network.report(200, NUMBER, AT, 0x49))
    assert made == StatusReport(200, NUMBER, 0x49)


@pytest.mark.parametrize(
    ("digits", "octets", "why"),
    [
        ("0791", None, "byte 2"),
        ("00", None, "byte 1"),
        ("0001000A81", None, "byte 1: type 1"),
        ("000", None, "byte 1: ends in half"),
        ("00240A917400000021", 20, "8 octets instead of 20"),
        ("00440A917400000021000862111280035040020600", None, "a header of 7 octets in 2"),
    ],
)
def test_a_bad_pdu_names_the_byte(digits: str, octets: int | None, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        read_line(digits, octets)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        read_pdu(data)
    except MalformedError:
        return


@pytest.mark.parametrize(
    ("seconds", "octet"),
    [
        (0, 0),
        (300, 0),
        (301, 1),
        (3600, 11),
        (43200, 143),
        (45000, 144),
        (86400, 167),
        (2 * 86400, 168),
        (30 * 86400, 196),
        (35 * 86400, 197),
        (10**9, 255),
    ],
)
def test_validity(seconds: float, octet: int) -> None:
    assert validity(seconds) == octet
