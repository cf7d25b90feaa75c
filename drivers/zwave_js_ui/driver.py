"""All Z-Wave nodes behind one Z-Wave JS UI."""

import re
from functools import partial
from typing import Any, NamedTuple

from drivers._gateway import Event, Gateway, Message, Switched, dated, json_of, number, percent, scalars
from drivers.base import NOTHING, Answer, Device, Setup
from drivers.zwave_js_ui.table import ALARMS, BINARY, CLASSES, EVENTS, HELD, PRESSES, RELEASED, STATES, Row, plain
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError

# The driver of the stick tells its state below this, so no node has the name.
DRIVER = "driver"
_CLIENTS, _EVENTS = "_CLIENTS", "_EVENTS"
# A key that is held is one press until it was let go for so long.
_HOLD_S = 2.0
_MILLI, _FAR_MS = 1000, 1e14
_SPEECH = frozenset(("time", "value", "lastUpdate", "status"))
_LONGEST = 200
_DIGITS = re.compile(r"[0-9]{1,3}")


class _Place(NamedTuple):
    """Where in a node a value is."""

    kind: str
    prop: str
    key: str
    endpoint: str = ""


class ZwaveJsUiDriver:
    """Reads what a Z-Wave JS UI publishes.

    Args:
        setup: Its nodes by name or number, behind their location where they have one; the stick as ``driver``.
    """

    def __init__(self, setup: Setup) -> None:
        self._gateway = Gateway(setup.devices, setup.state)
        self._held: dict[tuple[str, str], float] = {}
        self._parts: dict[str, bool] = {}
        first = setup.devices[0] if setup.devices else None
        self._stick = self._gateway.devices.get(DRIVER, first)

    def opened(self, now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """What was on may have gone off meanwhile."""
        self._gateway.gap()
        return NOTHING

    def tick(self, now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """Nothing here depends on time passing."""
        return NOTHING

    def message(self, topic: str, payload: bytes, now: Now, *, retained: bool) -> Answer:
        """Take a message. Never raises."""
        levels = topic.split("/")
        if levels[0] == _EVENTS:
            return NOTHING
        if levels[0] in (DRIVER, _CLIENTS):
            who, read = DRIVER, partial(self._of_gateway, levels[0])
            if levels[-1] != "status":
                return NOTHING
        else:
            device, rest = self._node(levels)
            if device is None:
                stranger = _stranger(levels)
                return Answer(strangers=(stranger,)) if stranger else NOTHING
            who, read = device.id, partial(self._of_node, device, rest)
        if not payload:
            return NOTHING  # what the broker kept was cleared
        try:
            return read(payload, now, retained=retained)
        except MalformedError as error:
            return Answer(bad=(f"{who}: {error}",))

    def _node(self, levels: list[str]) -> tuple[Device | None, list[str]]:
        for length in (1, 2):
            device = self._gateway.devices.get("/".join(levels[:length]))
            if device is not None and len(levels) > length:
                return device, levels[length:]
        return None, []

    def _of_gateway(self, part: str, payload: bytes, now: Now, *, retained: bool) -> Answer:
        """Take what is said of the stick's driver, or of the gateway's own connection (its last will)."""
        self._parts[part] = _truth(json_of(payload))
        online = all(self._parts.values())
        message = None
        if self._stick is not None:
            message = Message(self._stick, (), payload, b"", retained)
        return self._gateway.gateway(message, now, online=online)

    def _status(self, device: Device, payload: bytes, now: Now, *, retained: bool) -> Answer:
        found = json_of(payload)
        # Versions differ in whether a node that sleeps is "available"; it is well.
        sleeps = isinstance(found, dict) and found.get("status") in ("Asleep", "Awake")
        message = Message(device, (), payload, _raw(found), retained)
        return self._gateway.available(message, now, online=sleeps or _truth(found))

    def _of_node(self, device: Device, rest: list[str], payload: bytes, now: Now, *, retained: bool) -> Answer:
        if rest == ["status"]:
            return self._status(device, payload, now, retained=retained)
        found = json_of(payload)
        value = found.get("value") if isinstance(found, dict) else found
        place = _place(rest)
        date, bad_date = None, False
        if isinstance(found, dict):
            date, bad_date = _date(found, now)
        said: list[Switched | Event] = []
        pct = None
        if place is not None:
            said = self._said(device, place, value, now)
            pct = percent(value) if (place.kind, place.prop) == ("battery", "level") else None
        # Topics that tell one state have one date: the older of the two door states must not open the door again.
        switched = next((each.name for each in said if isinstance(each, Switched)), "")
        channel = switched or "/".join(rest)[:_LONGEST]
        message = Message(device, said, payload, _raw(found), retained, date, bad_date, pct, channel)
        return self._gateway.read(message, now)

    def _said(self, device: Device, place: _Place, value: object, now: Now) -> list[Switched | Event]:
        if place.kind == "notification":
            return _notified(place, value)
        if place.kind == "binary" and place.prop in BINARY:
            return [_switched(BINARY[place.prop], place, on=_truth(value))]
        if (place.kind, place.prop) == ("battery", "islow"):
            return [Switched("battery", _truth(value), Kind.BATTERY_LOW)]
        if place.kind == "scene" and place.prop == "scene":
            return self._pressed(device, place, value, now)
        return []

    def _pressed(self, device: Device, place: _Place, value: object, now: Now) -> list[Switched | Event]:
        if value is None:
            return []
        if isinstance(value, bool) or not isinstance(value, int):
            raise MalformedError(f"value: the number of a key's attribute is needed, not {type(value).__name__}")
        last = self._held.pop((device.id, place.key), None)
        if value == RELEASED:
            return []
        if value == HELD:
            self._held[device.id, place.key] = now.mono
            if last is not None and now.mono - last < _HOLD_S:
                return []
        button: Any = int(place.key) if _DIGITS.fullmatch(place.key) else 1
        told = {"button": button, "press": PRESSES.get(value, "unknown")}
        return [Event(Kind.ALARM_PRESSED, told, flags=() if value in PRESSES else ("unknown_press",))]


def _place(rest: list[str]) -> _Place | None:
    """Read what stands behind the node: class, endpoint, property and its key."""
    kind = CLASSES.get(plain(rest[0]))
    if kind is None or len(rest) < 2:
        return None
    names, endpoint = rest[1:], ""
    if names[0].isdigit() or names[0].startswith("endpoint_"):
        endpoint, names = names[0].removeprefix("endpoint_"), names[1:]
    if not names:
        return None
    return _Place(kind, plain(names[0]), plain(names[1]) if len(names) > 1 else "", endpoint)


def _notified(place: _Place, value: object) -> list[Switched | Event]:
    whole = value if isinstance(value, int) and not isinstance(value, bool) else None
    row = STATES.get((place.prop, place.key))
    if row is None:
        for kind, beginning, tells in EVENTS:
            if place.prop == kind and place.key.startswith(beginning) and whole != 0:
                return [Event(tells, place.key or None)]
        row = ALARMS.get(place.prop)
    if row is None or whole is None:
        return []
    return [_switched(row, place, on=whole in row.values)]


def _switched(row: Row, place: _Place, *, on: bool) -> Switched:
    name = row.name or f"{place.prop}/{place.key}"
    # A node with two inputs has two doors, each at an endpoint of its own; 0 is the node itself.
    if place.endpoint not in ("", "0"):
        name = f"{name} {place.endpoint}"
    return Switched(name, on, row.when_on, row.when_off, row.value)


def _truth(found: object) -> bool:
    """Read true or false, alone or as the ``value`` of an object.

    Raises:
        MalformedError: It is neither.
    """
    value = found.get("value") if isinstance(found, dict) else found
    if not isinstance(value, bool):
        raise MalformedError(f"value: true or false is needed, not {type(value).__name__}")
    return value


def _date(found: dict[str, Any], now: Now) -> tuple[Any, bool]:
    told = found.get("time", found.get("lastUpdate"))
    millis = number(told, 0, _FAR_MS)
    return dated(millis / _MILLI, now) if millis is not None else (None, told is not None)


def _raw(found: object) -> bytes:
    return scalars(found if isinstance(found, dict) else {"value": found}, _SPEECH)


def _stranger(levels: list[str]) -> str:
    """Name the node of a topic: what stands before a command class or a status."""
    for length in (1, 2):
        if len(levels) > length and (levels[length] == "status" or plain(levels[length]) in CLASSES):
            return "/".join(levels[:length])
    return ""
