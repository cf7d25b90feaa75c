"""What of a BTHome device's frames is believed, and what is made of it."""

import datetime as dt
import json
import re
import struct
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import NOTHING, Advert, Answer, Device, Setup
from drivers.bthome import MANIFEST, open_driver
from drivers.bthome.driver import BTHomeDriver
from hub.domain.clock import UTC, Now
from hub.domain.codes import Kind, Lane, lane

ADDRESS = "54:48:E6:8F:80:A5"
KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
START = dt.datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
PRESS, DOOR_OPEN, DOOR_CLOSED = bytes.fromhex("3a01"), bytes.fromhex("1a01"), bytes.fromhex("1a00")


def now(seconds: float) -> Now:
    return Now(START + dt.timedelta(seconds=seconds), 1000.0 + seconds)


def sealed(counter: int, objects: bytes, key: bytes = KEY) -> bytes:
    count = struct.pack("<I", counter)
    mac = bytes.fromhex(ADDRESS.replace(":", ""))
    closed = AESCCM(key, tag_length=4).encrypt(mac + b"\xd2\xfc\x45" + count, objects, None)
    return b"\x45" + closed[:-4] + count + closed[-4:]


def plain(objects: bytes, packet: int | None = None) -> bytes:
    return b"\x44" + (b"" if packet is None else bytes([0, packet])) + objects


class Home:
    """A driver and its state, which survives a restart."""

    def __init__(self, key: bytes | None = None) -> None:
        self.device = Device(id="d-1", address=ADDRESS, key=key)
        self.state = b""
        self.restart()

    def restart(self, key: bytes | None = None) -> None:
        if key:
            self.device = Device(id="d-1", address=ADDRESS, key=key)
        self.driver: BTHomeDriver = open_driver("advert", Setup(devices=(self.device,), state=self.state))

    def answer(self, data: bytes, seconds: float) -> Answer:
        advert = Advert(address=ADDRESS, rssi_dbm=-60, service_data={MANIFEST.services[0]: data})
        answer = self.driver.advertised(advert, now(seconds))
        self.state = self.state if answer.state is None else answer.state
        return answer

    def hear(self, data: bytes, seconds: float) -> list[tuple[str, tuple[str, ...]]]:
        """Return kind and flags of each observation."""
        answer = self.answer(data, seconds)
        return [(heard.observation.kind.value, heard.observation.flags) for heard in answer.observations]


PRESSED: tuple[str, tuple[str, ...]] = ("alarm.pressed", ())
ALIVE: tuple[str, tuple[str, ...]] = ("device.alive", ())
BACK = ("counter_back",)


def test_a_burst_is_one_press() -> None:
    home = Home()
    frame = plain(PRESS, packet=1)
    assert home.hear(frame, 0) == [PRESSED]
    assert [home.answer(frame, step * 0.04) for step in range(1, 50)] == [NOTHING] * 49


def test_observation_tells_time_signal_charge_and_frame() -> None:
    answer = Home().answer(plain(b"\x01\x57" + PRESS, packet=1), 5)
    (heard,) = answer.observations
    seen = heard.observation
    assert (heard.device_id, seen.time, seen.rssi_dbm, seen.battery_pct) == ("d-1", now(5).utc, -60, 87)
    assert seen.raw == "4400010157" + "3a01"


def test_the_next_packet_is_the_next_press() -> None:
    home = Home()
    assert home.hear(plain(PRESS, packet=1), 0) == [PRESSED]
    assert home.hear(plain(PRESS, packet=2), 0.3) == [PRESSED]


@pytest.mark.parametrize(("packet", "same_s"), [(1, 60.0), (None, 4.0)])
def test_the_same_frame_is_another_press_after_a_while(packet: int | None, same_s: float) -> None:
    home = Home()
    frame = plain(PRESS, packet)
    assert home.hear(frame, 0) == [PRESSED]
    assert home.hear(frame, same_s - 0.1) == []
    assert home.hear(frame, same_s) == [PRESSED]


