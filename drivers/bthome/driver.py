"""One BTHome device: which frames are believed, which are repeats, and what is observed.

Trust. A frame is *trusted* when it is encrypted with the device's key and its counter is above every one
before it, or when it is plain and the device has no key. Any other frame is *odd*: what it raises is raised
and flagged, and it changes nothing that the driver knows: it cannot close, clear or end anything. A counter
below the highest one, or a plain frame where there is a key, is ``device.rekeyed`` and stays odd until a
technician confirms the device by giving it a new key or an empty state, because a recording that is played
back in order looks just like a device that started over.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from drivers.base import NOTHING, Advert, Answer, Device, Heard
from drivers.bthome.codec import MIC_BYTES, Frame, Item, decrypt, parse, split
from drivers.bthome.table import NOT_PRESSED, PRESSES, Use
from hub.domain.clock import Now
from hub.domain.codes import Kind, Lane, lane
from hub.domain.errors import MalformedError
from hub.domain.observation import Observation, Value

SERVICE_DATA = "0000fcd2-0000-1000-8000-00805f9b34fb"

# A burst lasts 0.2 to 2 s. A frame with a counter or packet id is the same event for longer, because it
# would differ if it were another; one without must not swallow a second press.
SAME_NUMBERED_S = 60.0
SAME_PLAIN_S = 4.0
FAULT_EVERY_S = 600.0
# Most makes tell their charge and leave it to the hub when that is low. A cold night lowers it: told at the first,
# and again only when it was above the second.
LOW_PCT, GOOD_PCT = 20, 30
_CHARGE = "low charge"
_RECENT = 64
# How far the wall clock may have moved against the monotonic one for both to be of the same boot.
_SAME_BOOT_S = 5.0


class State(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is remembered across restarts.

    Attributes:
        key: Fingerprint of the key that the counters belong to.
        counter: Highest counter of a trusted frame, -1 before the first.
        back: Last counter of a run below it, -1 outside one.
        on: Last trusted state of doors, motion and the like.
        last: The last frame, hexadecimal.
        same_s: How long its like is the same event.
        mono: Monotonic seconds at which it came.
        utc: Unix time at which it came.
    """

    key: str = ""
    counter: int = -1
    back: int = -1
    on: dict[str, bool] = {}
    last: str = ""
    same_s: float = 0.0
    mono: float = 0.0
    utc: float = 0.0


class _Fact(NamedTuple):
    kind: Kind
    value: Value = None
    unit: str | None = None
    flags: tuple[str, ...] = ()


