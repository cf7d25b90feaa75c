"""What each equipment profile makes of a telegram, what is remembered, and what strangers say of themselves."""

import json

import pytest

from drivers.base import Answer, Device, Setup
from drivers.enocean import open_driver
from drivers.enocean.driver import EnOceanDriver
from drivers.enocean.esp3 import packet
from drivers.enocean.profiles import PROFILES
from drivers.enocean.teach_in import teach_in
from hub.domain.codes import Kind, Lane, lane
from hub.domain.errors import MalformedError
from hub.domain.observation import Scalar
from tests.unit.drivers.test_enocean_driver import PENDANT, now, radio

SENDER = "0198AABB"


class One:
    """One device on a stick; telegrams come a second apart."""

    def __init__(self, profile: str, settings: dict[str, Scalar] | None = None, state: bytes = b"") -> None:
        self.profile = profile
        device = Device(id="d", address=SENDER, profile=profile, settings=settings or {})
        self.driver: EnOceanDriver = open_driver("serial", Setup(devices=(device,), state=state))
        self.at = 0.0
        self.state = state

    def answer(self, payload: str, status: int = 0x30) -> Answer:
        self.at += 1
        data = radio(PROFILES[self.profile].rorg, bytes.fromhex(payload), SENDER, status)
        answer = self.driver.received(data, now(self.at))
        self.state = self.state if answer.state is None else answer.state
        return answer

    def hear(self, payload: str, status: int = 0x30) -> list[tuple[str, object]]:
        told = self.answer(payload, status).observations
        return [(each.observation.kind.value, each.observation.value) for each in told]


ALIVE = ("device.alive", None)


def test_water_is_told_each_time_and_its_end_is_a_sign_of_life() -> None:
    leak = One("F6-05-01")
    assert [leak.hear(byte) for byte in ("11", "11", "00")] == [
        [("water.detected", None)],
        [("water.detected", None)],
        [ALIVE],
    ]


def test_smoke_and_a_battery_that_runs_low() -> None:
    smoke = One("F6-05-02")
    told = [smoke.hear(byte) for byte in ("00", "30", "30", "10", "10", "30")]
    fire = [("smoke.detected", None)]
    assert told == [[ALIVE], [("battery.low", None)], [ALIVE], fire, fire, [ALIVE]]


@pytest.mark.parametrize(("profile", "kind"), [("F6-05-01", "water.detected"), ("F6-05-02", "smoke.detected")])
def test_a_value_that_is_not_listed_is_raised_flagged_when_it_says_on(profile: str, kind: str) -> None:
    (raised,) = One(profile).answer("50").observations
    assert (raised.observation.kind.value, raised.observation.flags) == (kind, ("unknown_value",))
    (alive,) = One(profile).answer("02").observations
    assert (alive.observation.kind.value, alive.observation.flags) == ("device.alive", ("unknown_value",))


def test_a_window_handle() -> None:
    handle = One("F6-10-00")
    told = [handle.hear(byte, 0x20) for byte in ("f0", "e0", "c0", "d0", "d0", "f0")]
    tilted = ("door.opened", {"handle": "tilted"})
    opened, closed = ("door.opened", None), ("door.closed", None)
    assert told == [[closed], [opened], [ALIVE], [tilted], [ALIVE], [closed]]
    (odd,) = handle.answer("00", 0x20).observations
    assert (odd.observation.kind.value, odd.observation.flags) == ("device.alive", ("unknown_value",))


def test_motion_is_told_when_it_changes_also_across_a_restart() -> None:
    pir = One("A5-07-01")
    told = [pir.hear(payload) for payload in ("7d00c809", "7d008009", "7d007f09")]
    assert told == [[("motion.detected", None)], [ALIVE], [("motion.cleared", None)]]
    again = One("A5-07-01", state=pir.state)
    assert again.hear("7d000009") == [ALIVE]


def test_a_low_supply_is_told_once_until_it_was_good_again() -> None:
    pir = One("A5-07-01")
    pir.hear("7d00c809")
    assert pir.hear("7800c809") == [ALIVE]  # 2.40 V: between low and good
    (low,) = pir.answer("7700c809").observations
    assert (low.observation.kind.value, low.observation.value, low.observation.unit) == ("battery.low", 2.38, "V")
    assert [pir.hear(payload) for payload in ("7000c809", "7d00c809", "7700c809")] == [[ALIVE]] * 3
    assert pir.hear("8200c809") == [ALIVE]  # 2.60 V: good
    assert pir.hear("7700c809") == [("battery.low", 2.38)]


@pytest.mark.parametrize("payload", ["1000c808", "ff00c809", "fb00c809"])
def test_a_supply_that_is_not_valid_says_nothing(payload: str) -> None:
    assert One("A5-07-01").hear(payload) == [("motion.detected", None)]


def test_motion_with_light_and_warmth() -> None:
    pir = One("A5-08-01")
    answer = pir.answer("9632690d")  # bit 1 clear: somebody moves; bit 0 set: the button is not pressed
    seen = [
        (each.observation.kind.value, each.observation.value, each.observation.unit)
        for each in answer.observations
    ]
    assert seen == [
        ("motion.detected", None, None),
        ("climate.reading", 100, "lx"),
        ("climate.reading", 21.0, "Cel"),
    ]
    assert pir.hear("9632690f")[0] == ("motion.cleared", None)
    assert pir.hear("9632690e")[0] == ("motion.detected", {"button": "occupancy"})


