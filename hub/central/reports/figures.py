"""Figures over many incidents: counts, medians, 95th percentiles, by whatever they are grouped. Pure."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from hub.central.reports.followup import BREACHES, FollowUp

By = Literal["zone", "shift", "class", "kind", "resident", "device"]
NONE = "-"

GROUPS: dict[By, Callable[[FollowUp], str | None]] = {
    "zone": lambda one: one.zone,
    "shift": lambda one: one.shift,
    "class": lambda one: one.incident_class,
    "kind": lambda one: one.kind,
    "resident": lambda one: one.resident,
    "device": lambda one: one.device,
}
# What is timed, in the order in which it happens at the earliest.
LEGS = ("sent", "delivered", "acknowledged", "on_the_way", "arrived", "closed")


class Leg(msgspec.Struct, frozen=True):
    """How many incidents came that far, and how long it took them, in seconds; ``None`` when none did."""

    count: int
    median_s: float | None
    p95_s: float | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a group of incidents.

    Attributes:
        raised: How many there were.
        legs: How many were sent, delivered, acknowledged, on the way, arrived and closed, and how fast.
        undelivered: No delivery of any message was reported: silent to whoever was to hear it.
        false_alarms: Closed as a mistake, or as a false alarm of the device.
        silent: Closed as a silent alarm.
        within: Followed up within the limits.
        late: Not within them.
        unlimited: The site had set no limit for them.
        led_nowhere: Taken by somebody who let the time pass, within the limits or not.
        breaches: How many passed each limit, and how often the time of each step of those who took one.
        repeats: How often their plans began anew.
        outcomes: How they ended.
        causes: Why they came up.
    """

    raised: int
    legs: dict[str, Leg]
    undelivered: int
    false_alarms: int
    silent: int
    within: int
    late: int
    unlimited: int
    led_nowhere: int
    breaches: dict[str, int]
    repeats: int
    outcomes: dict[str, int]
    causes: dict[str, int]


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return a percentile by nearest rank: the smallest value that at least this share does not exceed.

    Args:
        values: Sorted, the smallest first.
        share: Above 0, up to 1.
    """
    return values[math.ceil(share * len(values)) - 1] if values else None


class Tally:
    """Counts incidents one by one."""

    def __init__(self) -> None:
        self.raised = self.false_alarms = self.silent = self.late = self.unlimited = self.repeats = 0
        self.led_nowhere = 0
        self.seconds: dict[str, list[float]] = {leg: [] for leg in LEGS}
        self.breaches: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()

    def add(self, one: FollowUp) -> None:
        """Count one incident."""
        self.raised += 1
        self.false_alarms += one.false_alarm
        self.silent += one.silent
        self.late += one.within is False
        self.unlimited += one.within is None
        self.led_nowhere += one.led_nowhere > 0
        self.repeats += one.repeats
        # In the order of LEGS; a name put together for each of a hundred thousand incidents takes its time.
        took = (one.sent_s, one.delivered_s, one.acknowledged_s, one.on_the_way_s, one.arrived_s, one.closed_s)
        for seconds, second in zip(self.seconds.values(), took, strict=True):
            if second is not None:
                seconds.append(second)
        for breach in one.breaches:
            self.breaches[breach.limit] += 1
        if one.outcome is not None:
            self.outcomes[one.outcome] += 1
        if one.cause is not None:
            self.causes[one.cause] += 1

    def join(self, other: "Tally") -> None:
        """Count all that another one has counted."""
        self.raised += other.raised
        self.false_alarms += other.false_alarms
        self.silent += other.silent
        self.late += other.late
        self.unlimited += other.unlimited
        self.led_nowhere += other.led_nowhere
        self.repeats += other.repeats
        for leg, seconds in other.seconds.items():
            self.seconds[leg] += seconds
        self.breaches += other.breaches
        self.outcomes += other.outcomes
        self.causes += other.causes

    def figures(self) -> Figures:
        """Return what was counted."""
        return Figures(
            raised=self.raised,
            legs={leg: _leg(seconds) for leg, seconds in self.seconds.items()},
            undelivered=self.raised - len(self.seconds["delivered"]),
            false_alarms=self.false_alarms,
            silent=self.silent,
            within=self.raised - self.late - self.unlimited,
            late=self.late,
            unlimited=self.unlimited,
            led_nowhere=self.led_nowhere,
            breaches={limit: self.breaches[limit] for limit in BREACHES},
            repeats=self.repeats,
            outcomes=dict(sorted(self.outcomes.items())),
            causes=dict(sorted(self.causes.items())),
        )


class Sums:
    """The figures of all incidents and of each group, while they stream by."""

    def __init__(self, by: By) -> None:
        self._group = GROUPS[by]
        self._groups: dict[str, Tally] = {}

    def add(self, one: FollowUp) -> None:
        """Count one incident in its group."""
        name = self._group(one) or NONE
        tally = self._groups.get(name)
        if tally is None:
            tally = self._groups[name] = Tally()
        tally.add(one)

    def total(self) -> Figures:
        """Return the figures of all."""
        all_of_them = Tally()
        for tally in self._groups.values():
            all_of_them.join(tally)
        return all_of_them.figures()

    def groups(self) -> dict[str, Figures]:
        """Return the figures of each group, by its name."""
        return {name: self._groups[name].figures() for name in sorted(self._groups)}


def figures_of(incidents: Iterable[FollowUp]) -> Figures:
    """Return the figures of some incidents."""
    tally = Tally()
    for one in incidents:
        tally.add(one)
    return tally.figures()


def _leg(seconds: list[float]) -> Leg:
    seconds.sort()
    return Leg(len(seconds), percentile(seconds, 0.5), percentile(seconds, 0.95))
