"""A Zigbee2MQTT and the devices behind it: contact, leak, smoke and occupancy sensors, and an alarm button.

Written from its pages "MQTT topics and messages", "Device availability" and "Exposes": one topic for each
device with all that is known of it as JSON, ``action`` in one message only, ``availability`` and
``bridge/state`` retained, the latter the last will too.
"""

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from firmware_sim.clock import Clock, utc
from firmware_sim.devices.base import Action, Arguments, Place, Spec, faults_of, whole
from firmware_sim.errors import Unfit
from firmware_sim.mqtt import Will
from firmware_sim.publisher import Publisher

_ONLINE, _OFFLINE = b'{"state":"online"}', b'{"state":"offline"}'
_GARBAGE = b'{"water_leak":tr\xff\x00'
_LATE_S = 90.0

#: What each kind knows of itself when it is new.
CACHES: Mapping[str, Mapping[str, object]] = {
    "contact": {"contact": True, "tamper": False},
    "leak": {"water_leak": False, "tamper": False},
    "smoke": {"smoke": False, "test": False},
    "occupancy": {"occupancy": False, "illuminance": 12},
    "button": {},
}
#: What changes when one does something to it.
CHANGES: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "contact": {"open": {"contact": False}, "close": {"contact": True}},
    "leak": {"wet": {"water_leak": True}, "dry": {"water_leak": False}},
    "smoke": {"smoke": {"smoke": True}, "clear": {"smoke": False}},
    "occupancy": {"enter": {"occupancy": True}, "leave": {"occupancy": False}},
    "button": {},
}


class Gateway:
    """The Zigbee2MQTT itself."""

    def __init__(self, broker: str, base: str) -> None:
        self._base = base
        will = Will(f"{base}/bridge/state", _OFFLINE, retain=True)
        self.client = Publisher(broker, f"mqttjs-{base}", self._up, will)
        self.sensors: list[Sensor] = []

    def _up(self) -> None:
        self.client.publish_surely(f"{self._base}/bridge/state", _ONLINE, retain=True)
        for sensor in self.sensors:
            sensor.tell_availability()
            # What it knew before it was stopped is said again; an action never is.
            sensor.tell()

    def start(self) -> None:
        """Switch it on."""
        self.client.start()

    async def stop(self) -> None:
        """Switch it off in order."""
        self.client.publish_surely(f"{self._base}/bridge/state", _OFFLINE, retain=True)
        await self.client.stop()

    async def crash(self) -> None:
        """Cut its power."""
        await self.client.crash()


