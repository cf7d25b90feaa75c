"""Conditions that a rule may name. A condition that cannot tell holds: an alarm fails open."""

import datetime as dt

from rules.engine import Condition, Facts, Holds

# Flags of a device and of the centre: when it happened is not known.
NO_TIME = frozenset({"bad_time", "time_unknown"})


def night(facts: Facts) -> Holds:
    """It happened within the device's night hours."""
    if facts.night is None:
        return Holds(holds=False, reason="The device has no night hours.")
    if NO_TIME.intersection(facts.flags):
        return Holds(holds=True, reason="When it happened is not known, so it is taken as night.")
    clock = f"{facts.local:%H:%M}"
    try:
        within = _within(facts.night, facts.local.time())
    except ValueError:
        return Holds(holds=True, reason=f"Night hours {facts.night!r} cannot be read, so it is taken as night.")
    if within:
        return Holds(holds=True, reason=f"{clock} lies in the night hours {facts.night}.")
    return Holds(holds=False, reason=f"{clock} lies outside the night hours {facts.night}.")


def assigned(facts: Facts) -> Holds:
    """The device belongs to a resident."""
    if facts.assigned:
        return Holds(holds=True, reason="The device belongs to a resident.")
    return Holds(holds=False, reason="The device belongs to no resident.")


def _within(hours: str, time: dt.time) -> bool:
    """Tell whether a time lies in hours that may go over midnight; ValueError: they are no hours."""
    start_text, _, end_text = hours.partition("-")
    start = dt.time.fromisoformat(start_text)
    end = dt.time() if end_text == "24:00" else dt.time.fromisoformat(end_text)
    if start < end:
        return start <= time < end
    return time >= start or time < end


CONDITIONS: dict[str, Condition] = {"night": night, "assigned": assigned}
