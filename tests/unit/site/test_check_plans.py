"""What is wrong with plans, steps, links and the network's limits is found before it can silence anybody."""

import datetime as dt

import pytest

from hub.central.site.check import findings
from hub.central.site.load import load
from tests.fakes.site import SITE

SINCE = dt.date(2026, 11, 23)
CARE = '[[plans]]\nclass = "care"\n'
TECHNICAL = '[[plans]]\nclass = "technical"\n'
NAME = 'name = "test"\n'
NIGHT = SITE.replace('from = "00:00"\nto = "24:00"', 'from = "22:00"\nto = "07:00"', 1)
STEP = 'steps = [{ roles = ["duty"], wait_s = 180 }'


def found(text: str) -> list[str]:
    return [f"{finding.level} {finding.place}: {finding.text}" for finding in findings(load(text), SINCE)]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (CARE, CARE + 'hours = "07:00-22:00"\n', "care waits for no hours"),
        (TECHNICAL, TECHNICAL + 'hours = "7-22"\n', "HH:MM"),
        (TECHNICAL, TECHNICAL + "always_severity = 7\n", "7 is no severity"),
        (CARE, CARE + "acknowledge_s = 0\n", "seconds above 0"),
        (STEP, STEP.replace("180", '180, hours = "22:00-22:00"'), "two different times"),
        (STEP, STEP.replace("180", "180, between_s = 0"), "seconds above 0"),
        (STEP, STEP.replace("180", '180, channels = ["push"]'), "push alone wake nobody"),
        (STEP, STEP.replace("180", '180, channels = ["push", "email"]'), "push and email alone wake nobody"),
        ('id = "leader"\n', 'id = "leader"\nemail = "Kari <duty@nord.example>"\n', "write one address"),
        (NAME, NAME + "links = true\n", "write public_url"),
        (NAME, NAME + 'public_url = "http://hub.example"\n', "https://"),
        (NAME, NAME + "link_h = 0\n", "1 to 168 hours"),
        ("[[phones]]", "[supervision]\nnetwork_hubs = 1\n[[phones]]", "one silent hub is that hub's"),
    ],
)
def test_what_is_wrong_is_found(old: str, new: str, complaint: str) -> None:
    assert old in SITE
    assert any(line.startswith("error") and complaint in line for line in found(SITE.replace(old, new, 1)))


def test_what_wakes_nobody_and_goes_before_a_text_is_a_warning() -> None:
    first = found(SITE.replace(STEP, STEP.replace("180", '180, channels = ["email", "sms"]')))
    assert any(line.startswith("warning") and "put it behind" in line for line in first)
    last = found(SITE.replace(STEP, STEP.replace("180", '180, channels = ["sms", "email"]')))
    assert not any("put it behind" in line for line in last)


PUSH = '{ roles = ["duty"], channels = ["push", "sms"], wait_s = 20 }'
BY_NIGHT = '{ roles = ["duty"], hours = "22:00-07:00" }'
MAILED = PUSH.replace('"push"', '"email", "push"')


@pytest.mark.parametrize(
    ("steps", "role"),
    [
        (PUSH, "'duty'"),
        (f"{PUSH}, {PUSH}", "'duty'"),
        (f"{PUSH}, {BY_NIGHT}", "'duty'"),
        (MAILED, "'duty'"),
        (f'{PUSH.replace("duty", "last-resort")}, {{ roles = ["duty"] }}', "'last-resort'"),
        (f'{PUSH.replace("duty", "nord-1:technician")}, {{ roles = ["duty"] }}', "'nord-1:technician'"),
    ],
)
def test_nobody_is_told_by_push_alone(steps: str, role: str) -> None:
    lines = found(SITE.replace(STEP, f"steps = [{steps}"))
    assert any(line.startswith("error") and f"role {role} gets push alone" in line for line in lines)
    roles = '"duty", "last-resort", "nord-1:technician"'
    louder = found(SITE.replace(STEP, f"steps = [{steps}, {{ roles = [{roles}] }}"))
    assert not any("push" in line for line in louder)


def test_a_push_that_no_phone_ever_gets_is_a_warning() -> None:
    last = found(SITE.replace(STEP, STEP.replace("180", '180, channels = ["sms", "push"]')))
    assert any(line.startswith("warning") and "push is never used" in line for line in last)
    assert not any(line.startswith("error") for line in last)


def test_a_role_is_to_be_filled_in_the_hours_of_its_steps_only() -> None:
    assert any("nobody 07:00-22:00" in line for line in found(NIGHT))
    by_night = NIGHT.replace(STEP, STEP.replace("180", '180, hours = "22:00-07:00"'))
    assert not any("role duty: nobody" in line for line in found(by_night))
    longer = NIGHT.replace(STEP, STEP.replace("180", '180, hours = "21:00-07:00"'))
    assert any("nobody 21:00-22:00" in line for line in found(longer))


def test_the_last_resort_of_another_zone_must_take_what_the_step_sends() -> None:
    board = '[[phones]]\nid = "board"\nkind = "landline"\nnumber = "+4700000077"\n[[zones]]\nid = "nord-2"\n'
    own = "".join(
        f'[[plans]]\nclass = "{of}"\nzone = "nord-2"\n'
        'steps = [{ roles = ["duty"] }, { roles = ["last-resort"], channels = ["voice"] }]\n'
        for of in ("care", "technical")
    )
    text = (
        SITE.replace('[[zones]]\nid = "nord-2"\nlast_resort = "leader"\n', board + 'last_resort = "board"\n') + own
    )
    last = text.replace("nord-2:duty", "nord-2:last-resort")
    complaint = "phone 'board' is a landline and takes no sms; the last resort must be reached"
    assert [line for line in found(text) if "error" in line] == []
    assert [complaint in line for line in found(last) if "error" in line] == [True]
    called = last.replace('["nord-2:last-resort"]', '["nord-2:last-resort"], channels = ["voice"]')
    assert [line for line in found(called) if "error" in line] == []


def test_a_landline_that_gets_mails_alone_is_told() -> None:
    desk = 'id = "nord-1-duty"\nkind = "landline"\nemail = "nord-1@kommune.example"\n'
    text = SITE.replace('id = "nord-1-duty"\n', desk, 1)
    mailed = text.replace(STEP, STEP.replace("180", '180, channels = ["sms", "email"]'))
    complaint = "by [[plans]] #1 phone 'nord-1-duty', a landline, gets mails alone, which wake nobody"
    assert [complaint in line for line in found(mailed) if "landline" in line] == [True]
    called = mailed.replace("}, {", '}, { roles = ["duty"], channels = ["voice"] }, {', 1)
    assert [line for line in found(called) if "landline" in line] == []
