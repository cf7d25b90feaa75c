"""Web push by itself: the RFC's own example, receipts that only a message bears, and where nothing is sent."""

import asyncio
import base64
import socket
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from firmware_sim.providers.webpush import decrypted
from hub.central.links.tokens import path_in
from hub.central.notify.channels import http, kinds, push_endpoint
from hub.central.notify.channels.base import Hook, Outgoing, Provider, ReceiptStatus, Report, Subscription
from hub.central.notify.channels.webpush import Settings, WebPush, encrypted, new_key
from hub.cli import main
from hub.domain.errors import MalformedError, RefusedError, TransientError
from hub.wire.logs import secrets_in
from tests.fakes.providers import NOW

KEY = "lCzjOQaH8u3M5WqyorK-gziQKWSEfT2kYhvl8Lexhz8"
SETTINGS = Settings(private_key=KEY, contact="mailto:operator@kommune.example")

# RFC 8291, section 5 and appendix A.
PLAIN = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
BROWSER = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
RECEIVER = Subscription(
    id=1,
    endpoint="https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
    p256dh="BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    auth="BTBZMqHH6r4Tts7J_aSIgg",
)
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w"
    "EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def private(text: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(raw(text)), ec.SECP256R1())


def test_a_message_is_encrypted_as_in_the_rfc() -> None:
    assert encrypted(PLAIN, RECEIVER, key=private(SENDER), salt=raw(SALT)) == raw(SEALED)


def test_the_simulated_browser_reads_it_as_in_the_rfc() -> None:
    assert decrypted(raw(SEALED), private(BROWSER), raw(RECEIVER.auth)) == PLAIN
    assert decrypted(raw(SEALED), private(SENDER), raw(RECEIVER.auth)) is None
    assert decrypted(raw(SEALED)[:-1], private(BROWSER), raw(RECEIVER.auth)) is None
    assert decrypted(b"", private(BROWSER), raw(RECEIVER.auth)) is None


def test_no_two_messages_look_alike() -> None:
    assert encrypted(PLAIN, RECEIVER) != encrypted(PLAIN, RECEIVER)


# ---- Settings ------------------------------------------------------------------------------------------------


def test_it_is_a_provider_of_its_own_channel() -> None:
    made: Provider = kinds.make(SETTINGS, "https://centre.example/hooks/webpush/secret")
    assert (made.name, made.channel, made.capabilities) == ("webpush", "push", frozenset())


def test_the_same_key_is_the_same_centre_after_a_restart() -> None:
    assert WebPush(SETTINGS).public_key == WebPush(SETTINGS).public_key
    assert (
        WebPush(msgspec.structs.replace(SETTINGS, private_key=new_key())).public_key
        != WebPush(SETTINGS).public_key
    )
    assert len(raw(WebPush(SETTINGS).public_key)) == 65


def test_its_key_is_masked_in_logs() -> None:
    assert KEY in secrets_in(SETTINGS)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"private_key": ""}, "hub push key"),
        ({"private_key": KEY[:-2]}, "hub push key"),
        ({"private_key": KEY + "æ"}, "hub push key"),
        ({"private_key": "A" * 43}, "hub push key"),
        ({"private_key": "_" * 43}, "hub push key"),
        ({"contact": "operator@kommune.example"}, "mailto:"),
        ({"contact": ""}, "mailto:"),
        ({"own_services": ("push.example",)}, "own_services"),
        ({"own_services": ("https://push.example/push",)}, "own_services"),
        ({"own_services": ("ftp://push.example",)}, "own_services"),
        ({"own_services": ("https://[push.example",)}, "own_services"),
    ],
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(MalformedError, match=said):
        WebPush(msgspec.structs.replace(SETTINGS, **changed))


def test_the_command_makes_a_line_for_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    for _ in range(2):
        assert main(["push", "key"]) == 0
        lines.append(capsys.readouterr().out)
    assert lines[0] != lines[1]
    made = msgspec.toml.decode(
        lines[0] + 'contact = "https://kommune.example"\n' + 'kind = "webpush"\n', type=Settings
    )
    assert WebPush(made).public_key