class BTHomeDriver:
    """Reads the advertisements of one BTHome device.

    Args:
        device: Its address and, when it is encrypted, its key.
        state: What it remembered.
    """

    def __init__(self, device: Device, state: bytes = b"") -> None:
        self._device = device
        self._mac = bytes.fromhex(device.address.replace(":", ""))
        self._cipher = AESCCM(device.key, tag_length=MIC_BYTES) if device.key else None
        self._state = _load(state, device.key)
        self._recent: dict[bytes, tuple[float, float]] = {}
        self._faults: dict[str, float] = {}
        self._resumed = False

    def advertised(self, advert: Advert, now: Now) -> Answer:
        """Take one advertisement of this device. Never raises."""
        data = advert.service_data.get(SERVICE_DATA)
        if data is None or self._is_repeat(data, now):
            return NOTHING
        try:
            return self._frame(data, advert.rssi_dbm, now)
        except MalformedError as error:
            return Answer(bad=(f"{self._device.id}: {error}",))

    def _is_repeat(self, data: bytes, now: Now) -> bool:
        if not self._resumed:
            self._resume(now)
        seen = self._recent.get(data)
        return seen is not None and now.mono - seen[0] < seen[1]

    def _resume(self, now: Now) -> None:
        """Know the last frame again when this process was started in the middle of its burst."""
        self._resumed = True
        state = self._state
        passed = now.mono - state.mono
        same_boot = abs(now.utc.timestamp() - state.utc - passed) < _SAME_BOOT_S
        if state.last and passed >= 0 and same_boot:
            self._recent[bytes.fromhex(state.last)] = (state.mono, state.same_s)

    def _frame(self, data: bytes, rssi_dbm: int | None, now: Now) -> Answer:
        frame = split(data)
        body, odd = self._opened(frame)
        if body is None:
            return self._refused(odd, data, rssi_dbm, now)
        items, error = parse(body, frame.start)
        bad = () if error is None else (f"{self._device.id}: {error}",)
        if not items:
            return Answer(bad=bad)
        numbered = frame.counter is not None or any(item.object.name == "packet" for item in items)
        self._remember(data, SAME_NUMBERED_S if numbered else SAME_PLAIN_S, odd, now)
        facts, battery = self._odd_facts(items, frame, odd) if odd else self._trusted_facts(items, frame)
        if odd and odd != "counter_back" and self._fault_due(odd, now):
            # Plain from a device with a key: it was reset to its factory settings, or it is another one.
            kind = Kind.DEVICE_REKEYED if odd == "unencrypted" else Kind.DEVICE_FAULT
            facts.append(_Fact(kind, {"reason": odd}, flags=(odd,)))
        heard = tuple(self._heard(fact, data, rssi_dbm, battery, now) for fact in facts)
        known = msgspec.json.encode(self._state) if odd in ("", "counter_back") else None
        return Answer(observations=heard, state=known, bad=bad)

    def _opened(self, frame: Frame) -> tuple[bytes | None, str]:
        """Return the objects in clear, or ``None``, and what is odd about the frame, or nothing."""
        if frame.counter is not None:
            if self._cipher is None:
                return None, "no_key"
            # The nonce takes the address that was assigned: a frame that claims another one fails here.
            body = decrypt(frame, self._cipher, self._mac)
            if body is None:
                return None, "bad_mic"
            return body, "" if frame.counter > self._state.counter else "counter_back"
        if self._cipher is not None:
            return frame.body, "unencrypted"
        return frame.body, "" if frame.mac in (None, self._mac) else "wrong_mac"

    def _refused(self, reason: str, data: bytes, rssi_dbm: int | None, now: Now) -> Answer:
        place = "its last 4 bytes, the MIC, do not fit" if reason == "bad_mic" else "byte 0: it is encrypted"
        bad = (f"{self._device.id}: {reason}: {place}",)
        self._remember(data, SAME_NUMBERED_S, reason, now)  # the rest of its burst says nothing new
        if not self._fault_due(reason, now):
            return Answer(bad=bad)
        fact = _Fact(Kind.DEVICE_FAULT, {"reason": reason}, flags=(reason,))
        return Answer(observations=(self._heard(fact, data, rssi_dbm, None, now),), bad=bad)

    def _remember(self, data: bytes, same_s: float, odd: str, now: Now) -> None:
        if len(self._recent) >= _RECENT:
            del self._recent[next(iter(self._recent))]
        self._recent.pop(data, None)
        self._recent[data] = (now.mono, same_s)
        if not odd:
            state = self._state
            state.last, state.same_s = data.hex(), same_s
            state.mono, state.utc = now.mono, now.utc.timestamp()

    def _trusted_facts(self, items: Sequence[Item], frame: Frame) -> tuple[list[_Fact], int | None]:
        if frame.counter is not None:
            self._state.counter, self._state.back = frame.counter, -1
        facts, battery = _facts(items, self._state.on)
        if battery is not None and self._runs_low(battery):
            facts.append(_Fact(Kind.BATTERY_LOW, battery, "%"))
        if not facts:
            other = any(item.object.name not in ("packet", "battery") for item in items)
            if battery is not None and not other:
                facts.append(_Fact(Kind.BATTERY_LEVEL, battery, "%"))
            else:
                facts.append(_Fact(Kind.DEVICE_ALIVE))
        return facts, battery

    def _runs_low(self, battery_pct: int) -> bool:
        """Tell whether the charge is low now, and was not before."""
        on = self._state.on
        if battery_pct > LOW_PCT:
            if battery_pct > GOOD_PCT and _CHARGE in on:
                on[_CHARGE] = False
            return False
        before, on[_CHARGE] = on.get(_CHARGE), True
        return not before

    def _odd_facts(self, items: Sequence[Item], frame: Frame, odd: str) -> tuple[list[_Fact], int | None]:
        """Keep what raises, flagged. No state is asked or changed: each one counts."""
        every, battery = _facts(items, {})
        facts = [
            fact._replace(flags=(odd, *fact.flags))
            for fact in every
            if lane(fact.kind, critical=True) is Lane.ALARM
        ]
        if odd == "counter_back" and frame.counter is not None:
            if not facts:
                facts.append(_Fact(Kind.DEVICE_ALIVE, flags=(odd,)))
            if not 0 <= self._state.back < frame.counter:
                before = {"counter": frame.counter, "highest": self._state.counter}
                facts.append(_Fact(Kind.DEVICE_REKEYED, before, flags=(odd,)))
            self._state.back = frame.counter
        return facts, battery

    def _fault_due(self, reason: str, now: Now) -> bool:
        last = self._faults.get(reason)
        if last is not None and now.mono - last < FAULT_EVERY_S:
            return False
        self._faults[reason] = now.mono
        return True

    def _heard(self, fact: _Fact, data: bytes, rssi_dbm: int | None, battery: int | None, now: Now) -> Heard:
        return Heard(
            self._device.id,
            Observation(
                kind=fact.kind,
                time=now.utc,
                value=fact.value,
                unit=fact.unit,
                battery_pct=battery,
                rssi_dbm=rssi_dbm,
                flags=fact.flags,
                raw=data.hex(),
            ),
        )