def test_the_same_packet_number_with_other_content_is_not_a_repeat() -> None:
    home = Home()
    assert home.hear(plain(DOOR_CLOSED, packet=1), 0) == [("door.closed", ())]
    assert home.hear(plain(PRESS, packet=1), 1) == [PRESSED]


def test_a_restart_in_the_middle_of_a_burst() -> None:
    home = Home()
    frame = plain(PRESS, packet=1)
    assert home.hear(frame, 0) == [PRESSED]
    home.restart()
    assert home.hear(frame, 1) == []
    home.restart()
    assert home.hear(frame, 61) == [PRESSED]


def test_after_a_reboot_the_old_clock_hides_no_press() -> None:
    home = Home()
    frame = plain(PRESS, packet=1)
    assert home.hear(frame, 0) == [PRESSED]
    home.restart()
    advert = Advert(address=ADDRESS, service_data={MANIFEST.services[0]: frame})
    rebooted = Now(START + dt.timedelta(seconds=300), 1000.0 + 20.0)
    assert len(home.driver.advertised(advert, rebooted).observations) == 1


def test_beacon_repeats_of_a_state_are_signs_of_life() -> None:
    home = Home()
    assert home.hear(plain(DOOR_OPEN, packet=1), 0) == [("door.opened", ())]
    assert home.hear(plain(DOOR_OPEN, packet=2), 30) == [ALIVE]
    home.restart()
    assert home.hear(plain(DOOR_OPEN, packet=3), 60) == [ALIVE]
    assert home.hear(plain(DOOR_CLOSED, packet=4), 90) == [("door.closed", ())]


def test_smoke_is_told_each_time() -> None:
    home = Home()
    smoke, clear = bytes.fromhex("2901"), bytes.fromhex("2900")
    frames = [plain(part, number) for number, part in enumerate([smoke, smoke, clear, smoke])]
    told = [home.hear(frame, 60.0 * number) for number, frame in enumerate(frames)]
    assert told == [[("smoke.detected", ())], [("smoke.detected", ())], [ALIVE], [("smoke.detected", ())]]


def test_encrypted_frames_count_up() -> None:
    home = Home(KEY)
    assert home.hear(sealed(1, PRESS), 0) == [PRESSED]
    assert home.hear(sealed(1, PRESS), 1) == []
    assert home.hear(sealed(2, PRESS), 2) == [PRESSED]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_replay_raises_flagged_and_never_closes(restarted: bool) -> None:
    home = Home(KEY)
    opened, closed, press = sealed(50, DOOR_OPEN), sealed(51, DOOR_CLOSED), sealed(52, PRESS)
    home.hear(opened, 0)
    home.hear(closed, 10)
    home.hear(press, 20)
    home.hear(sealed(53, DOOR_OPEN), 30)
    if restarted:
        home.restart()
    # Recorded frames, played back in order, counters below 100 among them.
    assert home.hear(opened, 200) == [("door.opened", BACK), ("device.rekeyed", BACK)]
    assert home.hear(closed, 210) == [("device.alive", BACK)]
    assert home.hear(press, 220) == [("alarm.pressed", BACK)]
    # None of it changed what is known of the door.
    assert home.hear(sealed(54, DOOR_OPEN), 230) == [ALIVE]


def test_a_device_that_starts_over_is_heard_and_reported_once() -> None:
    home = Home(KEY)
    home.hear(sealed(5000, PRESS), 0)
    assert home.hear(sealed(0, PRESS), 100) == [("alarm.pressed", BACK), ("device.rekeyed", BACK)]
    home.restart()
    assert home.hear(sealed(1, PRESS), 200) == [("alarm.pressed", BACK)]
    assert home.hear(sealed(2, bytes.fromhex("0164")), 300) == [("device.alive", BACK)]
    assert home.hear(sealed(0, PRESS), 400) == [("alarm.pressed", BACK), ("device.rekeyed", BACK)]
    assert home.hear(sealed(5001, PRESS), 500) == [PRESSED]


