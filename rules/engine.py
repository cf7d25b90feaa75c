"""Decides what an observation is. Every decision carries its reason."""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import msgspec

from hub.domain.codes import CODES, Kind, Lane, Severity
from hub.domain.observation import Value

Action = Literal["raise", "note", "hold"]
IncidentClass = Literal["care", "technical"]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an observation when it is decided.

    Attributes:
        kind: What was observed.
        local: When, in local time.
        night: The device's night hours (``22:00-06:00``), or ``None``.
        test: The device was in test mode. A test is raised like the real thing, and marked by the caller.
        flags: What was odd about it; ``bad_time`` and ``time_unknown`` say that
            ``local`` is only when it came in.
        value: Its value.
        assigned: The device belongs to a resident.
    """

    kind: Kind
    local: dt.datetime
    night: str | None = None
    test: bool = False
    flags: tuple[str, ...] = ()
    value: Value = None
    assigned: bool = True


class Holds(NamedTuple):
    """Whether a condition holds, and a sentence that says why."""

    holds: bool
    reason: str


Condition = Callable[[Facts], Holds]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about some kinds of observation.

    Attributes:
        kinds: Which kinds.
        action: ``raise`` opens an incident or adds to the open one; ``note`` adds to an open one of
            the family, and neither opens nor closes any.
        incident_class: Who is told: ``care`` or ``technical``.
        severity: VKP severity.
        family: What belongs together: one open incident of a resident (or device) in each family.
        conditions: All must hold, else the observation is held back, with the reason.
        reason: The sentence that explains the rule.
    """

    kinds: tuple[Kind, ...]
    action: Action
    incident_class: IncidentClass
    severity: int
    family: str
    conditions: tuple[Condition, ...]
    reason: str


class Decision(msgspec.Struct, frozen=True):
    """What an observation is, and why. ``hold``: stored, nobody is told."""

    action: Action
    incident_class: IncidentClass
    severity: int
    family: str
    reason: str


# An alarm that no rule names is raised all the same, as the call for help that it may be.
_UNNAMED_ALARM = Rule(
    kinds=(),
    action="raise",
    incident_class="care",
    severity=Severity.CRITICAL,
    family="help",
    conditions=(),
    reason="No rule names this alarm, so it is raised.",
)


class RuleSet:
    """A set of rules, one for each kind.

    Args:
        rules: The rules; the first that names a kind decides it.

    Attributes:
        kinds: What is worth asking about; every other kind is held.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_kind = {kind: _UNNAMED_ALARM for kind in Kind if CODES[kind].lane is Lane.ALARM}
        for rule in reversed(list(rules)):
            self._by_kind.update(dict.fromkeys(rule.kinds, rule))
        self.kinds: frozenset[Kind] = frozenset(self._by_kind)

    def decide(self, facts: Facts) -> Decision:
        """Say what an observation is. Never raises."""
        rule = self._by_kind.get(facts.kind)
        if rule is None:
            return Decision("hold", "care", Severity.NOT_REPORTED, "", f"No rule names {facts.kind}.")
        reasons = [rule.reason]
        for condition in rule.conditions:
            answer = condition(facts)
            reasons.append(answer.reason)
            if not answer.holds:
                why = f"Held back: {answer.reason}"
                return Decision("hold", rule.incident_class, rule.severity, rule.family, why)
        return Decision(rule.action, rule.incident_class, rule.severity, rule.family, " ".join(reasons))
