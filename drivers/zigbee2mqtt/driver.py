"""All Zigbee devices behind one Zigbee2MQTT."""

import datetime as dt
import re
from typing import Any

import msgspec

from drivers._gateway import Event, Gateway, Message, Switched, dated, number, object_of, percent, scalars
from drivers.base import NOTHING, Answer, Device, Setup
from drivers.zigbee2mqtt.table import BINARY, NO_PRESSES, PRESSES, READINGS
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError

# The gateway's own topics are below this, so no device can have the name.
BRIDGE = "bridge"
_AVAILABILITY = "/availability"
_SPEECH = frozenset((*BINARY, *READINGS, "action", "battery", "last_seen"))
_WORD = re.compile(r"[a-z0-9_]{1,40}")
# last_seen is in milliseconds where it is a number.
_MILLI, _FAR_MS = 1000, 1e14
# Beyond these it is no temperature and no humidity.
_SENSIBLE = (-100.0, 1000.0)


class Zigbee2MqttDriver:
    """Reads what a Zigbee2MQTT publishes.

    Args:
        setup: Its devices by friendly name, and the gateway itself as ``bridge`` where it is assigned.
    """

    def __init__(self, setup: Setup) -> None:
        self._gateway = Gateway(setup.devices, setup.state)
        self._readings: dict[tuple[str, str], float] = {}
        first = setup.devices[0] if setup.devices else None
        self._bridge = self._gateway.devices.get(BRIDGE, first)

    def opened(self, now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """What was on may have gone off meanwhile."""
        self._gateway.gap()
        return NOTHING

    def tick(self, now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """Nothing here depends on time passing."""
        return NOTHING

    def message(self, topic: str, payload: bytes, now: Now, *, retained: bool) -> Answer:
        """Take a message. Never raises."""
        name, slash, rest = topic.partition("/")
        try:
            if name == BRIDGE:
                return self._of_bridge(rest, payload, now, retained=retained)
            if slash and topic != name + _AVAILABILITY:
                return NOTHING  # a command to a device, or an attribute published by itself
            device = self._gateway.devices.get(name)
            if device is None:
                return Answer(strangers=(name,)) if name else NOTHING
            if slash:
                return self._availability(device, payload, now, retained=retained)
            return self._state(device, payload, now, retained=retained)
        except MalformedError as error:
            device = self._gateway.devices.get(name)
            return Answer(bad=(f"{device.id if device else BRIDGE}: {error}",))

    def _of_bridge(self, rest: str, payload: bytes, now: Now, *, retained: bool) -> Answer:
        assigned = self._gateway.devices.get(BRIDGE)
        if rest == "health" and assigned is not None and not retained:
            return self._gateway.read(Message(assigned, (), payload, b""), now)
        if rest != "state":
            return NOTHING
        online = _online(payload)
        message = None
        if self._bridge is not None:
            message = Message(self._bridge, (), payload, _online_raw(online=online), retained)
        return self._gateway.gateway(message, now, online=online)

    def _availability(self, device: Device, payload: bytes, now: Now, *, retained: bool) -> Answer:
        if not payload:
            return NOTHING  # the device was removed or renamed
        online = _online(payload)
        message = Message(device, (), payload, _online_raw(online=online), retained)
        return self._gateway.available(message, now, online=online)

    def _state(self, device: Device, payload: bytes, now: Now, *, retained: bool) -> Answer:
        if not payload:
            return NOTHING  # what the broker kept was cleared
        found = object_of(payload)
        said, bad = self._said(device, found)
        date, bad_date = _seen(found.get("last_seen"), now)
        message = Message(
            device,
            said,
            payload,
            scalars(found, _SPEECH),
            retained,
            date,
            bad_date,
            percent(found.get("battery")),
        )
        answer = self._gateway.read(message, now)
        return (
            msgspec.structs.replace(answer, bad=tuple(f"{device.id}: {line}" for line in bad)) if bad else answer
        )

    def _said(self, device: Device, found: dict[str, Any]) -> tuple[list[Switched | Event], list[str]]:
        said: list[Switched | Event] = []
        bad: list[str] = []
        for name, row in BINARY.items():
            value = found.get(name)
            if isinstance(value, bool):
                said.append(Switched(name, value is not row.inverted, row.when_on, row.when_off, row.value))
            elif value is not None:
                bad.append(f"{name}: true or false is needed, not {type(value).__name__}")
        if (action := found.get("action")) is not None:
            if isinstance(action, str):
                said += _action(action)
            else:
                bad.append(f"action: a text is needed, not {type(action).__name__}")
        return said + self._changed(device, found), bad

    def _changed(self, device: Device, found: dict[str, Any]) -> list[Switched | Event]:
        """Return readings that differ from those told last: each message repeats all that is known."""
        said: list[Switched | Event] = []
        for name, unit in READINGS.items():
            value = number(found.get(name), *_SENSIBLE)
            if value is not None and self._readings.get((device.id, name)) != value:
                self._readings[device.id, name] = value
                said.append(Event(Kind.CLIMATE_READING, value, unit))
        return said


def _action(action: str) -> list[Switched | Event]:
    """Return a press. A word that nobody knows is one too, and flagged: it may be the call for help."""
    if not action or action in NO_PRESSES or action.rpartition("_")[2] in NO_PRESSES:
        return []
    known = action in PRESSES or action.rpartition("_")[2] in PRESSES
    value = {"action": action if _WORD.fullmatch(action) else "other"}
    return [Event(Kind.ALARM_PRESSED, value, flags=() if known else ("unknown_press",))]


def _online(payload: bytes) -> bool:
    """Read ``{"state": "online"}``, or the plain word of versions before 2.

    Raises:
        MalformedError: It is neither online nor offline.
    """
    word: Any = payload.decode("ascii", "replace") if payload in (b"online", b"offline") else None
    if word is None:
        word = object_of(payload).get("state")
    if word not in ("online", "offline"):
        raise MalformedError("state: neither online nor offline")
    return bool(word == "online")


def _online_raw(*, online: bool) -> bytes:
    return b'{"state":"online"}' if online else b'{"state":"offline"}'


def _seen(value: object, now: Now) -> tuple[dt.datetime | None, bool]:
    """Read ``last_seen``, ISO 8601 or milliseconds: the instant, and whether it cannot be believed."""
    if isinstance(value, str):
        try:
            instant = dt.datetime.fromisoformat(value)
        except ValueError:
            return None, True
        # Without an offset it would be of an unknown zone.
        return dated(instant.timestamp(), now) if instant.tzinfo else (None, True)
    millis = number(value, 0, _FAR_MS)
    return dated(millis / _MILLI, now) if millis is not None else (None, value is not None)
