"""Texts to observations, each once, and what a modem's troubles become."""

import datetime as dt

import msgspec
import pytest

from drivers.base import Answer, Device, Setup
from drivers.gsm import open_driver
from drivers.gsm.driver import GsmDriver
from drivers.gsm.events import Ended, Polled, Trouble, Turn
from drivers.gsm.patterns import PATTERNS, meanings
from drivers.gsm.state import KEPT_TEXTS, State
from firmware_sim.devices.gsm import pdu as network
from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.errors import MalformedError

START = dt.datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
NUMBER = "+4700000012"
MODEM = Device(id="modem", profile="modem")
DISPENSER = Device(id="d-1", address=NUMBER, profile="careousel")


def now(seconds: float = 0.0, quality: TimeQuality = TimeQuality.SYNCED) -> Now:
    return Now(START + dt.timedelta(seconds=seconds), 500.0 + seconds, quality)


def driver(*devices: Device, state: bytes = b"") -> GsmDriver:
    made = open_driver("serial", Setup(devices=devices or (MODEM, DISPENSER), state=state))
    made.opened(now())
    return made


def incoming(text: str, sender: str = NUMBER, at: dt.datetime = START) -> bytes:
    lines = [f"+CMT: ,{len(o) - 1 - o[0]}\r\n{o.hex()}\r\n" for o in network.deliver(sender, text, at, 1)]
    return "".join(lines).encode()


def told(answer: Answer) -> list[tuple[str, object, tuple[str, ...]]]:
    return [(o.kind.value, o.value, o.flags) for o in (heard.observation for heard in answer.observations)]


def test_a_text_is_told_once_also_after_a_restart() -> None:
    answer = driver().received(incoming("jam"), now())
    assert told(answer) == [("dispenser.jammed", None, ())]
    assert answer.state is not None
    assert told(driver(state=answer.state).received(incoming("jam"), now())) == []


def test_no_words_and_no_number_leave_the_home() -> None:
    answer = driver().received(incoming("Hei fra Kari"), now())
    assert told(answer) == [("device.fault", {"problem": "unknown_text", "text": 1}, ())]
    shown = msgspec.json.encode(answer.observations).decode() + "".join(answer.bad)
    assert "Kari" not in shown
    assert "4700000012" not in shown
    assert "7400000021" not in shown
    assert "Kari" in (answer.state or b"").decode()


def test_only_the_last_texts_are_kept() -> None:
    state = State()
    numbers = [state.keep(NUMBER, START, "x") for _ in range(KEPT_TEXTS + 5)]
    assert numbers[-1] == KEPT_TEXTS + 5
    assert [kept.number for kept in state.texts] == numbers[5:]


@pytest.mark.parametrize(
    ("sender", "flags"),
    [
        ("4700000012", ("national_number",)),
        ("004700000012", ("national_number",)),
        ("00000012", ("national_number",)),
        (NUMBER, ()),
    ],
)
def test_a_number_without_its_country_is_known(sender: str, flags: tuple[str, ...]) -> None:
    assert told(driver().received(incoming("jam", sender), now())) == [("dispenser.jammed", None, flags)]


def test_a_number_that_fits_two_is_nobodys() -> None:
    other = Device(id="d-2", address="+46" + NUMBER[3:], profile="plain")
    answer = driver(DISPENSER, other).received(incoming("jam", "00000012"), now())
    assert told(answer) == []
    assert len(answer.bad) == 1


def test_strangers_are_listed() -> None:
    answer = driver().received(incoming("jam", "+4700000077"), now())
    assert (told(answer), answer.strangers) == ([], ("+4700000077",))


@pytest.mark.parametrize(
    ("ahead", "quality", "flags"),
    [
        (0, TimeQuality.SYNCED, ()),
        (-86400, TimeQuality.SYNCED, ()),
        (3600, TimeQuality.SYNCED, ("bad_time",)),
        (3600, TimeQuality.UNKNOWN, ()),
        (-400 * 86400, TimeQuality.SYNCED, ("bad_time",)),
    ],
)
def test_the_stamp_is_believed_as_far_as_it_can_be(
    ahead: int, quality: TimeQuality, flags: tuple[str, ...]
) -> None:
    at = START + dt.timedelta(seconds=ahead)
    answer = driver().received(incoming("jam", at=at), now(quality=quality))
    assert told(answer) == [("dispenser.jammed", None, flags)]
    assert answer.observations[0].observation.time == (START if flags else at)


