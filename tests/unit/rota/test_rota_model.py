"""The rota against a slow model of its own: layers put on and taken off, asked about the worst nights there are.

The model lays nothing out and knows no instants of local times: it reads the wall clock minute by minute.
"""

import datetime as dt
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import holidays
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.central.escalation.rota import Rota
from hub.central.site.model import Site
from hub.domain.clock import UTC

OSLO = ZoneInfo("Europe/Oslo")
ZONE, ROLE = "nord-1", "duty"
PHONES = ("a", "b", "c")
MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Autumn and spring of summer time, 29 February, the year's end, Christmas with its half day.
NIGHTS = (
    dt.date(2026, 10, 24),
    dt.date(2027, 3, 27),
    dt.date(2028, 2, 28),
    dt.date(2026, 12, 30),
    dt.date(2026, 12, 23),
)
DATES = st.sampled_from(NIGHTS).flatmap(lambda first: st.integers(0, 3).map(lambda days: first + days * DAY))
TIMES = st.sampled_from(["00:00", "01:30", "02:00", "02:10", "02:30", "02:50", "03:00", "07:30", "12:00", "15:00"])
ORDERS = st.permutations(PHONES).flatmap(lambda all_: st.integers(1, 3).map(lambda count: list(all_[:count])))
DAYS = st.sampled_from(["daily", "mon-fri", "sat,sun,holiday", "holiday", "fri-mon", "sun", "mon-fri,holiday"])
RULES = st.fixed_dictionaries(
    {"phones": ORDERS, "days": DAYS, "from": TIMES, "to": st.one_of(TIMES, st.just("24:00"))}
)
LOCALS = st.builds(lambda date, time: f"{date}T{time}", DATES, TIMES)


def override(first: str, last: str, phones: list[str]) -> dict[str, Any]:
    start, end = sorted((first, last))
    # A minute longer, for two times that the clock skips are one instant.
    end = (dt.datetime.fromisoformat(end) + dt.timedelta(hours=2)).isoformat(timespec="minutes")
    return {"zone": ZONE, "role": ROLE, "phones": phones, "from": start, "to": end, "kind": "sick", "reason": "t"}


def schedule(first: dt.date, days: int, rules: list[dict[str, Any]]) -> dict[str, Any]:
    last = first + days * DAY
    return {"zone": ZONE, "role": ROLE, "from": str(first), "until": str(last), "name": "t", "rules": rules}


OVERRIDES = st.builds(override, LOCALS, LOCALS, ORDERS)
SCHEDULES = st.builds(schedule, DATES, st.integers(0, 2), st.lists(RULES, min_size=1, max_size=3))
HOLIDAYS = st.builds(lambda date, time: {"date": str(date), "name": "t", "from": time}, DATES, TIMES)


class Layers(NamedTuple):
    """The rows of a site, as they stand in its file."""

    rota: list[dict[str, Any]]
    holidays: list[dict[str, Any]]
    schedules: list[dict[str, Any]]
    overrides: list[dict[str, Any]]


def rota(layers: Layers) -> Rota:
    phones = [{"id": phone, "number": f"+47000000{20 + at}"} for at, phone in enumerate(PHONES)]
    rules = [{**row, "zone": ZONE, "role": ROLE} for row in layers.rota]
    document = {"site": {"name": "test"}, "phones": phones, **layers._asdict(), "rota": rules}
    return Rota(msgspec.convert(document, Site))


# ---- The model -----------------------------------------------------------------------------------------------


@cache
def shown(wall: dt.datetime) -> dt.datetime:
    """The first instant at which the clock on the wall shows a time, or one after it."""
    at = (wall - dt.timedelta(hours=3)).replace(tzinfo=UTC)
    while at.astimezone(OSLO).replace(tzinfo=None) < wall:
        at += MINUTE
    return at


def minutes(text: str) -> int:
    hours, rest = text.split(":")
    return int(hours) * 60 + int(rest)


def off_from(layers: Layers, date: dt.date) -> int:
    """From which minute of a date the rules of holidays hold; past its end on an ordinary day."""
    if date in holidays.country_holidays("NO", years=date.year):
        return 0
    return min((minutes(row["from"]) for row in layers.holidays if row["date"] == str(date)), default=10_000)


def held_minutes(row: dict[str, Any], date: dt.date, off: int) -> list[int]:
    start, end = minutes(row["from"]), minutes(row["to"])
    names = row["days"].split(",")
    weekday = WEEK[date.weekday()] in {
        WEEK[(WEEK.index(name.split("-")[0]) + step) % 7]
        for name in names
        if name not in {"daily", "holiday"}
        for step in range((WEEK.index(name.split("-")[-1]) - WEEK.index(name.split("-")[0])) % 7 + 1)
    }
    if names == ["daily"]:
        weekday = holiday = True
    else:
        holiday = "holiday" in names
    if weekday and holiday:
        off = min(off, 0)
    whole = range(start, end if end > start else end + 1440)
    return [minute for minute in whole if (holiday if minute >= off else weekday)]


