"""An MQTT client as gateways and phones in a home have one: it publishes, leaves a last will, and comes back."""

import asyncio
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from firmware_sim.errors import Unfit
from firmware_sim.faults import Faults
from firmware_sim.mqtt import Will
from firmware_sim.process import Tasks

_KEEPALIVE_S = 10
_SOONEST_S, _LATEST_S = 1, 5


def address_of(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT``.

    Raises:
        Unfit: It is something else.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise Unfit(f"'broker' must be HOST:PORT, such as 127.0.0.1:1883, not {text!r}")
    return host, int(port)


class Publisher:
    """One client.

    Args:
        broker: ``HOST:PORT``.
        client_id: Its name.
        on_up: Called in the event loop whenever the broker has accepted it.
        will: Its last will, of the next start on.
    """

    def __init__(self, broker: str, client_id: str, on_up: Callable[[], None], will: Will) -> None:
        self._address = address_of(broker)
        self._client_id = client_id
        self._on_up = on_up
        self.will = will
        self._client: Client | None = None
        self._tasks = Tasks()
        self.faults = Faults()

    @property
    def running(self) -> bool:
        """Whether it is switched on; the broker may be away."""
        return self._client is not None

    def start(self) -> None:
        """Switch it on: it connects, and connects again, until it is stopped."""
        if self._client is not None:
            return
        loop = asyncio.get_running_loop()
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=self._client_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        client.will_set(self.will.topic, self.will.payload, qos=1, retain=self.will.retain)
        client.reconnect_delay_set(_SOONEST_S, _LATEST_S)

        def connected(*_: Any) -> None:  # noqa: ANN401 -- paho's own
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._up, client)

        client.on_connect = connected
        client.connect_async(*self._address, keepalive=_KEEPALIVE_S)
        client.loop_start()
        self._client = client

    def _up(self, client: Client) -> None:
        if client is self._client:
            self._on_up()

    async def stop(self) -> None:
        """Say goodbye, after everything that was published has gone out; the last will stays unsaid."""
        await self._tasks.stop()
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)

    async def crash(self) -> None:
        """Be gone without a word, as in a power cut; the broker tells the last will."""
        client, self._client = self._client, None
        if client is None:
            return
        sock: Any = client.socket()
        client.on_connect = None
        client.reconnect_delay_set(3600, 3600)
        if sock is not None:
            sock.shutdown(2)
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)

    def publish(self, topic: str, payload: bytes, *, retain: bool, qos: int = 1) -> None:
        """Publish, with the faults that are set; nothing goes out while it is switched off."""
        for sending in self.faults.apply(payload):
            if sending.after_s:
                self._tasks.start(self._later(sending.after_s, topic, sending.frame, retain, qos), "late message")
            else:
                self.publish_surely(topic, sending.frame, retain=retain, qos=qos)

    def publish_surely(self, topic: str, payload: bytes, *, retain: bool, qos: int = 1) -> None:
        """Publish, without faults."""
        if self._client is not None:
            self._client.publish(topic, payload, qos=qos, retain=retain)

    async def _later(self, after_s: float, topic: str, payload: bytes, retain: bool, qos: int) -> None:  # noqa: FBT001
        await asyncio.sleep(after_s)
        self.publish_surely(topic, payload, retain=retain, qos=qos)
