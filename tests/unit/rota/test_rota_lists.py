"""Lists of shifts from elsewhere: what they mean, and what is refused by its line."""

import datetime as dt
import time
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from hub.central.commands.rota import show, take_in
from hub.central.escalation.rota import Rota
from hub.central.rota.feed import duties, feed
from hub.central.rota.lists import from_csv, from_ics
from hub.central.site.load import load
from hub.cli import main, rota
from hub.domain.clock import UTC, Now
from hub.domain.errors import MalformedError
from tests.fakes.site import SITE

OSLO = ZoneInfo("Europe/Oslo")
TODAY = dt.date(2026, 11, 23)
PLACE = ("nord-1", "duty")

CSV = "From;To;Phone;Kind;Reason\n2026-12-24 15:00;2026-12-25 08:00;nord-2-duty;swap;shared\n"


def ics(*events: str) -> bytes:
    body = "".join(f"BEGIN:VEVENT\r\n{event}END:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{body}END:VCALENDAR\r\n".encode()


EVENT = "SUMMARY:nord-2-duty\r\nDTSTART:20261224T140000Z\r\nDTEND:20261225T070000Z\r\n"


AWAY = "SUMMARY:a\r\nDTSTART;TZID={zone}:20261224T150000\r\nDTEND;TZID={zone}:20261225T080000\r\n"
DEFINED = (
    "BEGIN:VTIMEZONE\r\nTZID:Office\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\n"
    "TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0200\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


def test_a_table_of_a_spreadsheet_is_read() -> None:
    (entry,) = from_csv("\ufeff" + CSV, "list.csv")
    assert (entry.start, entry.end, entry.phones) == ("2026-12-24T15:00", "2026-12-25T08:00", ("nord-2-duty",))
    assert (entry.kind, entry.reason, entry.where) == ("swap", "shared", "list.csv: line 2")
    (entry,) = from_csv("from,to,phone\n2026-12-24T15:00,2026-12-25T08:00,a b\n", "list.csv")
    assert (entry.kind, entry.phones, entry.reason) == ("other", ("a", "b"), "from list.csv")


def test_what_separates_is_told_by_the_heading_and_a_cell_may_be_empty() -> None:
    text = "from,to,phone,kind,reason\n2026-12-24T15:00,2026-12-25T08:00,a,,\n{}\n"
    empty, full = from_csv(text.format("2026-12-25T08:00,2026-12-25T15:00,b,sick,ill; until noon"), "list.csv")
    assert (empty.kind, empty.reason) == ("other", "from list.csv")
    assert (full.kind, full.reason) == ("sick", "ill; until noon")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("from;to\n", "line 1: there is no column 'phone'"),
        ("from;to;phone;name\n", "line 1: column 'name' is not known"),
        ("", "line 1: there is no column 'from'"),
        ("from;to;phone\n24.12.2026;25.12.2026;a\n", "line 2: local time '24.12.2026'"),
        ("from;to;phone\n2026-12-24T15:00;2026-12-25T08:00\n", "line 2: it has not as many values"),
        (
            "from;to;phone;kind\n2026-12-24T15:00;2026-12-25T08:00;a;ill\n",
            "line 2: kind 'ill': write one of swap, sick, longer, other",
        ),
        ('from;to;phone\n"2026;x;a\n', "line 1 or after: unexpected end"),
        ('"from;to;phone\n2026-12-24T15:00;2026-12-25T08:00;a\n', "line 1 or after: unexpected end"),
        ("from;to;phone\r2026-12-24T15:00;2026-12-25T08:00;a\r", "line 1 or after: new-line character"),
        ("from;to;phone;phone\n2026-12-24T15:00;2026-12-25T08:00;a;b\n", "line 1: column 'phone' is there twice"),
    ],
)
def test_a_table_that_is_not_understood_is_refused_by_its_line(text: str, complaint: str) -> None:
    with pytest.raises(MalformedError, match=r"list\.csv: line") as error:
        from_csv(text, "list.csv")
    assert complaint in str(error.value)


def test_events_are_read_in_the_sites_time() -> None:
    floating = "SUMMARY:duty: nord-2-duty\r\nDTSTART:20261226T080000\r\nDTEND:20261226T150000\r\n"
    whole = "SUMMARY:nord-1-duty\r\nDTSTART;VALUE=DATE:20261227\r\nDTEND;VALUE=DATE:20261228\r\n"
    twice = "DTSTART;TZID=Europe/Oslo:20261025T023000\r\nDTEND;TZID=Europe/Oslo:20261025T080030\r\n"
    found = from_ics(ics(EVENT, floating, whole, twice), "nord: list.ics", "duty", OSLO)
    assert [(entry.start, entry.end) for entry in found] == [
        ("2026-12-24T15:00", "2026-12-25T08:00"),
        ("2026-12-26T08:00", "2026-12-26T15:00"),
        ("2026-12-27T00:00", "2026-12-28T00:00"),
        ("2026-10-25T02:30", "2026-10-25T08:00:30"),
    ]
    assert [entry.phones for entry in found] == [("nord-2-duty",), ("nord-2-duty",), ("nord-1-duty",), ()]
    assert {entry.reason for entry in found} == {"from nord: list.ics"}
    assert [entry.where for entry in found] == [f"nord: list.ics: event {number}" for number in (1, 2, 3, 4)]


