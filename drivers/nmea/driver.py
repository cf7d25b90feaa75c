"""One receiver on its line: fixes that can be believed, as often as they are of use."""

import datetime as dt
from typing import NamedTuple

from drivers.base import NOTHING, Answer, Device, Heard, Manifest
from drivers.nmea.codec import Sentence, Stream, sentence
from drivers.nmea.sentences import GGA, QUALITIES, RMC, Position, Report, distance_m, read
from drivers.registry import settings_of
from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError
from hub.domain.observation import Observation, Value

# The second sentence of an epoch follows within some 100 ms at 9600 baud.
HOLD_S = 1.0
ALIVE_S = 300.0
# Error of one range for a receiver without corrections, about 5 m (68 %); times HDOP it is that of the position.
RANGE_ERROR_M = 5.0
# Nobody who is looked after goes faster than a train; what does is a reflection, until the next fix agrees.
FASTEST_MPS = 70.0
DOUBT_M = 200.0
# A live receiver may be a little ahead of us, and none was sold before this project began; a week counter
# that overflowed shows a date of 20 years ago.
AHEAD = dt.timedelta(minutes=5)
EARLIEST = dt.datetime(2026, 1, 1, tzinfo=UTC)


class _Fix(NamedTuple):
    position: Position
    mono: float


class _Epoch:
    """The sentences of one moment."""

    def __init__(self, key: str, at: int, mono: float) -> None:
        self.key = key
        self.at = at
        self.mono = mono
        self.reports: dict[str, Report] = {}
        self.raw = b""


