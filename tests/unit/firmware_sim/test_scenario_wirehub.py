"""The wire hub against its own contract: what it journals, what it sends again, what frees a line."""

import json
from typing import Any

import pytest

from firmware_sim import wirehub
from firmware_sim.wirehub import WireHub

NOW_S = 1_800_000_000.0


class Line:
    """In the place of the connection to the broker."""

    def __init__(self, *_given: Any, connected: Any, **_more: Any) -> None:
        self.said: list[tuple[str, Any]] = []
        self._connected = connected
        self.up = self.open = False

    def connect(self, port: int) -> None:
        del port
        self.up = self.open = True
        self._connected()

    def publish(self, topic: str, payload: bytes, **_how: Any) -> None:
        if self.up:
            self.said.append((topic.removeprefix("wt/1/h-1/"), json.loads(payload)))

    def cut(self) -> None:
        self.up = self.open = False

    def take(self, channel: str) -> list[Any]:
        found = [payload for topic, payload in self.said if topic == channel]
        self.said = [line for line in self.said if line[0] != channel]
        return found


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> tuple[WireHub, Line]:
    monkeypatch.setattr(wirehub, "Connection", Line)
    hub = WireHub("h-1", 1883, seed=1)
    hub.start(NOW_S)
    hub.tick(NOW_S)
    line: Any = hub._line
    return hub, line


def receipt(hub: WireHub, *stored: tuple[int, int], epoch: str = "") -> None:
    told = {"epoch": epoch or hub.epoch, "stored": stored}
    hub._received("wt/1/h-1/down/receipt", json.dumps(told).encode())


def test_an_alarm_goes_out_at_once_and_again_until_its_receipt(hub: tuple[WireHub, Line]) -> None:
    one, line = hub
    seq = one.observe(NOW_S, "pendant", "alarm.pressed")
    (event,) = line.take("up/alarm")
    assert (event["seq"], event["epoch"], event["source"]) == (seq, one.epoch, "urn:hub:h-1")
    assert event["id"][14] == "7"
    one.tick(NOW_S + 4.9)
    assert line.take("up/alarm") == []
    one.tick(NOW_S + 5)
    assert line.take("up/alarm") == [event]
    receipt(one, (seq, seq))
    one.tick(NOW_S + 60)
    assert line.take("up/alarm") == []
    assert one.journal == {}


def test_a_receipt_of_another_life_frees_nothing(hub: tuple[WireHub, Line]) -> None:
    one, _ = hub
    seq = one.observe(NOW_S, "pendant", "alarm.pressed")
    receipt(one, (seq, seq), epoch="other")
    assert list(one.journal) == [seq]


def test_what_was_said_without_a_line_is_sent_when_it_is_back(hub: tuple[WireHub, Line]) -> None:
    one, line = hub
    one.uplink(NOW_S, up=False)
    for number in range(3):
        one.observe(NOW_S + number, "door", "door.closed")
    one.tick(NOW_S + 9)
    assert line.take("up/reading") == []
    one.uplink(NOW_S + 10, up=True)
    one.tick(NOW_S + 10)
    one.tick(NOW_S + 10)
    (batch,) = line.take("up/reading")
    assert [event["seq"] for event in batch] == [1, 2, 3]


def test_without_power_nothing_is_observed_and_the_journal_stays(hub: tuple[WireHub, Line]) -> None:
    one, line = hub
    one.observe(NOW_S, "pendant", "alarm.pressed")
    one.power(NOW_S, on=False)
    assert one.observe(NOW_S + 1, "pendant", "alarm.pressed") == 0
    assert one.next_s == float("inf")
    one.power(NOW_S + 2, on=True)
    one.tick(NOW_S + 2)
    line.take("up/alarm")
    assert list(one.journal) == [1]


def test_it_says_every_thirty_seconds_that_it_is_there(hub: tuple[WireHub, Line]) -> None:
    one, line = hub
    one.tick(NOW_S)
    one.observe(NOW_S, "pendant", "alarm.pressed")
    line.take("up/alive")
    one.tick(NOW_S + 29)
    assert line.take("up/alive") == []
    one.tick(NOW_S + 30)
    (said,) = line.take("up/alive")
    assert said["pending"] == {"alarm": 1, "reading": 0}
    assert said["last_seq"] == 1
    assert said["uptime_s"] == 30
