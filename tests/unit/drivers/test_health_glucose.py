"""Glucose over the record access control point: only what is new, nothing left behind, no silence."""

import datetime as dt
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Answer, Device, Disconnect, Setup, Subscribe, Write
from drivers.health import open_driver
from drivers.health.driver import QUIET_S, HealthDriver
from drivers.health.profiles import GLUCOSE_CONTEXT, GLUCOSE_MEASUREMENT, RACP
from drivers.health.racp import ANSWER_S, CUT
from hub.domain.clock import UTC, Now
from hub.domain.observation import Observation

START = dt.datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
SUCCESS, NO_RECORDS = bytes.fromhex("06000101"), bytes.fromhex("06000106")
NO_OPERATOR, NOT_COMPLETED = bytes.fromhex("06000104"), bytes.fromhex("06000108")
ALL = Write(RACP, b"\x01\x01")


def now(seconds: float = 0) -> Now:
    return Now(START + dt.timedelta(seconds=seconds), 300.0 + seconds)


def after(seq: int) -> Write:
    return Write(RACP, struct.pack("<BBBH", 1, 3, 1, seq))


def record(seq: int, day: int = 1, *, context: bool = False, year: int = 2026) -> bytes:
    head = struct.pack("<BHHBBBBB", 0x16 if context else 0x06, seq, year, 11, day, 8, 0, 0)
    return head + bytes.fromhex("36c011")


def told(*answers: Answer) -> list[Observation]:
    return [each.observation for answer in answers for each in answer.observations]


class Meter:
    """One connection after the other with a driver that is opened anew from what it remembered."""

    def __init__(self, state: bytes = b"") -> None:
        self.state = state
        self.found: list[Observation] = []
        self.at = 0.0
        self.driver: HealthDriver

    def connect(self) -> tuple[object, ...]:
        device = Device(id="d-1", address="C4:7C:8D:00:00:21", profile="glucose")
        made = open_driver("gatt", Setup(devices=(device,), state=self.state))
        assert isinstance(made, HealthDriver)
        self.driver = made
        actions = self._take(made.connected(now(self.at)))
        self._take(made.tick(now(self.at)))
        return actions

    def hear(self, *values: bytes) -> tuple[object, ...]:
        """Hear records, contexts and answers; return what the last one led to."""
        actions: tuple[object, ...] = ()
        for data in values:
            where = RACP if len(data) == 4 and data[0] == 6 else GLUCOSE_MEASUREMENT
            where = GLUCOSE_CONTEXT if data[0] == 0x02 and len(data) == 4 else where
            actions = self._take(self.driver.value(where, data, now(self.at)))
        return actions

    def wait(self, seconds: float) -> tuple[object, ...]:
        self.at += seconds
        return self._take(self.driver.tick(now(self.at)))

    def drop(self) -> None:
        self._take(self.driver.disconnected(now(self.at)))

    def _take(self, answer: Answer) -> tuple[object, ...]:
        self.state = answer.state or self.state
        self.found += told(answer)
        return answer.actions

    def seqs(self) -> list[object]:
        values = [each.value for each in self.found if each.kind == "vital.glucose"]
        return [value["device_seq"] for value in values if isinstance(value, dict)]

    def reasons(self) -> list[object]:
        values = [each.value for each in self.found if each.kind == "vital.failed"]
        return [value["reason"] for value in values if isinstance(value, dict)]


def test_everything_is_asked_for_first_then_from_the_last_one_seen() -> None:
    meter = Meter()
    assert meter.connect()[-4:] == (
        Subscribe(GLUCOSE_MEASUREMENT),
        Subscribe(GLUCOSE_CONTEXT, optional=True),
        Subscribe(RACP),
        ALL,
    )
    meter.hear(record(1), record(2), SUCCESS)
    assert meter.wait(QUIET_S) == (Disconnect(),)
    assert meter.connect()[-1] == after(2)
    meter.hear(record(2), record(3), SUCCESS)
    assert meter.seqs() == [1, 2, 3]
    assert meter.connect()[-1] == after(3)
    assert meter.wait(1) == ()
    meter.hear(record(3), SUCCESS)
    assert meter.wait(QUIET_S) == (Disconnect(),)
    assert meter.seqs() == [1, 2, 3]


@pytest.mark.parametrize("minutes", [0x7FFF, -0x8000])
def test_a_time_offset_that_says_it_is_out_of_range_is_no_number_of_minutes(minutes: int) -> None:
    meter = Meter()
    meter.connect()
    meter.hear(b"\x07" + record(1)[1:10] + struct.pack("<h", minutes) + record(1)[10:])
    (found,) = [each for each in meter.found if each.kind == "vital.glucose"]
    assert (found.time, found.flags) == (START, ("bad_time",))