def test_half_a_text_calms_nobody() -> None:
    made = driver()
    first = incoming("dose taken " + "x" * 200).split(b"+CMT", 2)[1]
    assert told(made.received(b"+CMT" + first, now())) == []
    later = [*told(made.tick(now(1))), *told(made.tick(now(90)))]
    assert later == [("device.fault", {"problem": "unknown_text", "text": 1}, ("part_missing",))]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("NOT   TAKEN", ["dose.not_dispensed"]),
        ("dose not taken", ["dose.not_dispensed"]),
        ("dose taken", ["dose.dispensed"]),
        ("dose taken: NO", ["dose.not_dispensed"]),
        ("Dosen tatt? Nei", ["dose.not_dispensed"]),
        ("no dose taken", ["dose.not_dispensed"]),
        ("dose taken: 08:02", ["dose.dispensed"]),
        ("Dosen er ikke tatt. 3 doser igjen", ["dose.not_dispensed", "dispenser.low_stock"]),
        ("doses remaining: 0", ["dispenser.empty"]),
        ("10 doses remaining", ["dispenser.low_stock"]),
        ("jam error", ["dispenser.jammed"]),
        ("battery is empty", ["battery.low"]),
        ("dose missed, dose not taken", ["dose.not_dispensed"]),
        ("mains power failure", ["mains.lost"]),
        ("power restored", ["mains.restored"]),
        ("Power loss - on battery", ["mains.lost"]),
        ("No mains, on battery", ["mains.lost"]),
        ("power out, now on backup", ["mains.lost"]),
        ("power is on again", ["mains.restored"]),
        ("batteries not included", []),
        ("", []),
    ],
)
@pytest.mark.parametrize("profile", PATTERNS)
def test_rows(profile: str, text: str, kinds: list[str]) -> None:
    assert [meaning.kind.value for meaning in meanings(profile, text)] == kinds


def test_a_trouble_is_told_once_and_its_end_once() -> None:
    made = driver()
    trouble, ended = Turn((Trouble("silent", "x"),)), Turn((Ended("silent"),))
    answers = [made._answer(turn, now()) for turn in (trouble, trouble, ended, ended, trouble)]
    assert [[kind for kind, _, _ in told(answer)] for answer in answers] == [
        ["device.fault"],
        [],
        ["device.alive"],
        [],
        ["device.fault"],
    ]
    again = driver(state=answers[-1].state or b"")
    assert told(again._answer(trouble, now())) == []


def test_alive_every_quarter_and_weak_after_two_rounds() -> None:
    made = driver()
    rounds = [(0, -80), (60, -109), (120, -109), (180, -103), (240, -90), (900, -80)]
    answers = [told(made._answer(Turn((Polled(dbm, registered=True),)), now(at))) for at, dbm in rounds]
    assert [[kind for kind, _, _ in answer] for answer in answers] == [
        ["device.alive"],
        [],
        ["device.fault"],
        [],
        ["device.alive"],
        ["device.alive"],
    ]


def test_a_modem_of_nobody_says_its_troubles_to_the_technician() -> None:
    answer = driver(DISPENSER)._answer(Turn((Trouble("sim_missing"),)), now())
    assert "sim_missing" in answer.bad[0]


@pytest.mark.parametrize(
    ("devices", "why"),
    [
        ((msgspec.structs.replace(MODEM, profile="careousel"),), "address ''"),
        ((msgspec.structs.replace(DISPENSER, profile="modem"),), "address"),
        ((msgspec.structs.replace(DISPENSER, settings={"pin": "1234"}),), "settings 'pin': only"),
        ((msgspec.structs.replace(MODEM, settings={"pin": '12"4'}),), "4 to 8 digits"),
        ((DISPENSER, DISPENSER), "the same"),
    ],
)
def test_what_does_not_fit_is_refused(devices: tuple[Device, ...], why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        driver(*devices)
