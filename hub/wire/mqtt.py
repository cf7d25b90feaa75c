"""The MQTT link of both sides: MQTT 5, acknowledged by hand, always on its way back to the broker."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from paho.mqtt.reasoncodes import ReasonCode

from hub.domain.errors import RefusedError, TransientError
from hub.wire.mqtt_client import publish_properties
from hub.wire.mqtt_connection import Connection
from hub.wire.mqtt_message import Incoming, MqttSettings, Will

__all__ = ["Incoming", "MqttLink", "MqttSettings", "Will"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

# First and longest wait before the next attempt. It is drawn between half of it and all of it, so that 500
# hubs that lost the same broker do not return in the same second.
BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 10.0
# A connection that lasted this long starts the waits anew; two clients that take each other over do not.
STEADY_S = 10.0
# A refused subscription is asked for again this often: somebody may be mending the access list.
RESUBSCRIBE_S = 10.0
# So many short connections in a row look like two clients with one name; Mosquitto 2.0 does not tell which it is.
SUSPICIOUS = 3
# Messages in flight; Mosquitto allows 20 unless told otherwise (max_inflight_messages).
WINDOW = 20


class MqttLink:
    """A client of the broker that reconnects for ever.

    ``on_message`` is called in the event loop and must only take the message in. A message that makes it raise is
    logged and acknowledged, so that it cannot block the lane: an observation comes again from its journal.
    Messages may arrive before ``on_connect``, which is called when the subscriptions stand.

    Args:
        settings: Where the broker is, and as whom.
        subscriptions: Topic filters with their QoS, 0 or 1.
        on_message: Takes each message.
        on_connect: Told whether the broker had kept the session.
        on_disconnect: Told why a connection was lost.
        will: Published by the broker when this client is gone, on an orderly close too.

    Attributes:
        generation: Number of the connection, counted from 1.
        stale_acks: Acknowledgements that came too late for their connection.
        refused_posts: Posted messages that could not even be queued.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        subscriptions: Sequence[tuple[str, int]],
        on_message: Callable[[Incoming], None],
        on_connect: Callable[[bool], None] | None = None,
        on_disconnect: Callable[[str], None] | None = None,
        will: Will | None = None,
    ) -> None:
        if any(qos not in (0, 1) for _, qos in subscriptions):
            raise ValueError("subscribe with QoS 0 or 1: QoS 2 cannot be acknowledged by hand")
        self._settings = settings
        self._subscriptions = list(subscriptions)
        self._on_message = on_message
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self._will = will
        self._connection: Connection | None = None
        self._window = WINDOW
        self._closing = asyncio.Event()
        self._complaint = ""
        self._short_lives = 0
        self.generation = 0
        self.stale_acks = 0
        self.refused_posts = 0

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and the connection is not known to be lost."""
        return self._connection is not None and self._connection.accepted

    async def run(self) -> None:
        """Stay connected until cancelled or closed."""
        loop = asyncio.get_running_loop()
        wait_s = BACKOFF_FIRST_S
        while not self._closing.is_set():
            began = loop.time()
            await self._live_once()
            if loop.time() - began > STEADY_S:
                wait_s = BACKOFF_FIRST_S
                self._short_lives = 0
            try:
                async with asyncio.timeout(random.uniform(wait_s / 2, wait_s)):  # noqa: S311, no secret
                    await self._closing.wait()
            except TimeoutError:
                wait_s = min(BACKOFF_MAX_S, wait_s * 2)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        content_type: str | None = None,
        expiry_s: int | None = None,
    ) -> None:
        """Publish and wait for the broker's PUBACK; with QoS 0, until it is written.

        The PUBACK says that the broker has it, not that anybody stored it.

        Raises:
            TransientError: Not connected, or the connection ended before the PUBACK: send it again.
            RefusedError: The broker said no, with its reason.
        """
        if self._connection is None:
            raise TransientError(f"{self._name}: not connected")
        answer: asyncio.Future[ReasonCode | None] = asyncio.get_running_loop().create_future()
        properties = publish_properties(content_type, expiry_s)
        self._connection.publish(topic, payload, qos=qos, retain=retain, properties=properties, answer=answer)
        reason = await answer
        if reason is None:
            raise TransientError(f"{self._name}: connection lost before the broker had {topic}")
        if reason.is_failure:
            raise RefusedError(f"{self._name}: broker refuses a message on {topic}: {reason}")

    def post(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        content_type: str | None = None,
        expiry_s: int | None = None,
    ) -> None:
        """Publish and forget: for what is sent again when it does not arrive, such as receipts.

        A refusal is logged; what cannot be queued is counted.
        """
        properties = publish_properties(content_type, expiry_s)
        try:
            if self._connection is None:
                raise TransientError("not connected")  # noqa: TRY301, one place counts both
            self._connection.publish(topic, payload, qos=qos, retain=retain, properties=properties, answer=None)
        except TransientError as error:
            self.refused_posts += 1
            logger.debug("%s: nothing posted on %s: %s", self._name, topic, error)

    def ack(self, incoming: Incoming) -> None:
        """Tell the broker that a message is taken care of.

        A message of an earlier connection is left alone, for its packet id may be another message's by now:
        the broker sends it again.
        """
        if incoming.qos and (self._connection is None or not self._connection.ack(incoming)):
            self.stale_acks += 1

    async def close(self) -> None:
        """Disconnect, with the last will, and let `run` return."""
        self._closing.set()
        if self._connection is not None:
            self._connection.close()

    @property
    def _name(self) -> str:
        return f"mqtt {self._settings.host}:{self._settings.port}"

    async def _live_once(self) -> None:
        """Live through one connection, from the attempt to its end."""
        self.generation += 1
        connection = Connection(self._settings, self._will, self.generation, self._window, self._on_message)
        self._connection = connection
        up = False
        try:
            session_present = await connection.open()
            if connection.server_window < self._window:
                # paho cannot narrow its window on an open connection; a broker ends one that exceeds its own.
                self._window = connection.server_window
                connection.close()
                return
            refused = await self._subscribe(connection, self._subscriptions)
            self._announce(session_present)
            up = True
            self._tell(self._on_connect, session_present)
            while refused and not (await asyncio.wait({connection.ended}, timeout=RESUBSCRIBE_S))[0]:
                refused = await self._subscribe(connection, refused)
            await connection.ended
        except TransientError as error:
            if not up:
                self._complain(str(error))
        finally:
            connection.close()
        if up and not self._closing.is_set():
            reason = connection.ended.result()
            self._short_lives += 1
            if self._short_lives >= SUSPICIOUS:
                reason += f"; does another client call itself {self._settings.client_id!r} too?"
            self._complain(f"connection lost: {reason}")
            self._tell(self._on_disconnect, reason)

    async def _subscribe(self, connection: Connection, wanted: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        refused = await connection.subscribe(wanted)
        for (topic, _), reason in refused:
            logger.error("%s: broker refuses the subscription to %s: %s", self._name, topic, reason)
        return [item for item, _ in refused]

    def _announce(self, session_present: bool) -> None:  # noqa: FBT001, the broker's flag
        kept = "session kept" if session_present else "new session"
        level = logging.INFO
        if self._settings.session_expiry_s and not session_present and self.generation > 1:
            kept, level = "the broker has lost our session, what it held is gone", logging.WARNING
        logger.log(level, "%s: connected as %s, %s", self._name, self._settings.client_id, kept)
        self._complaint = ""

    def _complain(self, complaint: str) -> None:
        """Log what is wrong, once for as long as it stays the same."""
        level = logging.DEBUG if complaint == self._complaint else logging.WARNING
        logger.log(level, "%s: %s", self._name, complaint)
        self._complaint = complaint

    def _tell(self, callback: Callable[[T], None] | None, value: T) -> None:
        if callback is None:
            return
        try:
            callback(value)
        except Exception:
            # The callback is somebody else's; its fault must not end the link.
            logger.exception("%s: fault in a callback", self._name)