def test_times_of_another_zone_are_brought_into_the_sites() -> None:
    defined = ics(AWAY.format(zone="Office")).replace(b"BEGIN:VEVENT", DEFINED.encode() + b"BEGIN:VEVENT")
    known = ics(AWAY.format(zone="W. Europe Standard Time"), AWAY.format(zone="Europe/London"))
    found = from_ics(defined, "list.ics", "duty", OSLO) + from_ics(known, "list.ics", "duty", OSLO)
    assert [entry.start[11:] for entry in found] == ["14:00", "15:00", "16:00"]


def test_events_of_other_roles_and_cancelled_ones_are_left_out() -> None:
    other = EVENT.replace("SUMMARY:", "SUMMARY:leader: ")
    assert from_ics(ics(other, EVENT + "STATUS:CANCELLED\r\n"), "list.ics", "duty", OSLO) == []


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is no iCalendar file"),
        (b"BEGIN:VCALENDAR\r\nnonsense", "is no iCalendar file"),
        (ics(EVENT + "RRULE:FREQ=WEEKLY\r\n"), "event 1: it has RRULE"),
        (ics(EVENT.replace("DTEND:20261225T070000Z\r\n", "")), "event 1: it needs DTSTART and DTEND"),
        (ics(EVENT.replace("20261224T140000Z", "20261025T013000Z")), "event 1: 2026-10-25 02:30 comes twice"),
        (ics(EVENT + "DTSTART:20261224T150000Z\r\n"), "event 1: it has several times of one name"),
        (ics(AWAY.format(zone="GMT+0200")), "event 1: time zone 'GMT+0200' is not known; export"),
        (ics(EVENT, EVENT.replace("20261225T070000Z", "20261025T013000Z")), "event 2: 2026-10-25 02:30 comes"),
    ],
)
def test_a_calendar_that_is_not_understood_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(MalformedError) as error:
        from_ics(data, "list.ics", "duty", OSLO)
    assert complaint in str(error.value)
    assert "list.ics" in str(error.value)


# ---- The commands --------------------------------------------------------------------------------------------


def taken_in(folder: Path, name: str, data: bytes, site: str = SITE) -> tuple[int, str, list[str]]:
    path, source = folder / "site.toml", folder / name
    if not path.exists():
        path.write_text(site)
    source.write_bytes(data)
    said: list[str] = []
    code = take_in(path, source, PLACE, TODAY, said.append)
    return code, path.read_text(), said


def test_a_list_becomes_overrides_of_the_site_file_once(tmp_path: Path) -> None:
    code, after, said = taken_in(tmp_path, "list.csv", CSV.encode())
    assert code == 0
    assert after.startswith(SITE.rstrip("\n"))
    (row,) = load(after).overrides
    assert (row.order, row.start, row.end) == (("nord-2-duty",), "2026-12-24T15:00", "2026-12-25T08:00")
    assert (row.kind, row.reason) == ("swap", "shared")
    assert "1 overrides for duty of nord-1" in said[-2]
    code, again, said = taken_in(tmp_path, "list.ics", ics(EVENT))
    assert (code, again) == (0, after)  # the same shift, from another list
    assert "all 1 of list.ics are in it" in said[-1]


def test_a_phone_may_be_named_by_its_number(tmp_path: Path) -> None:
    code, after, _ = taken_in(tmp_path, "list.csv", CSV.replace("nord-2-duty", "+4700000022").encode())
    assert code == 0
    assert load(after).overrides[0].order == ("nord-2-duty",)


def test_a_list_that_names_a_person_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match=r"list\.csv: line 2: there is no phone 'somebody'"):
        taken_in(tmp_path, "list.csv", CSV.replace("nord-2-duty", "somebody").encode())
    assert (tmp_path / "site.toml").read_text() == SITE


def test_a_list_that_contradicts_the_site_is_refused_and_nothing_written(tmp_path: Path) -> None:
    other = CSV + "2026-12-24 20:00;2026-12-24 21:00;nord-1-duty;sick;t\n"
    code, after, said = taken_in(tmp_path, "list.csv", other.encode())
    assert (code, after) == (1, SITE)
    assert any("two phones at once on Thu 2026-12-24 at 20:00" in line for line in said)


