"""Event records to observations, each once, whichever link they came over.

A dispenser keeps a record until the hub acknowledges its number or a higher one, and sends it again until
then. Three things follow:

- a record that was observed is known again by its number *and* its content, and only acknowledged;
- a known number with another content, or one below all that is known, is a board that was exchanged or
  started its count anew: it is observed, because taking it for a repeat would lose it;
- an acknowledgement covers every lower number, so it waits while one of them is missing. The first record that
  is heard on a line need not be the oldest one: it is acknowledged when it is told again.
"""

import binascii
import datetime as dt
from typing import NamedTuple

import msgspec

from drivers.dispenser.record import (
    ALIVE,
    EVENTS,
    LID_OPEN,
    NO_SLOT,
    ON_MAINS,
    TEST,
    UNKNOWN_EVENT,
    Record,
    read_record,
)
from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError
from hub.domain.observation import Observation, Value

# No record can be older than the profile.
EARLIEST = dt.datetime(2026, 1, 1, tzinfo=UTC)
AHEAD = dt.timedelta(minutes=5)
# Far more than a dispenser sends between two acknowledgements.
REMEMBERED = 256
# How long an acknowledgement waits for a missing record to be sent again, and how often a later one must have
# been heard meanwhile. A dispenser tells all of them every few seconds: on a line that loses 70 of 100 frames, a
# record that was never heard while another was heard so often is missing once in ten thousand times by chance.
MISSING_S = 180.0
HEARD_TIMES = 8


