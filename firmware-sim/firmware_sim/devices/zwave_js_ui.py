"""A Z-Wave JS UI and the nodes behind it: contact, leak, smoke and motion detectors, and an alarm button.

Written from its pages "Setup" (gateway type "ValueID topics", payload "JSON time-value", which are the defaults
with a location) and "Using MQTT", and from the notification types of the Z-Wave specification.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from firmware_sim.clock import Clock
from firmware_sim.devices.base import Action, Arguments, Place, Spec, faults_of, whole
from firmware_sim.mqtt import Will
from firmware_sim.publisher import Publisher

_GARBAGE = b'{"time":17764394'
_LATE_S = 90
_DEAD, _ALIVE, _ASLEEP = "Dead", "Alive", "Asleep"

#: What each thing that one can do changes: topics behind the node, and their new values.
CHANGES: Mapping[str, Mapping[str, Mapping[str, int]]] = {
    "contact": {
        "open": {"113/0/Access_Control/Door_state": 22, "113/0/Access_Control/Door_state_simple": 22},
        "close": {"113/0/Access_Control/Door_state": 23, "113/0/Access_Control/Door_state_simple": 23},
    },
    "leak": {"wet": {"113/0/Water_Alarm/Sensor_status": 2}, "dry": {"113/0/Water_Alarm/Sensor_status": 0}},
    "smoke": {"smoke": {"113/0/Smoke_Alarm/Sensor_status": 2}, "clear": {"113/0/Smoke_Alarm/Sensor_status": 0}},
    "motion": {
        "enter": {"113/0/Home_Security/Motion_sensor_status": 8},
        "leave": {"113/0/Home_Security/Motion_sensor_status": 0},
    },
    "button": {},
}
_SCENE = "91/0/scene/001"


class Gateway:
    """The Z-Wave JS UI itself."""

    def __init__(self, broker: str, base: str, clock: Clock) -> None:
        self._base = base
        self._clock = clock
        self._status = f"{base}/_CLIENTS/ZWAVE_GATEWAY-{base}/status"
        will = Will(self._status, b'{"value":false}', retain=True)
        self.client = Publisher(broker, f"ZWAVE_GATEWAY-{base}", self._up, will)
        self.nodes: list[Node] = []

    def _up(self) -> None:
        self._say(self._status, there=True)
        self.stick(there=True)
        for node in self.nodes:
            node.tell_status()
            node.tell_all()

    def stick(self, *, there: bool) -> None:
        """Tell whether the stick can be talked to."""
        self._say(f"{self._base}/driver/status", there=there)

    def _say(self, topic: str, *, there: bool) -> None:
        payload = {"time": int(self._clock.wall_s() * 1000), "value": there}
        self.client.publish_surely(topic, json.dumps(payload).encode(), retain=True)

    def start(self) -> None:
        """Switch it on."""
        self.client.start()

    async def stop(self) -> None:
        """Switch it off in order."""
        self._say(self._status, there=False)
        await self.client.stop()


class Node:
    """One Z-Wave node."""

    port: tuple[str, Path] | None = None

    def __init__(self, kind: str, gateway: Gateway, topic: str, clock: Clock) -> None:
        self._gateway = gateway
        self._topic = topic
        self._clock = clock
        self._values: dict[str, tuple[int, int | bool]] = {}
        self._status = _ALIVE
        self._stuck = False
        self._last: tuple[str, bytes] = ("", b"")
        self.actions: Mapping[str, Action] = {
            **{word: self._change(change) for word, change in CHANGES[kind].items()},
            **({"press": self._press, "hold": self._hold} if kind == "button" else {}),
            "tamper": self._change({"113/0/Home_Security/Cover_status": 3}),
            "battery": self._set_battery,
            "battery_low": self._change({"128/0/isLow": True}),
            "twice": self._twice,
            "late": self._late,
            "garbage": self._garbage,
            "stick": self._stick,
            "die": self._become(_DEAD),
            "sleep": self._become(_ASLEEP),
            "wake": self._become(_ALIVE),
            "fault": self._fault,
            "unplug": self._unplug,
            "plug": self._plug,
            "gateway_stop": self._gateway_stop,
            "gateway_crash": self._gateway_crash,
            "gateway_start": self._gateway_start,
        }

    async def start(self) -> None:
        """Have the gateway switched on."""
        self._gateway.start()

    async def stop(self) -> None:
        """Have the gateway switched off."""
        if self._gateway.client.running:
            await self._gateway.stop()

    def tell_status(self) -> None:
        """Publish whether the gateway has contact with it."""
        said = {"time": self._now_ms(), "value": self._status != _DEAD, "status": self._status, "nodeId": 7}
        self._gateway.client.publish_surely(f"{self._topic}/status", json.dumps(said).encode(), retain=True)

    def tell_all(self) -> None:
        """Publish what is known, with the times at which it was learnt."""
        for place, (told_ms, value) in self._values.items():
            self._publish(place, told_ms, value)

    def _now_ms(self) -> int:
        return int(self._clock.wall_s() * 1000)

    def _publish(self, place: str, told_ms: int, value: float | None, *, retain: bool = True) -> None:
        self._last = (f"{self._topic}/{place}", json.dumps({"time": told_ms, "value": value}).encode())
        self._gateway.client.publish(*self._last, retain=retain)

    def _change(self, change: Mapping[str, int | bool]) -> Action:
        async def act(_arguments: Arguments) -> None:
            for place, value in change.items():
                if not self._stuck:
                    self._values[place] = (self._now_ms(), value)
                if place in self._values:
                    self._publish(place, *self._values[place])

        return act

    def _become(self, status: str) -> Action:
        async def act(_arguments: Arguments) -> None:
            self._status = status
            self.tell_status()

        return act

    async def _press(self, arguments: Arguments) -> None:
        times = whole(arguments, "times", 1, 5, 1)
        # What a key did is not kept: it has no state.
        self._publish(_SCENE, self._now_ms(), 0 if times == 1 else times + 1, retain=False)

    async def _hold(self, arguments: Arguments) -> None:
        for repeat in range(whole(arguments, "repeats", 1, 100, 5)):
            self._publish(_SCENE, self._now_ms() + 200 * repeat, 2, retain=False)
        self._publish(_SCENE, self._now_ms() + 1000, 1, retain=False)

    async def _set_battery(self, arguments: Arguments) -> None:
        level = whole(arguments, "percent", 0, 100)
        self._values["128/0/level"] = (self._now_ms(), level)
        self._publish("128/0/level", *self._values["128/0/level"])

    async def _twice(self, _arguments: Arguments) -> None:
        """Deliver the last message once more, as MQTT may."""
        self._gateway.client.publish(*self._last, retain=False)

    async def _late(self, arguments: Arguments) -> None:
        """Publish all values as if they had been held up on the way."""
        ago_ms = whole(arguments, "seconds", 1, 86_400, _LATE_S) * 1000
        for place, (told_ms, value) in self._values.items():
            self._publish(place, told_ms - ago_ms, value, retain=False)

    async def _garbage(self, _arguments: Arguments) -> None:
        self._gateway.client.publish(f"{self._topic}/113/0/Water_Alarm/Sensor_status", _GARBAGE, retain=False)

    async def _stick(self, _arguments: Arguments) -> None:
        """The state of the detector changes no more, whatever happens; it goes on reporting."""
        self._stuck = True

    async def _fault(self, arguments: Arguments) -> None:
        self._gateway.client.faults = faults_of(arguments)

    async def _unplug(self, _arguments: Arguments) -> None:
        self._gateway.stick(there=False)

    async def _plug(self, _arguments: Arguments) -> None:
        self._gateway.stick(there=True)

    async def _gateway_stop(self, _arguments: Arguments) -> None:
        await self._gateway.stop()

    async def _gateway_crash(self, _arguments: Arguments) -> None:
        await self._gateway.client.crash()

    async def _gateway_start(self, _arguments: Arguments) -> None:
        self._gateway.start()


def _make(kind: str, spec: Spec, place: Place) -> Node:
    broker, base = spec.text("broker", "127.0.0.1:1883"), spec.text("base", "zwave")
    shared = cast("dict[str, object]", place.shared)
    made = Gateway(broker, base, place.clock)
    gateway = cast("Gateway", shared.setdefault(f"zwave_js_ui {broker} {base}", made))
    node = Node(kind, gateway, f"{base}/{spec.text('address', spec.name)}", place.clock)
    gateway.nodes.append(node)
    return node


KINDS = {
    "zwave_js_ui.contact": lambda spec, place: _make("contact", spec, place),
    "zwave_js_ui.leak": lambda spec, place: _make("leak", spec, place),
    "zwave_js_ui.smoke": lambda spec, place: _make("smoke", spec, place),
    "zwave_js_ui.motion": lambda spec, place: _make("motion", spec, place),
    "zwave_js_ui.button": lambda spec, place: _make("button", spec, place),
}
