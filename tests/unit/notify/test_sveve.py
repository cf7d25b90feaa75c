"""Sveve: two ways to send, and names for texts that have none."""

import datetime as dt

import httpx
import msgspec
import pytest

from hub.central.notify.channels import sveve
from hub.central.notify.channels.base import Capability, Inbound, Report
from hub.domain.errors import MalformedError
from tests.fakes.providers import NUMBER, Call, hooks, outgoing

ACCOUNT = {"username": "u", "password": "p"}
PROVIDER = sveve.make(sveve.Settings(**ACCOUNT), hooks("sveve"))


def named(seconds: int = 0, **query: str) -> str:
    call = Call("inbound", query={"number": NUMBER, "msg": "OK", **query}).hook("sveve")
    (inbound,) = PROVIDER.hook(msgspec.structs.replace(call, now=call.now + dt.timedelta(seconds=seconds)))
    assert isinstance(inbound, Inbound)
    return inbound.provider_ref


def test_nobody_can_reply_to_a_name() -> None:
    assert Capability.TWO_WAY in PROVIDER.capabilities
    to_name = sveve.make(sveve.Settings(sender="Hjemme", **ACCOUNT), hooks("sveve"))
    assert to_name.capabilities == {Capability.SMS}


def test_a_reply_that_is_told_again_has_the_same_name_however_late() -> None:
    assert named(id="1") == named(4 * 3600, id="1")


def test_the_same_word_to_another_alarm_is_another_text() -> None:
    assert named(id="1") != named(id="2")
    assert named(id="1") != named(id="1", msg="på vei")


def test_without_an_id_what_comes_within_a_minute_is_the_same() -> None:
    assert named(shortnumber="2065") == named(15, shortnumber="2065")
    # An OK to the next alarm is never taken for the last one.
    assert named(shortnumber="2065") != named(60, shortnumber="2065")
    assert named(shortnumber="2065") != named(shortnumber="1963")


def test_a_report_may_come_as_a_form_and_without_our_reference() -> None:
    (report,) = PROVIDER.hook(Call("delivery", {"id": "5", "status": "TRUE"}).hook("sveve"))
    assert isinstance(report, Report)
    assert (report.provider_ref, report.message_id) == ("5", None)
    with pytest.raises(MalformedError, match="neither true nor false"):
        PROVIDER.hook(Call("delivery", {"id": "5", "status": "maybe"}).hook("sveve"))


def test_an_accepted_message_without_an_id_is_accepted() -> None:

    answer = httpx.Response(200, json={"response": {"msgOkCount": 1, "stdSMSCount": 1}})
    assert sveve._read(answer, outgoing("sveve"), "7").provider_ref == "ref-7"


def test_the_answer_goes_back_in_the_body() -> None:
    hook = Call("inbound", query={"number": NUMBER, "msg": "OK", "id": "1"}).hook("sveve")
    assert PROVIDER.reply(hook, (), "47 er din på badet").body.decode() == "47 er din på badet"
