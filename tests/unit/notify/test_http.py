"""What providers over HTTP share: failures by code and status, what must not be said, numbers, references."""

import httpx
import pytest

from hub.central.notify.channels import http
from hub.central.notify.channels.http import Meaning
from hub.domain.errors import HubError, MalformedError, PermanentError, RefusedError, TransientError

CODES: http.Codes = {21211: Meaning(RefusedError, "invalid number")}


@pytest.mark.parametrize(
    ("status", "code", "error", "said"),
    [
        (500, 21211, RefusedError, "x: 21211, invalid number"),
        (500, 9, TransientError, "x answered 500, code 9"),
        (429, None, TransientError, "x answered 429"),
        (408, None, TransientError, "x answered 408"),
        (302, None, TransientError, "x answered 302"),
        (400, None, RefusedError, "x answered 400"),
        (422, 1, RefusedError, "x answered 422, code 1"),
        (401, None, PermanentError, "x answered 401"),
        (403, None, PermanentError, "x answered 403"),
        (404, None, PermanentError, "x answered 404"),
    ],
)
def test_a_failure_means_what_its_code_says_else_its_status(
    status: int, code: int | None, error: type[HubError], said: str
) -> None:
    failure = http.failure("x", httpx.Response(status), code, CODES)
    assert (type(failure), str(failure)) == (error, said)


@pytest.mark.parametrize(("wait", "said"), [("7", ", again in 7 s"), ("soon", ""), ("-1", "")])
def test_a_failure_says_when_to_come_again(wait: str, said: str) -> None:
    answer = httpx.Response(429, headers={"retry-after": wait})
    assert str(http.failure("x", answer, None, {})) == f"x answered 429{said}"


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("to +4700000012 failed", "to … failed"),
        ("to +47 00 00 00 12 failed", "to … failed"),
        ("to 000-000-12 failed", "to … failed"),
        ("error 21 in 3 parts", "error 21 in 3 parts"),
        ("a\n b\tc", "a b c"),
        ("the alarm of r-12 was not sent", "… was not sent"),
        ('"https:\\/\\/h.example\\/l\\/a-Zb_9a-Zb_9a-Zb_9a-Zb" is bad', '"https:\\/\\/h.example\\/l\\/…" is bad'),
        ("y" * 500, "y" * 120),
    ],
)
def test_what_is_masked(said: str, masked: str) -> None:
    assert http.masked(said, "the alarm of r-12") == masked


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("+4700000012", "+4700000012"),
        ("4700000012", "+4700000012"),
        ("004700000012", "+4700000012"),
        ("00000012", "+4700000012"),
        (" 00000012 ", "+4700000012"),
        ("Hjemme", "Hjemme"),
        ("", ""),
        ("\u0667" * 10, "\u0667" * 10),
    ],
)
def test_numbers_as_the_rota_writes_them(given: str, number: str) -> None:
    assert http.e164(given) == number


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("7", 7),
        ("0", 0),
        ("", None),
        (None, None),
        ("-7", None),
        ("7.0", None),
        ("\u0667", None),
        ("9" * 19, None),
    ],
)
def test_references(given: str | None, number: int | None) -> None:
    assert http.message_id(given) == number


def test_words_and_texts_are_bounded() -> None:
    assert http.required({"id": "x"}, "id") == "x"
    for fields in ({}, {"id": ""}, {"id": "x" * 97}):
        with pytest.raises(MalformedError, match="'id'"):
            http.required(fields, "id")
    assert http.text("OK\0 47" + "x" * 9_000) == ("OK 47" + "x" * 9_000)[: http._LONGEST_TEXT]