class State(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is remembered across restarts.

    Attributes:
        stored: Every record up to this number was observed or is lost; 0 before the first.
        seen: Checksum of the last records, by number.
    """

    stored: int = 0
    seen: dict[int, int] = {}


class Taken(NamedTuple):
    """What one record led to; ``ack`` is the number to acknowledge once the observations are safe."""

    observations: tuple[Observation, ...] = ()
    ack: int | None = None
    bad: tuple[str, ...] = ()


class Records:
    """The records of one dispenser.

    Args:
        state: What it remembered.
        gaps_heal: The link can lose a record that will be sent again (a serial line), or cannot (GATT).
    """

    def __init__(self, state: bytes, *, gaps_heal: bool) -> None:
        self._state = _load(state)
        self._gaps_heal = gaps_heal
        self._missing_since: float | None = None
        self._times: dict[int, int] = {}

    def state(self) -> bytes:
        """Return what must be remembered."""
        return msgspec.json.encode(self._state)

    def waits(self) -> bool:
        """Tell whether an acknowledgement waits for a missing record."""
        return self._missing_since is not None

    def take(self, data: bytes, now: Now) -> Taken:
        """Take the bytes of one event record; one that cannot be read is a fault, never silence."""
        try:
            record = read_record(data)
        except MalformedError as error:
            return Taken((_fault("bad_record", now, data, str(error)),), bad=(str(error),))
        if record.seq == 0:
            return Taken((observed(record, data, now, flags=("bad_seq",)),))
        state, digest = self._state, binascii.crc32(data)
        repeat = state.seen.get(record.seq) == digest
        flags: tuple[str, ...] = ()
        extra: list[Observation] = []
        if not repeat and 0 < record.seq <= state.stored:
            flags = ("seq_back",)
            extra.append(_rekeyed(record.seq, state.stored, now, data))
            self._state = state = State()
            self._missing_since = None
        self._note(record.seq, digest)
        sure = not self._gaps_heal or self._times[record.seq] >= HEARD_TIMES
        if state.stored == 0 and (sure or record.seq == 1):
            # It begins again with its oldest record: no older one waits to be told.
            state.stored = min(state.seen) - 1
        if record.seq > state.stored + 1 and sure:
            extra.append(self._give_up(record.seq - 1, now, data))
        self._advance(now.mono)
        observations = () if repeat else (observed(record, data, now, flags=flags),)
        return Taken((*observations, *extra), record.seq if record.seq <= state.stored else None)

    def settle(self, now: Now) -> Taken | None:
        """Give up a record that was missing for too long, so that the others can be acknowledged."""
        if self._missing_since is None or now.mono - self._missing_since < MISSING_S:
            return None
        first = min(seq for seq in self._state.seen if seq > self._state.stored)
        faults = (self._give_up(first - 1, now, b""),) if self._state.stored else ()
        self._state.stored = first - 1
        self._advance(now.mono)
        return Taken(faults, self._state.stored)

    def _note(self, seq: int, digest: int) -> None:
        seen = self._state.seen
        seen.pop(seq, None)
        while len(seen) >= REMEMBERED:
            del seen[next(iter(seen))]
        seen[seq] = digest
        self._times = {each: count for each, count in self._times.items() if each in seen}
        self._times[seq] = self._times.get(seq, 0) + 1

    def _give_up(self, last: int, now: Now, data: bytes) -> Observation:
        first, self._state.stored = self._state.stored + 1, last
        return _fault("records_missing", now, data, {"first": first, "last": last})

    def _advance(self, mono: float) -> None:
        state = self._state
        while state.stored + 1 in state.seen:
            state.stored += 1
        if all(seq <= state.stored for seq in state.seen):
            self._missing_since = None
        elif self._missing_since is None:
            self._missing_since = mono


def observed(record: Record, data: bytes, now: Now, *, flags: tuple[str, ...] = ()) -> Observation:
    """Make the observation of a record; an event that is not in the table is a fault with its code."""
    event = EVENTS.get(record.event, UNKNOWN_EVENT)
    time = _believed(record.unix_time, now)
    value: dict[str, Value] = {"code": record.event, "device_seq": record.seq}
    if event.vkp:
        value["vkp"] = event.vkp
    if record.slot != NO_SLOT:
        value["slot"] = record.slot
    if record.doses_left is not None:
        value["doses_left"] = record.doses_left
    value["mains"] = bool(record.flags & ON_MAINS)
    value["lid_open"] = bool(record.flags & LID_OPEN)
    if time is None:
        value["device_time"], value["uptime_s"] = record.unix_time, record.uptime_s
    return Observation(
        kind=event.kind,
        time=time or now.utc,
        value=value,
        battery_pct=record.battery_pct,
        test=bool(record.flags & TEST),
        flags=flags if time else (*flags, "bad_time"),
        raw=data.hex(),
    )


def status(data: bytes, now: Now) -> Observation:
    """Make the observation of a status value: the dispenser is alive, and how it is.

    Raises:
        MalformedError: It is no record.
    """
    return observed(read_record(data)._replace(event=ALIVE), data, now)


def _believed(unix_time: int, now: Now) -> dt.datetime | None:
    """Return the device's time when it can be; only a clock that is itself set can say that it is ahead."""
    time = dt.datetime.fromtimestamp(unix_time, tz=UTC)
    ahead = now.quality is TimeQuality.SYNCED and time > now.utc + AHEAD
    return None if time < EARLIEST or ahead else time


def _fault(reason: str, now: Now, data: bytes, detail: Value) -> Observation:
    value = {"reason": reason, "detail": detail}
    return Observation(kind=Kind.DEVICE_FAULT, time=now.utc, value=value, flags=(reason,), raw=data[:64].hex())


def _rekeyed(seq: int, stored: int, now: Now, data: bytes) -> Observation:
    value: Value = {"device_seq": seq, "highest": stored}
    return Observation(kind=Kind.DEVICE_REKEYED, time=now.utc, value=value, flags=("seq_back",), raw=data.hex())


def _load(state: bytes) -> State:
    """Read a state; a damaged one starts anew: better a record twice than one taken for a repeat."""
    try:
        return msgspec.json.decode(state, type=State) if state else State()
    except (msgspec.DecodeError, ValueError):
        return State()
