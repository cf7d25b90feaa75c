"""Positions of OwnTracks phones and trackers.

Each position is told once, with the time and the accuracy that the device gives it. Nothing of a message goes
further but what stands in :data:`_NUMBERS` and :data:`_TEXTS`: names of regions, of networks and initials stay.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from drivers._gateway import BAD_TIME, LATE, RETAINED, dated, fingerprint, number, object_of, percent
from drivers.base import NOTHING, Answer, Device, Heard, Setup
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError
from hub.domain.observation import Observation, Value

# Below this the phone will soon be silent; told again when it was charged to the second figure meanwhile.
BATTERY_LOW_PCT, BATTERY_FINE_PCT = 15, 25
_RECENT = 16
# Types that hold nothing for us: a face, commands, settings, places that somebody drew.
_OTHERS = frozenset(
    (
        "beacon",
        "card",
        "cmd",
        "configuration",
        "dump",
        "msg",
        "request",
        "status",
        "steps",
        "waypoint",
        "waypoints",
    )
)
_NUMBERS = frozenset(("lat", "lon", "acc", "alt", "vel", "cog", "batt", "tst", "wtst"))
# Members of a fix with their names here, and the range in which they make sense.
_MEMBERS = (
    ("acc", "accuracy_m", 0.0, 1e6),
    ("vel", "speed_kmh", 0.0, 2000.0),
    ("cog", "course_deg", 0.0, 360.0),
    ("alt", "altitude_m", -500.0, 20_000.0),
)
# A region's own id is random, or the time at which it was drawn; neither tells where or what it is.
_REGION_ID = re.compile(r"[0-9A-Za-z-]{1,40}")
# Members that are texts, and what they may be.
_TEXTS = {
    "_type": re.compile("location|transition|lwt"),
    "t": re.compile("."),
    "event": re.compile("enter|leave"),
    "rid": _REGION_ID,
}
# A tracker that lost the satellites says where it was last.
_LAST_KNOWN = ("l", "L")


class Known(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is remembered of one device.

    Attributes:
        newest: Time of the newest fix, Unix seconds.
        recent: Fingerprints of the last messages, oldest first.
        battery_low: It was told.
        offline: Its last will was told.
    """

    newest: float = 0.0
    recent: list[str] = []
    battery_low: bool = False
    offline: bool = False


class _Fact(NamedTuple):
    kind: Kind
    value: Value = None
    flags: tuple[str, ...] = ()