class NmeaDriver:
    """Reads one receiver. What it remembers is worth nothing after a restart, so it keeps no state."""

    def __init__(self, manifest: Manifest, device: Device) -> None:
        self._device = device
        given = settings_of(manifest, device)
        self._interval_s, self._moved_m = float(given["interval_s"]), float(given["moved_m"])
        self._no_fix_s = float(given["no_fix_s"])
        self._stream = Stream()
        self._bad: list[str] = []
        self._reset(0.0)

    def _reset(self, mono: float) -> None:
        self._epoch: _Epoch | None = None
        self._last: _Fix | None = None  # believed
        self._doubted: _Fix | None = None
        self._told: _Fix | None = None
        self._spoke: float | None = None
        self._fix_at = self._last_byte = mono
        self._quiet_ticks = 0
        self._faulty = False

    def opened(self, now: Now) -> Answer:
        """Forget half sentences; there is nothing to send."""
        self._stream.clear()
        self._reset(now.mono)
        return NOTHING

    def received(self, data: bytes, now: Now) -> Answer:
        """Take bytes, cut anywhere. Never raises."""
        if data:
            self._last_byte, self._quiet_ticks = now.mono, 0
        return self._answer([seen for one in self._stream.feed(data) for seen in self._sentence(one, now)])

    def tick(self, now: Now) -> Answer:
        """Let go of a half sentence, and of an epoch whose second sentence does not come."""
        self._quiet_ticks += 1
        # The second tick: bytes that came during a stall are read before it.
        if self._quiet_ticks > 1 and now.mono - self._last_byte >= HOLD_S:
            self._stream.give_up()
        seen: list[Observation] = []
        if self._epoch and now.mono - self._epoch.mono >= HOLD_S:
            seen = self._conclude(now)
        return self._answer(seen)

    def _sentence(self, heard: Sentence, now: Now) -> list[Observation]:
        try:
            report = read(heard.body)
        except MalformedError as error:
            self._bad.append(f"byte {heard.at}: {error}")
            return []
        if report is None:
            return []
        seen: list[Observation] = []
        epoch = self._epoch
        if epoch and (epoch.key != report.epoch or report.formatter in epoch.reports):
            seen = self._conclude(now)
            epoch = None
        if epoch is None:
            epoch = self._epoch = _Epoch(report.epoch, heard.at, now.mono)
        epoch.reports[report.formatter] = report
        epoch.raw += sentence(heard.body)
        return seen + self._conclude(now) if len(epoch.reports) == 2 else seen

    def _conclude(self, now: Now) -> list[Observation]:
        """Make of an epoch what it is worth."""
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return []
        reports = epoch.reports
        positions = [report.position for report in reports.values()]
        position = positions[-1]
        seen: list[Observation] = []
        # When one of the two says that there is no position there is none.
        if position is not None and None not in positions:
            seen = self._fix(position, epoch, now)
        if not seen and not self._faulty and now.mono - self._fix_at >= self._no_fix_s:
            self._faulty = True
            value: Value = {"reason": "no_fix", "seconds": round(now.mono - self._fix_at)}
            seen = [Observation(kind=Kind.DEVICE_FAULT, time=now.utc, value=value, flags=("no_fix",))]
        if not seen and (self._spoke is None or now.mono - self._spoke >= ALIVE_S):
            value = {"fix": self._fix_at == now.mono and self._last is not None}
            seen = [Observation(kind=Kind.DEVICE_ALIVE, time=now.utc, value=value)]
        if seen:
            self._spoke = now.mono
        return seen

    def _fix(self, position: Position, epoch: _Epoch, now: Now) -> list[Observation]:
        gga, rmc = epoch.reports.get(GGA), epoch.reports.get(RMC)
        accuracy_m = round(gga.hdop * RANGE_ERROR_M, 1) if gga and gga.hdop else None
        doubted = self._doubted is not None
        fix = _Fix(position, now.mono)
        if not (self._follows(self._last, fix) or (doubted and self._follows(self._doubted, fix))):
            self._doubted = fix
            self._bad.append(
                f"byte {epoch.at}: a position too far from the one before to be believed, until another agrees"
            )
            return []
        jumped = doubted and not self._follows(self._last, fix)
        self._last, self._doubted = fix, None
        self._fix_at, self._faulty = now.mono, False
        if not self._is_due(fix, accuracy_m or 0.0):
            return []
        self._told = fix
        time, flags = _time(rmc, now)
        value: dict[str, Value] = {
            "lat": round(position.lat, 6),
            "lon": round(position.lon, 6),
            "accuracy_m": accuracy_m,
            "accuracy_basis": "hdop" if accuracy_m else None,
            "quality": QUALITIES.get(gga.quality or 0, "unknown") if gga else "unknown",
            "satellites": gga.satellites if gga else None,
        }
        return [
            Observation(
                kind=Kind.LOCATION_FIX,
                time=time,
                value={name: part for name, part in value.items() if part is not None},
                flags=(*flags, "jumped") if jumped else flags,
                raw=epoch.raw.hex(),
            )
        ]

    def _follows(self, before: _Fix | None, fix: _Fix) -> bool:
        if before is None:
            return True
        far = FASTEST_MPS * (fix.mono - before.mono) + DOUBT_M
        return distance_m(before.position, fix.position) <= far

    def _is_due(self, fix: _Fix, accuracy_m: float) -> bool:
        told = self._told
        if told is None or fix.mono - told.mono >= self._interval_s:
            return True
        # A receiver indoors wanders about within its accuracy.
        return distance_m(told.position, fix.position) > max(self._moved_m, accuracy_m)

    def _answer(self, seen: list[Observation]) -> Answer:
        bad = tuple(f"{self._device.id}: {line}" for line in (*self._stream.take_bad(), *self._bad))
        self._bad.clear()
        if not (seen or bad):
            return NOTHING
        return Answer(observations=tuple(Heard(self._device.id, each) for each in seen), bad=bad)


def _time(rmc: Report | None, now: Now) -> tuple[dt.datetime, tuple[str, ...]]:
    """Return the receiver's time if it can be; only a clock that is itself set can say that it is ahead."""
    if rmc is None or rmc.time is None:
        return now.utc, ()
    ahead = now.quality is TimeQuality.SYNCED and rmc.time > now.utc + AHEAD
    return (now.utc, ("bad_time",)) if ahead or rmc.time < EARLIEST else (rmc.time, ())
