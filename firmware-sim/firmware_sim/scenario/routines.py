"""A resident's day as data: what she does where, when, and how often. The seed says exactly when."""

import datetime as dt
import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo

from firmware_sim.scenario.model import DevicePlan, DosePlan, Event, HomePlan, ResidentPlan, Scenario


class Habit(NamedTuple):
    """Something done several times a day.

    Attributes:
        rooms: In which rooms; what is done is done to each contact there.
        start: Hour of the day from which, and ``end`` until which; over 24 is the next morning.
        least: How often, at least, and ``most`` at most.
        steps: Seconds after its beginning, and what happens.
    """

    rooms: tuple[str, ...]
    start: float
    end: float
    least: int
    most: int
    steps: tuple[tuple[float, str], ...]


_THROUGH = ((0.0, "open"), (15.0, "close"))
_FRONT = ("gang", "entre")
#: Routine: its habits. Hours are those of Norwegian home care: morning visits 09-11, evening visits 20-21.
ROUTINES: Mapping[str, tuple[Habit, ...]] = {
    "sleeping": (
        Habit(("bad",), 23, 30, 0, 2, ((0.0, "open"), (8.0, "close"), (240.0, "open"), (250.0, "close"))),
    ),
    "doors": (Habit(_FRONT, 11, 18, 1, 3, _THROUGH), Habit(("bad",), 8, 22, 3, 6, _THROUGH)),
    "meals": tuple(
        Habit(("kjokken",), hour, hour + 1, 1, 2, ((0.0, "open"), (40.0, "close"))) for hour in (8, 13, 18)
    ),
    "visits": (
        Habit(_FRONT, 9, 10.6, 1, 1, (*_THROUGH, (900.0, "open"), (920.0, "close"))),
        Habit(_FRONT, 20, 20.8, 1, 1, (*_THROUGH, (600.0, "open"), (615.0, "close"))),
    ),
    # Written below: it follows the home's own doses.
    "doses": (),
}
#: A dose is taken in the first part of its window, and not in its last minute.
_TAKEN = (0.02, 0.6)
_CONTACTS = ("door", "contact")
_DAY = dt.timedelta(days=1)


def routine_events(scenario: Scenario) -> tuple[Event, ...]:
    """Return everything that the residents' routines make happen, by time."""
    found: list[Event] = []
    for home in scenario.homes:
        for resident in home.residents:
            for name in resident.routines:
                # A seed of its own for each, so that a change of one routine leaves the others alone.
                dice = random.Random(f"{scenario.seed} {home.id} {resident.id} {name}")
                found += _of_routine(scenario, home, resident, name, dice)
    within = [event for event in found if scenario.from_s <= event.at_s < scenario.until_s]
    return tuple(sorted(within, key=lambda event: event.at_s))


def _of_routine(
    scenario: Scenario, home: HomePlan, resident: ResidentPlan, name: str, dice: random.Random
) -> Iterator[Event]:
    mine = [device for device in home.devices if device.resident == resident.id]
    for day in _days(scenario):
        if name == "doses":
            dispensers = {device.id for device in mine if device.kind.startswith("dispenser")}
            for dose in home.doses:
                if dose.device in dispensers:
                    yield _taken(home, dose, day, scenario.zone, dice)
        for habit in ROUTINES[name]:
            yield from _of_habit(home, habit, mine, day, dice)


def _of_habit(
    home: HomePlan, habit: Habit, mine: list[DevicePlan], day: dt.datetime, dice: random.Random
) -> Iterator[Event]:
    for _ in range(dice.randint(habit.least, habit.most)):
        begins = (day + dt.timedelta(hours=dice.uniform(habit.start, habit.end))).timestamp()
        for device in mine:
            if device.room in habit.rooms and device.kind.endswith(_CONTACTS):
                for after_s, do in habit.steps:
                    yield Event(begins + after_s, home.id, device.id, do, {}, told=False)


def _taken(home: HomePlan, dose: DosePlan, day: dt.datetime, zone: ZoneInfo, dice: random.Random) -> Event:
    begins = (day + dt.timedelta(minutes=dose.minute)).replace(tzinfo=zone).timestamp()
    after_s = dice.uniform(*_TAKEN) * dose.window_min * 60
    return Event(begins + after_s, home.id, dose.device, "dispense", {}, told=False)


def _days(scenario: Scenario) -> Iterator[dt.datetime]:
    """Yield the local midnights of all days that reach into the scenario."""
    day = dt.datetime.fromtimestamp(scenario.from_s, scenario.zone).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    day -= _DAY
    while day.timestamp() < scenario.until_s:
        yield day
        day += _DAY
