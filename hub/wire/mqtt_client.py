"""How paho's client is set up, and what it is too slow at."""

import functools
import ssl
import struct
from typing import Literal

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.wire.mqtt_message import MqttSettings, Will

# Publishing beyond this backlog answers "try again" instead of filling the memory.
MAX_QUEUED = 10_000
_TAKE_BYTES = 64 * 1024
# A PUBACK without reason and properties is one of success (MQTT 5, section 3.4.2.1).
_PUBACK_OF_SUCCESS = 2
_SUCCESS = ReasonCode(PacketTypes.PUBACK)
_NO_PROPERTIES = Properties(PacketTypes.PUBACK)  # type: ignore[no-untyped-call] # paho's


class PackedProperties(Properties):
    """Properties packed once: paho packs them anew for each message, at many times the cost of the rest."""

    def pack(self) -> bytes:
        """Return the wire form."""
        return packed(getattr(self, "ContentType", None), getattr(self, "MessageExpiryInterval", None))


def _filled(kind: type[Properties], content_type: str | None, expiry_s: int | None) -> Properties:
    properties = kind(PacketTypes.PUBLISH)
    if content_type is not None:
        properties.ContentType = content_type
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    return properties


@functools.lru_cache(maxsize=64)
def packed(content_type: str | None, expiry_s: int | None) -> bytes:
    """Return the wire form of a PUBLISH packet's properties."""
    return bytes(_filled(Properties, content_type, expiry_s).pack())  # type: ignore[no-untyped-call] # paho's


@functools.lru_cache(maxsize=64)
def publish_properties(content_type: str | None, expiry_s: int | None) -> Properties | None:
    """Return the properties of a PUBLISH packet, or ``None`` where there are none."""
    if content_type is None and expiry_s is None:
        return None
    return _filled(PackedProperties, content_type, expiry_s)


class ClosingSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; paho would leave that to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002, the base class's signature
        """Shake hands, or close."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class QuickClient(Client):
    """Does in few steps what paho does for each message in many.

    It takes what the socket has in one go, where paho asks for a packet's bytes in four, each time letting
    another thread go first. And it reads the two packets that there are thousands of a second, PUBLISH and the
    PUBACK of a success, without the properties that nobody here asks for.
    """

    _taken = b""
    _at = 0

    @property
    def buffered(self) -> bool:
        """Whether there are bytes that the socket will not announce any more."""
        return self._at < len(self._taken)

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self.buffered:
            self._taken, self._at = super()._sock_recv(_TAKE_BYTES), 0
        begin, self._at = self._at, self._at + bufsize
        return self._taken[begin : self._at]

    def _handle_publish(self) -> MQTTErrorCode:
        header, packet = self._in_packet["command"], self._in_packet["packet"]
        qos = header >> 1 & 0x03
        try:
            topic, mid, payload = read_publish(packet, qos)
        except (struct.error, IndexError):
            return super()._handle_publish()  # which says what is wrong with it
        message = MQTTMessage(mid=mid, topic=topic)
        message.qos, message.retain, message.payload = qos, bool(header & 0x01), payload
        if self.on_message is not None:
            self.on_message(self, None, message)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        if cmd != "PUBACK" or len(packet) != _PUBACK_OF_SUCCESS:
            return super()._handle_pubackcomp(cmd)
        mid = int.from_bytes(packet, "big")
        if mid not in self._out_messages:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return self._do_on_publish(mid, _SUCCESS, _NO_PROPERTIES)


def read_publish(packet: bytes | bytearray, qos: int) -> tuple[bytes, int, bytes]:
    """Return topic, packet id and payload of a PUBLISH packet (MQTT 5, section 3.3) after its fixed header.

    Raises:
        struct.error: It is cut off.
        IndexError: The same.
    """
    (length,) = struct.unpack_from("!H", packet)
    at = 2 + length
    topic, mid = bytes(packet[2:at]), 0
    if qos:
        (mid,) = struct.unpack_from("!H", packet, at)
        at += 2
    size = shift = 0  # of the properties: a variable byte integer, section 1.5.5
    while True:
        octet = packet[at]
        at += 1
        size |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            break
    if at + size > len(packet):
        raise IndexError("properties are cut off")
    return topic, mid, bytes(packet[at + size :])


def make_client(settings: MqttSettings, will: Will | None, window: int) -> QuickClient:
    """Make a paho client that is told everything but to connect.

    Raises:
        OSError: A certificate file is missing or wrong; ``ssl.SSLError`` is one too.
    """
    client = QuickClient(
        CallbackAPIVersion.VERSION2,
        client_id=settings.client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=True,
    )
    client.max_inflight_messages_set(window)
    client.max_queued_messages_set(MAX_QUEUED)
    if settings.username is not None:
        client.username_pw_set(settings.username, settings.password)
    if settings.tls_ca is not None:
        context = ssl.create_default_context(cafile=settings.tls_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = ClosingSocket
        if settings.tls_cert is not None:
            context.load_cert_chain(settings.tls_cert, settings.tls_key)
        client.tls_set_context(context)
    if will is not None:
        client.will_set(will.topic, will.payload, will.qos, will.retain)
    return client


def connect_properties(settings: MqttSettings) -> Properties:
    """Return the properties of the CONNECT packet."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
    properties.SessionExpiryInterval = settings.session_expiry_s
    properties.ReceiveMaximum = settings.receive_maximum
    return properties
