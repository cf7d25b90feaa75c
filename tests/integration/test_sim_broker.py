"""The embedded broker, with paho as the hub uses it. Its differences from Mosquitto are pinned here too."""

import json
import os
import queue
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from typing import NamedTuple

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WAIT_S = 5.0
QUIET_S = 0.3


class Got(NamedTuple):
    payload: bytes
    mid: int
    dup: bool
    retain: bool
    expiry: int | None


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call] # paho leaves it untyped


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "firmware_sim.cli", "broker"],
        env={**os.environ, "PYTHONPATH": "firmware-sim"},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process, process.stdout:
        yield json.loads(process.stdout.readline())["port"]
        process.terminate()
        assert process.wait(WAIT_S) == 0


class Client:
    """A paho client whose callbacks fill queues."""

    def __init__(
        self,
        port: int,
        name: str,
        *,
        keep_session: bool = False,
        manual_ack: bool = False,
        will: str | None = None,
    ) -> None:
        self._got: queue.Queue[Got] = queue.Queue()
        self._done: queue.Queue[object] = queue.Queue()
        self.mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5, manual_ack=manual_ack)
        self.mqtt.on_message = self._on_message
        self.mqtt.on_connect = lambda _c, _u, flags, _r, _p: self._done.put(flags.session_present)
        self.mqtt.on_subscribe = lambda _c, _u, _m, codes, _p: self._done.put(codes)
        self.mqtt.on_publish = lambda _c, _u, _m, code, _p: self._done.put(str(code))
        if will is not None:
            self.mqtt.will_set(will, "offline", qos=1, retain=True)
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        self.mqtt.connect("127.0.0.1", port, 10, clean_start=not keep_session, properties=properties)
        self.mqtt.loop_start()
        self.session_present = self._done.get(timeout=WAIT_S)

    def _on_message(self, _client: mqtt.Client, _user: object, got: mqtt.MQTTMessage) -> None:
        expiry = getattr(got.properties, "MessageExpiryInterval", None)
        self._got.put(Got(bytes(got.payload), got.mid, got.dup, got.retain, expiry))

    def subscribe(self, topic: str) -> None:
        self.mqtt.subscribe(topic, qos=1)
        self._done.get(timeout=WAIT_S)

    def publish(self, topic: str, payload: str, *, retain: bool = False, expiry_s: int = 0) -> object:
        properties = _properties(PacketTypes.PUBLISH)
        if expiry_s:
            properties.MessageExpiryInterval = expiry_s
        self.mqtt.publish(topic, payload, 1, retain, properties)
        return self._done.get(timeout=WAIT_S)

    def take(self, count: int) -> list[Got]:
        return [self._got.get(timeout=WAIT_S) for _ in range(count)]

    def nothing_more(self) -> bool:
        try:
            self._got.get(timeout=QUIET_S)
        except queue.Empty:
            return True
        return False

    def cut(self) -> None:
        """Lose the line without a DISCONNECT."""
        line = self.mqtt.socket()
        assert isinstance(line, socket.socket)
        line.shutdown(socket.SHUT_RDWR)
        self.mqtt.loop_stop()

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


def test_qos_1_between_two_clients(port: int, name: str) -> None:
    sender, receiver = Client(port, f"s{name}"), Client(port, f"r{name}")
    receiver.subscribe(f"{name}/#")
    assert [sender.publish(f"{name}/a", str(n)) for n in range(5)] == ["Success"] * 5
    assert [got.payload for got in receiver.take(5)] == [b"0", b"1", b"2", b"3", b"4"]
    sender.close()
    receiver.close()


def test_retained_until_cleared(port: int, name: str) -> None:
    sender = Client(port, f"s{name}")
    sender.publish(f"{name}/a", "kept", retain=True)
    first = Client(port, f"1{name}")
    first.subscribe(f"{name}/#")
    (got,) = first.take(1)
    assert (got.payload, got.retain) == (b"kept", True)
    sender.publish(f"{name}/a", "", retain=True)
    second = Client(port, f"2{name}")
    second.subscribe(f"{name}/#")
    assert second.nothing_more()
    for client in (sender, first, second):
        client.close()


def test_unacknowledged_messages_come_again_in_order(port: int, name: str) -> None:
    sender = Client(port, f"s{name}")
    receiver = Client(port, f"r{name}", keep_session=True, manual_ack=True)
    receiver.subscribe(f"{name}/#")
    for n in range(5):
        sender.publish(f"{name}/a", str(n))
    for got in receiver.take(5)[:2]:
        receiver.mqtt.ack(got.mid, 1)
    # The broker has read both acknowledgements once it has answered something sent after them.
    receiver.publish(f"other/{name}", "x")
    receiver.cut()
    sender.publish(f"{name}/a", "5")
    again = Client(port, f"r{name}", keep_session=True, manual_ack=True)
    assert again.session_present is True
    resent = again.take(4)
    assert [each.payload for each in resent] == [b"2", b"3", b"4", b"5"]
    # Mosquitto keeps the packet ids and sets DUP.
    assert [(each.mid, each.dup) for each in resent] == [(1, False), (2, False), (3, False), (4, False)]
    again.close()
    sender.close()


def test_last_will_is_retained(port: int, name: str) -> None:
    watcher = Client(port, f"w{name}")
    watcher.subscribe(f"{name}/#")
    Client(port, f"d{name}", will=f"{name}/status").cut()
    assert watcher.take(1)[0].payload == b"offline"
    late = Client(port, f"l{name}")
    late.subscribe(f"{name}/status")
    assert late.take(1)[0].retain
    watcher.close()
    late.close()


def test_message_expiry(port: int, name: str) -> None:
    sender = Client(port, f"s{name}")
    away = Client(port, f"r{name}", keep_session=True)
    away.subscribe(f"{name}/#")
    away.cut()
    sender.publish(f"{name}/a", "short", expiry_s=1)
    sender.publish(f"{name}/a", "long", expiry_s=60)
    time.sleep(1.2)  # the broker counts whole seconds of real time
    back = Client(port, f"r{name}", keep_session=True)
    (got,) = back.take(1)
    assert got.payload == b"long"
    assert got.expiry is not None
    assert got.expiry < 60
    sender.close()
    back.close()


def test_a_session_begun_with_clean_start_is_lost(port: int, name: str) -> None:
    """Unlike Mosquitto: MQTT 5 would keep it for the session expiry interval."""
    first = Client(port, f"r{name}")
    first.subscribe(f"{name}/#")
    first.cut()
    again = Client(port, f"r{name}", keep_session=True)
    assert again.session_present is False
    again.close()


def test_nobody_listening_is_success(port: int, name: str) -> None:
    """Unlike Mosquitto, which says "No matching subscribers"."""
    sender = Client(port, f"s{name}")
    assert sender.publish(f"nobody/{name}", "x") == "Success"
    sender.close()


def test_a_resumed_session_gets_no_retained_message_again(port: int, name: str) -> None:
    """Unlike Mosquitto: whoever needs a retained message at each start subscribes in a new session."""
    sender = Client(port, f"s{name}")
    sender.publish(f"{name}/config", "kept", retain=True)
    first = Client(port, f"r{name}", keep_session=True)
    first.subscribe(f"{name}/config")
    assert first.take(1)[0].payload == b"kept"
    first.cut()
    again = Client(port, f"r{name}", keep_session=True)
    again.subscribe(f"{name}/config")
    assert again.nothing_more()
    again.close()
    sender.close()
