"""How much is measured: the figures of the documentation, or a minute's worth."""

from typing import NamedTuple


class Size(NamedTuple):
    """Amounts.

    Attributes:
        presses: Buttons pressed, each another resident's.
        pause_s: Between two presses, on average.
        backlog: Observations that were kept through an outage.
        sustained: Observations sent for each batch size.
        appends: Alarms journalled one by one.
        idle_s: How long an idle edge is watched.
        starts: How often the edge is started.
    """

    presses: int
    pause_s: float
    backlog: int
    sustained: int
    appends: int
    idle_s: float
    starts: int


FULL = Size(presses=400, pause_s=0.1, backlog=100_000, sustained=100_000, appends=2_000, idle_s=20.0, starts=5)
QUICK = Size(presses=60, pause_s=0.1, backlog=20_000, sustained=20_000, appends=300, idle_s=5.0, starts=2)
