"""One MQTT 5 connection in the event loop, for simulators that speak to a broker themselves."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

log = logging.getLogger(__name__)

_TICK_S = 1.0
_KEEPALIVE_S = 60
_HOST = "127.0.0.1"


class Will(NamedTuple):
    """What the broker says when the connection ends without a word."""

    topic: str
    payload: bytes
    retain: bool = True


class Connection:
    """A connection that is made anew each time; there is no session.

    Args:
        client_id: Its name at the broker.
        received: Told topic and payload of each message.
        subscriptions: What it subscribes to, with QoS 1, before ``connected`` is told.
        connected: Told when it is up.
        will: Last will.
    """

    def __init__(
        self,
        client_id: str,
        received: Callable[[str, bytes], None],
        *,
        subscriptions: list[str],
        connected: Callable[[], None] | None = None,
        will: Will | None = None,
    ) -> None:
        self._client_id = client_id
        self._received = received
        self._subscriptions = subscriptions
        self._connected = connected
        self._will = will
        self._client: Client | None = None
        self._socket: socket.socket | None = None
        self._tick: asyncio.TimerHandle | None = None
        self.up = False

    @property
    def open(self) -> bool:
        """Whether there is a connection, or one is being made."""
        return self._client is not None

    def connect(self, port: int) -> None:
        """Begin to connect to a broker on 127.0.0.1.

        Raises:
            OSError: Nobody listens there.
        """
        client = Client(CallbackAPIVersion.VERSION2, self._client_id, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = lambda *_: self._ended()
        # Before paho closes it: a closed socket's number may be another's a moment later.
        client.on_socket_close = lambda *_: self._leave()
        client.on_socket_register_write = lambda *_: self._want_write(wanted=True)
        client.on_socket_unregister_write = lambda *_: self._want_write(wanted=False)
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retain)
        client.connect(_HOST, port, _KEEPALIVE_S, clean_start=True)
        found = client.socket()
        if not isinstance(found, socket.socket):
            raise ConnectionError("closed at once")
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client, self._socket = client, found
        loop = asyncio.get_running_loop()
        loop.add_reader(found.fileno(), self._readable)
        self._want_write(wanted=client.want_write())
        self._tick = loop.call_later(_TICK_S, self._on_tick)

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, content_type: str = ""
    ) -> None:
        """Send a message, if there is a connection; nothing is kept."""
        if self._client is None or not self.up:
            return
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's own
        if content_type:
            properties.ContentType = content_type
        self._client.publish(topic, payload, qos, retain, properties)

    def close(self) -> None:
        """End it in order: no last will."""
        if self._client is not None and self.up:
            self._client.disconnect()
        self.cut()

    def cut(self) -> None:
        """End it without a word, as a power cut does."""
        client, self._client, self.up = self._client, None, False
        if self._tick is not None:
            self._tick.cancel()
        found = self._socket
        self._leave()
        if found is not None:
            found.close()
        if client is not None:
            client.on_disconnect = client.on_socket_close = None
            client.on_socket_register_write = client.on_socket_unregister_write = None

    def freeze(self) -> None:
        """Let it be half open: it is there, and nothing comes through in either direction."""
        self._unhook()
        self.up = False

    def _unhook(self) -> None:
        if self._socket is not None and self._socket.fileno() >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket.fileno())
            loop.remove_writer(self._socket.fileno())

    def _leave(self) -> None:
        self._unhook()
        self._socket = None

    def _want_write(self, *, wanted: bool) -> None:
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        if wanted:
            loop.add_writer(self._socket.fileno(), self._writable)
        else:
            loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        if self._client is not None:
            self._client.loop_read()

    def _writable(self) -> None:
        if self._client is not None:
            self._client.loop_write()

    def _on_tick(self) -> None:
        if self._client is not None:
            self._tick = asyncio.get_running_loop().call_later(_TICK_S, self._on_tick)
            self._client.loop_misc()

    def _on_connect(self, client: Client, *given: Any) -> None:  # noqa: ANN401 -- paho's callback
        reason = given[2]
        if reason.is_failure:
            log.warning("%s: %s", self._client_id, reason)
            return
        if self._subscriptions:
            client.subscribe([(topic, 1) for topic in self._subscriptions])
        else:
            self._is_up()

    def _on_subscribe(self, *_: Any) -> None:  # noqa: ANN401 -- paho's callback
        self._is_up()

    def _is_up(self) -> None:
        self.up = True
        if self._connected is not None:
            self._connected()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:  # noqa: ANN401 -- paho's callback
        self._received(message.topic, bytes(message.payload))

    def _ended(self) -> None:
        asyncio.get_running_loop().call_soon(self.cut)