def test_an_empty_meter_is_normal() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(NO_RECORDS)
    assert meter.wait(QUIET_S) == (Disconnect(),)
    assert not meter.found
    assert meter.connect()[-1] == ALL


def test_a_query_that_was_cut_is_made_again_and_doubles_nothing() -> None:
    meter = Meter()
    meter.connect()
    # Newest first, as some tell them: the number of the last one says nothing of what is missing.
    meter.hear(record(3), record(2))
    meter.drop()
    assert meter.connect()[-1] == ALL
    meter.hear(record(3), record(2), record(1), SUCCESS)
    assert meter.seqs() == [3, 2, 1]
    assert meter.connect()[-1] == after(3)


def test_a_cleared_memory_is_noticed_and_nothing_of_it_is_lost() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(*(record(seq) for seq in (1, 2, 3)), SUCCESS)
    meter.connect()
    # Cleared, and five measured since: those with a higher number are not all.
    assert meter.hear(record(3, day=6), record(4, day=7), record(5, day=8), SUCCESS) == (ALL,)
    meter.hear(*(record(seq, day=3 + seq) for seq in (1, 2, 3, 4, 5)), SUCCESS)
    assert sorted(map(int, map(str, meter.seqs()))) == [1, 1, 2, 2, 3, 3, 4, 5]
    assert [each.kind.value for each in meter.found].count("device.rekeyed") == 1
    assert meter.connect()[-1] == after(5)


def test_a_cleared_memory_is_noticed_although_the_link_drops_meanwhile() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(*(record(seq) for seq in (1, 2, 3)), SUCCESS)
    meter.connect()
    meter.hear(record(3, day=6), record(4, day=7))
    meter.drop()
    # Number 3 is known by now, and it is not the one that was seen last in the memory of before.
    assert meter.connect()[-1] == after(3)
    assert meter.hear(record(3, day=6), record(4, day=7), SUCCESS) == (ALL,)
    meter.hear(record(1, day=4))
    meter.drop()
    assert meter.connect()[-1] == after(3)
    assert meter.hear(record(3, day=6), record(4, day=7), SUCCESS) == (ALL,)
    meter.hear(*(record(seq, day=3 + seq) for seq in (1, 2, 3, 4)), SUCCESS)
    assert sorted(map(int, map(str, meter.seqs()))) == [1, 1, 2, 2, 3, 3, 4]
    assert meter.connect()[-1] == after(4)


def test_a_cleared_memory_without_higher_numbers_answers_no_records() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(record(7), SUCCESS)
    meter.connect()
    assert meter.hear(NO_RECORDS) == (ALL,)
    meter.hear(record(1, day=2), SUCCESS)
    assert meter.seqs() == [7, 1]
    assert meter.connect()[-1] == after(1)


def test_one_deleted_record_brings_all_again_and_doubles_none() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(record(1), record(2), SUCCESS)
    meter.connect()
    assert meter.hear(record(3), SUCCESS) == (ALL,)
    meter.hear(record(1), record(3), SUCCESS)
    assert meter.seqs() == [1, 2, 3]
    assert not [each for each in meter.found if each.kind == "device.rekeyed"]


def test_near_the_end_of_numbers_everything_is_asked_for() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(record(0xFFFF), SUCCESS)
    assert meter.connect()[-1] == ALL
    meter.hear(record(0xFFFF), record(0, day=2), SUCCESS)
    assert meter.seqs() == [0xFFFF, 0]


def test_records_with_a_lost_clock_are_known_for_ever() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(record(1, year=2000), SUCCESS)
    assert meter.found[0].flags == ("bad_time",)
    meter.at += 30 * 86400
    meter.connect()
    assert meter.hear(record(1, year=2000), SUCCESS) == ()
    assert meter.seqs() == [1]


def test_a_context_is_joined_and_not_waited_for_in_vain() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(record(1, context=True), bytes.fromhex("02010003"), record(2, context=True), record(3), SUCCESS)
    meals = [each.value.get("meal") for each in meter.found if isinstance(each.value, dict)]
    assert (meter.seqs(), meals) == ([1, 2, 3], ["fasting", None, None])
    # One that came before, with its context: nothing new, and nothing wrong.
    answer = meter.driver.value(GLUCOSE_MEASUREMENT, record(1, context=True), now())
    answer = meter.driver.value(GLUCOSE_CONTEXT, bytes.fromhex("02010003"), now())
    assert (told(answer), answer.bad) == ([], ())


def test_a_record_that_waits_for_its_context_is_told_when_the_link_goes() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(record(1, context=True))
    meter.drop()
    assert meter.seqs() == [1]


