"""The line to a gateway's topics: order of acknowledgements, and more than can be read."""

from pathlib import Path
from typing import Any

import pytest

from hub.domain.errors import MalformedError, TransientError
from hub.edge.links import topic
from hub.edge.links.topic import TopicLine
from hub.edge.settings import load
from hub.wire.mqtt import Incoming, MqttSettings


class Line(TopicLine):
    """A line whose broker is the test."""

    def __init__(self) -> None:
        super().__init__(MqttSettings(client_id="home-h-1-zigbee"), "zigbee2mqtt", ("+",))
        self.acked: list[int] = []
        self._link.ack = lambda incoming: self.acked.append(incoming.mid)  # type: ignore[method-assign] # the test's

    def bring(self, mid: int, name: str = "zigbee2mqtt/leak-1", payload: bytes = b"{}") -> None:
        self._take(Incoming(name, payload, retain=False, mid=mid, qos=1, generation=1))


async def test_acknowledgements_go_out_in_the_order_of_the_messages() -> None:
    line = Line()
    safe: list[Any] = []
    for mid in (1, 2, 3):
        line.bring(mid)
        message = await line.read(1.0)
        assert message is not None
        assert message.topic == "leak-1"
        safe.append(line.hold())
    safe[1](True)  # an alarm, committed before the reading that came first
    assert line.acked == []
    safe[0](True)
    assert line.acked == [1, 2]
    safe[2](True)
    assert line.acked == [1, 2, 3]


async def test_alarms_that_never_reach_the_disk_do_not_make_the_line_deaf() -> None:
    line = Line()
    for mid in range(60):
        line.bring(mid)
        assert await line.read(1.0) is not None
        line.hold()(False)
    assert line.acked == list(range(10))
    line.bring(99)
    assert await line.read(1.0) is not None
    line.hold()(True)
    assert line.acked[-1] == 99


async def test_what_came_before_the_end_is_read_and_then_the_end() -> None:
    line = Line()
    line.bring(1)
    line._lose("closed by the broker")
    assert await line.read(1.0) is not None
    with pytest.raises(TransientError, match="closed by the broker"):
        await line.read(1.0)


async def test_a_flood_ends_the_line_and_nothing_of_it_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic, "_BACKLOG_BYTES", 100)
    line = Line()
    for mid in range(10):
        line.bring(mid, payload=bytes(20))
    while (await line.read(1.0)) is not None:
        if not line._inbox:
            break
    with pytest.raises(TransientError, match="faster than they could be read"):
        await line.read(1.0)
    assert line.acked == []


async def test_a_topic_of_an_earlier_configuration_is_let_go() -> None:
    line = Line()
    line.bring(7, "zigbee2mqtt-old/leak-1")
    assert line.acked == [7]
    assert await line.read(0.0) is None


def test_the_home_broker_has_a_table(tmp_path: Path) -> None:
    file = tmp_path / "edge.toml"
    text = 'hub_id = "h-1"\ndata_dir = "/var/lib/hub"\n[home_broker]\nhost = "10.0.0.2"\nport = '
    file.write_text(text + "1884\n")
    assert (load(file).home_broker.host, load(file).home_broker.port) == ("10.0.0.2", 1884)
    file.write_text(text + "70000\n")
    with pytest.raises(MalformedError, match=r"\[home_broker\] port 70000"):
        load(file)
