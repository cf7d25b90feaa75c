"""A scenario, once it is read: homes, what happens in them, what must be raised. Instants are Unix seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

Values = Mapping[str, object]


class DevicePlan(NamedTuple):
    """A device: what it is in the home, and what the site says of it.

    Attributes:
        id: Its name in home and site.
        kind: Kind of simulated device.
        resident: Whose it is.
        room: Where it is.
        site: Further keys of the site's ``[[devices]]``.
        simulator: Further keys of the home's ``[[device]]``.
    """

    id: str
    kind: str
    resident: str | None
    room: str
    site: Values
    simulator: Values


class ResidentPlan(NamedTuple):
    """A resident and the names of the routines that make up her day."""

    id: str
    routines: tuple[str, ...]


class DosePlan(NamedTuple):
    """One daily dose of a dispenser: minute of the local day, minutes of its window."""

    device: str
    minute: int
    window_min: int


class HomePlan(NamedTuple):
    """A home; ``wire`` hubs speak to the broker themselves, without devices and an edge."""

    id: str
    wire: bool
    devices: tuple[DevicePlan, ...]
    residents: tuple[ResidentPlan, ...]
    doses: tuple[DosePlan, ...]


class Event(NamedTuple):
    """Something that happens to a device, or that somebody does in the console."""

    at_s: float
    home: str
    device: str
    do: str
    arguments: Values
    told: bool = True  # worth a line on the screen: not of a routine


class Fault(NamedTuple):
    """Something that is broken for a while.

    Attributes:
        place: ``where`` of the file.
        homes: Which homes; empty where it concerns none.
        what: A row of the table of that place, with its values.
    """

    from_s: float
    until_s: float
    place: str
    homes: tuple[str, ...]
    device: str
    what: Values


class Expectation(NamedTuple):
    """Incidents that must be raised: ``least`` to ``most`` of them, none beside them."""

    number: int
    kind: str
    about: Mapping[str, str]  # column of the incident: value
    homes: tuple[str, ...]  # any of these hubs; empty: any
    from_s: float
    until_s: float
    incident_class: str
    told: str
    least: int
    most: int | None


class Nurse(NamedTuple):
    """Who answers a phone, how, and what she does then.

    Attributes:
        phone: Id of the phone.
        answers_s: Seconds after delivery; ``None``: never.
        answer: What she types; ``{ok}`` stands for the ``OK 47`` that is asked for.
        visit_s: Seconds until she closes the incident; 0: she leaves it taken.
    """

    phone: str
    answers_s: float | None
    answer: str
    visit_s: float


@dataclass(frozen=True)
class Scenario:
    """All of it.

    Attributes:
        supervision: The site's table of that name, as it is given.
        wait_s: Between the steps of the care plan.
    """

    title: str
    text: str
    from_s: float
    until_s: float
    seed: int
    zone: ZoneInfo
    site: Path | None
    supervision: Mapping[str, float]
    wait_s: int
    homes: tuple[HomePlan, ...]
    nurses: Mapping[str, Nurse]
    events: tuple[Event, ...] = ()
    faults: tuple[Fault, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    phones: Mapping[str, str] = field(default_factory=dict)  # id to number