def test_medicine_and_health_of_a_context_are_not_told() -> None:
    meter = Meter()
    meter.connect()
    # Carbohydrate, meal, tester and health, medication with its amount.
    context = bytes.fromhex("17010001" + "3cd0" + "01" + "51" + "02" + "0ad0")
    meter.hear(record(1, context=True))
    (found,) = told(meter.driver.value(GLUCOSE_CONTEXT, context, now()))
    assert found.value == {
        "glucose": 5.4,
        "sample": "capillary_whole_blood",
        "location": "finger",
        "device_seq": 1,
        "meal": "before_meal",
    }
    assert found.raw == record(1, context=True).hex()


def test_a_meter_that_is_silent_is_asked_again_then_told_of_once() -> None:
    meter = Meter()
    meter.connect()
    assert meter.wait(ANSWER_S - 0.1) == ()
    assert meter.wait(0.1) == (ALL,)
    meter.wait(0)  # the time counts from the first tick after the question
    assert meter.wait(ANSWER_S) == (Disconnect(),)
    assert meter.reasons() == ["no_answer"]
    meter.connect()
    for _ in range(2):
        meter.wait(ANSWER_S)
        meter.wait(0)
    assert meter.reasons() == ["no_answer"]
    meter.connect()
    meter.hear(NO_RECORDS)
    meter.connect()
    for _ in range(3):
        meter.wait(ANSWER_S)
        meter.wait(0)
    assert meter.reasons() == ["no_answer", "no_answer"]


def test_records_of_a_meter_that_never_ends_its_answer_are_kept() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(record(1), record(2))
    meter.wait(ANSWER_S)
    meter.hear(record(1), record(2))
    meter.wait(ANSWER_S)
    assert (meter.seqs(), meter.reasons()) == ([1, 2], ["no_answer"])


def test_links_that_end_before_an_answer_are_told_of() -> None:
    meter = Meter()
    for number in range(CUT + 2):
        assert meter.reasons() == (["link_lost"] if number >= CUT else [])
        meter.connect()
        meter.drop()


def test_a_refused_operator_falls_back_to_all_and_a_refused_all_is_told() -> None:
    meter = Meter()
    meter.connect()
    meter.hear(record(1), SUCCESS)
    meter.connect()
    assert meter.hear(NO_OPERATOR) == (ALL,)
    assert meter.hear(NOT_COMPLETED) == (ALL,)
    assert meter.hear(NOT_COMPLETED) == ()
    assert meter.reasons() == ["not_completed"]
    assert meter.wait(QUIET_S) == (Disconnect(),)
    unknown = Meter()
    unknown.connect()
    unknown.hear(bytes.fromhex("060001ee"))
    assert unknown.reasons() == ["racp_0xEE"]


def test_what_answers_nothing_is_passed_over() -> None:
    meter = Meter()
    meter.connect()
    answer = meter.driver.value(RACP, bytes.fromhex("05000300"), now())
    assert "answers nothing" in answer.bad[0]
    assert meter.hear(record(1), SUCCESS) == ()
    assert meter.seqs() == [1]


def _answered(meter: Meter, memory: list[bytes], asked: object, drops_after: int | None) -> None:
    """Let a meter with this memory answer until there is nothing more to ask, or the link drops."""
    told_so_far = 0
    while isinstance(asked, Write):
        least = struct.unpack_from("<H", asked.data, 3)[0] if len(asked.data) > 2 else 0
        chosen = [each for each in memory if struct.unpack_from("<H", each, 1)[0] >= least]
        for each in chosen:
            if told_so_far == drops_after:
                meter.drop()
                return
            meter.hear(each)
            told_so_far += 1
        actions = meter.hear(SUCCESS if chosen else NO_RECORDS)
        asked = actions[0] if actions else None


@given(
    st.lists(
        st.one_of(st.just("measure"), st.just("clear"), st.just("read"), st.integers(0, 6)),
        max_size=40,
    )
)
def test_whatever_happens_each_record_is_told_once(events: list[str | int]) -> None:
    meter, memory, made, last = Meter(), list[bytes](), 0, 0
    must: list[str] = []
    for event in [*events, "read"]:
        if event == "measure":
            made, last = made + 1, last + 1
            when = START - dt.timedelta(days=100) + dt.timedelta(minutes=made)
            head = struct.pack("<BHHBBBBB", 6, last, when.year, when.month, when.day, when.hour, when.minute, 0)
            memory.append(head + bytes.fromhex("36c011"))
        elif event == "clear":
            memory, last = [], 0
        else:
            asked = meter.connect()[-1]
            _answered(meter, memory, asked, event if isinstance(event, int) else None)
            if event == "read":
                must += [each.hex() for each in memory if each.hex() not in must]
    raws = [each.raw for each in meter.found if each.kind == "vital.glucose"]
    assert len(raws) == len(set(raws))
    assert set(must) <= set(raws)
