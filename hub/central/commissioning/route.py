"""Where a test is told: to one phone, again and again, on the same way as everything else."""

import datetime as dt
from collections.abc import Collection
from typing import TYPE_CHECKING

from hub.central.escalation import plan
from hub.central.escalation.plan import Move, Position, Target
from hub.central.site.model import Phone, Step

if TYPE_CHECKING:
    from hub.central.incidents import record
    from hub.central.site.directory import Directory

# The due row that asks whether anybody took a test.
UNTAKEN = "incident.untaken"
ROLE = "test"
_WAIT_S = 60
_STEP = Step(roles=(ROLE,), wait_s=_WAIT_S)


def can_be_told(phone: Phone) -> bool:
    """Tell whether a phone can be a test phone: whether it takes a text."""
    return plan.channel_for(phone, _STEP) is not None


def move(
    directory: "Directory",
    incident: "record.Incident",
    at: dt.datetime,
    start: Position,
    told: Collection[str] | None = None,
) -> Move:
    """Return the next move of an incident's escalation: of a test, to its phone; of all else, as planned.

    A test whose phone has left the site is told as planned: it may be no test at all.

    Args:
        directory: The site as it stands.
        incident: A row of ``incidents``.
        at: This moment, for the rota.
        start: The first step that may be taken.
        told: Numbers that were told of it so far; ``None``: nobody is looked for in earlier steps.
    """
    phone = directory.phones.get(incident.test_phone) if incident.test_phone else None
    channel = plan.channel_for(phone, _STEP) if phone else None
    if phone is None or channel is None:
        return plan.move(directory, incident.zone, incident.incident_class, incident.severity, at, start, told)
    target = Target(incident.zone, ROLE, phone, channel, "test phone")
    return Move(Position(start.round + start.step, 0), (target,), _WAIT_S, ())