# ---- Subscriptions -------------------------------------------------------------------------------------------

OWN = ("http://push.kommune.example:8088",)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:APA91b",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
        "https://web.push.apple.com/QGuQyavXutnMH",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAB%2f",
        "https://push.example:443/x",
        "http://push.kommune.example:8088/x",
    ],
)
def test_where_pushes_go(endpoint: str) -> None:
    push_endpoint.check(endpoint, OWN)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "x",
        "http://fcm.googleapis.com/x",
        "ftp://fcm.googleapis.com/x",
        "file:///etc/passwd",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:x/",
        "https://user@fcm.googleapis.com/x",
        "https://user:word@fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x#y",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/\nx",
        "https://fcm.googleapis.com/æ",
        "https://fcm.googleapis.com/" + "x" * 1024,
        "https://localhost/x",
        "https://broker/x",
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://10.0.0.1/x",
        "https://[::1]/x",
        "https://[::1",
        "https://./x",
        "https://a..example/x",
        f"https://{'a' * 64}.example/x",
        "https:///x",
        "http://push.kommune.example:8089/x",
        "https://push.kommune.example:8088/x",
        "http://push.kommune.example:8088@evil.example/x",
    ],
)
def test_where_no_push_ever_goes(endpoint: str) -> None:
    with pytest.raises(MalformedError) as caught:
        push_endpoint.check(endpoint, OWN)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    "changed",
    [
        {"p256dh": ""},
        {"p256dh": RECEIVER.p256dh[:-4]},
        {"p256dh": "BA" + RECEIVER.p256dh[2:]},
        {"p256dh": "not base64!"},
        {"p256dh": base64.urlsafe_b64encode(b"\2" + raw(RECEIVER.p256dh)[1:33]).decode()},
        {"auth": ""},
        {"auth": RECEIVER.p256dh},
        {"endpoint": "https://localhost/x"},
    ],
)
def test_what_no_browser_says_is_refused(changed: dict[str, str]) -> None:
    WebPush(SETTINGS).check(RECEIVER)
    with pytest.raises(MalformedError):
        WebPush(SETTINGS).check(msgspec.structs.replace(RECEIVER, **changed))


