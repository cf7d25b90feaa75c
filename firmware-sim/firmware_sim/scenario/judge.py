"""Holds what was raised against what was expected, and what devices sent against what is stored."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from firmware_sim.scenario.model import Expectation

Raised = Mapping[str, Any]


class Line(NamedTuple):
    """An expectation with what came of it.

    Attributes:
        wanted: The expectation; ``None`` for what nobody expected.
        found: Numbers of the incidents that fit it.
        faults: What is wrong; empty when nothing is.
    """

    wanted: Expectation | None
    found: tuple[Raised, ...]
    faults: tuple[str, ...]


class Account(NamedTuple):
    """What one device or hub sent, and what of it is stored."""

    name: str
    sent: int
    stored: int
    left: int  # still held by the device or in a journal

    @property
    def good(self) -> bool:
        """Whether nothing is lost and nothing is left."""
        return self.sent <= self.stored and not self.left


def judge(wanted: Iterable[Expectation], raised: Sequence[Raised]) -> list[Line]:
    """Return a line for each expectation, then one for each incident that none of them explains."""
    left = list(raised)
    lines = []
    for expectation in wanted:
        # What is asked for by number takes no more than that: the rest may belong to a later expectation.
        found = [incident for incident in left if _fits(expectation, incident)][: expectation.most]
        left = [incident for incident in left if incident not in found]
        lines.append(Line(expectation, tuple(found), tuple(_faults(expectation, found))))
    lines += [Line(None, (incident,), ("nobody expected it",)) for incident in left]
    return lines


def _fits(wanted: Expectation, incident: Raised) -> bool:
    return (
        incident["kind"] == wanted.kind
        and all(incident[column] == value for column, value in wanted.about.items())
        and (not wanted.homes or incident["hub_id"] in wanted.homes)
        and wanted.from_s <= incident["opened_s"] < wanted.until_s
    )


def _faults(wanted: Expectation, found: list[Raised]) -> Iterable[str]:
    if len(found) < wanted.least:
        yield f"raised {len(found)} times instead of {wanted.least}"
    for incident in found:
        number = incident["id"]
        if wanted.incident_class and incident["incident_class"] != wanted.incident_class:
            yield f"incident {number} is {incident['incident_class']}, not {wanted.incident_class}"
        if wanted.told and wanted.told not in incident["told"]:
            told = ", ".join(dict.fromkeys(incident["told"])) or "nobody"
            yield f"incident {number} was told to {told}, not to {wanted.told}"
