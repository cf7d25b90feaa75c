"""One connection to the broker: a paho client that the event loop drives, without a thread of its own.

A new client for each connection: paho would otherwise keep messages in memory and send them again on its own,
and packet ids of an old connection would mean something else on the new one. What must not be lost is sent
again by whoever journalled it.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hub.domain.errors import RefusedError, TransientError
from hub.wire.mqtt_client import QuickClient, connect_properties, make_client
from hub.wire.mqtt_message import Incoming, MqttSettings, Will

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The broker answers CONNECT and SUBSCRIBE in one round trip; this long means that it hangs.
ANSWER_S = 10.0
# After one keepalive of silence a ping is sent; with no answer at 1.8 of them the link counts as dead. paho's
# own rule waits for two and its tick, which is more than 20 s at a keepalive of 10 s.
SILENT_KEEPALIVES = 1.8
# So that a flood from the broker lets the other tasks of the loop have their turn.
PACKETS_PER_WAKEUP = 64
# Reason codes of MQTT 5, section 3.14.2.1; paho gives the first for a ping without an answer too.
SILENT = 0x8D
TAKEN_OVER = 0x8E


class Connection:
    """One life of a link: from CONNECT until the broker, the network or we end it.

    Args:
        settings: Where the broker is.
        will: Last will, or ``None``.
        generation: Number of this connection within its link.
        window: Messages that may wait for the broker's PUBACK.
        deliver: Takes each message, in the event loop; it must not block.

    Attributes:
        accepted: The broker has accepted us and the connection stands.
        ended: Resolved with the reason when the connection is over.
        server_window: What the broker allows in flight.
    """

    def __init__(
        self,
        settings: MqttSettings,
        will: Will | None,
        generation: int,
        window: int,
        deliver: Callable[[Incoming], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._will = will
        self._generation = generation
        self._window = window
        self._deliver = deliver
        self._client: QuickClient | None = None
        self._fd: int | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._connack: asyncio.Future[bool] = self._loop.create_future()
        self._suback: asyncio.Future[list[ReasonCode]] = self._loop.create_future()
        self._waiting: dict[int, asyncio.Future[ReasonCode | None] | str] = {}
        self._unacked: dict[int, Incoming] = {}
        self.ended: asyncio.Future[str] = self._loop.create_future()
        self.server_window = window

    @property
    def accepted(self) -> bool:
        """Whether messages can be published."""
        return self._connack.done() and not self.ended.done()

    async def open(self) -> bool:
        """Connect; return whether the broker had kept our session.

        Raises:
            TransientError: Nobody there, or the broker refuses us, with the reason.
        """
        # The only blocking step (name lookup, TCP and TLS handshake): a worker thread takes it.
        connecting = self._loop.run_in_executor(None, self._connect)
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(self._connected_too_late)
            raise
        except (OSError, ValueError) as error:
            self.end(f"cannot connect: {error}")
            raise TransientError(self.ended.result()) from error
        self._attach()
        return await self._answer(self._connack, "CONNECT")

    async def subscribe(self, wanted: Sequence[tuple[str, int]]) -> list[tuple[tuple[str, int], ReasonCode]]:
        """Subscribe; return those that the broker refused.

        Raises:
            TransientError: The connection ended before the broker answered.
        """
        if not wanted or self._client is None:
            return []
        self._suback = self._loop.create_future()
        self._client.subscribe([(topic, SubscribeOptions(qos=qos)) for topic, qos in wanted])
        codes = await self._answer(self._suback, "SUBSCRIBE")
        return [(item, code) for item, code in zip(wanted, codes, strict=True) if code.is_failure]

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        properties: Properties | None,
        answer: asyncio.Future[ReasonCode | None] | None,
    ) -> None:
        """Queue a message.

        ``answer`` gets the broker's reason code, or ``None`` when the connection ends before it.

        Raises:
            TransientError: No connection, or the backlog is full.
        """
        if self._client is None or not self.accepted:
            raise TransientError("not connected")
        info = self._client.publish(topic, payload, qos, retain, properties)
        if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise TransientError(f"cannot queue the message: {info.rc.name}")
        if info.mid in self._waiting:
            # paho numbers QoS 0 too, and 65,535 later the number of one that still waits comes round.
            self.end(f"packet id {info.mid} is still in use")
            raise TransientError(self.ended.result())
        if answer is not None or qos:
            self._waiting[info.mid] = topic if answer is None else answer

    def ack(self, incoming: Incoming) -> bool:
        """Acknowledge a message of this connection; return whether it was one that waits for it."""
        if self._client is None or self.ended.done() or self._unacked.get(incoming.mid) is not incoming:
            return False
        del self._unacked[incoming.mid]
        self._client.ack(incoming.mid, incoming.qos)
        return True

    def close(self) -> None:
        """Say goodbye, with the last will where there is one, and end the connection."""
        client = self._client
        if client is not None and self.accepted:
            self.ended.set_result("closed")
            name = "Disconnect with will message" if self._will else "Normal disconnection"
            client.disconnect(ReasonCode(PacketTypes.DISCONNECT, name))
            self._flush()
        self.end("closed")

    def end(self, reason: str) -> None:
        """End the connection at once; whoever waits for an answer learns that none will come."""
        if not self.ended.done():
            self.ended.set_result(reason)
        if self._tick is not None:
            self._tick.cancel()
        self._detach()
        client, self._client = self._client, None
        if client is not None:
            client.on_socket_close = client.on_socket_register_write = client.on_disconnect = None
            sock = client.socket()
            if sock is not None:
                sock.close()
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if not isinstance(answer, str) and not answer.done():
                answer.set_result(None)
        self._unacked.clear()

    async def _answer(self, answer: asyncio.Future[T], to: str) -> T:
        either: set[asyncio.Future[Any]] = {answer, self.ended}
        await asyncio.wait(either, timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self.end(f"no answer to {to} in {ANSWER_S:.0f} s")
            raise TransientError(self.ended.result())
        return answer.result()

    def _connect(self) -> None:
        client = make_client(self._settings, self._will, self._window)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.connect(
            self._settings.host,
            self._settings.port,
            self._settings.keepalive_s,
            clean_start=self._settings.session_expiry_s == 0,
            properties=connect_properties(self._settings),
        )
        self._client = client

    def _connected_too_late(self, connecting: asyncio.Future[None]) -> None:
        if not connecting.cancelled():
            connecting.exception()
        self.end("closed")

    def _attach(self) -> None:
        """Let the event loop drive the client (paho's hooks for an external loop)."""
        client = self._client
        sock = client.socket() if client is not None else None
        if client is None or sock is None:
            self.end("cannot connect: closed at once")
            return
        self._fd = sock.fileno()
        # paho leaves Nagle's algorithm on: an alarm would wait up to 40 ms for the ACK of what went before.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # type: ignore[attr-defined] # a socket
        client.on_socket_close = lambda *_: self._detach()
        client.on_socket_register_write = self._on_register_write
        self._loop.add_reader(self._fd, self._readable)
        if client.want_write():
            self._loop.add_writer(self._fd, self._flush)
        self._heard = self._loop.time()
        self._on_tick()

    def _detach(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)

    def _guarded(self, step: Callable[[], object]) -> None:
        """Run a step of paho's; whatever it raises ends this connection and nothing more."""
        try:
            step()
        except Exception as error:
            logger.exception("mqtt %s: fault while handling a packet", self._settings.client_id)
            self.end(f"fault while handling a packet: {error!r}")

    def _readable(self) -> None:
        client = self._client
        if client is None:
            return
        self._heard = self._loop.time()
        for _ in range(PACKETS_PER_WAKEUP):
            self._guarded(client.loop_read)
            if not client.buffered or self.ended.done():
                break
        sock = client.socket()
        pending = isinstance(sock, ssl.SSLSocket) and sock.pending()
        if self._fd is not None and (client.buffered or pending):
            # What was already taken, or decrypted by TLS, does not make the socket readable again.
            self._loop.call_soon(self._readable)

    def _flush(self) -> None:
        client = self._client
        if client is None:
            return
        self._guarded(client.loop_write)
        if self._fd is None:
            return
        if client.want_write():
            self._loop.add_writer(self._fd, self._flush)
        else:
            self._loop.remove_writer(self._fd)

    def _on_register_write(self, _client: Client, _data: object, _sock: object) -> None:
        # At the end of this turn of the loop: what is queued meanwhile goes out with it.
        self._loop.call_soon(self._flush)

    def _on_tick(self) -> None:
        client = self._client
        if client is None or self._fd is None:
            return
        self._tick = self._loop.call_later(min(1.0, client.keepalive / 10 or 1.0), self._on_tick)
        self._guarded(client.loop_misc)
        silent_s = self._loop.time() - self._heard
        if client.keepalive and silent_s > SILENT_KEEPALIVES * client.keepalive and not self.ended.done():
            self.end(f"nothing heard for {silent_s:.0f} s")

    def _on_connect(
        self,
        _client: Client,
        _data: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.end(f"broker refuses client {self._settings.client_id!r}: {reason}")
            return
        self.server_window = getattr(properties, "ReceiveMaximum", self._window)
        if not self._connack.done():
            self._connack.set_result(flags.session_present)

    def _on_subscribe(
        self,
        _client: Client,
        _data: object,
        _mid: int,
        codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if not self._suback.done():
            self._suback.set_result(codes)

    def _on_publish(
        self, _client: Client, _data: object, mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        answer = self._waiting.pop(mid, None)
        if isinstance(answer, str):
            if reason.is_failure:
                logger.error("mqtt: %s", RefusedError(f"broker refuses a message on {answer}: {reason}"))
        elif answer is not None and not answer.done():
            answer.set_result(reason)

    def _on_message(self, client: Client, _data: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            logger.exception("mqtt: message on a topic that is no text, dropped")
            client.ack(message.mid, message.qos)
            return
        incoming = Incoming(
            topic, bytes(message.payload), message.retain, message.mid, message.qos, self._generation
        )
        if message.qos:
            self._unacked[message.mid] = incoming
        try:
            self._deliver(incoming)
        except Exception:
            # Left unacknowledged, such messages would fill the receive window until nothing passes. It is the
            # sender's journal, not the broker, that brings an observation again.
            logger.exception("mqtt: message on %s could not be handled and is acknowledged unread", topic)
            self.ack(incoming)

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.value == SILENT and not flags.is_disconnect_packet_from_server:
            self.end(f"nothing heard since a ping {self._settings.keepalive_s} s ago")
        elif not flags.is_disconnect_packet_from_server:
            self.end("closed by the broker or the network")
        elif reason.value == TAKEN_OVER:
            self.end(f"taken over: another client calls itself {self._settings.client_id!r} as well")
        else:
            self.end(f"broker says: {reason}")
