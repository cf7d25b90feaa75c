"""What comes every second while a sensor is worn: heart rate and continuous oximetry, told once a minute.

The first value is told at once, so that whoever put the sensor on sees that it works; then each minute's mean,
least and greatest; and at once what is there when contact is lost.
"""

from decimal import Decimal
from typing import NamedTuple

from drivers.health.measurements import oxygen_details
from drivers.health.reader import Reader
from drivers.health.reading import EXTRA_BYTES, Quantities, Reading
from hub.domain.clock import Now
from hub.domain.codes import Kind
from hub.domain.observation import Observation, Value

PERIOD_S = 60.0
_NO_CONTACT = 0b10  # bits 1 and 2: contact can be felt, and is not
_RR_PER_S = 1024


def heart_rate(data: bytes) -> Reading:
    """Read Heart Rate Measurement 0x2A37 (Bluetooth Heart Rate Service).

    Raises:
        MalformedError: It is too short.
    """
    reader, found = Reader(data), Quantities()
    flags = reader.whole(1, "flags")
    rate = reader.whole(2 if flags & 0x01 else 1, "heart rate")
    if flags >> 1 & 0b11 == _NO_CONTACT:
        found.fail("no_contact")
    if rate:
        found.needs("heart_rate", Decimal(rate))
    else:
        found.fail("no_value", "heart_rate")
    if flags & 0x08:
        reader.whole(2, "energy expended")
    if flags & 0x10:
        intervals = [reader.whole(2, "RR interval") for _ in range(max(1, reader.left // 2))]
        found.value["rr_ms"] = round(1000 * sum(intervals) / len(intervals) / _RR_PER_S, 1)
    if reader.left:
        found.flags.append(EXTRA_BYTES)
    return _sample("heart_rate", Kind.VITAL_HEART_RATE, "/min", found)


def oxygen_continuous(data: bytes) -> Reading:
    """Read PLX Continuous Measurement 0x2A5F (Bluetooth Pulse Oximeter Service).

    Raises:
        MalformedError: It is too short.
    """
    reader, found = Reader(data), Quantities()
    flags = reader.whole(1, "flags")
    found.needs("spo2", reader.sfloat("SpO2"))
    found.has("pulse", reader.sfloat("pulse rate"))
    for bit, name in ((0x01, "fast"), (0x02, "slow")):
        if flags & bit:
            reader.whole(4, f"{name} SpO2 and pulse rate")
    test = oxygen_details(reader, found, flags >> 2)
    if reader.left:
        found.flags.append(EXTRA_BYTES)
    return _sample("spo2", Kind.VITAL_SPO2, "%", found)._replace(test=test)


def _sample(measurement: str, kind: Kind, unit: str, found: Quantities) -> Reading:
    return Reading(
        measurement=measurement,
        kind=kind,
        unit=unit,
        value=found.value,
        failed=found.failed,
        field=found.field,
        flags=tuple(found.flags),
    )


class _Sample(NamedTuple):
    reading: Reading
    raw: str


class Condenser:
    """Gathers the samples of one sensor and tells them once a minute."""

    def __init__(self) -> None:
        self._samples: list[_Sample] = []
        self._due: float | None = None
        self._failed = ""

    def take(self, reading: Reading, data: bytes, now: Now) -> list[Observation]:
        """Take one sample; return what is to be told now."""
        if reading.failed:
            return self._lost(reading, data, now)
        self._failed = ""
        # A test and a measurement have no common mean.
        changed = bool(self._samples) and self._samples[0].reading.test != reading.test
        told = self.flush(now) if changed else []
        self._samples.append(_Sample(reading, data.hex()))
        if self._due is None or now.mono >= self._due:
            told += self.flush(now)
        return told

    def flush(self, now: Now) -> list[Observation]:
        """Tell what was gathered."""
        samples, self._samples = self._samples, []
        self._due = now.mono + PERIOD_S
        if not samples:
            return []
        last = samples[-1].reading
        flags = dict.fromkeys(flag for sample in samples for flag in sample.reading.flags)
        return [
            Observation(
                kind=last.kind,
                time=now.utc,
                value=_condensed([sample.reading.value for sample in samples]),
                unit=last.unit,
                test=last.test,
                flags=tuple(flags),
                raw=samples[-1].raw,
            )
        ]

    def tick(self, now: Now) -> list[Observation]:
        """Tell what was gathered when its minute is over."""
        due = self._due is not None and now.mono >= self._due
        return self.flush(now) if due and self._samples else []

    def _lost(self, reading: Reading, data: bytes, now: Now) -> list[Observation]:
        """Tell at once, and once for each reason, that there is no value any more."""
        told = self.flush(now)
        if reading.failed != self._failed:
            kind, value, unit = reading.outcome()
            told.append(
                Observation(
                    kind=kind,
                    time=now.utc,
                    value=value,
                    unit=unit,
                    test=reading.test,
                    flags=reading.flags,
                    raw=data.hex(),
                )
            )
        self._failed = reading.failed
        # The first good value after it is told at once again.
        self._due = None
        return told


def _condensed(values: list[dict[str, Value]]) -> Value:
    """Return the mean of each quantity, with least and greatest where there are several."""
    told: dict[str, Value] = {}
    for name in dict.fromkeys(name for value in values for name in value):
        numbers = [float(number) for value in values if isinstance(number := value.get(name), int | float)]
        told[name] = round(sum(numbers) / len(numbers), 1)
        if len(values) > 1:
            told[f"{name}_min"], told[f"{name}_max"] = min(numbers), max(numbers)
    told["samples"] = len(values)
    return told
