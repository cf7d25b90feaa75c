from typing import Any

from firmware_sim.scenario.judge import Account, judge
from firmware_sim.scenario.model import Expectation

PRESS = Expectation(1, "alarm.pressed", {"device_id": "pendant"}, (), 100.0, 200.0, "care", "duty", 1, 1)


def incident(number: int, opened_s: float, **changed: Any) -> dict[str, Any]:
    usual = {"kind": "alarm.pressed", "device_id": "pendant", "hub_id": "h-1", "incident_class": "care"}
    return {"id": number, "opened_s": opened_s, "told": ["duty"], **usual, **changed}


def faults(*raised: dict[str, Any], wanted: Expectation = PRESS) -> list[str]:
    return [fault for line in judge([wanted], raised) for fault in line.faults]


def test_what_was_expected_and_raised_is_good() -> None:
    assert faults(incident(1, 100.0)) == []


def test_what_did_not_come_is_a_fault() -> None:
    assert faults() == ["raised 0 times instead of 1"]


def test_what_nobody_expected_is_a_fault() -> None:
    assert faults(incident(1, 150.0), incident(2, 250.0)) == ["nobody expected it"]
    assert faults(incident(1, 150.0), incident(2, 160.0)) == ["nobody expected it"]


def test_too_late_is_both() -> None:
    assert faults(incident(1, 200.0)) == ["raised 0 times instead of 1", "nobody expected it"]


def test_class_and_phone_are_judged() -> None:
    wrong = incident(1, 150.0, incident_class="technical", told=["technician"])
    assert faults(wrong) == ["incident 1 is technical, not care", "incident 1 was told to technician, not to duty"]


def test_at_least_takes_all_that_come() -> None:
    some = PRESS._replace(least=2, most=None)
    assert faults(incident(1, 150.0), wanted=some) == ["raised 1 times instead of 2"]
    assert faults(*(incident(number, 150.0) for number in (1, 2, 3)), wanted=some) == []


def test_an_account_with_something_lost_or_left_is_bad() -> None:
    assert Account("h-1", 3, 3, 0).good
    assert Account("h-1", 3, 4, 0).good  # stored twice under two epochs is no loss
    assert not Account("h-1", 3, 2, 0).good
    assert not Account("h-1", 3, 3, 1).good