class Sensor:
    """One Zigbee device.

    Args:
        kind: One of :data:`CACHES`.
        gateway: Where it is paired.
        topic: Its own.
        clock: The simulator's time.
        retain: The gateway is set to have its states retained.
        dated: The gateway is set to tell ``last_seen``.
        qos: The gateway is set to publish with this.
    """

    port: tuple[str, Path] | None = None

    def __init__(
        self, kind: str, gateway: Gateway, topic: str, clock: Clock, *, retain: bool, dated: bool, qos: int
    ) -> None:
        self._gateway = gateway
        self._topic = topic
        self._clock = clock
        self._retain = retain
        self._dated = dated
        self._qos = qos
        self._known: dict[str, object] = {"battery": 100, "linkquality": 120, **CACHES[kind]}
        self._online = True
        self._stuck = False
        self._last = b""
        self.actions: Mapping[str, Action] = {
            **{word: self._change(change) for word, change in CHANGES[kind].items()},
            **({"press": self._press} if kind == "button" else {}),
            **({"tamper": self._change({"tamper": True})} if "tamper" in CACHES[kind] else {}),
            "battery": self._set_battery,
            "battery_low": self._change({"battery_low": True}),
            "report": self._change({}),
            "twice": self._twice,
            "late": self._late,
            "garbage": self._garbage,
            "stick": self._stick,
            "offline": self._available(online=False),
            "online": self._available(online=True),
            "fault": self._fault,
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

    def tell(self, action: str | None = None, late_s: float = 0.0) -> None:
        """Publish all that is known, and what happened just now."""
        said = dict(self._known)
        if action is not None:
            said["action"] = action
        if self._dated:
            seen = utc(self._clock.wall_s() - late_s)
            said["last_seen"] = seen.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._last = json.dumps(said, separators=(",", ":")).encode()
        self._publish(self._last)

    def tell_availability(self) -> None:
        """Publish whether the gateway has contact with it."""
        payload = _ONLINE if self._online else _OFFLINE
        self._gateway.client.publish_surely(f"{self._topic}/availability", payload, retain=True)

    def _publish(self, payload: bytes) -> None:
        self._gateway.client.publish(self._topic, payload, retain=self._retain, qos=self._qos)

    def _change(self, change: Mapping[str, object]) -> Action:
        async def act(_arguments: Arguments) -> None:
            if not self._stuck:
                self._known.update(change)
            self.tell()

        return act

    def _available(self, *, online: bool) -> Action:
        async def act(_arguments: Arguments) -> None:
            self._online = online
            self.tell_availability()

        return act

    async def _press(self, arguments: Arguments) -> None:
        action = arguments.get("action", "emergency")
        if not isinstance(action, str):
            raise Unfit(f"'action' must be a text, not {action!r}")
        self.tell(action)

    async def _set_battery(self, arguments: Arguments) -> None:
        self._known["battery"] = whole(arguments, "percent", 0, 100)
        self.tell()

    async def _twice(self, _arguments: Arguments) -> None:
        """Deliver the last message once more, as MQTT may."""
        self._publish(self._last)

    async def _late(self, arguments: Arguments) -> None:
        """Publish a message that was held up on the way: what it says is older than what was said already."""
        self.tell(late_s=float(whole(arguments, "seconds", 1, 86_400, int(_LATE_S))))

    async def _garbage(self, _arguments: Arguments) -> None:
        self._publish(_GARBAGE)

    async def _stick(self, _arguments: Arguments) -> None:
        """The state of the sensor changes no more, whatever happens; it goes on reporting."""
        self._stuck = True

    async def _fault(self, arguments: Arguments) -> None:
        self._gateway.client.faults = faults_of(arguments)

    async def _gateway_stop(self, _arguments: Arguments) -> None:
        await self._gateway.stop()

    async def _gateway_crash(self, _arguments: Arguments) -> None:
        await self._gateway.crash()

    async def _gateway_start(self, _arguments: Arguments) -> None:
        self._gateway.start()


def _make(kind: str, spec: Spec, place: Place) -> Sensor:
    broker, base = spec.text("broker", "127.0.0.1:1883"), spec.text("base", "zigbee2mqtt")
    shared = cast("dict[str, object]", place.shared)
    gateway = cast("Gateway", shared.setdefault(f"zigbee2mqtt {broker} {base}", Gateway(broker, base)))
    made = Sensor(
        kind,
        gateway,
        f"{base}/{spec.text('address', spec.name)}",
        place.clock,
        # As the page of the driver asks for: a state is kept, a press is not.
        retain=spec.flag("retain", default=kind != "button"),
        dated=spec.flag("last_seen", default=True),
        qos=int(spec.number("qos", 1)),
    )
    gateway.sensors.append(made)
    return made


KINDS = {
    "zigbee2mqtt.contact": lambda spec, place: _make("contact", spec, place),
    "zigbee2mqtt.leak": lambda spec, place: _make("leak", spec, place),
    "zigbee2mqtt.smoke": lambda spec, place: _make("smoke", spec, place),
    "zigbee2mqtt.occupancy": lambda spec, place: _make("occupancy", spec, place),
    "zigbee2mqtt.button": lambda spec, place: _make("button", spec, place),
}