class OwnTracksDriver:
    """Reads what OwnTracks publishes.

    Args:
        setup: Its devices by ``user/device``.
        limits: Metres beyond which a fix is flagged, by device id.
    """

    def __init__(self, setup: Setup, limits: Mapping[str, float]) -> None:
        self._devices = {device.address: device for device in setup.devices}
        self._limits = limits
        self._known = _load(setup.state)

    def opened(self, now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """There is nothing to say."""
        return NOTHING

    def tick(self, now: Now) -> Answer:  # noqa: ARG002 - part of the protocol
        """Nothing here depends on time passing."""
        return NOTHING

    def message(self, topic: str, payload: bytes, now: Now, *, retained: bool) -> Answer:
        """Take a message. Never raises."""
        address = topic.removesuffix("/event")
        device = self._devices.get(address)
        if device is None:
            return Answer(strangers=(address,)) if address.count("/") == 1 else NOTHING
        if not payload:
            return NOTHING  # what the broker kept was cleared
        try:
            return self._of(device, payload, now, retained=retained)
        except MalformedError as error:
            return Answer(bad=(f"{device.id}: {error}",))

    def _of(self, device: Device, payload: bytes, now: Now, *, retained: bool) -> Answer:
        found = object_of(payload)
        kind = found.get("_type")
        if kind == "encrypted":
            raise MalformedError("_type: encrypted; set it up without, on the home's own broker")
        if isinstance(kind, str) and kind in _OTHERS:
            return NOTHING
        if kind not in ("location", "transition", "lwt"):
            raise MalformedError("_type: neither location nor transition nor lwt")
        known = self._known.setdefault(device.id, Known())
        print_ = fingerprint(payload)
        if print_ in known.recent:
            return NOTHING  # delivered twice, or kept by the broker and told before
        known.recent = [*known.recent, print_][-_RECENT:]
        kept = (RETAINED,) if retained else ()
        if kind == "lwt":
            return self._gone(device, known, found, now, kept)
        known.offline = False
        return self._fix(device, known, found, now, kept)

    def _gone(
        self, device: Device, known: Known, found: dict[str, Any], now: Now, kept: tuple[str, ...]
    ) -> Answer:
        """Tell once that the broker has lost it; its ``tst`` is the time at which it had come."""
        if known.offline:
            return NOTHING
        known.offline = True
        heard = _heard(device, _Fact(Kind.DEVICE_FAULT, {"reason": "offline"}, kept), found, now)
        return Answer(observations=(heard,), state=self._state())

    def _fix(self, device: Device, known: Known, found: dict[str, Any], now: Now, kept: tuple[str, ...]) -> Answer:
        value, flags, bad = _position(found, self._limits[device.id])
        instant, bad_date = dated(found.get("tst"), now)
        if instant is None:
            flags = (*flags, BAD_TIME) if bad_date or "tst" not in found else flags
        elif instant.timestamp() < known.newest <= now.utc.timestamp():
            flags = (*flags, LATE)
        else:
            known.newest = instant.timestamp()
        facts = [_Fact(Kind.LOCATION_FIX, value, (*kept, *flags))]
        if _low(known, found):
            facts.append(_Fact(Kind.BATTERY_LOW, flags=kept))
        heard = tuple(_heard(device, fact, found, now) for fact in facts)
        return Answer(observations=heard, state=self._state(), bad=tuple(f"{device.id}: {line}" for line in bad))

    def _state(self) -> bytes:
        return msgspec.json.encode(self._known)


def _position(found: dict[str, Any], limit_m: float) -> tuple[dict[str, Any], tuple[str, ...], list[str]]:
    """Return a fix's value, what is odd about it, and what could not be read."""
    value, bad = _coordinates(found)
    flags = [] if value else ["no_fix"]
    for name, ours, low, high in _MEMBERS:
        member = number(found.get(name), low, high)
        if member is not None:
            value[ours] = member
    if value.get("accuracy_m", 0.0) > limit_m:
        flags.append("inaccurate")
    elif "lat" in value and "accuracy_m" not in value:
        flags.append("accuracy_unknown")
    trigger = found.get("t")
    if isinstance(trigger, str) and len(trigger) == 1:
        value["trigger"] = trigger
        if trigger in _LAST_KNOWN and found.get("_type") == "location":
            flags.append("last_known")
    if found.get("_type") == "transition":
        if found.get("event") in ("enter", "leave"):
            value |= {"event": found["event"], "region": _region(found)}
        else:
            bad.append("event: neither enter nor leave")
    return value, tuple(flags), bad


def _coordinates(found: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return latitude and longitude, or nothing, and what could not be read."""
    lat, lon = number(found.get("lat"), -90, 90), number(found.get("lon"), -180, 180)
    if lat is None or lon is None:
        # A transition at a beacon has no position, and need not.
        if found.get("_type") == "transition" and "lat" not in found and "lon" not in found:
            return {}, []
        return {}, [f"{'lat' if lat is None else 'lon'}: a number of degrees is needed"]
    if (lat, lon) == (0.0, 0.0):
        return {}, []  # the place where receivers are that know of none
    return {"lat": lat, "lon": lon}, []


def _region(found: dict[str, Any]) -> str:
    """Name a region without its name: its id, or when it was drawn."""
    for member in (found.get("rid"), found.get("wtst")):
        text = str(member) if isinstance(member, str | int) else ""
        if _REGION_ID.fullmatch(text):
            return text
    return "unknown"


def _low(known: Known, found: dict[str, Any]) -> bool:
    pct = percent(found.get("batt"))
    if pct is None:
        return False
    if pct <= BATTERY_LOW_PCT and not known.battery_low:
        known.battery_low = True
        return True
    if pct >= BATTERY_FINE_PCT:
        known.battery_low = False
    return False


def _heard(device: Device, fact: _Fact, found: dict[str, Any], now: Now) -> Heard:
    instant = None if fact.kind is Kind.DEVICE_FAULT else dated(found.get("tst"), now)[0]
    return Heard(
        device.id,
        Observation(
            kind=fact.kind,
            time=instant or now.utc,
            value=fact.value,
            battery_pct=percent(found.get("batt")),
            flags=fact.flags,
            raw=_frame(found).hex(),
        ),
    )


def _frame(found: dict[str, Any]) -> bytes:
    """Return what was understood of a message, as JSON."""
    kept: dict[str, float | str] = {
        name: value for name, value in found.items() if name in _NUMBERS and isinstance(value, int | float)
    }
    for name, form in _TEXTS.items():
        value = found.get(name)
        if isinstance(value, str) and form.fullmatch(value):
            kept[name] = value
    return msgspec.json.encode(kept)


def _load(state: bytes) -> dict[str, Known]:
    """Read a state; with a damaged one what the broker keeps is told once more."""
    try:
        return msgspec.json.decode(state, type=dict[str, Known]) if state else {}
    except (msgspec.DecodeError, ValueError):
        return {}
