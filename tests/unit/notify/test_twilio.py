"""Twilio: its signature, its statuses and codes, what a call is told to say."""

from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import msgspec
import pytest

from hub.central.notify.channels import twilio, twilio_signature, twilio_voice
from hub.central.notify.channels.base import Inbound, Keyed, ReceiptStatus, Report
from hub.domain.errors import MalformedError, RefusedError
from tests.fakes.providers import ABOUT, NOW, NUMBER, OURS, TEXT, TOKEN, Call, hooks, outgoing

ACCOUNT = {"account_sid": "AC1", "auth_token": TOKEN, "sender": OURS}
TEXTS = twilio.make(twilio.Settings(**ACCOUNT), hooks("twilio"))


def calls(language: str = "nb") -> twilio_voice.TwilioVoice:
    settings = msgspec.convert({"kind": twilio_voice.NAME, "language": language, **ACCOUNT}, twilio_voice.Settings)
    return twilio_voice.make(settings, hooks("twilio-voice"))


def test_the_signature_is_that_of_openssl() -> None:
    # printf '%s' "$address$fields" | openssl dgst -sha1 -hmac 12345 -binary | base64
    form = {
        "To": "+4700000001",
        "From": "+4700000012",
        "Digits": "1234",
        "Caller": "+4700000012",
        "CallSid": "CA1234567890ABCDE",
    }
    url = "https://centre.example/hooks/twilio/secret/voice?message=7"
    assert twilio_signature.signature(url, form, "12345") == "hORupcb6WU2j4Fis7B/UMNOgpec="


@pytest.mark.parametrize("signed", ["https://centre.example/x", "https://centre.example:8443/x"])
def test_the_port_may_be_left_out_of_what_is_signed(signed: str) -> None:
    call = Call("x").hook("twilio")
    headers = {"x-twilio-signature": twilio_signature.signature(signed, {}, TOKEN)}
    hook = msgspec.structs.replace(call, url="https://centre.example:8443/x", headers=headers)
    twilio_signature.signed(hook, TOKEN)
    with pytest.raises(RefusedError):
        twilio_signature.signed(msgspec.structs.replace(hook, url="https://other.example:8443/x"), TOKEN)


@pytest.mark.parametrize(
    "signed", ["https://centre.example/x?message=7", "https://centre.example:443/x?message=7"]
)
def test_the_usual_port_may_stand_in_what_is_signed(signed: str) -> None:
    headers = {"x-twilio-signature": twilio_signature.signature(signed, {"Body": "OK 47"}, TOKEN)}
    call = Call("x", {"Body": "OK 47"}).hook("twilio")
    hook = msgspec.structs.replace(call, url="https://centre.example/x?message=7", headers=headers)
    twilio_signature.signed(hook, TOKEN)
    with pytest.raises(RefusedError):
        twilio_signature.signed(msgspec.structs.replace(hook, url="https://other.example/x?message=7"), TOKEN)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("accepted", ReceiptStatus.SENT),
        ("queued", ReceiptStatus.SENT),
        ("sending", ReceiptStatus.SENT),
        ("sent", ReceiptStatus.SENT),
        ("delivered", ReceiptStatus.DELIVERED),
        ("read", ReceiptStatus.READ),
        ("undelivered", ReceiptStatus.FAILED),
        ("failed", ReceiptStatus.FAILED),
        ("canceled", ReceiptStatus.FAILED),
    ],
)
def test_every_status(said: str, status: ReceiptStatus) -> None:
    (report,) = TEXTS.hook(Call("delivery", {"MessageSid": "SM1", "MessageStatus": said}, ABOUT).hook("twilio"))
    assert isinstance(report, Report)
    assert report.status is status
    assert bool(report.reason) is (status is ReceiptStatus.FAILED)


def test_an_unknown_status_and_an_unknown_code() -> None:
    with pytest.raises(MalformedError):
        TEXTS.hook(Call("delivery", {"MessageSid": "SM1", "MessageStatus": "beamed"}, ABOUT).hook("twilio"))
    assert twilio.reason("39999") == "39999"
    assert {twilio.reason(code) for code in ("", "soon", NUMBER[1:])} == {"no code"}


def test_an_answer_to_a_text_is_escaped() -> None:
    hook = Call("inbound", {"MessageSid": "SM1", "From": NUMBER, "Body": "OK"}).hook("twilio")
    reply = TEXTS.reply(hook, TEXTS.hook(hook), "<&>")
    assert ET.fromstring(reply.body).findtext("Message") == "<&>"  # noqa: S314 -- our own
    assert reply.content_type.startswith("text/xml")
    assert list(ET.fromstring(TEXTS.reply(hook, (), "").body)) == []  # noqa: S314 -- our own


