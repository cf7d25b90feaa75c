"""What drivers of gateways on the home's own broker share: what is news, what is a repeat, what is only old.

A message is *live*, or *retained*: kept by the broker and handed over with the subscription, so that it may be
old and may have been told before. It is *dated* where the gateway says when the device spoke.

- A state is told when it changes. The same state again is ``device.alive``.
- An alarm that nobody was told of is raised, however it comes: retained, late or dated wrongly, and flagged so.
- Nothing retained or late ends anything, unless its date shows that it is newer than what is known. A state
  that an undated retained message contradicts is *not known*: whatever comes next counts as a change.
- After a gap (we or the gateway were away) something may have been missed: the first live message that repeats
  an alarm is raised again, flagged ``after_gap``.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from drivers._gateway.payload import AHEAD, fingerprint
from drivers.base import NOTHING, Answer, Device, Heard
from hub.domain.clock import Now
from hub.domain.codes import Kind, Lane, lane
from hub.domain.observation import Observation, Value

# An undated message with the same bytes within this time is one that was delivered twice. Longer, and a
# second press would be taken for it; shorter, and the press is counted twice, which harms nobody.
SAME_S = 2.0
# A gateway that publishes several times a second need not fill the journal.
ALIVE_EVERY_S = 60.0
# An alarm that is still on is told again after this: the message that said "over" may have been lost.
STILL_ON_S = 3600.0
# Some buttons never say that it is over: their next press looks like the last one, and before this counts as it.
PRESSED_AGAIN_S = 60.0
# Most devices tell their charge and leave it to us when that is low: told at the first, and again only when it was
# above the second.
LOW_PCT, GOOD_PCT = 20, 30
_CHARGE = "low charge"
_RECENT = 16
# States and topics of one device: a node has a few dozen, somebody who invents them as many as he likes.
_MOST_NAMES = 200

RETAINED, LATE, BAD_TIME, AFTER_GAP = "retained", "late", "bad_time", "after_gap"
# Those that go on doing harm for as long as they are on.
_REMINDED = {Kind.SMOKE_DETECTED, Kind.CO_DETECTED, Kind.HEAT_DETECTED, Kind.WATER_DETECTED, Kind.ALARM_PRESSED}


class Switched(NamedTuple):
    """A state that is on or off.

    Attributes:
        name: By which the device's states are told apart.
        on: What it is now.
        when_on: What is told when it goes on.
        when_off: What is told when it goes off; ``None`` where the vocabulary has no word for it.
        value: Told with it.
        flags: Told with it.
    """

    name: str
    on: bool
    when_on: Kind
    when_off: Kind | None = None
    value: Value = None
    flags: tuple[str, ...] = ()


class Event(NamedTuple):
    """Something that happened, each time that it is said."""

    kind: Kind
    value: Value = None
    unit: str | None = None
    flags: tuple[str, ...] = ()


class Message(NamedTuple):
    """What a gateway says of one device.

    Attributes:
        device: Which.
        said: In its order.
        key: What makes two messages the same message.
        raw: Told as the frame; it must hold no more than what was understood.
        retained: The broker had kept it.
        date: When the device spoke, where the gateway says so and can be believed.
        bad_date: It says so and cannot be believed.
        battery_pct: State of charge.
        channel: Which of the device's topics it came by: each has dates of its own.
    """

    device: Device
    said: Sequence[Switched | Event]
    key: bytes
    raw: bytes
    retained: bool = False
    date: dt.datetime | None = None
    bad_date: bool = False
    battery_pct: int | None = None
    channel: str = ""


class Known(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is remembered of one device across restarts.

    Attributes:
        on: Its states.
        told: When each that is on was last told, Unix seconds.
        newest: Date of the newest message of each channel, Unix seconds.
        recent: Fingerprints of the last messages that told something, oldest first.
        offline: The gateway has lost it.
        battery: State of charge told last.
    """

    on: dict[str, bool] = {}
    told: dict[str, float] = {}
    newest: dict[str, float] = {}
    recent: list[str] = []
    offline: bool = False
    battery: int | None = None


