"""Who is told besides when a shift begins while an alarm goes unanswered."""

import datetime as dt
from typing import Any

import pytest

from hub.central.escalation.plan import Position, move
from hub.domain.clock import UTC
from tests.unit.escalation.makers import directory, document, shift

MORNING = dt.datetime(2026, 11, 24, 7, 0, tzinfo=UTC)  # 08:00 in Oslo: the day's shift begins
BY_CALL = ["sms", "voice"]


ROTA: list[dict[str, Any]] = document()["rota"]


@pytest.mark.parametrize("order", ["all", "one-by-one"])
def test_whose_shift_has_begun_meanwhile_is_told_with_the_next_step(order: str) -> None:
    steps: list[dict[str, Any]] = [
        {"roles": ["duty"], "order": order, "channels": BY_CALL},
        {"roles": ["nord-2:duty"]},
    ]
    here = directory([{"class": "care", "steps": steps}])
    by_night = move(here, "nord-1", "care", 40, MORNING - dt.timedelta(seconds=30), Position(0, 0))
    told = {target.phone.number for target in by_night.targets}
    found = move(here, "nord-1", "care", 40, MORNING, Position(0, 1), told)
    assert [target.phone.id for target in found.targets] == ["duty-2", "desk"]
    assert [target.channel for target in found.targets] == ["sms", "voice"]
    # Who was told is not told again, nor is anybody looked for in steps of another round.
    told |= {target.phone.number for target in found.targets}
    assert [
        target.phone.id for target in move(here, "nord-1", "care", 40, MORNING, Position(0, 2), told).targets
    ] == ["watch"]
    following = move(here, "nord-1", "care", 40, MORNING, Position(0, 3), told)
    assert (following.position, [target.phone.id for target in following.targets]) == (Position(1, 0), ["desk"])


def test_one_by_one_whoever_comes_on_duty_is_told_in_place_of_the_second_of_the_night() -> None:
    night = shift("nord-1", "", "15:00", "08:00") | {"phones": ["duty-1", "watch"]}
    del night["phone"]
    rota: list[dict[str, Any]] = [night, *ROTA[::2]]
    steps: list[dict[str, Any]] = [
        {"roles": ["duty"], "order": "one-by-one", "between_s": 60, "channels": BY_CALL},
        {"roles": ["nord-2:duty"]},
    ]
    here = directory([{"class": "care", "steps": steps}], rota=rota)
    found = move(here, "nord-1", "care", 40, MORNING, Position(0, 1), {"+4700000012"})
    assert (found.position, [target.phone.id for target in found.targets]) == (Position(0, 1), ["desk"])


def test_everybody_whose_shift_has_begun_is_told_and_each_once() -> None:
    day = shift("nord-1", "", "08:00", "15:00") | {"phones": ["desk", "watch"]}
    del day["phone"]
    steps: list[dict[str, Any]] = [
        {"roles": ["duty"], "channels": BY_CALL},
        {"roles": ["duty"], "channels": BY_CALL},
        {"roles": ["nord-2:duty"]},
    ]
    here = directory([{"class": "care", "steps": steps}], rota=[day, *ROTA[1:]])
    found = move(here, "nord-1", "care", 40, MORNING, Position(0, 2), {"+4700000012"})
    assert [target.phone.id for target in found.targets] == ["duty-2", "desk", "watch"]
