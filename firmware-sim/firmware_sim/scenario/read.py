"""Reads a scenario file."""

import datetime as dt
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firmware_sim.devices import kinds
from firmware_sim.scenario.faulty import PLACES, check_fault
from firmware_sim.scenario.layout import PHONES
from firmware_sim.scenario.model import (
    DevicePlan,
    DosePlan,
    Event,
    Expectation,
    Fault,
    HomePlan,
    Nurse,
    ResidentPlan,
    Scenario,
)
from firmware_sim.scenario.routines import ROUTINES
from firmware_sim.scenario.table import Calendar, ScenarioError, Table

_SCENARIO = "title text from until seed timezone site supervision wait_s"
_TOP = "scenario nurse home event fault expect"
_HOME = "id hub count device resident dose"
_DEVICE = "id kind resident room night supervision_s settings driver profile link address key port simulator"
#: What the site must know of a device beside what every device has.
_SITE_KEYS = ("night", "supervision_s", "settings", "driver", "profile", "link", "address", "key", "port")
_EXPECT = "kind home device resident from until class told exactly at_least"
_CLASSES = ("care", "technical")
#: The console in the place of a device: what people do there.
CONSOLE = "console"


class _Reading(NamedTuple):
    """What the parts of the file need to know of each other."""

    calendar: Calendar
    from_s: float
    until_s: float
    homes: Mapping[str, tuple[str, ...]]  # as it is written in the file: hubs it stands for
    devices: frozenset[tuple[str, str]]


def read_scenario(path: Path, seed: int | None = None) -> Scenario:
    """Read a scenario.

    Args:
        path: The file.
        seed: Another seed than the file's.

    Raises:
        ScenarioError: The file is missing or no TOML, or something in it does not fit; the text names the place.
    """
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise ScenarioError(f"{path.name}: {error.strerror}") from error
    except ValueError as error:
        raise ScenarioError(f"{path.name}: {error}") from error
    try:
        return _scenario(Table(content, "the file", _TOP), path, seed)
    except ScenarioError as error:
        raise ScenarioError(f"{path.name}: {error}") from error


def _scenario(top: Table, path: Path, seed: int | None) -> Scenario:
    head = Table(top.content.get("scenario"), "[scenario]", _SCENARIO)
    zone = _zone(head)
    start = head.content.get("from")
    if not isinstance(start, dt.datetime) or start.tzinfo is not None:
        raise head.wrong("from", f"must be a local date and time such as 2027-01-12T22:00:00, not {start!r}")
    calendar = Calendar(start, zone)
    from_s, until_s = calendar.at_s(head, "from"), calendar.at_s(head, "until")
    if until_s <= from_s:
        raise head.wrong("until", "must be after 'from'")
    tables = top.tables("home", "home", _HOME)
    if not tables:
        raise ScenarioError("no [[home]] in it")
    homes = [home for table in tables for home in _homes(table)]
    known = _Reading(
        calendar,
        from_s,
        until_s,
        {
            **{home.id: (home.id,) for home in homes},
            **{table.text("id"): tuple(home.id for home in _homes(table)) for table in tables},
        },
        frozenset((home.id, device.id) for home in homes for device in home.devices),
    )
    _no_twins(homes)
    nurses = (_nurse(table) for table in top.tables("nurse", "nurse", "phone answers_s answer visit_s"))
    expect = enumerate(top.tables("expect", "expect", _EXPECT), 1)
    return Scenario(
        title=head.text("title"),
        text=head.text("text", ""),
        from_s=from_s,
        until_s=until_s,
        seed=head.whole("seed", 0) if seed is None else seed,
        zone=zone,
        site=path.parent / head.text("site") if "site" in head.content else None,
        supervision=head.values("supervision"),
        wait_s=head.whole("wait_s", 180),
        homes=tuple(homes),
        nurses={nurse.phone: nurse for nurse in nurses},
        events=tuple(
            event
            for table in top.tables("event", "event", "at every_s times home device do with")
            for event in _events(table, known)
        ),
        faults=tuple(
            _fault(table, known) for table in top.tables("fault", "fault", "from until where home device what")
        ),
        expectations=tuple(_expectation(number, table, known) for number, table in expect),
        phones=PHONES,
    )


def _zone(head: Table) -> ZoneInfo:
    try:
        return ZoneInfo(head.text("timezone", "Europe/Oslo"))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise head.wrong("timezone", str(error)) from error


def _homes(table: Table) -> Iterator[HomePlan]:
    """Yield the home of a table, or as many like it as it counts."""
    name = table.text("id")
    wire = table.one_of("hub", ("edge", "wire"), "edge") == "wire"
    count = table.whole("count", 1)
    if count > 1 and not wire:
        raise table.wrong("count", 'only homes with hub = "wire" can be many')
    for number in range(1, count + 1):
        mark = f"-{number}" if count > 1 else ""
        devices = tuple(_device(item, mark) for item in table.tables("device", "home.device", _DEVICE))
        yield HomePlan(
            id=name + mark,
            wire=wire,
            devices=devices,
            residents=tuple(
                _resident(item, mark) for item in table.tables("resident", "home.resident", "id routine")
            ),
            doses=tuple(
                _dose(item, mark, devices) for item in table.tables("dose", "home.dose", "device at window_min")
            ),
        )


