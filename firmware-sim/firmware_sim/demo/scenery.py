"""What the story is played with: the home, the site, and who should be told."""

import datetime as dt
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays

OSLO = ZoneInfo("Europe/Oslo")
PHONES = {
    "+4700000012": "nord-1 duty",
    "+4700000013": "nord-1 desk, by day",
    "+4700000022": "nord-2 duty",
    "+4700000091": "technician",
    "+4700000090": "zone leader",
}
_HERE = Path(__file__).parent
# Until the chain has started and the first lines of the story are told.
_START_S = 25
_DESK_HOURS = range(8, 15)
_MONDAY_TO_FRIDAY = range(5)


class Scenery(NamedTuple):
    """The files of one performance."""

    home: str
    site: str
    dose_at: dt.datetime  # when the dose windows begin; they end a minute later


class Expected(NamedTuple):
    """An incident that the story must raise, exactly once, and the phone that must be told first."""

    kind: str
    device: str
    phone: str


def scenery(now: dt.datetime) -> Scenery:
    """Lay out the story so that, whatever the hour, it is night and the next dose is soon."""
    local = now.astimezone(OSLO)
    dose_at = (local + dt.timedelta(seconds=_START_S + 59)).replace(second=0, microsecond=0)
    night = f"{local - dt.timedelta(hours=1):%H}:00-{local + dt.timedelta(hours=2):%H}:00"
    site = (_HERE / "site.toml").read_text()
    site = site.replace("{night}", night).replace("{dose}", f"{dose_at:%H:%M}")
    return Scenery((_HERE / "home.toml").read_text(), site, dose_at)


def duty_phone(at: dt.datetime) -> str:
    """Return which phone of zone nord-1 is on duty, reckoned apart from the hub's own rota."""
    local = at.astimezone(OSLO)
    workday = local.weekday() in _MONDAY_TO_FRIDAY and local.date() not in holidays.country_holidays("NO")
    return "nord-1-desk" if workday and local.hour in _DESK_HOURS else "nord-1-duty"


def expected(at: dt.datetime) -> tuple[Expected, ...]:
    """Return every incident of the story, for the hour at which it is told."""
    duty = duty_phone(at)
    return (
        Expected("alarm.pressed", "pendant", duty),
        Expected("alarm.pressed", "pullcord", duty),
        Expected("door.opened", "door", duty),
        Expected("alarm.pressed", "button", duty),
        Expected("door.opened", "bledoor", duty),
        Expected("dose.not_dispensed", "disp-serial", duty),
        Expected("hub.lost", "", "technician"),
    )