def test_a_new_key_is_a_new_count() -> None:
    home = Home(KEY)
    home.hear(sealed(5000, PRESS), 0)
    other = bytes(range(16))
    home.restart(other)
    assert home.hear(sealed(1, PRESS, other), 100) == [PRESSED]


def test_a_plain_frame_of_a_keyed_device_raises_and_nothing_else() -> None:
    home = Home(KEY)
    odd = ("unencrypted",)
    home.hear(sealed(1, DOOR_OPEN), 0)
    assert home.hear(plain(PRESS, 1), 10) == [("alarm.pressed", odd), ("device.rekeyed", odd)]
    assert home.hear(plain(PRESS, 2), 20) == [("alarm.pressed", odd)]
    assert home.hear(plain(DOOR_CLOSED, 3), 30) == []
    assert home.hear(plain(bytes.fromhex("0164"), 4), 700) == [("device.rekeyed", odd)]
    assert home.hear(sealed(2, DOOR_OPEN), 710) == [ALIVE]


def test_an_odd_frame_asks_for_nothing_to_be_kept() -> None:
    assert Home(KEY).answer(plain(PRESS, 1), 0).state is None


@pytest.mark.parametrize(
    ("key", "frame", "reason"),
    [(KEY, sealed(1, PRESS, bytes(16)), "bad_mic"), (None, sealed(1, PRESS), "no_key")],
)
def test_what_cannot_be_read_is_a_fault_every_ten_minutes(key: bytes | None, frame: bytes, reason: str) -> None:
    home = Home(key)
    first = home.answer(frame, 0)
    assert [heard.observation.flags for heard in first.observations] == [(reason,)]
    assert reason in first.bad[0]
    assert home.answer(frame, 1) is NOTHING  # the rest of the burst: one line is enough
    again = home.answer(frame, 540)
    assert (again.observations, bool(again.bad)) == ((), True)
    assert home.hear(frame, 600) == [("device.fault", (reason,))]


def test_a_flood_of_other_frames_forgets_old_ones_only() -> None:
    home = Home()
    for number in range(200):
        home.hear(plain(bytes([0x3D, number, 1])), number * 0.01)
    assert len(home.driver._recent) <= 64
    assert home.hear(plain(PRESS, 9), 3) == [PRESSED]
    assert home.hear(plain(PRESS, 9), 4) == []


def test_other_advertisements_say_nothing() -> None:
    home = Home()
    advert = Advert(address=ADDRESS, service_data={"0000180f-0000-1000-8000-00805f9b34fb": b"\x44\x3a\x01"})
    assert home.driver.advertised(advert, now(0)) is NOTHING


def test_the_state_is_small_and_holds_no_key() -> None:
    home = Home(KEY)
    home.hear(sealed(1, DOOR_OPEN + bytes.fromhex("2101")), 0)
    state: dict[str, Any] = json.loads(home.state)
    assert state["counter"] == 1
    assert len(home.state) < 300
    assert KEY.hex() not in home.state.decode()


@pytest.mark.parametrize("clearing", ["1a00", "2100", "2300", "2900", "2000", "1500", "2600", "3a00", "3a81"])
@pytest.mark.parametrize("odd", ["counter_back", "unencrypted"])
def test_nothing_odd_clears_or_ends_anything(clearing: str, odd: str) -> None:
    home = Home(KEY)
    home.hear(sealed(100, bytes.fromhex("150120011a0121012301260129013a01")), 0)
    before = json.loads(home.state)["on"]
    objects = bytes.fromhex(clearing)
    told = home.hear(sealed(5, objects) if odd == "counter_back" else plain(objects, 1), 100)
    assert {kind for kind, _ in told} <= {"device.alive", "device.rekeyed"}
    assert all(odd in flags for _, flags in told)
    assert json.loads(home.state)["on"] == before
    # The next frame that can be believed ends it.
    if clearing == "1a00":
        assert home.hear(sealed(101, objects), 200) == [("door.closed", ())]


