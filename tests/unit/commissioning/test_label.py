"""What is printed on a device."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.central.commissioning.label import OWN_KEYS, read
from hub.domain.errors import MalformedError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30S000001910EB8+1P000C00000002+10Z00+11ZFFFFFFFE", {"driver": "enocean", "address": "01910EB8"}),
        ("30s0000FEFEAE38+1P004B0CD50001+10Z00+20ZRockerButton", {"driver": "enocean", "address": "FEFEAE38"}),
        ("  30S000001825DAB\n", {"driver": "enocean", "address": "01825DAB"}),
        (
            "driver=bthome;address=A4:C1:38:00:20:01; key=00112233445566778899AABBCCDDEEFF;",
            {"driver": "bthome", "address": "A4:C1:38:00:20:01", "key": "00112233445566778899AABBCCDDEEFF"},
        ),
    ],
)
def test_a_label_is_read(text: str, expected: dict[str, str]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "unknown form; there are an EnOcean label such as 30S"),
        ("https://example.org/p/17", "unknown form"),
        ("30S", "12 hexadecimal digits"),
        ("30S01700100+30PS3271-A215", "12 hexadecimal digits"),
        ("30S0000FEFEAEXY+1P000C00000002", "12 hexadecimal digits"),
        ("30SE21501700100+1P000C00000002", "longer than 32 bits"),
        ("30S0000FFFFFFFF", "no sender"),
        ("driver=bthome;colour=red", "KEY one of id, driver"),
        ("driver=bthome;driver=enocean", "driver is there twice"),
        ("driver=", "KEY one of"),
        ("driver=bthome\x00", "no text of a label"),
    ],
)
def test_what_is_no_label_is_refused_with_the_forms_there_are(text: str, complaint: str) -> None:
    with pytest.raises(MalformedError, match=complaint):
        read(text)


def test_a_refusal_does_not_repeat_a_key() -> None:
    with pytest.raises(MalformedError) as caught:
        read("driver=bthome;key=00112233;key=00112233")
    assert "0011" not in str(caught.value)


@given(st.one_of(st.text(), st.text().map("30S{}".format), st.text().map("driver=x;key={}".format)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert set(read(text)) <= set(OWN_KEYS)
    except MalformedError as error:
        assert str(error).startswith("QR text: ")  # noqa: PT017 - either outcome is right
