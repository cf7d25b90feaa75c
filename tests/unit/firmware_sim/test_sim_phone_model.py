import pytest

from firmware_sim.phone.model import Behaviour, Nurse, is_number, parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("æøå" * 53, 1),
        ("€" * 81, 2),
        ("字" * 70, 1),
        ("字" * 71, 2),
        ("a" * 307, 3),
    ],
)
def test_parts(text: str, expected: int) -> None:
    assert parts(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("+4700000012", True), ("4700000012", False), ("+0", False)])
def test_numbers(text: str, expected: bool) -> None:
    assert is_number(text) is expected


def test_the_nurse_answers_what_is_asked_and_nothing_else() -> None:
    nurse = Nurse(answer="{ok}!")
    assert nurse.reply_to("Alarm, room 4. Reply OK 47.") == "OK 47!"
    assert nurse.reply_to("Thank you.") is None


def test_behaviour_changes_by_name() -> None:
    changed = Behaviour().changed({"drop": True, "slow_s": 2, "nurse": {"after_s": 1}})
    assert (changed.drop, changed.slow_s, changed.nurse) == (True, 2, Nurse(1.0))
    assert changed.changed({"nurse": None}).nurse is None


@pytest.mark.parametrize(
    "given", [{"dorp": True}, {"drop": 1}, {"refuse_next": 1.5}, {"slow_s": -1}, {"nurse": {"x": 1}}]
)
def test_behaviour_that_does_not_exist_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        Behaviour().changed(given)
