"""A dispenser over both links: each record once, acknowledged when it is safe, nothing taken for a repeat."""

import datetime as dt
import random
import struct
from collections.abc import Iterable

import pytest

from drivers.base import Action, Answer, Device, Dose, Read, Send, Setup, Subscribe, Write
from drivers.dispenser import open_driver
from drivers.dispenser.codec import TIME_EVERY_S, Frame, frame, plan, read_frame
from drivers.dispenser.gatt import CONTROL, CURRENT_TIME, EVENT, EVENT_ACK, PLAN, STATUS, GattDispenser
from drivers.dispenser.records import HEARD_TIMES, MISSING_S
from drivers.dispenser.serial_line import HELLO_EVERY_S, SerialDispenser
from hub.domain.clock import UTC, Now, TimeQuality
from hub.domain.errors import MalformedError

START = dt.datetime(2026, 11, 21, 7, 31, 5, tzinfo=UTC)
DOSES = (
    Dose(minute_of_day=480, weekdays=0x7F, window_min=60),
    Dose(minute_of_day=1200, weekdays=0x1F, window_min=30),
)
OSLO = dt.timedelta(hours=1)
DISPENSED, MISSED, JAMMED, ALIVE = 0x01, 0x11, 0x15, 0x30


def now(seconds: float = 0, quality: TimeQuality = TimeQuality.SYNCED) -> Now:
    return Now(START + dt.timedelta(seconds=seconds), 300.0 + seconds, quality)


def record(seq: int, event: int = DISPENSED, at: float | None = 0, uptime_s: int = 86400, flags: int = 1) -> bytes:
    unix_time = 0 if at is None else int(START.timestamp() + at)
    return struct.pack("<BBIIIHBBH", 1, event, seq, unix_time, uptime_s, 0, 87, flags, 27)


def over_ble(state: bytes = b"", doses: tuple[Dose, ...] | None = None) -> GattDispenser:
    made = open_driver("gatt", _setup("54:48:E6:8F:80:A5", state, doses))
    assert isinstance(made, GattDispenser)
    made.connected(now())
    return made


def on_a_line(state: bytes = b"", doses: tuple[Dose, ...] | None = None) -> SerialDispenser:
    made = open_driver("serial", _setup("", state, doses))
    assert isinstance(made, SerialDispenser)
    made.opened(now())
    return made


def _setup(address: str, state: bytes, doses: tuple[Dose, ...] | None) -> Setup:
    planned = {} if doses is None else {"d-1": doses}
    return Setup(devices=(Device(id="d-1", address=address),), state=state, doses=planned, utc_offset=OSLO)


def told(*answers: Answer) -> list[tuple[str, tuple[str, ...]]]:
    return [
        (each.observation.kind.value, each.observation.flags) for answer in answers for each in answer.observations
    ]


def acks(*answers: Answer) -> list[int]:
    """Return the numbers acknowledged, over either link."""
    bodies = [_ack(action) for answer in answers for action in answer.actions]
    return [int.from_bytes(body, "little") for body in bodies if body is not None]


def _ack(action: Action) -> bytes | None:
    if isinstance(action, Write) and action.characteristic == EVENT_ACK:
        return action.data
    if isinstance(action, Send):
        received = read_frame(action.data[:-1])
        return received.body if received.kind == Frame.ACK else None
    return None


def sent(actions: Iterable[Action]) -> list[tuple[int, bytes]]:
    frames = [read_frame(action.data[:-1]) for action in actions if isinstance(action, Send)]
    return [(each.kind, each.body) for each in frames]


def event(data: bytes) -> bytes:
    return frame(Frame.EVENT, data)


def test_on_connecting_events_come_first_then_clock_status_and_plan() -> None:
    made = open_driver("gatt", _setup("54:48:E6:8F:80:A5", b"", DOSES))
    assert isinstance(made, GattDispenser)
    assert made.connected(now()).actions == (
        Subscribe(EVENT),
        Write(CURRENT_TIME, bytes.fromhex("ea070b15071f05060002")),
        Subscribe(STATUS),
        Read(STATUS),
        Read(PLAN),
    )
    unsure = made.connected(now(quality=TimeQuality.UNKNOWN)).actions
    assert not [action for action in unsure if isinstance(action, Write)]


def test_on_opening_the_line_clock_hello_and_plan_are_sent() -> None:
    made = open_driver("serial", _setup("", b"", DOSES))
    assert isinstance(made, SerialDispenser)
    assert sent(made.opened(now()).actions) == [
        (Frame.SET_TIME, struct.pack("<Ih", int(START.timestamp()), 60)),
        (Frame.HELLO_REQUEST, b""),
        (Frame.SET_PLAN, plan(1, DOSES)),
    ]


