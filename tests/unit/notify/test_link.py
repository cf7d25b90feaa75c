"""LINK Mobility: what the sender is, every result code, and the two kinds of time."""

import datetime as dt

import httpx
import pytest

from hub.central.notify.channels import link
from hub.central.notify.channels.base import Capability, Inbound, ReceiptStatus, Report
from hub.domain.clock import UTC
from hub.domain.errors import PermanentError, RefusedError, TransientError
from tests.fakes.providers import NOW, NUMBER, Call, hooks, said

ACCOUNT = {
    "username": "u",
    "password": "p",
    "platform_id": "COMMON_API",
    "platform_partner_id": "1",
    "gate_id": "g",
}


def provider(sender: str = "+4700000001") -> link.Link:
    return link.make(link.Settings(sender=sender, **ACCOUNT), hooks("link"))


@pytest.mark.parametrize(
    ("sender", "kind", "two_way"),
    [("+4700000001", "MSISDN", True), ("2065", "SHORTNUMBER", True), ("Hjemme", "ALPHANUMERIC", False)],
)
def test_what_the_sender_is(sender: str, kind: str, two_way: bool) -> None:
    made = provider(sender)
    assert made._source == {"source": sender, "sourceTON": kind}
    assert (Capability.TWO_WAY in made.capabilities) is two_way


def report(**fields: object) -> Report:
    (told,) = provider().hook(Call("delivery", body=said(**({"refId": "7", "id": "L1"} | fields))).hook("link"))
    assert isinstance(told, Report)
    return told


@pytest.mark.parametrize("code", [1001, 1007])
def test_delivered(code: int) -> None:
    assert report(resultCode=code).status is ReceiptStatus.DELIVERED


@pytest.mark.parametrize("code", [1000, 1005, 1008, 1011, 1012, 1013])
def test_under_way(code: int) -> None:
    assert report(resultCode=code).status is ReceiptStatus.SENT


@pytest.mark.parametrize("code", [*link.CODES, 9999])
def test_anything_else_has_failed_and_says_why(code: int) -> None:
    told = report(resultCode=code)
    assert told.status is ReceiptStatus.FAILED
    assert told.reason.startswith(str(code))


@pytest.mark.parametrize("code", sorted(link.CODES))
def test_every_code_of_an_answer_means_one_of_three_things(code: int) -> None:
    for answer in (
        httpx.Response(200, json={"messageId": "L1", "resultCode": code}),
        httpx.Response(400, json={"status": code}),
        httpx.Response(400, json={"resultCode": code}),
        httpx.Response(400, json={"errorCode": str(code)}),
    ):
        with pytest.raises(link.CODES[code].error) as caught:
            link._read(answer)
        assert type(caught.value) in {TransientError, RefusedError, PermanentError}
        assert str(code) in str(caught.value)


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        ("2026-11-22T04:09:00+01:00", dt.datetime(2026, 11, 22, 3, 9, tzinfo=UTC)),
        ("2026-11-22T03:09:00", dt.datetime(2026, 11, 22, 3, 9, tzinfo=UTC)),
        ("yesterday", NOW),
        ("0001-01-01T00:00:00+14:00", NOW),
        (1_795_000_000_000, NOW),
        (None, NOW),
    ],
)
def test_times(timestamp: object, at: dt.datetime) -> None:
    assert report(resultCode=1001, timestamp=timestamp).at == at


def test_parts_of_one_text_are_one_text() -> None:
    assert {report(id=name, resultCode=1001).provider_ref for name in ("L1", "L1$1", "L1$2")} == {"L1"}


def test_a_text_that_came_in_holds_no_zero() -> None:
    body = said(messageId="m", source=NUMBER, content={"userData": "OK\0 47"})
    (inbound,) = provider().hook(Call("inbound", body=body).hook("link"))
    assert isinstance(inbound, Inbound)
    assert inbound.text == "OK 47"
