"""What ``hub check`` finds in a rota: each finding names table and key, and says what to do."""

import datetime as dt
import time

import pytest

from hub.central.site.check import findings
from hub.central.site.load import load

SINCE = dt.date(2026, 11, 23)

SITE = """
[site]
name = "test"
[[phones]]
id = "duty"
number = "+4700000012"
[[phones]]
id = "desk"
number = "+4700000011"
kind = "landline"
[[phones]]
id = "spare"
number = "+4700000013"
[[phones]]
id = "watch"
number = "+4700000091"
[[zones]]
id = "nord-1"
last_resort = "watch"
[[rota]]
zone = "nord-1"
role = "duty"
phone = "duty"
days = "daily"
from = "00:00"
to = "24:00"
[[plans]]
class = "care"
steps = [{ roles = ["duty"] }]
[[plans]]
class = "technical"
steps = [{ roles = ["duty"] }]
"""
ZONE = 'last_resort = "watch"\n'

SCHEDULE = """
[[schedules]]
zone = "nord-1"
role = "duty"
from = "{first}"
until = "{last}"
name = "Christmas"
[[schedules.rules]]
phone = "{phone}"
days = "daily"
from = "00:00"
to = "{end}"
"""
OVERRIDE = """
[[overrides]]
zone = "nord-1"
role = "duty"
phones = [{phones}]
from = "2026-12-24T15:00"
to = "2026-12-25T08:00"
kind = "sick"
reason = "test"
"""
HOLIDAY = '[[holidays]]\ndate = "{date}"\nname = "Eve"\nfrom = "{start}"\n'


def found(text: str) -> list[str]:
    lines = [str(finding) for finding in findings(load(text), SINCE)]
    return [line for line in lines if "no resident belongs" not in line]


def schedule(first: str = "2026-12-21", last: str = "2027-01-03", phone: str = "spare", end: str = "24:00") -> str:
    return SCHEDULE.format(first=first, last=last, phone=phone, end=end)


def test_every_layer_that_is_right_is_without_a_finding() -> None:
    override = OVERRIDE.format(phones='"spare", "duty"')
    assert found(SITE + HOLIDAY.format(date="2026-12-24", start="12:00") + schedule() + override) == []


@pytest.mark.parametrize(
    ("added", "complaint"),
    [
        (HOLIDAY.format(date="24.12.2026", start="12:00"), "[[holidays]] #1: date '24.12.2026'"),
        (HOLIDAY.format(date="2026-12-24", start="noon"), "[[holidays]] #1: time 'noon'"),
        (schedule(first="2027-01-04"), "[[schedules]] #1: schedule 2027-01-04 to 2027-01-03: it ends before"),
        (schedule(phone="sparee"), '[[schedules]] #1, [[schedules.rules]] #1, key "phone": there is no phone'),
        (schedule(end="24:01"), "[[schedules]] #1, [[schedules.rules]] #1: time '24:01'"),
        (schedule(phone="desk"), "takes no sms"),
        (schedule(end="20:00"), "nobody 20:00-24:00 on 2026-12-21, 2026-12-22, 2026-12-23 and 11 more"),
        (schedule() + schedule(first="2027-01-03", last="2027-01-05"), "two schedules hold on Sun 2027-01-03"),
        (OVERRIDE.format(phones='"spare", "spare"'), "one phone is named twice"),
        (OVERRIDE.format(phones=""), "no phone is named"),
        (OVERRIDE.format(phones='"spar"'), "[[overrides]] #1, key \"phones\": there is no phone 'spar'"),
        (OVERRIDE.format(phones='"spare"') + 'phone = "spare"\n', "write phone, or phones"),
        (OVERRIDE.format(phones='"desk"'), "is a landline and takes no sms"),
    ],
)
def test_what_is_wrong_in_a_layer_is_an_error(added: str, complaint: str) -> None:
    lines = found(SITE + added)
    assert [line for line in lines if line.startswith("error") and complaint in line], lines


def test_a_landline_among_phones_that_take_texts_is_a_warning() -> None:
    (line,) = found(SITE + OVERRIDE.format(phones='"desk", "spare"'))
    assert line.startswith('warning: [[overrides]] #1, key "phones"')
    assert "passes it over and tells the others" in line


def test_a_landline_is_no_finding_where_a_step_calls() -> None:
    text = SITE.replace('roles = ["duty"]', 'roles = ["duty"], channels = ["voice", "sms"]')
    assert found(text + OVERRIDE.format(phones='"desk"')) == []


def test_one_phone_for_every_step_is_told_with_when() -> None:
    (line,) = found(SITE + OVERRIDE.format(phones='"watch"'))
    assert line.startswith('warning: [[zones]] #1 (id "nord-1")')
    assert "first from Thu 2026-12-24 15:00 to Fri 2026-12-25 08:00; when that fails" in line
    assert found(SITE + OVERRIDE.format(phones='"watch", "spare"')) == []


def test_the_address_of_a_calendar_cannot_be_guessed() -> None:
    (line,) = found(SITE.replace(ZONE, ZONE + 'calendar_key = "nord"\n'))
    assert line.startswith('error: [[zones]] #1 (id "nord-1"), key "calendar_key"')
    assert found(SITE.replace(ZONE, ZONE + f'calendar_key = "{"k" * 22}"\n')) == []


def test_shifts_that_nobody_can_confirm_are_told() -> None:
    text = SITE.replace(ZONE, ZONE + "shift_check = true\n")
    assert found(text) == []
    text = text.replace('phone = "duty"', 'phone = "desk"').replace('["duty"] ', '["duty"], channels = ["voice"] ')
    assert any("nobody can be asked to confirm" in line for line in found(text))


def test_a_years_check_of_twenty_zones_takes_seconds() -> None:
    rules = (
        ("a", "mon-fri", "08:00", "15:00"),
        ("b", "mon-fri", "15:00", "08:00"),
        ("b", "mon-fri", "00:00", "08:00"),
        ("b", "sat,sun,holiday", "00:00", "24:00"),
    )
    text = '[site]\nname = "test"\n'
    for zone in range(20):
        for at, phone in enumerate("abc"):
            text += f'[[phones]]\nid = "z{zone}-{phone}"\nnumber = "+47{zone * 3 + at:08d}"\n'
        text += f'[[zones]]\nid = "z{zone}"\nlast_resort = "z{zone}-c"\n'
        for role in ("duty", "leader"):
            for phone, days, start, end in rules:
                text += f'[[rota]]\nzone = "z{zone}"\nrole = "{role}"\nphone = "z{zone}-{phone}"\n'
                text += f'days = "{days}"\nfrom = "{start}"\nto = "{end}"\n'
    for kind in ("care", "technical"):
        text += f'[[plans]]\nclass = "{kind}"\nsteps = [{{ roles = ["duty"] }}, {{ roles = ["leader"] }}]\n'
    site = load(text)
    begun = time.process_time()
    assert [finding for finding in findings(site, SINCE) if "no resident belongs" not in finding.text] == []
    assert time.process_time() - begun < 3
