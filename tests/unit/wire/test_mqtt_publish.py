"""The PUBLISH packet, read here for speed, against paho's own reading of it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import _packet
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hub.wire.mqtt_client import read_publish


def publish(topic: bytes, mid: int | None, properties: bytes, payload: bytes) -> bytes:
    packet_id = b"" if mid is None else struct.pack("!H", mid)
    return struct.pack("!H", len(topic)) + topic + packet_id + properties + payload


@given(
    topic=st.binary(max_size=300),
    mid=st.none() | st.integers(1, 65535),
    content_type=st.none() | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300),
    payload=st.binary(max_size=300),
)
def test_it_reads_what_paho_reads(topic: bytes, mid: int | None, content_type: str | None, payload: bytes) -> None:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    if content_type is not None:
        properties.ContentType = content_type
    packet = publish(topic, mid, properties.pack(), payload)  # type: ignore[no-untyped-call]  # paho's
    qos = 0 if mid is None else 1
    theirs = _packet.decode_publish(0x30 | qos << 1, bytearray(packet), MQTTProtocolVersion.MQTTv5)
    assert read_publish(bytearray(packet), qos) == (theirs.topic, theirs.mid, theirs.payload)


def test_a_packet_that_is_cut_off_is_noticed() -> None:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    properties.ContentType = "application/cloudevents+json"
    packet = publish(b"wt/1/h-1/up/alarm", 7, properties.pack(), b"")  # type: ignore[no-untyped-call]  # paho's
    for length in range(len(packet)):
        with pytest.raises((struct.error, IndexError)):
            read_publish(packet[:length], 1)
