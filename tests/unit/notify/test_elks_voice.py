"""46elks, calls: speech from an address or from a recorded file, and how a call ends."""

import json
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from hub.central.notify.channels import elks_voice
from hub.central.notify.channels.base import Keyed, ReceiptStatus, Report
from hub.domain.errors import MalformedError
from tests.fakes.elks import FaultyProvider
from tests.fakes.providers import ABOUT, BENCHES, NOW, OURS, Call, hooks, outgoing

SPEECH, RECORDED = "https://speech.example/nb?say={text}", "https://files.example/alarm.mp3"
KEY = Call("voice", {"callid": "c1", "result": "1"}, ABOUT).hook("46elks-voice")


def provider(speech_url: str = SPEECH, base_url: str = "https://api.46elks.com") -> elks_voice.ElksVoice:
    settings = elks_voice.Settings(
        base_url=base_url, username="u", password="p", sender=OURS, speech_url=speech_url
    )
    return elks_voice.make(settings, hooks("46elks-voice"))


def test_what_is_said_stands_in_the_address_of_the_sound() -> None:
    assert (
        provider()._sound("på badet & så", "nb") == "https://speech.example/nb?say=p%C3%A5%20badet%20%26%20s%C3%A5"
    )
    assert provider(RECORDED)._sound("på badet", "nb") == RECORDED


@pytest.mark.parametrize(("wished", "voice", "key"), [("en", "en-GB", "way"), (None, "nb-NO", "vei")])
async def test_the_language_of_the_phone_chooses_the_voice(wished: str | None, voice: str, key: str) -> None:
    async with FaultyProvider() as far:
        far.answer = BENCHES["elks_voice"].good
        made = provider("https://speech.example/{language}?say={text}", far.url)
        await made.send(msgspec.structs.replace(outgoing("46elks-voice"), language=wished))
        await made.close()
        action = json.loads(dict(parse_qsl(far.bodies[0].decode()))["voice_start"])
    assert action["ivr"].startswith(f"https://speech.example/{voice}?say=47")
    assert key in action["ivr"]
    query = dict(parse_qsl(urlsplit(action["next"]).query))
    hook = Call("voice", {"callid": "c1", "result": "1"}, query).hook("46elks-voice")
    reply = json.loads(made.reply(hook, made.hook(hook), "47").body)
    assert reply["play"] == f"https://speech.example/{voice}?say=47"


@pytest.mark.parametrize(
    ("speech_url", "text", "action"),
    [
        (SPEECH, "47", {"play": "https://speech.example/nb?say=47", "skippable": False}),
        (SPEECH, "", {"hangup": "reject"}),
        (RECORDED, "47", {"hangup": "reject"}),
    ],
)
def test_a_key_is_answered(speech_url: str, text: str, action: dict[str, object]) -> None:
    made = provider(speech_url)
    told = made.hook(KEY)
    assert told == (Keyed(provider_ref="c1", message_id=7, digits="1"),)
    assert json.loads(made.reply(KEY, told, text).body) == action


@pytest.mark.parametrize(
    ("state", "reason"),
    [("success", "hung up without a key"), ("busy", "busy"), ("failed", "not answered")],
)
def test_every_end(state: str, reason: str) -> None:
    (report,) = provider().hook(Call("delivery", {"id": "c1", "state": state}, ABOUT).hook("46elks-voice"))
    assert report == Report(
        provider_ref="c1",
        message_id=7,
        status=ReceiptStatus.FAILED,
        at=NOW,
        reason=reason,
        person=reason != "not answered",
    )


@pytest.mark.parametrize(
    "call",
    [
        Call("delivery", {"id": "c1", "state": "ongoing?"}, ABOUT),
        Call("voice", {"callid": "c1", "result": "1"}),
        Call("voice", {"callid": "c1"}, ABOUT),
        Call("inbound", {"callid": "c1", "result": "1"}, ABOUT),
    ],
)
def test_what_has_no_form_is_malformed(call: Call) -> None:
    with pytest.raises(MalformedError):
        provider().hook(call.hook("46elks-voice"))
