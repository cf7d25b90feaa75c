"""The rota at run time: whoever comes on duty confirms it, and a gap that opens up is told long before."""

from collections.abc import Callable, Mapping

from hub.central.centre import Tx
from hub.central.shifts import gaps, start

# Who does what is due of shifts and gaps.
HANDLERS: Mapping[str, Callable[[Tx, str], None]] = {
    start.CHANGE: start.change_due,
    start.UNCONFIRMED: start.unconfirmed_due,
    gaps.GAP: gaps.gap_due,
}


def arm(tx: Tx) -> None:
    """Look at every shift and every gap at once: the site is new, or the centre was away."""
    start.arm(tx)
    gaps.arm(tx)