def test_a_contact_with_its_supply() -> None:
    contact = One("A5-14-01")
    assert contact.hear("96000009") == [("door.opened", None)]
    assert contact.hear("96000008") == [("door.closed", None)]
    assert contact.hear("64000008") == [("battery.low", 2.0)]


@pytest.mark.parametrize(
    ("mat", "comes", "goes"),
    [
        ("bed", "bed.entered", "bed.left"),
        ("chair", "occupancy.started", "chair.left"),
        ("floor", "occupancy.started", "occupancy.ended"),
    ],
)
def test_mats(mat: str, comes: str, goes: str) -> None:
    taken, free, warm = "00800108", "00800008", ("climate.reading", 19.9)
    made = One("A5-30-03", {"mat": mat})
    told = [made.hear(payload) for payload in (taken, taken, free)]
    assert told == [[(comes, None), warm], [warm], [(goes, None), warm]]
    turned = One("A5-30-03", {"mat": mat, "mat_input": 2, "mat_level": 0})
    assert turned.hear("00800b08")[0] == (comes, None)
    assert turned.hear("00800408")[0] == (goes, None)


def test_a_mat_that_is_none_is_refused() -> None:
    with pytest.raises(MalformedError, match="settings 'mat': write one of bed, chair, floor"):
        One("A5-30-03", {"mat": "sofa"})


@pytest.mark.parametrize("profile", [name for name, row in PROFILES.items() if row.rorg == 0xA5])
def test_a_teach_in_says_what_it_is_and_is_never_an_alarm(profile: str) -> None:
    function, kind = int(profile[3:5], 16), int(profile[6:], 16)
    payload = (function << 18 | kind << 11 | 0x00D).to_bytes(3, "big") + b"\x80"
    value = {"teach_in": True, "profile": profile, "manufacturer": "0x00D"}
    assert One(profile).hear(payload.hex()) == [("device.alive", value)]
    assert One(profile).hear("00000000") == [("device.alive", {"teach_in": True})]
    assert lane(Kind.DEVICE_ALIVE, critical=True) is Lane.READING


def test_a_universal_teach_in() -> None:
    query = bytes.fromhex("a0ff4600010ed2")  # answer expected, all channels, maker 0x046, D2-0E-01
    assert teach_in(0xD4, query) == {"teach_in": True, "profile": "D2-0E-01", "manufacturer": "0x046"}
    deletion, answered = bytes.fromhex("90ff4600010ed2"), bytes.fromhex("91ff4600010ed2")
    assert teach_in(0xD4, deletion) is teach_in(0xD4, answered) is None
    assert teach_in(0xD4, query[:6]) is teach_in(0xF6, b"\x00") is None


def test_a_stranger_that_said_what_it_is_stays_named() -> None:
    driver = open_driver("serial", Setup(devices=()))
    taught = radio(0xA5, bytes.fromhex("1c080d80"), SENDER)
    assert driver.received(taught, now(0)).profiles == {SENDER: "A5-07-01"}
    later = driver.received(radio(0xA5, bytes.fromhex("7d00c809"), SENDER) + PENDANT, now(1))
    assert (later.strangers, later.profiles) == ((SENDER, "01020304"), {SENDER: "A5-07-01"})
    assert later.observations == ()


def test_strangers_fill_no_memory() -> None:
    driver = open_driver("serial", Setup(devices=()))
    for number in range(500):
        driver.received(radio(0xA5, bytes.fromhex("1c080d80"), f"{number:08X}"), now(number))
    assert len(driver._taught) <= 64
    assert len(driver._recent) <= 2


def test_the_base_id_is_kept_and_told_to_the_journal_once() -> None:
    made = One("F6-05-01")
    answer = packet(0x02, bytes.fromhex("00ff9c2180"), b"\x0a")
    first = made.driver.received(answer, now(1))
    assert (made.driver.base_id, first.observations) == ("FF9C2180", ())
    assert json.loads(first.state or b"")["base_id"] == "FF9C2180"
    assert made.driver.received(answer, now(2)).state is None
    restarted = One("F6-05-01", state=first.state or b"")
    assert restarted.driver.base_id == "FF9C2180"
    assert restarted.driver.received(answer, now(1)).state is None
    # Refused, or the answer to something else.
    for other in (b"\x02", bytes.fromhex("02ff9c2188"), b"\x00\x01"):
        assert restarted.driver.received(packet(0x02, other), now(3)).state is None


def test_the_same_byte_with_another_meaning_is_no_repeat() -> None:
    cord = One("F6-02-01")
    named, several = radio(0xF6, b"\x70", SENDER, 0x30), radio(0xF6, b"\x70", SENDER, 0x20)
    told = cord.driver.received(named + named + several, now(1)).observations
    assert [each.observation.value for each in told] == [{"rocker": "BO"}, {"rocker": "several"}]


def test_an_unknown_telegram_three_times_and_by_a_repeater_is_counted_once() -> None:
    made = One("F6-05-01")
    stream = b"".join(radio(0x30, b"\x01\x02", SENDER, status) for status in (0, 0, 0, 1))
    answer = made.driver.received(stream, now(1))
    assert answer.observations == ()
    assert len(answer.bad) == 1
    assert "unknown RORG 0x30 of 0198AABB" in answer.bad[0]
