"""The link against a real Mosquitto: what goes through, what is refused, what is lost and found."""

import asyncio
import contextlib
import logging
from pathlib import Path

import pytest

from hub.domain.errors import RefusedError, TransientError
from hub.wire.mqtt import Incoming, MqttLink, MqttSettings, Will
from tests.fakes.ear import Ear, running, until
from tests.fakes.mosquitto import Mosquitto, free_port
from tests.fakes.proxy import Proxy

PLUGIN = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so"
DENIES_SUBSCRIBING_TO_B = """{
  "defaultACLAccess":
    {"publishClientSend": true, "publishClientReceive": true, "subscribe": true, "unsubscribe": true},
  "anonymousGroup": "all",
  "groups": [{"groupname": "all", "roles": [{"rolename": "some"}]}],
  "roles": [{"rolename": "some", "acls": [{"acltype": "subscribePattern", "topic": "b/#", "allow": false}]}]
}"""


async def test_messages_pass_with_qos_0_and_1(broker: Mosquitto) -> None:
    ear, mouth = Ear(broker.port, "ear", "a/#"), Ear(broker.port, "mouth")
    async with running(ear, mouth):
        assert await ear.up() is False
        await mouth.up()
        await mouth.link.publish("a/1", b"one", content_type="text/plain", expiry_s=60)
        await mouth.link.publish("a/0", b"zero", qos=0)
        mouth.link.post("a/2", b"two")
        heard = [await ear.next() for _ in range(3)]
    assert [(item.topic, item.payload, item.qos, item.retain) for item in heard] == [
        ("a/1", b"one", 1, False),
        ("a/0", b"zero", 0, False),
        ("a/2", b"two", 1, False),
    ]
    assert ear.link.stale_acks == 0


async def test_many_at_once_arrive_once_and_in_order(broker: Mosquitto) -> None:
    ear, mouth = Ear(broker.port, "ear", "a"), Ear(broker.port, "mouth")
    async with running(ear, mouth):
        await ear.up()
        await mouth.up()
        await asyncio.gather(*(mouth.link.publish("a", b"%d" % number) for number in range(2000)))
        assert [int((await ear.next()).payload) for _ in range(2000)] == list(range(2000))
        assert ear.heard.empty()


async def test_a_denied_topic_is_an_error_with_its_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mosquitto = Mosquitto(tmp_path, acl="topic readwrite a/#")
    await mosquitto.start()
    ear = Ear(mosquitto.port, "ear")
    async with running(ear):
        await ear.up()
        with pytest.raises(RefusedError, match=r"b/1: Not authorized"):
            await ear.link.publish("b/1", b"x")
        await ear.link.publish("a/1", b"x")
        ear.link.post("b/2", b"x")
        await ear.link.publish("a/2", b"x")
    assert "refuses a message on b/2: Not authorized" in caplog.text
    mosquitto.kill()


async def test_a_refused_subscription_is_said_and_asked_for_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.wire.mqtt.RESUBSCRIBE_S", 0.1)
    # Mosquitto checks subscriptions against its dynamic security plugin, not against an access list.
    roles = tmp_path / "roles.json"
    roles.write_text(DENIES_SUBSCRIBING_TO_B)
    mosquitto = Mosquitto(tmp_path / "broker", extra=f"plugin {PLUGIN}\nplugin_opt_config_file {roles}")
    await mosquitto.start()
    ear = Ear(mosquitto.port, "ear", "a/#", "b/#")
    async with running(ear):
        await ear.up()
        await ear.link.publish("a/1", b"x")
        assert (await ear.next()).topic == "a/1"
        await until(lambda: caplog.text.count("refuses the subscription to b/#: Not authorized") >= 2)
    mosquitto.kill()


async def test_a_wrong_password_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto = Mosquitto(tmp_path, passwords={"ann": "right"})
    await mosquitto.start()
    wrong = Ear(mosquitto.port, "wrong", username="ann", password="wrong")
    right = Ear(mosquitto.port, "right", username="ann", password="right")
    async with running(wrong, right):
        await right.up()
        await until(lambda: wrong.link.generation >= 3)
        assert not wrong.link.connected
        with pytest.raises(TransientError, match="not connected"):
            await wrong.link.publish("a", b"x")
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert ["refuses client 'wrong': Not authorized" in record.message for record in warnings] == [True]
    mosquitto.kill()


async def test_nobody_listening_then_a_broker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mosquitto = Mosquitto(tmp_path)
    ear = Ear(mosquitto.port, "ear")
    async with running(ear):
        await until(lambda: "cannot connect" in caplog.text)
        await mosquitto.start()
        await ear.up()
    mosquitto.kill()