@pytest.mark.parametrize(
    ("language", "voice", "key"), [("nb", "nb-NO", "på vei"), ("nn", "nb-NO", "på veg"), ("en", "en-GB", "way")]
)
def test_a_call_reads_twice_and_the_last_reading_is_told_without_a_key_too(
    language: str, voice: str, key: str
) -> None:
    provider = calls(language)
    document = ET.fromstring(f"<Response>{provider._asked(outgoing('twilio-voice'))}</Response>")  # noqa: S314
    first, second = document
    for gather in (first, second):
        assert (gather.tag, gather.get("numDigits")) == ("Gather", "1")
        assert gather.get("action") == f"{hooks('twilio-voice')}/voice?message=7"
        (say,) = gather
        assert (say.tag, say.get("language")) == ("Say", voice)
        assert (say.text or "").startswith(TEXT)
        assert key in (say.text or "")
    assert (first.get("actionOnEmptyResult"), second.get("actionOnEmptyResult")) == (None, "true")


@pytest.mark.parametrize(
    ("wished", "voice", "key"), [("en", "en-GB", "way"), ("nn", "nb-NO", "på veg"), (None, "nb-NO", "på vei")]
)
def test_the_language_of_the_phone_goes_before_that_of_the_settings(
    wished: str | None, voice: str, key: str
) -> None:
    provider = calls("nb")
    message = msgspec.structs.replace(outgoing("twilio-voice"), language=wished)
    gather = ET.fromstring(f"<Response>{provider._asked(message)}</Response>")[0]  # noqa: S314 -- our own
    assert gather[0].get("language") == voice
    assert key in (gather[0].text or "")
    # What comes of a key is said in the same voice: the address of the key bears it.
    query = dict(parse_qsl(urlsplit(gather.get("action") or "").query))
    hook = Call("voice", {"CallSid": "CA1", "Digits": "1"}, query).hook("twilio-voice")
    (say, _) = ET.fromstring(provider.reply(hook, provider.hook(hook), "47").body)  # noqa: S314 -- our own
    assert say.get("language") == voice


def test_a_language_that_is_none_of_ours_is_that_of_the_settings() -> None:
    hook = Call("voice", {"CallSid": "CA1", "Digits": "1"}, ABOUT | {"language": "de"}).hook("twilio-voice")
    provider = calls("en")
    assert b'language="en-GB"' in provider.reply(hook, provider.hook(hook), "47").body


@pytest.mark.parametrize(
    ("form", "status", "reason"),
    [
        ({"CallStatus": "initiated"}, ReceiptStatus.SENT, ""),
        ({"CallStatus": "in-progress"}, ReceiptStatus.SENT, ""),
        ({"CallStatus": "busy"}, ReceiptStatus.FAILED, "busy"),
        ({"CallStatus": "failed"}, ReceiptStatus.FAILED, "the call failed"),
        ({"CallStatus": "canceled"}, ReceiptStatus.FAILED, "the call was cancelled"),
        ({"CallStatus": "completed", "AnsweredBy": "human"}, ReceiptStatus.FAILED, "hung up without a key"),
        ({"CallStatus": "completed", "AnsweredBy": "machine_start"}, ReceiptStatus.FAILED, "a machine answered"),
        ({"CallStatus": "completed", "AnsweredBy": "fax"}, ReceiptStatus.FAILED, "a machine answered"),
        ({"CallStatus": "completed", "AnsweredBy": "unknown"}, ReceiptStatus.FAILED, "hung up without a key"),
    ],
)
def test_every_end_of_a_call(form: dict[str, str], status: ReceiptStatus, reason: str) -> None:
    (report,) = calls().hook(Call("delivery", {"CallSid": "CA1", **form}, ABOUT).hook("twilio-voice"))
    rang = reason not in {"", "the call failed", "the call was cancelled"}
    assert report == Report(provider_ref="CA1", message_id=7, status=status, at=NOW, reason=reason, person=rang)


def test_a_call_without_a_message_or_of_another_status_is_malformed() -> None:
    for call in (
        Call("voice", {"CallSid": "CA1", "Digits": "1"}),
        Call("delivery", {"CallSid": "CA1", "CallStatus": "beamed"}, ABOUT),
        Call("inbound", {"CallSid": "CA1"}, ABOUT),
    ):
        with pytest.raises(MalformedError):
            calls().hook(call.hook("twilio-voice"))


def test_what_is_said_to_a_key() -> None:
    provider = calls()
    keyed = Keyed(provider_ref="CA1", message_id=7, digits="1")
    hook = Call("voice", {"CallSid": "CA1", "Digits": "1"}, ABOUT).hook("twilio-voice")
    say, hangup = ET.fromstring(provider.reply(hook, (keyed,), "47 & du").body)  # noqa: S314 -- our own
    assert (say.text, hangup.tag) == ("47 & du", "Hangup")


def test_a_text_that_is_too_long_counts_by_its_beginning() -> None:
    form = {"MessageSid": "SM1", "From": NUMBER, "Body": "OK 47 " + "x" * 5_000}
    (inbound,) = TEXTS.hook(Call("inbound", form).hook("twilio"))
    assert isinstance(inbound, Inbound)
    assert inbound.text.startswith("OK 47 x")
    assert len(inbound.text) == 2_000
