"""When a single phone is all that a plan tells, ``hub check`` says so: by hour, severity, class and channel."""

import datetime as dt

import pytest

from hub.central.site.check import findings
from hub.central.site.load import load
from tests.fakes.site import SITE

SINCE = dt.date(2026, 11, 23)
DUTY = '{ roles = ["duty"], wait_s = 180 }'
NEIGHBOUR = '{ roles = ["nord-2:duty"], wait_s = 120 }'
BOTH = f"{DUTY}, {NEIGHBOUR}"
CARE = '[[plans]]\nclass = "care"\n'
TECHNICIAN = '{ roles = ["nord-1:technician"], wait_s = 900 }'
TECHNICAL = f'[[plans]]\nclass = "technical"\nsteps = [{TECHNICIAN}]\n'
DESK = '[[phones]]\nid = "desk"\nnumber = "+4700000033"\nkind = "landline"\n'
assert f"{CARE}steps = [{BOTH}]\n{TECHNICAL}" in SITE
# Of zone nord-1 the duty phone is the last resort as well.
ALONE = SITE.replace('last_resort = "leader"', 'last_resort = "nord-1-duty"', 1)


def found(text: str) -> list[str]:
    lines = [str(finding) for finding in findings(load(text), SINCE)]
    return [line for line in lines if "no resident belongs" not in line]


def changed(old: str, new: str, text: str = ALONE) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_two_phones_are_no_finding() -> None:
    assert found(ALONE) == []


def test_one_phone_at_night_is_told_with_the_plan_and_the_hours() -> None:
    by_day = NEIGHBOUR.replace(" }", ', hours = "08:00-16:00" }')
    (line,) = found(changed(NEIGHBOUR, by_day))
    assert line == (
        'warning: [[zones]] #1 (id "nord-1"): by [[plans]] #1 one phone is its every step and its last resort, '
        "first from Mon 2026-11-23 00:00 to Mon 2026-11-23 08:00 and 366 times more; when that fails, nobody is "
        "reached. Name another phone as last_resort, or in a further step that is taken then"
    )
    all_day = by_day.replace(" }", ' }, { roles = ["nord-1:technician"], hours = "16:00-08:00" }')
    assert found(changed(NEIGHBOUR, all_day)) == []


@pytest.mark.parametrize(
    ("critical", "others", "plan"), [(BOTH, DUTY, "#3"), (DUTY, BOTH, "#1")], ids=["others", "critical"]
)
def test_each_plan_that_is_followed_is_looked_at(critical: str, others: str, plan: str) -> None:
    text = changed(f"{CARE}steps = [{BOTH}]\n", f"{CARE}min_severity = 40\nsteps = [{critical}]\n")
    (line,) = found(f"{text}{CARE}steps = [{others}]\n")
    assert f"by [[plans]] {plan} one phone is its every step and its last resort; when that fails" in line


def test_a_landline_is_no_second_phone_where_only_texts_are_sent() -> None:
    both = changed('phone = "nord-1-duty"\n', 'phones = ["nord-1-duty", "desk"]\n', ALONE + DESK)
    (line,) = [line for line in found(changed(f", {NEIGHBOUR}", "", both)) if "one phone" in line]
    assert "by [[plans]] #1 one phone is its every step" in line
    calling = changed(BOTH, '{ roles = ["duty"], channels = ["voice", "sms"] }', both)
    assert found(calling) == []


def test_technical_plans_are_looked_at() -> None:
    (line,) = found(changed('last_resort = "leader"', 'last_resort = "technician"', SITE))
    assert "by [[plans]] #2 one phone is its every step" in line


def test_plans_with_the_same_phone_at_the_same_times_are_one_finding() -> None:
    text = changed(f", {NEIGHBOUR}", "", changed(TECHNICIAN, '{ roles = ["duty"] }'))
    (line,) = [line for line in found(text) if "no plan names" not in line]
    assert '[[zones]] #1 (id "nord-1"): by [[plans]] #1 and #2 one phone' in line


def test_a_plan_is_looked_at_in_the_hours_in_which_it_is_followed() -> None:
    by_day = TECHNICIAN.replace(" }", ', hours = "07:00-22:00" }')
    text = changed(TECHNICAL, f'[[plans]]\nclass = "technical"\nhours = "07:00-22:00"\nsteps = [{by_day}]\n')
    # What does not wait for its hours finds the last resort alone.
    assert [line for line in found(text) if "by [[plans]] #2 one phone" in line] == found(text) != []
    # All that still follows it waits, and what does not has another plan.
    severe = f'[[plans]]\nclass = "technical"\nmin_severity = 30\nsteps = [{TECHNICIAN}]\n'
    assert found(text + severe) == []


def test_hours_with_nobody_are_a_gap_and_nothing_else() -> None:
    text = changed('from = "00:00"\nto = "24:00"', 'from = "07:00"\nto = "24:00"', ALONE)
    lines = found(changed(f", {NEIGHBOUR}", "", text))
    assert [line.partition(":")[0] for line in lines] == ["error", "warning"]
    assert "nobody 00:00-07:00" in lines[0]
    assert "first from Mon 2026-11-23 07:00 to Tue 2026-11-24 00:00 and 365 times more" in lines[1]


def test_what_cannot_be_read_is_told_as_that() -> None:
    (line,) = found(changed(NEIGHBOUR, NEIGHBOUR.replace(" }", ', hours = "8-16" }')))
    assert line.startswith('error: [[plans]] #1, [[plans.steps]] #2, key "hours"')