def test_the_clock_is_set_when_ours_is_known_and_again_later() -> None:
    made = open_driver("serial", _setup("", b"", None))
    assert isinstance(made, SerialDispenser)
    unknown = TimeQuality.UNKNOWN
    assert [kind for kind, _ in sent(made.opened(now(0, unknown)).actions)] == [Frame.HELLO_REQUEST]
    assert sent(made.tick(now(1, unknown)).actions) == []
    assert [kind for kind, _ in sent(made.tick(now(2)).actions)] == [Frame.SET_TIME]
    assert sent(made.tick(now(3)).actions) == []
    assert Frame.SET_TIME in [kind for kind, _ in sent(made.tick(now(2 + TIME_EVERY_S)).actions)]


def test_a_quiet_line_is_asked() -> None:
    line = on_a_line()
    assert sent(line.tick(now(HELLO_EVERY_S - 1)).actions) == []
    assert sent(line.tick(now(HELLO_EVERY_S)).actions) == [(Frame.HELLO_REQUEST, b"")]
    assert sent(line.tick(now(HELLO_EVERY_S + 1)).actions) == []


def test_a_hello_is_a_sign_of_life() -> None:
    body = b"".join(bytes([len(text)]) + text for text in (b"ODP-1", b"SN7", b"1.0"))
    (heard,) = on_a_line().received(frame(Frame.HELLO, body), now()).observations
    assert (heard.observation.kind, heard.observation.value) == (
        "device.alive",
        {"model": "ODP-1", "serial": "SN7", "firmware": "1.0"},
    )
    assert on_a_line().received(frame(Frame.HELLO, body[:-1]), now()).bad


@pytest.mark.parametrize("link", ["gatt", "serial"])
def test_status_is_a_sign_of_life_and_needs_no_acknowledgement(link: str) -> None:
    data = record(9, ALIVE)
    if link == "gatt":
        answer = over_ble().value(STATUS, data, now())
    else:
        answer = on_a_line().received(frame(Frame.STATUS, data), now())
    assert told(answer) == [("device.alive", ())]
    assert answer.observations[0].observation.battery_pct == 87
    assert answer.actions == ()
    assert answer.state is None


def test_a_record_is_observed_once_and_acknowledged_each_time() -> None:
    ble = over_ble()
    first = ble.value(EVENT, record(7), now())
    assert told(first) == [("dose.dispensed", ())]
    assert first.actions == (Write(EVENT_ACK, b"\x07\0\0\0"),)
    assert first.state is not None
    for again in (ble.value(EVENT, record(7), now(9)), over_ble(first.state).value(EVENT, record(7), now(9))):
        assert told(again) == []
        assert acks(again) == [7]


@pytest.mark.parametrize("fresh", [{"at": 500}, {"at": None}, {"at": -900, "event": MISSED}])
@pytest.mark.parametrize("number", [1, 9, 10])
def test_a_board_that_starts_over_loses_nothing(fresh: dict[str, float | None], number: int) -> None:
    ble = over_ble()
    for seq in range(8, 11):
        ble.value(EVENT, record(seq), now())
    event_code = int(fresh.get("event") or JAMMED)
    data = record(number, event_code, at=fresh["at"], uptime_s=30)
    answer = ble.value(EVENT, data, now(600))
    kinds = [kind for kind, _ in told(answer)]
    assert kinds == ["dose.not_dispensed" if event_code == MISSED else "dispenser.jammed", "device.rekeyed"]
    assert all("seq_back" in flags for _, flags in told(answer))
    assert acks(answer) == [number]
    after = ble.value(EVENT, record(number + 1, at=600), now(600))
    assert told(after) == [("dose.dispensed", ())]
    assert acks(after) == [number + 1]


def test_an_acknowledgement_waits_for_a_record_that_noise_took() -> None:
    line = on_a_line()
    first = line.received(event(record(7)) * HEARD_TIMES, now(0))
    hurt = bytearray(event(record(8, MISSED)))
    hurt[5] ^= 0x10
    second = line.received(bytes(hurt) + event(record(9)), now(1))
    assert acks(first, second) == [7]
    assert told(second) == [("dose.dispensed", ())]
    assert (Frame.HELLO_REQUEST, b"") in sent(second.actions)
    assert acks(line.received(event(record(10)), now(2))) == []
    again = line.received(event(record(8, MISSED)) + event(record(9)), now(6))
    assert told(again) == [("dose.not_dispensed", ())]
    assert acks(again) == [8, 9]


