"""Where something can be broken, and how: the table of a scenario's faults."""

from collections.abc import Mapping
from typing import NamedTuple

from firmware_sim.errors import Unfit
from firmware_sim.faults import FaultPlan
from firmware_sim.phone.model import Behaviour
from firmware_sim.scenario.table import ScenarioError


class Place(NamedTuple):
    """A place where something can be broken.

    Attributes:
        at_home: It is in a home, not in the middle.
        hows: The words of ``what`` that fit; of a place without any, faults of frames or of the provider do.
        text: One line for people.
    """

    at_home: bool
    hows: tuple[str, ...]
    text: str


#: ``where`` of a fault.
PLACES: Mapping[str, Place] = {
    "device": Place(
        at_home=True,
        hows=("frames", "gone", "stuck_s", "clock_off_s", "clock_drift"),
        text="one device",
    ),
    "radio": Place(at_home=True, hows=("frames",), text="every device of a home"),
    "uplink": Place(at_home=True, hows=("down", "half_open", "delay_s"), text="a home's line to the broker"),
    "power": Place(at_home=True, hows=("cut",), text="a home's hub"),
    "clock": Place(at_home=True, hows=("off_s", "drift"), text="a hub's own clock"),
    "broker": Place(at_home=False, hows=("killed",), text="the broker"),
    "centre": Place(at_home=False, hows=("killed",), text="the centre"),
    "provider": Place(at_home=False, hows=("phones",), text="the text message service, or one phone"),
}


def check_fault(place: str, what: Mapping[str, object]) -> None:
    """Make sure that a fault can happen at its place.

    Raises:
        ScenarioError: It cannot.
    """
    hows = PLACES[place].hows
    if not what or (unknown := next((how for how in what if how not in hows), None)):
        given = "is empty" if not what else f"{unknown!r} is unknown"
        raise ScenarioError(f"{given}; at {place!r} fit: {', '.join(hows)}")
    for how, value in what.items():
        try:
            _check_value(how, value)
        except Unfit as error:
            raise ScenarioError(str(error)) from error


def _check_value(how: str, value: object) -> None:
    if how == "frames":
        FaultPlan.of(_mapping(how, value))
    elif how == "phones":
        Behaviour().changed({key: item for key, item in _mapping(how, value).items() if key != "phone"})
    elif how in {"gone", "down", "half_open", "cut", "killed"}:
        if value is not True:
            raise Unfit(f"{how!r} is true, or left out")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit(f"{how!r} is a number, not {value!r}")


def _mapping(how: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise Unfit(f"{how!r} is a table, not {value!r}")
    return value