def model(layers: Layers, at: dt.datetime) -> list[str]:
    """Who is on call, the highest layer and in it the latest start first; on a tie today's first row."""
    candidates: list[tuple[int, dt.datetime, list[str]]] = []
    for row in layers.overrides:
        start, end = (shown(dt.datetime.fromisoformat(row[key])) for key in ("from", "to"))
        if start <= at < end:
            candidates.append((2, start, row["phones"]))
    today = at.astimezone(OSLO).date()
    for date in (today, today - DAY):
        over = [row for row in layers.schedules if row["from"] <= str(date) <= row["until"]]
        newest = max(over, key=lambda row: row["from"], default=None)
        midnight = dt.datetime.combine(date, dt.time())
        for row in newest["rules"] if newest else layers.rota:
            held = held_minutes(row, date, off_from(layers, date))
            if held and shown(midnight + held[0] * MINUTE) <= at < shown(midnight + (held[-1] + 1) * MINUTE):
                candidates.append((1 if newest else 0, shown(midnight + held[0] * MINUTE), row["phones"]))
    best = max(candidates, key=lambda candidate: candidate[:2], default=(0, at, []))
    return best[2]


def answered(of: Rota, at: dt.datetime) -> list[str]:
    order = of.who_all(ZONE, ROLE, at)
    assert len(order) >= 1
    assert all(one.reason for one in order)
    assert of.who(ZONE, ROLE, at) == order[0]
    return [one.phone.id for one in order if one.phone]


def instants(first: dt.date) -> st.SearchStrategy[dt.datetime]:
    begin = dt.datetime.combine(first, dt.time(), UTC)
    return st.integers(0, 4 * 1440).map(lambda minute: begin + minute * MINUTE)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(RULES, max_size=4),
    st.lists(HOLIDAYS, max_size=2),
    st.lists(SCHEDULES, max_size=2),
    st.lists(OVERRIDES, max_size=3),
    st.sampled_from(NIGHTS).flatmap(lambda first: st.lists(instants(first), min_size=1, max_size=8)),
)
def test_every_layer_answers_as_the_slow_model_does(
    rules: list[dict[str, Any]],
    off: list[dict[str, Any]],
    schedules: list[dict[str, Any]],
    overrides: list[dict[str, Any]],
    moments: list[dt.datetime],
) -> None:
    layers = Layers(rules, off, schedules, overrides)
    of = rota(layers)
    for at in moments:
        assert answered(of, at) == model(layers, at), at


class LayersComeAndGo(RuleBasedStateMachine):
    """A rota whose layers somebody puts on and takes off, night after night."""

    def __init__(self) -> None:
        super().__init__()
        day = {"phones": ["a"], "days": "daily", "from": "07:30", "to": "02:30"}
        night = {"phones": ["b", "c"], "days": "daily", "from": "02:30", "to": "07:30"}
        self.layers = Layers([day, night], [], [], [])
        self.first = NIGHTS[0]

    @rule(first=st.sampled_from(NIGHTS))
    def look_at(self, first: dt.date) -> None:
        self.first = first

    @rule(row=OVERRIDES)
    def override(self, row: dict[str, Any]) -> None:
        self.layers.overrides.append(row)

    @rule(row=SCHEDULES)
    def schedule(self, row: dict[str, Any]) -> None:
        self.layers.schedules[:] = [row]

    @rule(row=HOLIDAYS)
    def day_off(self, row: dict[str, Any]) -> None:
        self.layers.holidays[:] = [row]

    @rule(which=st.integers(0, 5))
    def take_off(self, which: int) -> None:
        layer = (self.layers.overrides, self.layers.schedules, self.layers.holidays)[which % 3]
        if layer:
            layer.pop(which % len(layer))

    @invariant()
    def no_instant_has_two_answers_or_another_than_the_model(self) -> None:
        of = rota(self.layers)
        since = dt.datetime.combine(self.first, dt.time(), UTC)
        spans = list(of.spans(ZONE, ROLE, since, since + 3 * DAY))
        assert (spans[0].start, spans[-1].end) == (since, since + 3 * DAY)
        for here, after in pairwise(spans):
            assert here.end == after.start
        for span in spans:
            assert span.start < span.end
            for at in (span.start, span.start + (span.end - span.start) // 2, span.end - MINUTE):
                assert answered(of, at) == model(self.layers, at), at

    @invariant()
    def without_schedule_or_day_off_no_instant_is_bare(self) -> None:
        if not self.layers.schedules:
            since = dt.datetime.combine(self.first, dt.time(), UTC)
            assert rota(self.layers).gaps(ZONE, ROLE, since, since + 3 * DAY) == []


LayersComeAndGo.TestCase.settings = settings(max_examples=8, stateful_step_count=6, deadline=None)
TestLayersComeAndGo = LayersComeAndGo.TestCase
