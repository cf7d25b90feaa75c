import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.codes import CENTRE_KINDS, CODES, Kind, Lane
from hub.domain.errors import MalformedError
from rules import Decision, Facts, load, standard

DAY = dt.datetime(2026, 11, 24, 12, 0, tzinfo=ZoneInfo("Europe/Oslo"))
ALARMS = sorted(kind for kind in Kind if CODES[kind].lane is Lane.ALARM)
NOTES = {Kind.ALARM_CANCELLED, Kind.FALL_CLEARED}


def decide(kind: Kind, **facts: Any) -> Decision:
    return standard().decide(Facts(kind=kind, **{"local": DAY, **facts}))


@pytest.mark.parametrize("kind", ALARMS)
def test_no_alarm_falls_through(kind: Kind) -> None:
    decision = decide(kind, assigned=False)
    assert decision.action == ("note" if kind in NOTES else "raise")
    assert decision.family
    assert decision.reason.endswith(".")
    assert "No rule names" not in decision.reason


@pytest.mark.parametrize("kind", sorted(CENTRE_KINDS))
def test_all_that_the_centre_says_itself_is_raised(kind: Kind) -> None:
    assert decide(kind).action == "raise"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.ALARM_PRESSED, ("raise", "care", 40, "help")),
        (Kind.FALL_DETECTED, ("raise", "care", 40, "help")),
        (Kind.ALARM_CANCELLED, ("note", "care", 40, "help")),
        (Kind.SMOKE_DETECTED, ("raise", "care", 40, "fire")),
        (Kind.WATER_DETECTED, ("raise", "care", 30, "water")),
        (Kind.DOSE_NOT_DISPENSED, ("raise", "care", 30, "dose")),
        (Kind.DOSE_NOT_CONFIRMED, ("raise", "care", 20, "dose")),
        (Kind.DISPENSER_JAMMED, ("raise", "care", 20, "dispenser")),
        (Kind.DEVICE_TAMPER, ("raise", "care", 30, "tamper")),
        (Kind.BATTERY_LOW, ("raise", "technical", 20, "battery")),
        (Kind.HUB_JOURNAL_DAMAGED, ("raise", "technical", 30, "journal")),
        (Kind.DISPENSER_LOW_STOCK, ("raise", "care", 10, "stock")),
        (Kind.DISPENSER_OPENED, ("note", "care", 20, "dispenser")),
    ],
)
def test_the_standard_rules(kind: Kind, expected: tuple[str, str, int, str]) -> None:
    decision = decide(kind)
    assert (decision.action, decision.incident_class, decision.severity, decision.family) == expected


def test_what_no_rule_names_is_held_with_a_reason() -> None:
    for kind in set(Kind) - standard().kinds:
        assert CODES[kind].lane is Lane.READING
        assert decide(kind) == Decision("hold", "care", 0, "", f"No rule names {kind}.")


@pytest.mark.parametrize(
    ("clock", "night", "action"),
    [
        ("22:00", "22:00-06:00", "raise"),
        ("21:59:59", "22:00-06:00", "hold"),
        ("00:00", "22:00-06:00", "raise"),
        ("05:59:59", "22:00-06:00", "raise"),
        ("06:00", "22:00-06:00", "hold"),
        ("01:00", "00:00-06:00", "raise"),
        ("13:30", "13:00-14:00", "raise"),
        ("14:00", "13:00-14:00", "hold"),
        ("23:59", "20:00-24:00", "raise"),
        ("00:00", "20:00-24:00", "hold"),
        ("12:00", None, "hold"),
    ],
)
@pytest.mark.parametrize(("kind", "severity"), [(Kind.DOOR_OPENED, 30), (Kind.BED_LEFT, 20)])
def test_doors_and_beds_are_incidents_at_night(
    kind: Kind, severity: int, clock: str, night: str | None, action: str
) -> None:
    local = dt.datetime.combine(DAY.date(), dt.time.fromisoformat(clock), DAY.tzinfo)
    decision = decide(kind, local=local, night=night)
    assert (decision.action, decision.severity) == (action, severity)
    if night:
        assert night in decision.reason
    if action == "hold":
        assert decision.reason.startswith("Held back: ")


@pytest.mark.parametrize("flag", ["time_unknown", "bad_time"])
def test_a_door_whose_time_is_not_known_is_raised(flag: str) -> None:
    decision = decide(Kind.DOOR_OPENED, night="22:00-06:00", flags=(flag,))
    assert decision.action == "raise"
    assert "not known" in decision.reason


def test_night_hours_that_cannot_be_read_are_taken_as_night() -> None:
    assert decide(Kind.DOOR_OPENED, night="whenever").action == "raise"


def test_a_test_is_decided_like_the_real_thing() -> None:
    assert decide(Kind.ALARM_PRESSED, test=True) == decide(Kind.ALARM_PRESSED)


@given(
    st.sampled_from(Kind),
    st.datetimes(),
    st.none() | st.text(max_size=12),
    st.lists(st.text(max_size=8)).map(tuple),
    st.booleans(),
)
def test_deciding_never_raises_and_always_has_a_reason(
    kind: Kind, local: dt.datetime, night: str | None, flags: tuple[str, ...], assigned: bool
) -> None:
    decision = standard().decide(Facts(kind=kind, local=local, night=night, flags=flags, assigned=assigned))
    assert decision.reason
    if CODES[kind].lane is Lane.ALARM:
        assert decision.action != "hold"


RULE = '[[rules]]\nkinds = ["door.closed"]\nclass = "care"\nseverity = 10\nfamily = "door"\nreason = "Because."\n'


def test_a_set_that_forgets_an_alarm_raises_it_all_the_same() -> None:
    decision = load(RULE).decide(Facts(kind=Kind.ALARM_PRESSED, local=DAY))
    assert (decision.action, decision.severity) == ("raise", 40)
    assert Kind.ALARM_PRESSED in load(RULE).kinds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[rules]", "own.toml: "),
        ("", "own.toml: write"),
        ("[rules]\na = 1", "own.toml: write"),
        (RULE + "[other]\n", "there is other beside"),
        (RULE.replace("door.closed", "door.shut"), "rule 1: Invalid enum value 'door.shut'"),
        (RULE.replace('["door.closed"]', "[]"), "rule 1, key 'kinds': name at least one"),
        (RULE + RULE, "rule 2, key 'kinds': door.closed is already decided by rule 1"),
        (RULE.replace("10", "15"), "rule 1, key 'severity': 15 is none of 0, 10, 20, 30, 40"),
        (RULE.replace("10", '"high"'), "severity"),
        (RULE.replace("Because.", " "), "rule 1, key 'reason': is empty"),
        (RULE + 'when = ["night", "moonlight"]\n', "rule 1, key 'when': unknown condition 'moonlight'"),
        (RULE + "colour = 1\n", "rule 1: Object contains unknown field `colour`"),
        (RULE + 'action = "close"\n', "rule 1: Invalid enum value 'close'"),
    ],
)
def test_an_error_names_file_rule_and_key(text: str, complaint: str) -> None:
    with pytest.raises(MalformedError) as caught:
        load(text, "own.toml")
    assert str(caught.value).startswith("own.toml")
    assert complaint in str(caught.value)
