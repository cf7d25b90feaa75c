"""A health device that is connected to: its clock set, itself asked, its measurements taken, and let go."""

import datetime as dt
import struct

import msgspec

from drivers.base import NOTHING, Action, Answer, Device, Disconnect, Heard, Read, Setup, Subscribe, Write
from drivers.health.profiles import (
    ABOUT,
    BATTERY_LEVEL,
    CURRENT_TIME,
    DATE_TIME,
    GLUCOSE_CONTEXT,
    GLUCOSE_MEASUREMENT,
    RACP,
    Profile,
)
from drivers.health.racp import Meter, Told
from drivers.health.records import Records, load
from drivers.health.streams import Condenser
from hub.domain.clock import Now, TimeQuality
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError
from hub.domain.observation import Observation

# A device tells its records one right after the other; then it may rest.
QUIET_S = 2.0
# How long the first value may take, and how long a stream may pause.
PATIENCE_S = 10.0
# A device that stays in the air is connected to again and again: what did not change is told once an hour.
TELL_AGAIN_S = 3600
LOW_BATTERY_PCT = 20
_ABOUT_CHARACTERS = 40
# Current Time, adjust reason: set from a reference.
_FROM_REFERENCE = 0x02


def date_time(local: dt.datetime) -> bytes:
    """Write Date Time 0x2A08."""
    return struct.pack("<HBBBBB", local.year, local.month, local.day, local.hour, local.minute, local.second)


def current_time(local: dt.datetime) -> bytes:
    """Write Current Time 0x2A2B: Date Time, day of the week from Monday 1, 1/256 s, reason."""
    fraction = local.microsecond * 256 // 1_000_000
    return date_time(local) + bytes([local.isoweekday(), fraction, _FROM_REFERENCE])


