"""The edge and a gateway on the home's own broker: killed, cut and restarted on either side."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from firmware_sim.home import Home
from hub.domain.clock import SystemClock
from hub.domain.codes import Kind
from hub.edge.app import Edge
from hub.edge.journal import JournalFullError, Limits
from hub.edge.opening import open_journal
from hub.edge.sessions import TopicSession
from hub.edge.settings import BleTable, HomeBrokerTable, MqttTable, Settings
from hub.wire.config import DeviceConfig, HubConfig, Intervals, LinkConfig
from hub.wire.mqtt import MqttLink, MqttSettings
from tests.fakes.gateway import home_of
from tests.fakes.mosquitto import Mosquitto
from tests.unit.edge.centre import Centre
from tests.unit.edge.makers import HUB, until

_BUTTON = {"name": "button", "kind": "zigbee2mqtt.button", "address": "button-1"}
_LEAK = {"name": "leak", "kind": "zigbee2mqtt.leak", "address": "leak-1"}
_CONFIG = HubConfig(
    version=1,
    hub_id=HUB,
    links=(LinkConfig(id="zigbee", kind="mqtt", driver="zigbee2mqtt", base="zigbee2mqtt"),),
    devices=(
        DeviceConfig(id="d-button", link="zigbee", driver="zigbee2mqtt", address="button-1"),
        DeviceConfig(id="d-leak", link="zigbee", driver="zigbee2mqtt", address="leak-1"),
    ),
    intervals=Intervals(alive_s=0.5, alarm_resend_s=0.4, reading_resend_s=0.4),
)


@pytest.fixture
async def home_broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    mosquitto = Mosquitto(tmp_path / "home-broker")
    await mosquitto.start()
    yield mosquitto
    mosquitto.kill()


@pytest.fixture
async def centre(broker: Mosquitto) -> AsyncIterator[Centre]:
    made = Centre(broker.port)
    task = asyncio.create_task(made.run())
    await made.connected()
    await made.configure(_CONFIG)
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def home(tmp_path: Path, home_broker: Mosquitto) -> AsyncIterator[Home]:
    async with home_of(tmp_path, home_broker.port, _BUTTON, _LEAK) as made:
        yield made


@contextlib.asynccontextmanager
async def running(
    folder: Path, broker: Mosquitto, home_broker: Mosquitto
) -> AsyncIterator[tuple[Edge, TopicSession]]:
    settings = Settings(
        hub_id=HUB,
        data_dir=str(folder),
        mqtt=MqttTable(port=broker.port),
        home_broker=HomeBrokerTable(port=home_broker.port),
        ble=BleTable(backend="none"),
        journal=Limits(reserve_bytes=4096),
    )
    edge = Edge(settings, open_journal(folder, limits=settings.journal), SystemClock())
    stop = asyncio.Event()
    task = asyncio.create_task(edge.run(stop))
    try:
        await until(lambda: "zigbee" in edge.sessions)
        session = edge.sessions["zigbee"][1]
        assert isinstance(session, TopicSession)
        yield edge, session
    finally:
        stop.set()
        await task


async def test_a_press_reaches_the_centre_and_a_second_one_counts(
    tmp_path: Path, broker: Mosquitto, home_broker: Mosquitto, centre: Centre, home: Home
) -> None:
    async with running(tmp_path / "data", broker, home_broker) as (_, session):
        await until(lambda: session.state.up)
        await home.do("button", "press", {})
        await centre.until(lambda: centre.count(Kind.ALARM_PRESSED) >= 1)
        await home.do("button", "twice", {})
        await home.do("button", "press", {})
        await home.do("leak", "wet", {})
        await centre.until(lambda: Kind.WATER_DETECTED in centre.kinds())
        presses = {event.seq for event in centre.events if event.data.kind is Kind.ALARM_PRESSED}
        assert len(presses) == 2
        assert (
            next(event.subject for event in centre.events if event.data.kind is Kind.ALARM_PRESSED) == "d-button"
        )


async def test_what_happened_while_the_edge_was_down_is_raised_when_it_is_back(
    tmp_path: Path, broker: Mosquitto, home_broker: Mosquitto, centre: Centre, home: Home
) -> None:
    async with running(tmp_path / "data", broker, home_broker) as (_, session):
        await until(lambda: session.state.up)
        await home.do("button", "report", {})
        await centre.until(lambda: "d-button" in {event.subject for event in centre.events})
    await home.do("leak", "wet", {})  # kept by the broker, and in our session too
    await home.do("button", "press", {})  # in our session only
    async with running(tmp_path / "data", broker, home_broker):
        await centre.until(lambda: {Kind.WATER_DETECTED, Kind.ALARM_PRESSED} <= set(centre.kinds()))


async def test_a_retained_leak_is_raised_and_flagged_where_the_broker_has_lost_our_session(
    tmp_path: Path, broker: Mosquitto, home_broker: Mosquitto, centre: Centre, home: Home
) -> None:
    async with running(tmp_path / "data", broker, home_broker) as (_, session):
        await until(lambda: session.state.up)
    await home.do("leak", "wet", {})
    # Somebody takes our name and asks for nothing to be kept: the session is gone, what is retained is not.
    kept: list[bytes] = []
    thief = MqttLink(
        MqttSettings(host="127.0.0.1", port=home_broker.port, client_id=f"home-{HUB}-zigbee"),
        subscriptions=[("zigbee2mqtt/leak-1", 1)],
        on_message=lambda incoming: kept.append(incoming.payload),
    )
    task = asyncio.create_task(thief.run())
    await until(lambda: any(b'"water_leak":true' in payload for payload in kept))
    await thief.close()
    await task
    await home.do("leak", "gateway_crash", {})
    for _ in range(2):  # the second start tells nothing new
        async with running(tmp_path / "data", broker, home_broker) as (edge, session):
            await until(lambda: session.state.up)
            await centre.until(lambda: Kind.WATER_DETECTED in centre.kinds())
            await until(lambda: edge.recorder.summary().pending.alarm == 0)
    (leak,) = {event.seq: event for event in centre.events if event.data.kind is Kind.WATER_DETECTED}.values()
    assert leak.data.flags == ("retained",)


async def test_the_home_broker_dies_and_the_link_comes_back(
    tmp_path: Path, broker: Mosquitto, home_broker: Mosquitto, centre: Centre, home: Home
) -> None:
    async with running(tmp_path / "data", broker, home_broker) as (_, session):
        await until(lambda: session.state.up)
        home_broker.kill()
        await until(lambda: not session.state.up)
        assert session.state.reason
        await home_broker.start()
        await until(lambda: session.state.up, 20)
        await home.do("button", "press", {})
        await centre.until(lambda: centre.count(Kind.ALARM_PRESSED) >= 1, 20)
        assert session.state.opened >= 2


async def test_the_edge_starts_before_the_home_broker(
    tmp_path: Path, broker: Mosquitto, home_broker: Mosquitto, centre: Centre
) -> None:
    home_broker.kill()
    async with running(tmp_path / "data", broker, home_broker) as (_, session):
        await until(lambda: "no answer from the broker" in session.state.reason)
        await home_broker.start()
        async with home_of(tmp_path, home_broker.port, _BUTTON) as home:
            await until(lambda: session.state.up, 20)
            await home.do("button", "press", {})
            await centre.until(lambda: centre.count(Kind.ALARM_PRESSED) >= 1, 20)


async def test_a_message_is_acknowledged_only_when_it_is_on_the_disk(
    tmp_path: Path, broker: Mosquitto, home_broker: Mosquitto, centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path / "data", broker, home_broker) as (edge, session):
        await until(lambda: session.state.up)

        def full(*_: object) -> object:
            raise JournalFullError("full")

        with monkeypatch.context() as patched:
            patched.setattr(edge.recorder._journal, "append", full)
            sender = MqttLink(
                MqttSettings(host="127.0.0.1", port=home_broker.port, client_id="sender"),
                subscriptions=[],
                on_message=lambda _: None,
            )
            task = asyncio.create_task(sender.run())
            await until(lambda: sender.connected)
            await sender.publish("zigbee2mqtt/leak-1", json.dumps({"battery": 17}).encode())
            await until(lambda: not session.state.up)  # refused: the line is closed, the message not acknowledged
        await centre.until(lambda: Kind.BATTERY_LEVEL in centre.kinds(), 20)
        await sender.close()
        await task
