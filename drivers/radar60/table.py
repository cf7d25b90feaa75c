"""What the radar's commands mean, one row each.

Source: R60AFD1 user manual and the parsers named in docs/devices/radar60.md. A report and the answer to its query
differ in bit 7 of the command; a query carries 0x0F.
"""

from collections.abc import Mapping
from typing import NamedTuple

from hub.domain.codes import Kind
from hub.domain.observation import Value

ANSWER = 0x80
QUERY = b"\x0f"
PRESENCE, MOTION, FALL, STILL = (0x80, 0x01), (0x80, 0x02), (0x83, 0x01), (0x83, 0x05)


class Fact(NamedTuple):
    """What one value of a signal says."""

    kind: Kind
    value: Value = None


class Signal(NamedTuple):
    """One thing that the radar tells.

    Attributes:
        name: In the state and in faults.
        facts: By the first data byte.
        alarm: 0 is its rest, which is not told before something else was; a value that is not in ``facts`` is
            taken for 1 and flagged.
    """

    name: str
    facts: Mapping[int, Fact]
    alarm: bool = False


SIGNALS: dict[tuple[int, int], Signal] = {
    PRESENCE: Signal("presence", {0: Fact(Kind.OCCUPANCY_ENDED), 1: Fact(Kind.OCCUPANCY_STARTED)}),
    MOTION: Signal(
        "motion",
        {
            0: Fact(Kind.MOTION_CLEARED, {"motion": "none"}),
            1: Fact(Kind.MOTION_CLEARED, {"motion": "still"}),
            2: Fact(Kind.MOTION_DETECTED, {"motion": "active"}),
        },
    ),
    FALL: Signal("fall", {0: Fact(Kind.FALL_CLEARED), 1: Fact(Kind.FALL_DETECTED)}, alarm=True),
    # Somebody who stays still where nobody should may be one whose fall the radar did not see, so it calls for
    # the same help; no other kind of the vocabulary that fits would wake anybody.
    STILL: Signal(
        "still",
        {
            0: Fact(Kind.FALL_CLEARED, {"stays_still": False}),
            1: Fact(Kind.FALL_DETECTED, {"stays_still": True}),
        },
        alarm=True,
    ),
}
# The radar says that it starts: reset, and "initialisation complete".
STARTED = frozenset({(0x01, 0x02), (0x05, 0x01)})


class Row(NamedTuple):
    """One setting: its name in the manifest, its command below control 0x83, and its length in bytes."""

    name: str
    command: int
    size: int


SETTINGS_CONTROL = 0x83
SETTINGS = (Row("threshold_s", 0x0C, 4), Row("sensitivity", 0x0D, 1), Row("height_cm", 0x11, 2))
