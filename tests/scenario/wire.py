"""The wire as a stranger knows it: publishes what it likes, and hears what passes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


class Wire:
    """A plain client of the broker.

    Attributes:
        heard: What passed: topic and payload.
    """

    def __init__(self, client: mqtt.Client) -> None:
        self._client = client
        self.heard: list[tuple[str, bytes]] = []

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1, and wait until the broker has it."""
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        await asyncio.to_thread(info.wait_for_publish, 10)
        assert info.is_published()

    def passed(self, topic: str) -> list[bytes]:
        """Return the payloads that passed on a topic."""
        return [payload for where, payload in self.heard if where == topic]


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    """Listen to and speak on everything."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    made = Wire(client)
    listening = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_connect(*_: object) -> None:
        client.subscribe("wt/#", 1)

    def on_subscribe(*_: object) -> None:
        loop.call_soon_threadsafe(listening.set)

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        made.heard.append((message.topic, bytes(message.payload)))

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        await asyncio.wait_for(listening.wait(), 10)
        yield made
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)