def test_a_record_that_is_gone_is_reported_and_holds_nobody_up() -> None:
    line = on_a_line()
    line.received(event(record(7)) * HEARD_TIMES, now(0))
    # As long as it was not heard often, the missing ones may only have been lost on the way.
    assert acks(line.received(event(record(12)) * (HEARD_TIMES - 1), now(1))) == []
    again = line.received(event(record(12)), now(6))
    assert told(again) == [("device.fault", ("records_missing",))]
    assert acks(again) == [12]


def test_a_dispenser_that_says_a_record_once_is_acknowledged_after_a_while() -> None:
    line = on_a_line()
    line.received(event(record(7)) * HEARD_TIMES, now(0))
    line.received(event(record(12)) + event(record(13)), now(1))
    assert acks(line.tick(now(1 + MISSING_S - 0.1))) == []
    settled = line.tick(now(1 + MISSING_S))
    assert told(settled) == [("device.fault", ("records_missing",))]
    assert settled.observations[0].observation.value == {
        "reason": "records_missing",
        "detail": {"first": 8, "last": 11},
    }
    assert settled.state is not None
    assert acks(settled) == [13]
    assert acks(line.tick(now(2 * MISSING_S))) == []


def test_the_first_record_heard_on_a_line_need_not_be_the_oldest() -> None:
    line = on_a_line()
    # 1 was said while nobody listened; acknowledging 2 would have the dispenser forget it.
    heard = line.received(event(record(2)) + event(record(3)), now(0))
    assert (len(told(heard)), acks(heard)) == (2, [])
    assert (Frame.HELLO_REQUEST, b"") in sent(heard.actions)
    assert heard.state is not None
    line = on_a_line(heard.state)
    again = line.received(event(record(1, MISSED)) + event(record(2)) + event(record(3)), now(5))
    assert told(again) == [("dose.not_dispensed", ())]
    assert acks(again) == [1, 2, 3]


def test_a_dispenser_from_another_hub_is_acknowledged_when_it_says_its_oldest_record_again() -> None:
    line = on_a_line()
    assert acks(line.received(event(record(57)), now(0))) == []
    again = line.received(event(record(57)) * (HEARD_TIMES - 1) + event(record(58)), now(5))
    assert told(again) == [("dose.dispensed", ())]
    assert acks(again) == [57, 58]


def test_a_line_that_loses_most_frames_loses_no_record() -> None:
    chance = random.Random(70)
    for _ in range(20):
        line, waiting, heard = on_a_line(), list(range(1, 7)), []
        for second in range(0, 1200, 5):  # it tells all that wait, every 5 s; 70 of 100 frames are lost, each way
            for number in list(waiting):
                if chance.random() < 0.3:
                    answer = line.received(event(record(number)), now(second))
                    values = [each.observation.value for each in answer.observations]
                    heard += [value["device_seq"] for value in values if isinstance(value, dict)]
                    if chance.random() < 0.3:
                        for done in acks(answer):
                            waiting = [each for each in waiting if each > done]
            line.tick(now(second + 1))
        assert (sorted(heard), waiting) == ([1, 2, 3, 4, 5, 6], [])


def test_a_dispenser_from_another_hub_that_says_a_record_once_is_acknowledged_after_a_while() -> None:
    line = on_a_line()
    line.received(event(record(57)), now(0))
    settled = line.tick(now(MISSING_S))
    assert (told(settled), acks(settled)) == ([], [57])


def test_over_ble_a_gap_is_real_at_once() -> None:
    ble = over_ble()
    ble.value(EVENT, record(7), now(0))
    answer = ble.value(EVENT, record(12), now(1))
    assert told(answer) == [("dose.dispensed", ()), ("device.fault", ("records_missing",))]
    assert acks(answer) == [12]


def test_a_backlog_of_a_week_without_acknowledgements_is_observed_once() -> None:
    state, line, observed = b"", on_a_line(), []
    for _ in range(2):
        answers = [line.received(event(record(seq)), now(seq)) for seq in range(1, 201)]
        state = next((answer.state for answer in reversed(answers) if answer.state), state)
        observed.append(len(told(*answers)))
        line = on_a_line(state)
    assert observed == [200, 0]
    assert len(state) < 6000


@pytest.mark.parametrize(
    ("at", "quality", "believed"),
    [
        (-86400.0, TimeQuality.SYNCED, True),
        (299.0, TimeQuality.SYNCED, True),
        (301.0, TimeQuality.SYNCED, False),
        (301.0, TimeQuality.UNKNOWN, True),
        (-400 * 86400.0, TimeQuality.SYNCED, False),
        (None, TimeQuality.ESTIMATED, False),
    ],
)
def test_the_devices_own_time_is_taken_when_it_can_be(
    at: float | None, quality: TimeQuality, believed: bool
) -> None:
    (heard,) = over_ble().value(EVENT, record(1, JAMMED, at), now(0, quality)).observations
    seen = heard.observation
    assert seen.time == (START + dt.timedelta(seconds=at or 0) if believed else START)
    assert seen.flags == (() if believed else ("bad_time",))