class Names:
    """The names of the internet as a test says they are."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: list[str] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._found)

    async def _found(self, _host: str, port: int, **_: object) -> list[object]:
        if not self.addresses:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::1",
        "64:ff9b::10.0.0.1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "ff02::1",
    ],
)
async def test_a_public_name_of_a_private_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    names = Names(monkeypatch)
    for names.addresses in ([address], ["142.250.74.10", address]):
        with pytest.raises(RefusedError, match="not public"):
            await push_endpoint.request(RECEIVER.endpoint, (), {}, b"")


async def test_the_request_goes_to_the_address_that_was_found_public(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch)
    names.addresses = ["142.250.74.10", "2a00:1450:400f:80c::200a"]
    request = await push_endpoint.request(RECEIVER.endpoint, (), {"TTL": "300"}, b"sealed")
    assert request.url == httpx.URL(RECEIVER.endpoint).copy_with(host="142.250.74.10")
    assert (request.headers["host"], request.headers["ttl"]) == ("push.example.net", "300")
    assert request.extensions["sni_hostname"] == "push.example.net"
    names.addresses = ["64:ff9b::142.250.74.10"]  # as a network without IPv4 has it
    assert (await push_endpoint.request(RECEIVER.endpoint, (), {}, b"")).url.host == "64:ff9b::142.250.74.10"
    names.addresses = ["2a00:1450:400f:80c::200a", "142.250.74.10"]
    request = await push_endpoint.request(RECEIVER.endpoint, (), {}, b"")
    assert request.url.netloc == b"[2a00:1450:400f:80c::200a]"


async def test_a_name_that_is_not_known_just_now_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch)
    webpush = WebPush(SETTINGS)
    with pytest.raises(TransientError, match="name is not known"):
        await webpush.send(outgoing(RECEIVER))
    await webpush.close()


async def test_a_name_that_nobody_answers_for_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", silent)
    monkeypatch.setattr(http, "CONNECT_S", 0.05)
    webpush = WebPush(SETTINGS)
    async with asyncio.timeout(2):
        with pytest.raises(TransientError, match="name is not known"):
            await webpush.send(outgoing(RECEIVER))
    await webpush.close()


async def test_a_name_is_asked_for_as_it_stands_there(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch)
    names.addresses = ["142.250.74.10"]
    # No international name stands for it, so that what decodes it stumbles.
    request = await push_endpoint.request("https://xn--a.example/x", (), {}, b"")
    assert request.extensions["sni_hostname"] == "xn--a.example"


# ---- Receipts ------------------------------------------------------------------------------------------------


def outgoing(*subscriptions: Subscription, text: str = "47 Trygghetsalarm") -> Outgoing:
    return Outgoing(
        message_id=7,
        number="+4700000012",
        text=text,
        key="message-7",
        receipt_url="",
        incident_id=47,
        subscriptions=subscriptions,
    )


def call(what: str, **form: str) -> Hook:
    return Hook(what=what, url="", query={}, form=form, body=b"", headers={}, now=NOW)


def receipt(webpush: WebPush, message: Outgoing, to: Subscription = RECEIVER) -> dict[str, str]:
    return dict(msgspec.json.decode(webpush._message(message, to))["receipt"])


def test_a_message_bears_its_receipt() -> None:
    webpush = WebPush(SETTINGS)
    brought = receipt(webpush, outgoing())
    for what, status in (("received", ReceiptStatus.DELIVERED), ("read", ReceiptStatus.READ)):
        assert webpush.hook(call(what, **brought)) == (
            Report(provider_ref="message-7", status=status, at=NOW, message_id=7),
        )
    # Another centre on the same key takes it as well, and so does this one after a restart.
    assert WebPush(SETTINGS).hook(call("received", **brought))


def test_a_receipt_that_was_in_no_message_is_refused() -> None:
    webpush = WebPush(SETTINGS)
    brought = receipt(webpush, outgoing())
    another = WebPush(msgspec.structs.replace(SETTINGS, private_key=new_key()))
    for changed in (
        {"message": "8"},
        {"subscription": "2"},
        {"token": brought["token"][:-1]},
        {"token": "æ" * 22},
        receipt(another, outgoing()),
        receipt(webpush, outgoing(), msgspec.structs.replace(RECEIVER, id=2)) | {"subscription": "1"},
    ):
        with pytest.raises(RefusedError):
            webpush.hook(call("received", **brought | changed))


@pytest.mark.parametrize("form", [{}, {"message": "x"}, {"message": "7", "subscription": "-1", "token": "x"}])
def test_a_receipt_without_form_is_malformed(form: dict[str, str]) -> None:
    for what in ("received", "delivery", "inbound"):
        with pytest.raises(MalformedError):
            WebPush(SETTINGS).hook(call(what, **form))


def test_a_tap_opens_the_link_of_the_text_or_the_incident() -> None:
    link = "/l/" + "A" * 22
    texts = {
        f"47 Trygghetsalarm. https://hub.example{link} Svar OK 47.": link,
        f"47 Trygghetsalarm. https://hub.example/vakt{link} Svar OK 47.": link,
        f"47 Trygghetsalarm. https://hub.example{link}B Svar OK 47.": "/incidents/47",
        "47 Trygghetsalarm. Svar OK 47.": "/incidents/47",
    }
    for text, page in texts.items():
        assert path_in(text) in {page, ""}
        said = msgspec.json.decode(WebPush(SETTINGS)._message(outgoing(text=text), RECEIVER))
        assert (said["text"], said["page"], said["tag"]) == (text, page, "/incidents/47")