def _facts(items: Sequence[Item], on: dict[str, bool]) -> tuple[list[_Fact], int | None]:
    """Return what objects say, and the charge; ``on`` is the last state of each and is kept up to date."""
    facts: list[_Fact] = []
    battery: int | None = None
    count: dict[str, int] = {}
    for row, value in items:
        number = count[row.name] = count.get(row.name, 0) + 1
        if row.use is Use.BATTERY and isinstance(value, int) and value <= 100:
            battery = value
        elif row.use is Use.READING:
            facts.append(_Fact(Kind.CLIMATE_READING, value, row.unit))
        elif row.use is Use.BUTTON and isinstance(value, int) and value not in NOT_PRESSED:
            press = PRESSES.get(value)
            named = {"button": number, "press": press or f"0x{value:02X}"}
            facts.append(_Fact(Kind.ALARM_PRESSED, named, flags=() if press else ("unknown_press",)))
        elif row.use is Use.ALARM and value and row.on:
            facts.append(_Fact(row.on, row.name if row.name == "gas" else None))
        elif row.use is Use.STATE:
            name = row.name if number == 1 else f"{row.name} {number}"
            kind = row.on if value else row.off
            if on.get(name) is not bool(value):
                on[name] = bool(value)
                if kind:
                    reason = {"reason": row.name} if kind is Kind.DEVICE_FAULT else None
                    facts.append(_Fact(kind, reason))
    return facts, battery


def _load(state: bytes, key: bytes | None) -> State:
    """Read a state; one that is damaged or belongs to another key starts anew."""
    fingerprint = hashlib.sha256(key).hexdigest()[:8] if key else ""
    try:
        found = msgspec.json.decode(state, type=State) if state else State(key=fingerprint)
        bytes.fromhex(found.last)
    except (msgspec.DecodeError, ValueError):
        found = State(key=fingerprint)
    return found if found.key == fingerprint else State(key=fingerprint)