def test_a_plan_that_fits_is_left_alone() -> None:
    assert over_ble(doses=DOSES).value(PLAN, plan(9, DOSES), now()) == Answer()


def test_a_plan_that_differs_is_written_read_back_and_then_reported() -> None:
    ble = over_ble(doses=DOSES)
    wrong = plan(9, DOSES[:1])
    assert ble.value(PLAN, wrong, now()).actions == (Write(PLAN, plan(10, DOSES)), Read(PLAN))
    again = ble.value(PLAN, wrong, now())
    assert (again.actions, told(again)) == ((), [("device.fault", ("plan_differs",))])
    assert ble.value(PLAN, wrong, now()) == Answer()
    ble.connected(now())
    assert ble.value(PLAN, b"\x01", now()).actions == (Write(PLAN, plan(1, DOSES)), Read(PLAN))


def test_the_plan_on_a_line() -> None:
    line = on_a_line(doses=DOSES)
    old = frame(Frame.PLAN, plan(3, ()))
    assert sent(line.received(old, now()).actions) == [(Frame.SET_PLAN, plan(4, DOSES))]
    assert told(line.received(old, now())) == [("device.fault", ("plan_differs",))]
    assert line.received(frame(Frame.PLAN, plan(4, DOSES)), now()).observations == ()


def test_without_doses_the_plan_is_not_touched() -> None:
    made = over_ble()
    assert made.value(PLAN, plan(9, DOSES), now()) == Answer()
    assert Read(PLAN) not in made.connected(now()).actions


@pytest.mark.parametrize(
    ("doses", "field"),
    [
        ((Dose(minute_of_day=1440, weekdays=1, window_min=60),), "minute_of_day"),
        ((DOSES[0], Dose(minute_of_day=0, weekdays=0, window_min=60)), r"doses\[1\].weekdays"),
        ((Dose(minute_of_day=0, weekdays=1, window_min=0),), "window_min"),
        (DOSES * 30, "doses: 60"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(doses: tuple[Dose, ...], field: str) -> None:
    with pytest.raises(MalformedError, match=field):
        open_driver("serial", _setup("", b"", doses))


@pytest.mark.parametrize(("link", "address"), [("gatt", ""), ("serial", "54:48:E6:8F:80:A5")])
def test_each_link_has_its_own_form_of_address(link: str, address: str) -> None:
    with pytest.raises(MalformedError, match="address"):
        open_driver(link, _setup(address, b"", None))  # type: ignore[arg-type]  # one of the two


def test_a_half_frame_is_said_once_and_its_end_still_counts() -> None:
    line = on_a_line()
    whole = event(record(7))
    line.received(whole[:10], now(0))
    assert len(line.tick(now(2)).bad) == 1
    assert line.tick(now(3)).bad == ()
    assert told(line.received(whole[10:], now(4))) == [("dose.dispensed", ())]


def test_an_unknown_frame_type_is_counted() -> None:
    answer = on_a_line().received(frame(Frame.CONTROL, b"\1") + event(record(1)), now())
    assert told(answer) == [("dose.dispensed", ())]
    assert "0x84" in answer.bad[0]


@pytest.mark.parametrize(
    ("name", "opcode"), [("dispense_now", 1), ("remind", 2), ("self_test", 3), ("silence", 4)]
)
def test_a_command_goes_the_same_way_over_both_links(name: str, opcode: int) -> None:
    assert over_ble().command("d-1", name, {}, now()).actions == (Write(CONTROL, bytes([opcode])),)
    (sent,) = on_a_line().command("d-1", name, {}, now()).actions
    assert isinstance(sent, Send)
    assert read_frame(sent.data[:-1]) == (Frame.CONTROL, bytes([opcode]))


@pytest.mark.parametrize(("name", "arguments"), [("explode", {}), ("remind", {"dose": 1})])
def test_a_command_that_it_does_not_know_is_refused(name: str, arguments: dict[str, int]) -> None:
    for driver in (over_ble(), on_a_line()):
        with pytest.raises(MalformedError, match=name):
            driver.command("d-1", name, arguments, now())


def test_a_link_that_holds_for_days_keeps_its_clock_set() -> None:
    driver = over_ble()
    assert driver.tick(now(60)).actions == ()
    (written,) = driver.tick(now(TIME_EVERY_S)).actions
    assert isinstance(written, Write)
    assert written.characteristic == CURRENT_TIME
    assert driver.tick(now(TIME_EVERY_S + 1)).actions == ()
