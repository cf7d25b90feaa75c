import datetime as dt
from pathlib import Path

import pytest

from hub.central.site.check import errors, findings
from hub.central.site.load import load

FYI = '[[fyi]]\nid = "office"\n'
SINCE = dt.date(2026, 11, 23)
SITES = Path(__file__).parents[3] / "sites"

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
[[residents]]
id = "r-1"
zone = "nord-1"
[[hubs]]
id = "h-1"
zone = "nord-1"
[[hubs.links]]
id = "stick"
kind = "serial"
port = "/dev/stick"
driver = "enocean"
[[hubs.links]]
id = "line"
kind = "serial"
port = "/dev/line"
driver = "dispenser"
[[hubs.links]]
id = "air"
kind = "ble"
[[devices]]
id = "pendant"
hub = "h-1"
link = "stick"
driver = "enocean"
profile = "F6-01-01"
address = "FEF00001"
resident = "r-1"
[[devices]]
id = "door"
hub = "h-1"
link = "air"
driver = "bthome"
address = "A4:C1:38:00:00:01"
key = "000102030405060708090a0b0c0d0e0f"
resident = "r-1"
night = "22:00-06:00"
[[devices]]
id = "box"
hub = "h-1"
link = "line"
driver = "dispenser"
resident = "r-1"
[[doses]]
device = "box"
at = "08:00"
"""


def found(text: str) -> list[str]:
    return [str(finding) for finding in findings(load(text), SINCE)]


def test_a_good_site_has_no_findings() -> None:
    assert found(SITE) == []


def test_the_example_has_no_findings() -> None:
    assert found((SITES / "example.toml").read_text(encoding="utf-8")) == []


def test_the_table_as_published_is_refused_with_each_of_its_gaps() -> None:
    site = load((SITES / "as-published.toml").read_text(encoding="utf-8"))
    wrong = [str(finding) for finding in errors(findings(site, SINCE))]
    for zone in site.zones:
        of_zone = [line for line in wrong if f"zone {zone.id}, role duty" in line]
        assert len(of_zone) == 4
        assert "nobody 07:30-08:00 on any day, first on Mon 2026-11-23" in of_zone[0]
        assert "nobody 00:00-07:30 on mon, sun, 2026-12-26" in of_zone[1]
        assert "nobody 08:00-24:00 on sat, sun, public holidays, first on Sat 2026-11-28" in of_zone[2]
        assert "is a landline and takes no sms" in of_zone[3]


def test_weekday_gap_alone_is_told_by_its_days() -> None:
    text = SITE.replace(
        'days = "daily"\nfrom = "00:00"\nto = "24:00"', 'days = "mon-fri"\nfrom = "08:00"\nto = "07:30"'
    )
    weekend = (
        '[[rota]]\nzone="nord-1"\nrole="duty"\nphone="duty"\ndays="sat,sun,holiday"\nfrom="00:00"\nto="24:00"\n'
    )
    lines = found(text + weekend)
    assert len(lines) == 2
    assert "nobody 07:30-08:00 on mon-fri, first on Mon 2026-11-23" in lines[0]
    assert "nobody 00:00-07:30 on mon, " in lines[1]  # and the mornings after a holiday


def test_a_gap_months_ahead_is_found() -> None:
    text = SITE.replace('days = "daily"', 'days = "mon-sun"')
    (line,) = found(text)
    assert "nobody 00:00-24:00 on public holidays, first on Fri 2026-12-25" in line


OVERRIDE = """
[[overrides]]
zone = "nord-1"
role = "duty"
phone = "{phone}"
from = "{start}"
to = "{end}"
reason = "test"
"""


@pytest.mark.parametrize(
    ("old", "new", "level", "complaint"),
    [
        ('id = "desk"', 'id = "duty"', "error", "'duty' is also the id of #1"),
        ('id = "r-1"', 'id = "R 1"', "error", "small letters"),
        ('"+4700000011"', '"+4700000012"', "error", "phone 'duty' has the same number"),
        ('"+4700000011"', '"+47 00000011"', "error", "without blanks"),
        ('"+4700000011"', '"113"', "error", "country code"),
        ('phone = "duty"', 'phone = "dutty"', "error", "there is no phone 'dutty'"),
        ('last_resort = "watch"', 'last_resort = "wach"', "error", "there is no phone 'wach'"),
        ('id = "r-1"\nzone = "nord-1"', 'id = "r-1"\nzone = "sor"', "error", "there is no zone 'sor'"),
        ('resident = "r-1"\nnight', 'resident = "r-2"\nnight', "error", "there is no resident 'r-2'"),
        ('link = "air"', 'link = "water"', "error", "has no link 'water'"),
        ('hub = "h-1"\nlink = "line"', 'hub = "h-9"\nlink = "line"', "error", "there is no hub 'h-9'"),
        ('driver = "bthome"', 'driver = "btome"', "error", "driver 'btome': unknown; there are"),
        ('address = "A4:C1:38:00:00:01"', 'address = "a4"', "error", "bthome needs the form"),
        ("000102030405060708090a0b0c0d0e0f", "0001", "error", "key of 2 bytes: bthome needs a key of 16"),
        ("000102030405060708090a0b0c0d0e0f", "secret!!", "error", "write the key in hexadecimal"),
        ('key = "000102030405060708090a0b0c0d0e0f"\n', "", "warning", "without encryption"),
        ('profile = "F6-01-01"', 'profile = "F6-99-01"', "error", "profile 'F6-99-01': enocean has"),
        ('profile = "F6-01-01"', 'profile = "D5-00-01"', "warning", "no rule can raise anything"),
        ('port = "/dev/stick"\n', "", "error", "needs its port"),
        ('port = "/dev/line"\ndriver = "dispenser"\n', 'port = "/dev/line"\n', "error", "needs the driver"),
        ('port = "/dev/line"\ndriver = "dispenser"', 'port = "/dev/line"\ndriver = "bthome"', "error", "serial"),
        ('link = "stick"', 'link = "line"', "error", "on link 'line' the driver is dispenser"),
        ('link = "stick"', 'link = "air"', "error", "enocean is not heard on a ble link"),
        ('link = "line"\n', 'link = "air"\n', "error", "needs its BLE address"),
        ('id = "air"', 'id = "line"', "error", "'line' is twice in this hub"),
        ('night = "22:00-06:00"', 'night = "22-06"', "error", "HH:MM"),
        ('night = "22:00-06:00"', "supervision_s = 0", "error", "seconds above 0"),
        ('resident = "r-1"\n[[devices]]\nid = "door"', '[[devices]]\nid = "door"', "warning", "whose they are"),
        ('id = "pendant"', 'id = "h-1"', "error", "a hub has this id"),
        ('device = "box"', 'device = "door"', "error", "'door' is no dispenser"),
        ('device = "box"', 'device = "fox"', "error", "there is no device 'fox'"),
        ('at = "08:00"', 'at = "8:00"', "error", "HH:MM"),
        ('at = "08:00"', 'at = "08:00"\ndays = "holiday"', "error", "knows no public holidays"),
        ('at = "08:00"', 'at = "08:00"\nwindow_min = 0', "error", "1 to 1440 minutes"),
        ('[[doses]]\ndevice = "box"\nat = "08:00"\n', "", "warning", "this dispenser has no [[doses]]"),
        ('[[plans]]\nclass = "care"\nsteps = [{ roles = ["duty"] }]', "", "error", "class 'care'"),
        ('steps = [{ roles = ["duty"] }]\n[[r', "steps = []\n[[r", "error", "it has no step"),
        ('class = "technical"', 'class = "technical"\nzone = "sor"', "error", "there is no zone 'sor'"),
        ('class = "technical"', 'class = "technical"\nmin_severity = 15', "error", "15 is no severity"),
        ('class = "technical"', 'class = "technical"\narrived_s = 0', "error", "seconds above 0"),
        ('class = "technical"', 'class = "care"', "warning", "no incident ever follows this plan"),
        ('[{ roles = ["duty"] }]\n[[r', "[{ roles = [] }]\n[[r", "error", "this step reaches nobody"),
        ('[{ roles = ["duty"] }]\n[[r', '[{ roles = ["duty"], wait_s = 0 }]\n[[r', "error", "above 0"),
        ('[{ roles = ["duty"] }]\n[[r', '[{ roles = ["sor:duty"] }]\n[[r', "error", "there is no zone 'sor'"),
        ('[{ roles = ["duty"] }]\n[[r', '[{ roles = ["leader"] }]\n[[r', "error", "no shift of the rota fills it"),
        ('role = "duty"', 'role = "leader"', "warning", "no plan names this role"),
        ('days = "daily"', 'days = "everyday"', "error", "'everyday' is no day"),
        ('role = "duty"', 'role = "last-resort"', "error", "the last resort is a key of its zone"),
        ('last_resort = "watch"', 'last_resort = "desk"', "error", "must be reached on every round"),
        ('last_resort = "watch"', 'last_resort = "duty"', "warning", "one phone is its every step"),
        ('name = "test"', 'name = "test"\ntimezone = "Oslo"', "error", "IANA"),
        ('name = "test"', 'name = "test"\ncountry = "NOR"', "error", "two letters"),
        ('id = "watch"', 'id = "watch"\nemail = "watch"', "error", "write one address for e-mail"),
        ('id = "watch"', 'id = "watch"\nemail = "a@[x.example"', "error", "write one address for e-mail"),
        ('id = "watch"', 'id = "watch"\nemail = "a@x.example, b@x.example"', "error", "write one address"),
        ("[[phones]]", "[supervision]\nhub_silent_s = 30\n[[phones]]", "error", "between two signs of life"),
        ("[[phones]]", "[supervision]\nalive_s = 0.0\n[[phones]]", "error", "above 0"),
        ("[[phones]]", "[supervision]\nalive_s = nan\n[[phones]]", "error", "above 0"),
        ("[[phones]]", "[supervision]\ndose_grace_s = -1\n[[phones]]", "error", "above 0"),
        ('class = "technical"', 'class = "technical"\nclosed_s = 99999999999', "error", "at most"),
        ("[[hubs]]", '[[hubs]]\nid = "h-2"\nzone = "nord-1"\n[[hubs]]', "warning", "no device belongs to it"),
        ("[[hubs]]", '[[residents]]\nid = "r-2"\nzone = "nord-1"\n[[hubs]]', "warning", "cannot call for help"),
    ],
)
def test_what_is_wrong_is_found(old: str, new: str, level: str, complaint: str) -> None:
    assert old in SITE
    lines = found(SITE.replace(old, new, 1))
    assert [line for line in lines if line.startswith(level) and complaint in line], lines


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ('zones = ["nord-9"]', "key \"zones\": there is no zone 'nord-9'"),
        ("zones = []", 'key "zones": it is empty, so nothing is ever told'),
        ("events = []", 'key "events": it is empty'),
        ("min_severity = 35", "35 is no severity"),
        (f"\n{FYI}", "is also the id of #1"),
    ],
)
def test_who_is_told_for_information_is_checked(more: str, complaint: str) -> None:
    assert found(SITE + FYI) == []
    (line,) = found(SITE + FYI + more)
    assert "[[fyi]]" in line
    assert "error" in line
    assert complaint in line


def test_nothing_at_all_is_said_in_a_sentence() -> None:
    lines = found('[site]\nname = "empty"\n')
    assert any("nobody would answer" in line for line in lines)


def test_two_devices_with_one_address_are_found() -> None:
    again = '[[devices]]\nid = "other"\nhub = "h-1"\nlink = "line"\ndriver = "dispenser"\nresident = "r-1"\n'
    lines = found(SITE + again)
    assert any("device 'box' has the same address" in line for line in lines)


@pytest.mark.parametrize(
    ("at", "days", "window", "overlap"),
    [
        ("09:00", "daily", 60, False),
        ("08:59", "daily", 60, True),
        ("08:00", "sun", 60, True),
        ("07:30", "mon", 30, False),
        ("07:30", "mon", 31, True),
        ("23:00", "sun", 541, True),  # over midnight, and from Sunday into Monday
        ("23:00", "sun", 540, False),
    ],
)
def test_dose_windows_must_not_run_into_each_other(at: str, days: str, window: int, overlap: bool) -> None:
    dose = f'[[doses]]\ndevice = "box"\nat = "{at}"\ndays = "{days}"\nwindow_min = {window}\n'
    assert any("runs into" in line for line in found(SITE + dose)) is overlap


def test_shifts_that_contradict_each_other_are_found_once() -> None:
    shift = '[[rota]]\nzone="nord-1"\nrole="duty"\nphone="watch"\ndays="tue"\nfrom="08:00"\nto="15:00"\n'
    (line,) = [line for line in found(SITE + shift) if "two phones at once" in line]
    assert "on Tue 2026-11-24 at 08:00: daily 00:00-24:00 (duty) and tue 08:00-15:00 (watch)" in line


def test_an_override_goes_before_a_shift_without_contradicting_it() -> None:
    spare = '[[phones]]\nid = "spare"\nnumber = "+4700000093"\n'
    override = spare + OVERRIDE.format(phone="spare", start="2026-12-24T15:00", end="2026-12-25T08:00")
    assert found(SITE + override) == []
    other = OVERRIDE.format(phone="duty", start="2026-12-24T20:00", end="2026-12-24T21:00")
    assert any("two phones at once on Thu 2026-12-24 at 20:00" in line for line in found(SITE + override + other))


def test_an_override_with_a_landline_or_a_wrong_time_is_found() -> None:
    landline = OVERRIDE.format(phone="desk", start="2026-12-24T15:00", end="2026-12-25T08:00")
    assert any("is a landline" in line for line in found(SITE + landline))
    backwards = OVERRIDE.format(phone="duty", start="2026-12-24T15:00", end="2026-12-24T08:00")
    assert any("ends before it starts" in line for line in found(SITE + backwards))


def test_errors_come_before_warnings() -> None:
    text = SITE.replace('last_resort = "watch"', 'last_resort = "desk"').replace('key = "0', 'room = "0')
    levels = [finding.level for finding in findings(load(text), SINCE)]
    assert levels == sorted(levels)
    assert set(levels) == {"error", "warning"}