def _device(table: Table, mark: str) -> DevicePlan:
    kind = table.one_of("kind", kinds())
    resident = table.text("resident") + mark if "resident" in table.content else None
    site = {key: table.content[key] for key in _SITE_KEYS if key in table.content}
    return DevicePlan(
        table.text("id") + mark, kind, resident, table.text("room", ""), site, table.values("simulator")
    )


def _resident(table: Table, mark: str) -> ResidentPlan:
    routines = table.texts("routine")
    for name in routines:
        if name not in ROUTINES:
            raise table.wrong("routine", f"{name!r} is none of: {', '.join(ROUTINES)}")
    return ResidentPlan(table.text("id") + mark, routines)


def _dose(table: Table, mark: str, devices: tuple[DevicePlan, ...]) -> DosePlan:
    device = table.text("device") + mark
    if device not in {known.id for known in devices}:
        raise table.wrong("device", f"no device {device!r} in this home")
    return DosePlan(device, table.minute("at"), table.whole("window_min", 60))


def _no_twins(homes: list[HomePlan]) -> None:
    for what, ids in (
        ("home", [home.id for home in homes]),
        ("device", [device.id for home in homes for device in home.devices]),
        ("resident", [resident.id for home in homes for resident in home.residents]),
    ):
        twin = next((name for name in ids if ids.count(name) > 1), None)
        if twin is not None:
            raise ScenarioError(f"a second {what} has the id {twin!r}")


def _nurse(table: Table) -> Nurse:
    phone = table.one_of("phone", PHONES)
    answers = None if table.content.get("answers_s") == "never" else table.number("answers_s", 60)
    return Nurse(phone, answers, table.text("answer", "{ok}"), table.number("visit_s", 0))


def _events(table: Table, known: _Reading) -> Iterator[Event]:
    at_s = known.calendar.at_s(table, "at")
    if not known.from_s <= at_s < known.until_s:
        raise table.wrong("at", "is not within the scenario")
    device, do = table.text("device", CONSOLE), table.text("do")
    every_s, times = table.number("every_s", 60), table.whole("times", 1)
    homes = _where(table, known) if device != CONSOLE else ("",)
    for home in homes:
        name = _device_of(table, known, home, device) if device != CONSOLE else CONSOLE
        for turn in range(times):
            yield Event(at_s + turn * every_s, home, name, do, table.values("with"))


def _device_of(table: Table, known: _Reading, home: str, device: str) -> str:
    """Return a device's id in a home, which may be one of many alike."""
    for name in (device, device + home[home.rfind("-") :]):
        if (home, name) in known.devices:
            return name
    raise table.wrong("device", f"no device {device!r} in home {home!r}")


def _where(table: Table, known: _Reading) -> tuple[str, ...]:
    if "home" not in table.content and len(known.homes) == 1:
        return next(iter(known.homes.values()))
    name = table.text("home")
    if name not in known.homes:
        raise table.wrong("home", f"no home {name!r}")
    return known.homes[name]


def _fault(table: Table, known: _Reading) -> Fault:
    place = table.one_of("where", PLACES)
    from_s, until_s = known.calendar.at_s(table, "from"), known.calendar.at_s(table, "until", known.until_s)
    if not known.from_s <= from_s < until_s:
        raise table.wrong("until", "must be after 'from', and 'from' within the scenario")
    homes = _all_of(table, known) if PLACES[place].at_home else ()
    device = table.text("device", "")
    if place == "device":
        device = _device_of(table, known, homes[0], device)
    what = table.values("what")
    try:
        check_fault(place, what)
    except ScenarioError as error:
        raise table.wrong("what", str(error)) from error
    return Fault(from_s, until_s, place, homes, device, what)


def _all_of(table: Table, known: _Reading) -> tuple[str, ...]:
    """Return the hubs of one home, of a list of them, or of all when none is named."""
    names = table.texts("home")
    if not names:
        return tuple(dict.fromkeys(hub for hubs in known.homes.values() for hub in hubs))
    for name in names:
        if name not in known.homes:
            raise table.wrong("home", f"no home {name!r}")
    return tuple(hub for name in names for hub in known.homes[name])


def _expectation(number: int, table: Table, known: _Reading) -> Expectation:
    homes = _all_of(table, known) if "home" in table.content else ()
    about = {f"{key}_id": table.text(key) for key in ("device", "resident") if key in table.content}
    exactly = table.whole("exactly", 1)
    least = table.whole("at_least") if "at_least" in table.content else exactly
    from_s = known.calendar.at_s(table, "from", known.from_s)
    until_s = known.calendar.at_s(table, "until", known.until_s)
    if until_s <= from_s:
        raise table.wrong("until", "must be after 'from'")
    told = table.one_of("told", PHONES) if "told" in table.content else ""
    return Expectation(
        number=number,
        kind=table.text("kind"),
        about=about,
        homes=homes,
        from_s=from_s,
        until_s=until_s,
        incident_class=table.one_of("class", _CLASSES) if "class" in table.content else "",
        told=told,
        least=least,
        most=None if "at_least" in table.content else exactly,
    )