class State(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that is remembered, by device id.

    Attributes:
        devices: By device id.
        gateway_lost: The gateway itself is gone.
    """

    devices: dict[str, Known] = {}
    gateway_lost: bool = False


class _Turn(NamedTuple):
    """One message being read, with what is known and odd about it."""

    message: Message
    known: Known
    now: Now
    flags: tuple[str, ...] = ()
    old: bool = False
    told_before: bool = False
    fresh: bool = True


class Gateway:
    """Decides what of a gateway's messages is told.

    Args:
        devices: Those that are assigned.
        state: What was remembered.
    """

    def __init__(self, devices: Sequence[Device], state: bytes) -> None:
        self.devices = {device.address: device for device in devices}
        self._state = _load(state)
        self._gap: set[tuple[str, str]] = set()
        self._alive: dict[str, float] = {}
        self._same: dict[str, tuple[float, str]] = {}  # when it came, and which topic of which device it came by
        self._dates: dict[str, dict[str, float]] = defaultdict(dict)

    def gap(self) -> None:
        """Something may have been missed: what is on may have been off meanwhile."""
        self._gap = {(device, name) for device, known in self._state.devices.items() for name in known.on}

    def read(self, message: Message, now: Now) -> Answer:
        """Tell what is news in a message."""
        known = self._state.devices.setdefault(message.device.id, Known())
        print_ = fingerprint(f"{message.device.id}/{message.channel}/".encode() + message.key)
        told_before = print_ in known.recent
        if self._delivered_twice(message, print_, now) or (told_before and message.date):
            return NOTHING
        before_it = self._newest(message, known, now)
        at = message.date.timestamp() if message.date else before_it
        old = at < before_it
        if message.date and not old:
            # What says nothing of interest is not worth a write to the disk.
            _keep(known.newest if message.said else self._dates[message.device.id], message.channel, at)
        odd = ((RETAINED, message.retained), (LATE, old), (BAD_TIME, message.bad_date))
        flags = tuple(flag for flag, holds in odd if holds)
        # A gateway that starts says again what it knew: the device itself did not speak.
        fresh = not message.retained and (message.date is None or at > before_it)
        turn = _Turn(message, known, now, flags, old, told_before, fresh)
        before = dict(known.on)
        told = [event for said in message.said if (event := self._news(turn, said))]
        if told:
            known.recent = [*known.recent, print_][-_RECENT:]
            self._alive[message.device.id] = now.mono
        else:
            told = self._sign_of_life(turn)
        told += [event for said in _charge(message, before) if (event := self._news(turn, said))]
        if not told and known.on == before:
            return NOTHING
        heard = tuple(self._heard(turn, event) for event in told)
        return Answer(observations=heard, state=msgspec.json.encode(self._state))

    def available(self, message: Message, now: Now, *, online: bool) -> Answer:
        """Take what the gateway says of its contact with a device."""
        known = self._state.devices.setdefault(message.device.id, Known())
        if known.offline is not online:
            # What the broker kept does not show that the device lives now.
            if not online or message.retained:
                return NOTHING
            told = Event(Kind.DEVICE_ALIVE, {"reason": "online"})
        elif online:
            known.offline = False
            told = Event(Kind.DEVICE_ALIVE, {"reason": "online"})
        else:
            known.offline = True
            told = Event(Kind.DEVICE_FAULT, {"reason": "offline"})
        return self._said(message, told, now)

    def gateway(self, message: Message | None, now: Now, *, online: bool) -> Answer:
        """Take what is said of the gateway itself, and tell a change once.

        Args:
            message: For the device that tells it; ``None``: there is none.
            now: This moment.
            online: It is there.
        """
        if self._state.gateway_lost is not online:
            return NOTHING
        self._state.gateway_lost = not online
        self.gap()
        if message is None:
            return Answer(state=msgspec.json.encode(self._state))
        kind = Kind.DEVICE_ALIVE if online else Kind.DEVICE_FAULT
        return self._said(message, Event(kind, {"reason": "gateway online" if online else "gateway offline"}), now)

    def _said(self, message: Message, event: Event, now: Now) -> Answer:
        known = self._state.devices.setdefault(message.device.id, Known())
        turn = _Turn(message, known, now, (RETAINED,) if message.retained else ())
        return Answer(observations=(self._heard(turn, event),), state=msgspec.json.encode(self._state))

    def _newest(self, message: Message, known: Known, now: Now) -> float:
        """Return the date of the newest message of this channel, Unix seconds."""
        name = message.channel
        newest = max(known.newest.get(name, 0.0), self._dates[message.device.id].get(name, 0.0))
        # A date in the future was believed before a clock was set: it must not make all that follows old.
        return newest if newest <= (now.utc + AHEAD).timestamp() else 0.0

    def _delivered_twice(self, message: Message, print_: str, now: Now) -> bool:
        place = f"{message.device.id}/{message.channel}"
        while self._same and now.mono - self._same[oldest := next(iter(self._same))][0] >= SAME_S:
            del self._same[oldest]
        twice = print_ in self._same and not message.date and not message.retained
        if twice:
            # Said again after something else it is news: a hub that was away is handed hours at once.
            last = next(each for each, (_, where) in reversed(self._same.items()) if where == place)
            twice = print_ == last
        self._same.pop(print_, None)
        self._same[print_] = now.mono, place
        return twice

    def _news(self, turn: _Turn, said: Switched | Event) -> Event | None:
        if isinstance(said, Event):
            # An undated press that was kept, with the bytes of one that was told: most likely the same.
            return None if turn.message.retained and turn.told_before else said
        known, name = turn.known, said.name
        key = (turn.message.device.id, name)
        before = known.on.get(name)
        if turn.old:
            # It is over, or was told before; one that would raise an alarm is told all the same.
            raises = said.on and before is not True and lane(said.when_on, critical=True) is Lane.ALARM
            return Event(said.when_on, said.value, flags=said.flags) if raises else None
        if turn.message.retained and not said.on and turn.message.date is None:
            if before is not False:
                known.on.pop(name, None)  # it may be older than what we know
            return None
        _keep(known.on, name, said.on)
        if not said.on:
            self._gap.discard(key)
            ends = before is True or (before is None and not turn.message.retained)
            return Event(said.when_off, said.value, flags=said.flags) if ends and said.when_off else None
        flags = said.flags
        if before is True:
            if key in self._gap and not turn.message.retained:
                flags = (*flags, AFTER_GAP)
            elif not self._still_on(turn, said):
                return None
        if not turn.message.retained:
            self._gap.discard(key)
        _keep(known.told, name, turn.now.utc.timestamp())
        return Event(said.when_on, said.value, flags=flags)

    def _still_on(self, turn: _Turn, said: Switched) -> bool:
        if said.when_on not in _REMINDED or turn.message.retained:
            return False
        pressed = said.when_on is Kind.ALARM_PRESSED and turn.fresh
        passed_s = abs(turn.now.utc.timestamp() - turn.known.told.get(said.name, 0.0))
        return passed_s >= (PRESSED_AGAIN_S if pressed else STILL_ON_S)

    def _sign_of_life(self, turn: _Turn) -> list[Event]:
        """Tell that a device lives; what was kept by the broker or the gateway does not show it."""
        if not turn.fresh or turn.old:
            return []
        pct = turn.message.battery_pct
        if pct is not None and pct != turn.known.battery:
            turn.known.battery = pct
            self._alive[turn.message.device.id] = turn.now.mono
            return [Event(Kind.BATTERY_LEVEL, pct, "%")]
        last = self._alive.get(turn.message.device.id)
        if last is not None and turn.now.mono - last < ALIVE_EVERY_S:
            return []
        self._alive[turn.message.device.id] = turn.now.mono
        return [Event(Kind.DEVICE_ALIVE)]

    def _heard(self, turn: _Turn, event: Event) -> Heard:
        message = turn.message
        observation = Observation(
            kind=event.kind,
            time=message.date or turn.now.utc,
            value=event.value,
            unit=event.unit,
            battery_pct=message.battery_pct,
            flags=(*turn.flags, *event.flags),
            raw=message.raw.hex(),
        )
        return Heard(message.device.id, observation)


def _charge(message: Message, on: Mapping[str, bool]) -> tuple[Switched, ...]:
    """Return that the charge is low, or good again, of a device that does not say so itself."""
    pct = message.battery_pct
    itself = any(isinstance(said, Switched) and said.when_on is Kind.BATTERY_LOW for said in message.said)
    if pct is None or itself or (pct > LOW_PCT and not (pct > GOOD_PCT and on.get(_CHARGE))):
        return ()
    return (Switched(_CHARGE, pct <= LOW_PCT, Kind.BATTERY_LOW),)


def _keep(kept: dict[str, Any], name: str, value: float | bool) -> None:  # noqa: FBT001 -- a value, no choice
    """Remember a value; where there are very many the one that was there longest makes room."""
    if name not in kept and len(kept) >= _MOST_NAMES:
        del kept[next(iter(kept))]
    kept[name] = value


def _load(state: bytes) -> State:
    """Read a state; with a damaged one everything counts as a change."""
    try:
        return msgspec.json.decode(state, type=State) if state else State()
    except (msgspec.DecodeError, ValueError):
        return State()
