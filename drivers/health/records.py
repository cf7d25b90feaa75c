"""Stored readings to observations, each once, at the time that can be believed.

A device frees a record when the radio has confirmed it, which is before anything is on a disk, and some keep
every record for ever. So a record that comes again is known by its bytes. Bytes with a believed time belong to
one measurement for ever. Bytes without one are a repeat for a while only: two measurements may look the same, and
taking the second for a repeat would lose it.
"""

import datetime as dt
import hashlib

import msgspec

from drivers.health.reading import Reading
from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.codes import Kind
from hub.domain.observation import Observation, Value

# No device that this driver has connected to has measured before; a clock that lost its battery shows less.
EARLIEST = dt.datetime(2025, 1, 1, tzinfo=UTC)
AHEAD = dt.timedelta(minutes=5)
# More than a monitor, scale or meter stores (the largest known to us keep some 800).
REMEMBERED = 1024
# How long equal bytes are a repeat: with a clock that runs but is wrong, and without any time.
WRONG_CLOCK_S = 24 * 3600
NO_CLOCK_S = 60
_FOR_EVER = 0
_DIGEST_BYTES = 8


class State(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is remembered across restarts.

    Attributes:
        seen: When each of the last records was heard, Unix time, by digest; 0: its time was believed.
        last: Unix time of the record before.
        offset_s: Local time minus UTC when the device's clock was set last.
        asked: Sequence number from which glucose records are asked for; ``None``: from the first.
        proof: Digest of the record of that number.
        complained: That its records cannot be had was told.
        cut: Connections in a row that ended before it had answered.
        about: What was told of the device itself.
        battery_pct: State of charge that was told.
        told: Unix time when these two were told.
    """

    seen: dict[str, int] = {}
    last: int = 0
    offset_s: int | None = None
    asked: int | None = None
    proof: str = ""
    complained: bool = False
    cut: int = 0
    about: dict[str, str] = {}
    battery_pct: int | None = None
    told: int = 0


def load(state: bytes) -> State:
    """Read a state; a damaged one starts anew: better a record twice than one taken for a repeat."""
    try:
        return msgspec.json.decode(state, type=State) if state else State()
    except (msgspec.DecodeError, ValueError):
        return State()


class Records:
    """The records of one device.

    Args:
        state: What is remembered; changed in place.
        utc_offset: Local time minus UTC now.
    """

    def __init__(self, state: State, utc_offset: dt.timedelta) -> None:
        self._state = state
        # A record was made before this connection, by the clock as it was set in an earlier one.
        offset_s = state.offset_s
        self._offset = utc_offset if offset_s is None else dt.timedelta(seconds=offset_s)

    def known(self, data: bytes, now: Now) -> bool:
        """Tell whether these bytes were observed already."""
        return self._known(digest_of(data), int(now.utc.timestamp()), WRONG_CLOCK_S)

    def take(self, reading: Reading, data: bytes, now: Now, *, numbered: bool = False) -> Observation | None:
        """Return the observation of a reading, or ``None`` for one that was observed before.

        Args:
            reading: What the bytes say.
            data: The bytes.
            now: This moment.
            numbered: They carry a number of their own, so that no two records look the same.
        """
        digest, at = digest_of(data), int(now.utc.timestamp())
        time = self._believed(reading.time, now)
        repeat_s = WRONG_CLOCK_S if reading.time else NO_CLOCK_S
        if self._known(digest, at, repeat_s):
            return None
        self._note(digest, at if time is None and not numbered else _FOR_EVER)
        kind, value, unit = reading.outcome()
        flags = reading.flags
        if time is None:
            flags = (*flags, "bad_time" if reading.timed else "no_time")
            if reading.time and isinstance(value, dict):
                value["device_time"] = reading.time.isoformat()
        else:
            unix = int(time.timestamp())
            if unix < self._state.last:
                # The clock was set back, or the device has several memories; nobody can tell which.
                flags = (*flags, "time_back")
            self._state.last = unix
        return Observation(
            kind=kind,
            time=time or now.utc,
            value=value,
            unit=unit,
            test=reading.test,
            flags=flags,
            raw=data.hex(),
        )

    def unreadable(self, measurement: str, data: bytes, error: str, now: Now) -> Observation | None:
        """Return the observation of a record that cannot be read: a measurement was made, and is lost."""
        digest, at = digest_of(data), int(now.utc.timestamp())
        if self._known(digest, at, WRONG_CLOCK_S):
            return None
        self._note(digest, at)
        return failed(measurement, "unreadable", now, detail=error, flags=("bad_record",), raw=data[:64].hex())

    def _known(self, digest: str, at: int, repeat_s: int) -> bool:
        heard = self._state.seen.get(digest)
        return heard is not None and (heard == _FOR_EVER or abs(at - heard) <= repeat_s)

    def _note(self, digest: str, heard: int) -> None:
        seen = self._state.seen
        seen.pop(digest, None)
        while len(seen) >= REMEMBERED:
            del seen[next(iter(seen))]
        seen[digest] = heard

    def _believed(self, time: dt.datetime | None, now: Now) -> dt.datetime | None:
        """Return the device's time when it can be; only a clock that is itself set can say that it is ahead."""
        if time is None:
            return None
        try:
            utc = time.replace(tzinfo=UTC) - self._offset
        except OverflowError:
            return None
        ahead = now.quality is TimeQuality.SYNCED and utc > now.utc + AHEAD
        return None if utc < EARLIEST or ahead else utc


def failed(
    measurement: str,
    reason: str,
    now: Now,
    *,
    detail: Value = None,
    flags: tuple[str, ...] = (),
    raw: str = "",
) -> Observation:
    """Return the observation that a measurement failed for a reason that no reading tells."""
    value: dict[str, Value] = {"measurement": measurement, "reason": reason}
    if detail is not None:
        value["detail"] = detail
    return Observation(kind=Kind.VITAL_FAILED, time=now.utc, value=value, flags=flags, raw=raw)


def digest_of(data: bytes) -> str:
    """Return what a record is known by."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()