async def test_a_certificate_that_is_not_there_is_said(caplog: pytest.LogCaptureFixture) -> None:
    ear = Ear(free_port(), "ear", tls_ca="/nowhere/ca.pem")
    async with running(ear):
        await until(lambda: "cannot connect" in caplog.text)
    assert "No such file" in caplog.text


async def test_an_unacknowledged_message_comes_again_and_a_late_ack_hits_no_other(
    proxy: Proxy, broker: Mosquitto
) -> None:
    ear = Ear(proxy.port, "ear", "a", ack=False, session_expiry_s=300)
    mouth = Ear(broker.port, "mouth")
    async with running(ear, mouth):
        await ear.up()
        await mouth.up()
        await mouth.link.publish("a", b"one")
        old = await ear.next()
        proxy.drop()
        await ear.down()
        assert await ear.up() is True, "the broker kept the session"
        again = await ear.next()
        assert (again.payload, again.mid) == (old.payload, old.mid)
        assert again.generation > old.generation

        ear.link.ack(old)
        assert ear.link.stale_acks == 1
        proxy.drop()
        await ear.up()
        third = await ear.next()
        assert third.payload == b"one", "the late acknowledgement took nothing off the broker"
        ear.link.ack(third)
        ear.link.ack(third)
        assert ear.link.stale_acks == 2, "an acknowledgement counts once"
        await ear.link.publish("b", b"the acknowledgement is at the broker when this one is")
        proxy.drop()
        await ear.up()
        await mouth.link.publish("a", b"two")
        assert (await ear.next()).payload == b"two"


async def test_a_poison_message_does_not_end_the_link(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    ear = Ear(broker.port, "ear", "a", receive_maximum=2)

    def burst(incoming: Incoming) -> None:
        if incoming.payload == b"poison":
            raise ValueError("cannot swallow this")

    ear.before = burst
    async with running(ear):
        await ear.up()
        for _ in range(5):
            await ear.link.publish("a", b"poison")
        await ear.link.publish("a", b"fine")
        assert (await ear.next()).payload == b"fine"
        assert ear.link.generation == 1
    assert caplog.text.count("ValueError: cannot swallow this") == 5


async def test_a_callback_that_raises_does_not_end_the_link(broker: Mosquitto) -> None:
    def fails(_: bool) -> None:
        raise ValueError("not today")

    heard = asyncio.Event()
    link = MqttLink(
        MqttSettings(port=broker.port, client_id="ear"),
        subscriptions=[("a", 1)],
        on_message=lambda _: heard.set(),
        on_connect=fails,
    )
    task = asyncio.create_task(link.run())
    mouth = Ear(broker.port, "mouth")
    async with running(mouth), asyncio.timeout(10):
        await mouth.up()
        while not heard.is_set():
            await mouth.link.publish("a", b"x")
            await asyncio.sleep(0.01)
    await link.close()
    await task


async def test_a_fault_inside_paho_costs_one_connection(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear(broker.port, "ear", "a")
    async with running(ear):
        await ear.up()
        with monkeypatch.context() as patch:
            patch.setattr("paho.mqtt.client.Client._packet_handle", lambda _: 1 / 0)
            with contextlib.suppress(TransientError):
                await ear.link.publish("a", b"x")
            assert "fault while handling" in await ear.down()
        await ear.up()
        await ear.link.publish("a", b"y")
        assert (await ear.next()).payload == b"y"
    assert "ZeroDivisionError" in caplog.text


async def test_the_will_is_published_however_the_client_goes(proxy: Proxy, broker: Mosquitto) -> None:
    watcher = Ear(broker.port, "watcher", "status")
    for orderly in (False, True):
        mortal = Ear(proxy.port, "mortal", will=Will("status", b"offline"))
        async with running(watcher):
            await watcher.up()
            task = asyncio.create_task(mortal.link.run())
            await mortal.up()
            await mortal.link.publish("status", b"online", retain=True)
            heard = b""
            while heard != b"online":
                heard = (await watcher.next()).payload
            if orderly:
                await mortal.link.close()
                await task
                assert not mortal.link.connected
            else:
                proxy.drop()
            assert (await watcher.next()).payload == b"offline"
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_retained_message_says_so(broker: Mosquitto) -> None:
    mouth, ear = Ear(broker.port, "mouth"), Ear(broker.port, "ear", "config")
    async with running(mouth):
        await mouth.up()
        await mouth.link.publish("config", b"{}", retain=True)
        async with running(ear):
            assert (await ear.next()).retain is True


async def test_a_broker_with_a_narrow_window_is_respected(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path, extra="max_inflight_messages 3")
    await mosquitto.start()
    ear = Ear(mosquitto.port, "ear", "a")
    async with running(ear):
        await ear.up()
        await asyncio.gather(*(ear.link.publish("a", b"x") for _ in range(200)))
        for _ in range(200):
            await ear.next()
        assert ear.downs.empty()
    mosquitto.kill()