_objects = st.lists(
    st.sampled_from(["3a01", "3a00", "1a01", "1a00", "2101", "2100", "2901", "2900", "2b01", "1501", "1500"])
)


@settings(max_examples=60)
@given(frames=st.lists(st.tuples(st.booleans(), st.integers(0, 99), _objects), max_size=8))
def test_whatever_odd_frames_come_only_what_raises_is_told_and_nothing_known_changes(
    frames: list[tuple[bool, int, list[str]]],
) -> None:
    home = Home(KEY)
    home.hear(sealed(100, bytes.fromhex("15011a0121012901")), 0)
    before = json.loads(home.state)
    for number, (plainly, counter, parts) in enumerate(frames, start=1):
        objects = bytes.fromhex("".join(parts))
        odd = "unencrypted" if plainly else "counter_back"
        answer = home.answer(plain(objects, counter) if plainly else sealed(counter, objects), 100.0 * number)
        for heard in answer.observations:
            kind = heard.observation.kind
            assert odd in heard.observation.flags
            assert lane(kind, critical=True) is Lane.ALARM or kind in (Kind.DEVICE_ALIVE, Kind.DEVICE_REKEYED)
        presses = [heard for heard in answer.observations if heard.observation.kind is Kind.ALARM_PRESSED]
        assert len(presses) == parts.count("3a01")
    after = json.loads(home.state)
    assert (after["on"], after["counter"]) == (before["on"], before["counter"])


def test_four_buttons_in_one_burst_are_told_once_each() -> None:
    home = Home(KEY)
    frame = sealed(1, bytes.fromhex("00090164") + bytes.fromhex("3a013a003a023a04"))
    answer = home.answer(frame, 0)
    values = [heard.observation.value for heard in answer.observations]
    assert values == [
        {"button": 1, "press": "single"},
        {"button": 3, "press": "double"},
        {"button": 4, "press": "long"},
    ]
    assert [home.answer(frame, step * 0.04) for step in range(1, 50)] == [NOTHING] * 49


def test_a_beacon_is_a_heartbeat_with_its_charge() -> None:
    home = Home(KEY)
    for number in range(3):
        answer = home.answer(sealed(number + 1, bytes([0, number]) + bytes.fromhex("01643a00")), 60.0 * number)
        (beat,) = answer.observations
        assert (beat.observation.kind.value, beat.observation.battery_pct) == ("device.alive", 100)


def test_a_low_charge_is_told_once_until_it_was_good_again() -> None:
    home = Home()
    told = []
    for number, charge in enumerate([31, 21, 20, 19, 21, 30, 20, 31, 20]):
        home.restart()
        told.append(home.hear(plain(bytes([0x01, charge, 0x3A, 0x00]), number), 60.0 * number))
    low: tuple[str, tuple[str, ...]] = ("battery.low", ())
    assert told == [[ALIVE], [ALIVE], [low], [ALIVE], [ALIVE], [ALIVE], [ALIVE], [ALIVE], [low]]
    (seen,) = Home().answer(plain(bytes([0x01, 7]), 1), 0).observations
    assert (seen.observation.kind.value, seen.observation.value, seen.observation.unit) == ("battery.low", 7, "%")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("SBBT-002C", "Button1"),
        ("SBBT-102C", "Button1"),
        ("SBBT-004CUS", "RC Button 4"),
        ("SBBT-004CEU", "Wall Switch 4"),
        ("SBBT-104C", "RC Button 4"),
        ("SBDW-002C", "Door"),
        ("SBMO-003Z", "Motion"),
        ("SBHT-003C", "H&T"),
        ("SBHT-203C", "H&T"),
    ],
)
def test_makes_are_known_by_the_names_they_advertise(name: str, make: str) -> None:
    (found,) = [title for pattern, title in MANIFEST.names.items() if re.fullmatch(pattern, name)]
    assert make in found