class HealthDriver:
    """Reads one device of one profile."""

    def __init__(self, device: Device, profile: Profile, setup: Setup) -> None:
        self._device = device
        self._profile = profile
        self._utc_offset = setup.utc_offset
        self._state = load(setup.state)
        self._saved = msgspec.json.encode(self._state)
        self._records = Records(self._state, setup.utc_offset)
        self._condensers = {characteristic: Condenser() for characteristic in profile.streamed}
        self._meter = Meter(self._state, self._records) if profile.racp else None
        self._about: dict[str, str] = {}
        self._battery_pct: int | None = None
        self._greeted = False
        self._heard_mono: float | None = None
        self._measured = False
        self._streams = False

    def connected(self, now: Now) -> Answer:
        """Set the clock, ask the device about itself, then for its measurements, which must come last."""
        self._heard_mono, self._measured, self._streams, self._greeted = None, False, False, False
        actions: list[Action] = []
        if now.quality is not TimeQuality.UNKNOWN:
            # It shows local time to the one who uses it. Each make knows one of the two ways at most.
            local = now.utc + self._utc_offset
            actions.append(Write(CURRENT_TIME, current_time(local), optional=True))
            actions.append(Write(DATE_TIME, date_time(local), optional=True))
            self._state.offset_s = int(self._utc_offset.total_seconds())
        actions += [Read(characteristic, optional=True) for characteristic in (*ABOUT, BATTERY_LEVEL)]
        told = (*self._profile.stored, *self._profile.streamed)
        actions += [Subscribe(characteristic, optional=len(told) > 1) for characteristic in told]
        if self._meter is not None:
            actions += [Subscribe(GLUCOSE_MEASUREMENT), Subscribe(GLUCOSE_CONTEXT, optional=True), Subscribe(RACP)]
            actions.append(self._meter.begin())
        return self._answer(actions=tuple(actions))

    def value(self, characteristic: str, data: bytes, now: Now) -> Answer:
        """Take a value that was notified, indicated or read. Never raises."""
        if characteristic in ABOUT:
            self._about[ABOUT[characteristic]] = _text(data)
            return NOTHING
        if characteristic == BATTERY_LEVEL:
            return self._battery(data)
        if characteristic in self._profile.stored:
            told = self._stored(characteristic, data, now)
        elif characteristic in self._profile.streamed:
            told = self._streamed(characteristic, data, now)
        elif self._meter is not None and characteristic in (GLUCOSE_MEASUREMENT, GLUCOSE_CONTEXT, RACP):
            take = {
                GLUCOSE_MEASUREMENT: self._meter.record,
                GLUCOSE_CONTEXT: self._meter.context,
                RACP: self._meter.response,
            }
            told = take[characteristic](data, now)
            self._heard_mono, self._measured = now.mono, True
        else:
            return NOTHING
        return self._answer((*self._greeting(now), *told.observations), told.actions, told.bad)

    def tick(self, now: Now) -> Answer:
        """Tell what its minute is over, and end the connection when all has been told."""
        if self._heard_mono is None:
            self._heard_mono = now.mono  # all that was asked for is done only now
        told = [*self._greeting(now)]
        for condenser in self._condensers.values():
            told += condenser.tick(now)
        actions: tuple[Action, ...] = ()
        asking = False
        if self._meter is not None:
            later = self._meter.tick(now)
            told += later.observations
            actions, asking = later.actions, self._meter.asking
        if not asking and now.mono - self._heard_mono >= self._patience_s:
            told += self._held_back(now)
            actions = (*actions, Disconnect())
        return self._answer(tuple(told), actions)

    def disconnected(self, now: Now) -> Answer:
        """Tell what was held back."""
        return self._answer((*self._greeting(now), *self._held_back(now)))

    def _held_back(self, now: Now) -> list[Observation]:
        told = [each for condenser in self._condensers.values() for each in condenser.flush(now)]
        return told if self._meter is None else [*told, *self._meter.disconnected(now)]

    def _stored(self, characteristic: str, data: bytes, now: Now) -> Told:
        self._heard_mono, self._measured = now.mono, True
        try:
            reading = self._profile.stored[characteristic](data)
        except MalformedError as error:
            lost = self._records.unreadable(self._device.profile, data, str(error), now)
            return Told((lost,) if lost else (), bad=(str(error),))
        observation = self._records.take(reading, data, now)
        return Told(() if observation is None else (observation,))

    def _streamed(self, characteristic: str, data: bytes, now: Now) -> Told:
        self._heard_mono, self._streams = now.mono, True
        try:
            reading = self._profile.streamed[characteristic](data)
        except MalformedError as error:
            return Told(bad=(str(error),))  # the next one comes in a second
        return Told(tuple(self._condensers[characteristic].take(reading, data, now)))

    @property
    def _patience_s(self) -> float:
        """How long silence is no end."""
        return QUIET_S if self._measured and not self._streams else PATIENCE_S

    def _battery(self, data: bytes) -> Answer:
        if len(data) != 1 or data[0] > 100:
            return Answer(bad=(f"{self._device.id}: battery: byte 0: {data.hex() or 'nothing'} is no percentage",))
        self._battery_pct = data[0]
        return NOTHING

    def _greeting(self, now: Now) -> tuple[Observation, ...]:
        """Tell what was read of the device itself, once a connection and not the same again within the hour."""
        if self._greeted or not (self._about or self._battery_pct is not None):
            return ()
        self._greeted = True
        state, at = self._state, int(now.utc.timestamp())
        recent = 0 <= at - state.told < TELL_AGAIN_S
        if recent and (self._about, self._battery_pct) == (state.about, state.battery_pct):
            return ()
        state.about, state.battery_pct, state.told = self._about, self._battery_pct, at
        told = [Observation(kind=Kind.DEVICE_ALIVE, time=now.utc, value=dict(self._about) or None)]
        if self._battery_pct is not None:
            low = (Kind.BATTERY_LOW,) if self._battery_pct <= LOW_BATTERY_PCT else ()
            told += [
                Observation(kind=kind, time=now.utc, value=self._battery_pct, unit="%")
                for kind in (Kind.BATTERY_LEVEL, *low)
            ]
        return tuple(told)

    def _answer(
        self,
        observations: tuple[Observation, ...] = (),
        actions: tuple[Action, ...] = (),
        bad: tuple[str, ...] = (),
    ) -> Answer:
        state = msgspec.json.encode(self._state)
        changed, self._saved = state != self._saved, state
        return Answer(
            observations=tuple(Heard(self._device.id, self._with_battery(each)) for each in observations),
            state=state if changed else None,
            actions=actions,
            bad=tuple(f"{self._device.id}: {line}" for line in bad),
        )

    def _with_battery(self, observation: Observation) -> Observation:
        if self._battery_pct is None or observation.battery_pct is not None:
            return observation
        return msgspec.structs.replace(observation, battery_pct=self._battery_pct)


def _text(data: bytes) -> str:
    """Read a text of the device information; what cannot be shown is left out."""
    text = data.decode("utf-8", errors="replace").strip("\0 ")
    return "".join(letter for letter in text if letter.isprintable())[:_ABOUT_CHARACTERS]