def test_who_has_it_and_why_is_shown(tmp_path: Path) -> None:
    _, _, _ = taken_in(tmp_path, "list.csv", CSV.encode())
    said: list[str] = []
    assert show(tmp_path / "site.toml", "nord-1", dt.datetime(2026, 12, 24, 12), 2, said.append) == 0  # noqa: DTZ001 - local
    assert said[:3] == [
        "duty of nord-1 on Thu 2026-12-24 12:00: nord-1-duty (duty of nord-1: daily 00:00-24:00)",
        "  from Thu 2026-12-24 15:00: nord-2-duty (duty of nord-1: override (swap), shared)",
        "  from Fri 2026-12-25 08:00: nord-1-duty (duty of nord-1: daily 00:00-24:00)",
    ]
    with pytest.raises(MalformedError, match="no zone 'sor'"):
        show(tmp_path / "site.toml", "sor", dt.datetime(2026, 12, 24, 12), 0, said.append)  # noqa: DTZ001 - local


def test_who_has_it_now_is_told_by_the_sites_clock_and_not_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    monkeypatch.setattr(rota, "now", lambda: Now(dt.datetime(2026, 12, 24, 14, 30, tzinfo=UTC), 0.0))
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        assert main(["rota", "show", str(tmp_path / "site.toml"), "--zone", "nord-1"]) == 0
    finally:
        monkeypatch.undo()
        time.tzset()
    assert capsys.readouterr().out.startswith("duty of nord-1 on Thu 2026-12-24 15:30: nord-1-duty (")


# ---- The feed ------------------------------------------------------------------------------------------------


def test_the_feed_is_the_rota_and_can_be_taken_in_again() -> None:
    override = (
        '[[overrides]]\nzone = "nord-1"\nrole = "duty"\nphones = ["nord-2-duty", "leader"]\n'
        'from = "2026-12-24T15:00"\nto = "2026-12-25T08:00"\nkind = "sick"\nreason = "Kari is ill"\n'
    )
    rota = Rota(load(SITE + override))
    since = dt.datetime(2026, 12, 1, tzinfo=UTC)
    data = feed(rota, "nord-1", since, since + dt.timedelta(days=60))
    assert b"Kari" not in data
    assert b"+47" not in data
    events = [
        event for event in Calendar.from_ical(data).walk("VEVENT") if str(event["SUMMARY"]).startswith("duty")
    ]
    spans = [(event.decoded("DTSTART"), event.decoded("DTEND"), str(event["SUMMARY"])) for event in events]
    assert [summary for _, _, summary in spans] == [
        "duty: nord-1-duty",
        "duty: nord-2-duty leader",
        "duty: nord-1-duty",
    ]
    assert (spans[0][0], spans[-1][1]) == (since, since + dt.timedelta(days=60))
    for here, after in pairwise(spans):
        assert here[1] == after[0]
    assert len({str(event["UID"]) for event in events}) == len(events)
    entries = from_ics(data, "feed.ics", "duty", OSLO)
    assert (entries[1].start, entries[1].phones) == ("2026-12-24T15:00", ("nord-2-duty", "leader"))


def test_the_feed_says_what_it_is_and_when_to_ask_again() -> None:
    since = dt.datetime(2026, 12, 1, tzinfo=UTC)
    lines = feed(Rota(load(SITE)), "nord-1", since, since + dt.timedelta(days=1)).decode().split("\r\n")
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    assert {"PRODID:-//Welfare hub//Rota//EN", "X-WR-CALNAME:nord-1"} <= set(lines)
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT1H" in lines
    assert "DTSTAMP:20261201T000000Z" in lines
    assert "UID:nord-1-duty-20261201T000000Z@rota" in lines


def test_rules_that_name_the_same_phone_are_one_event() -> None:
    place = '[[rota]]\nzone = "nord-1"\nrole = "shift"\ndays = "daily"'
    rules = (
        f'{place}\nphone = "{phone}"\nfrom = "{start}"\nto = "{end}"\n'
        for phone, start, end in (
            ("nord-1-duty", "00:00", "08:00"),
            ("nord-1-duty", "08:00", "16:00"),
            ("leader", "16:00", "24:00"),
        )
    )
    rota = Rota(load(SITE + "".join(rules)))
    since = dt.datetime(2026, 12, 1, 23, tzinfo=UTC)  # midnight
    found = list(duties(rota, ("nord-1", "shift"), since, since + dt.timedelta(days=2)))
    assert [(start - since, end - since, phones) for start, end, phones in found] == [
        (number * dt.timedelta(hours=8), (number + length) * dt.timedelta(hours=8), (phone,))
        for number, length, phone in (
            (0, 2, "nord-1-duty"),
            (2, 1, "leader"),
            (3, 2, "nord-1-duty"),
            (5, 1, "leader"),
        )
    ]


def test_a_gap_stands_in_the_feed_as_such() -> None:
    rota = Rota(load(SITE.replace('days = "daily"', 'days = "mon-sun"')))
    since = dt.datetime(2026, 12, 24, 23, tzinfo=UTC)
    data = feed(rota, "nord-1", since, since + dt.timedelta(days=1))
    assert b"SUMMARY:duty: nobody" in data
