"""ESPA 4.4.4: the dialogue of station 2, what a call becomes, and what never leaves the edge."""

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.base import Answer, Device, Send, Setup
from drivers.espa import open_driver
from drivers.espa.codec import Control, bcc, block
from drivers.espa.driver import ALIVE_S, REPEAT_S, SILENT_S, TEXTS, EspaDriver
from drivers.espa.line import MAX_BLOCK_BYTES, PAUSE_S, Line, Whole
from hub.domain.clock import UTC, Now
from hub.domain.errors import MalformedError

START = dt.datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
PUBLISHED = bytes.fromhex("013102311f3535301e321f46414c4c204c45494c2031321e331f331e341f331e351f311e361f310311")
SYSTEM, ROOM, BATH = Device(id="system"), Device(id="room", address="550"), Device(id="bath", address="551")
POLL, SELECT, EOT = b"\x042\x05", b"\x041\x052\x05", b"\x04"
ACK, NAK = b"\x06", b"1\x15"


def now(seconds: float) -> Now:
    return Now(START + dt.timedelta(seconds=seconds), 500.0 + seconds)


def driver(*devices: Device, state: bytes = b"") -> EspaDriver:
    made = open_driver("serial", Setup(devices=devices or (SYSTEM, ROOM, BATH), state=state))
    made.opened(now(0))
    return made


def call(address: str = "550", text: str = "KARI ROM 12", call_type: str = "3") -> bytes:
    return block("1", [("1", address), ("2", text), ("4", call_type), ("6", "1")])


def told(*answers: Answer) -> list[tuple[str, str]]:
    return [(each.device_id, each.observation.kind.value) for one in answers for each in one.observations]


def sent(*answers: Answer) -> bytes:
    return b"".join(action.data for each in answers for action in each.actions if isinstance(action, Send))


def values(answer: Answer) -> list[Any]:
    return [each.observation.value for each in answer.observations]


def test_a_block_built_is_the_block_published() -> None:
    records = [("1", "550"), ("2", "FALL LEIL 12"), ("3", "3"), ("4", "3"), ("5", "1"), ("6", "1")]
    assert block("1", records) == PUBLISHED
    assert bcc(PUBLISHED[1:-1]) == PUBLISHED[-1]


def test_a_poll_is_answered_with_nothing_to_send_and_a_selection_with_yes() -> None:
    heard = driver()
    assert sent(heard.received(POLL, now(1))) == EOT
    assert sent(heard.received(SELECT, now(2))) == ACK
    assert sent(heard.received(call(), now(3))) == ACK
    assert sent(heard.received(POLL, now(4))) == EOT


def test_a_turn_that_is_not_ended_ends_by_itself() -> None:
    heard = driver()
    heard.received(SELECT, now(1))
    for tenth in range(1, int(PAUSE_S * 10) + 3):
        heard.tick(now(1 + tenth / 10))
    assert sent(heard.received(b"2\x05", now(4))) == EOT


def test_other_stations_are_left_alone() -> None:
    answer = driver().received(b"\x043\x05\x04\x044\x05\x06\x04", now(1))
    assert sent(answer) == b""
    assert answer.bad == ()


def test_a_system_that_never_polls_is_answered_when_it_selects() -> None:
    heard = driver(Device(id="system", settings={"selects_alone": True}))
    assert sent(heard.received(b"2\x05", now(1))) == ACK
    assert told(heard.received(call(), now(2)), *[heard.tick(now(at)) for at in range(3, 400)]) == [
        ("system", "alarm.pressed")
    ]


def test_a_call_is_acknowledged_with_its_observation_and_its_state() -> None:
    answer = driver().received(call(), now(1))
    assert told(answer) == [("room", "alarm.pressed")]
    assert answer.state is not None
    assert sent(answer) == ACK


def test_the_text_stays_at_the_edge_under_its_number() -> None:
    heard = driver()
    answers = [heard.received(call("550", "KARI ROM 12"), now(1)), heard.received(call("KARI", "OLA"), now(2))]
    answers.append(heard.received(block("1", [("1", "551"), ("2", "OLA"), ("4", "OLA"), ("OLA", "OLA")]), now(3)))
    answers.append(heard.received(call("551", "KARI")[:-1] + b"\x7f" + b"KARI OLA" + call("", "KARI")[:9], now(4)))
    answers += [heard.tick(now(at)) for at in (20, 21)]
    outside = repr([(each.observations, each.bad, each.strangers, each.actions) for each in answers])
    for name in ("KARI", "OLA"):
        assert name not in outside
        assert name.encode().hex() not in outside
    assert [value["text_ref"] for each in answers for value in values(each)] == [1, 2, 3]
    kept = json.loads(answers[2].state or b"")["texts"]
    assert [(text["ref"], text["address"], text["text"]) for text in kept] == [
        (1, "550", "KARI ROM 12"),
        (2, "", "[KARI] OLA"),
        (3, "551", "OLA"),
    ]


def test_old_texts_go_and_numbers_go_on() -> None:
    heard = driver()
    answers = [heard.received(call(text=f"T{number}"), now(number)) for number in range(TEXTS + 5)]
    again = driver(state=answers[-1].state or b"")
    answer = again.received(call(text="LAST"), now(500))
    assert values(answer)[0]["text_ref"] == TEXTS + 6
    kept = json.loads(answer.state or b"")["texts"]
    assert [text["ref"] for text in kept] == list(range(7, TEXTS + 7))


def test_a_repeat_is_acknowledged_and_told_once_also_after_a_restart() -> None:
    first = driver().received(call(), now(0))
    again = driver(state=first.state or b"")
    repeat = again.received(SELECT + call(), now(REPEAT_S - 1))
    assert told(repeat) == []
    assert sent(repeat) == ACK + ACK
    assert repeat.state is None
    assert told(again.received(call(), now(REPEAT_S))) == [("room", "alarm.pressed")]


def test_a_second_call_counts() -> None:
    heard = driver()
    reset = call(call_type="1")
    blocks = [call(), call("551"), call(), reset, call(), call(text="OTHER")]
    assert told(*[heard.received(each, now(number / 10)) for number, each in enumerate(blocks)]) == [
        ("room", "alarm.pressed"),
        ("bath", "alarm.pressed"),
        ("room", "alarm.cancelled"),
        ("room", "alarm.pressed"),
        ("room", "alarm.pressed"),
    ]


@pytest.mark.parametrize("devices", [(SYSTEM, ROOM), (ROOM, BATH)])
def test_a_call_of_nobody_is_heard(devices: tuple[Device, ...]) -> None:
    answer = driver(*devices).received(call("777") + call(""), now(1))
    assert told(answer) == [(devices[0].id, "alarm.pressed")] * 2
    assert answer.strangers == ("777",)
    flags = [set(each.observation.flags) for each in answer.observations]
    unassigned = {"unassigned"} if devices[0].address else set()
    assert flags == [unassigned, unassigned | {"no_address"}]


def test_a_reset_of_nobody_cancels_nothing_of_another() -> None:
    answer = driver(ROOM).received(call("777", call_type="1"), now(1))
    assert told(answer) == []
    assert "cancels nothing" in answer.bad[0]
    assert sent(answer) == ACK


def test_without_any_device_nothing_is_acknowledged() -> None:
    heard = open_driver("serial", Setup(devices=()))
    answer = heard.received(call(), now(1))
    assert (sent(answer), answer.strangers) == (NAK, ("550",))


def test_a_spoilt_block_is_refused() -> None:
    answer = driver().received(PUBLISHED[:-1] + b"\x10", now(1))
    assert (sent(answer), told(answer)) == (NAK, [])
    assert answer.bad == ("system: byte 40: BCC is 0x10, not 0x11; the block begins at byte 0",)


def test_a_block_of_no_known_kind_is_refused_and_status_is_taken() -> None:
    heard = driver()
    assert [sent(heard.received(block(header, [("8", "1")]), now(1))) for header in "23789"] == [ACK] * 2 + [
        NAK
    ] * 3


def test_a_block_with_parity_and_nothing_before_it_is_a_call() -> None:
    answer = driver().received(even(PUBLISHED), now(1))
    assert (told(answer), sent(answer)) == ([("room", "alarm.pressed")], ACK)


def even(data: bytes) -> bytes:
    return bytes(byte | byte.bit_count() % 2 << 7 for byte in data)


def test_even_parity_is_seen_and_answered() -> None:
    heard = driver()
    assert sent(heard.received(even(POLL), now(1))) == even(EOT)
    assert sent(heard.received(even(PUBLISHED[:-1] + b"\x10"), now(2))) == even(NAK)
    assert told(heard.received(even(PUBLISHED), now(3))) == [("room", "alarm.pressed")]
    assert sent(heard.received(POLL, now(4))) == EOT


@pytest.mark.parametrize("letter", [*range(0x80, 0xA0), 0xE5])
def test_without_parity_a_letter_of_an_old_code_page_is_no_control_character(letter: int) -> None:
    # 0x81, 0x83, 0x84 and 0x85 are u umlaut, a circumflex, a umlaut and a grave in code pages 437 and 850.
    answer = driver().received(SELECT + call(text=f"K{chr(letter)}RE 12"), now(1))
    assert (told(answer), sent(answer)) == ([("room", "alarm.pressed")], ACK + ACK)


def test_a_system_that_polls_no_more_is_told_once_and_so_is_its_return() -> None:
    heard = driver()
    heard.received(POLL, now(0))
    answers = [heard.tick(now(second)) for second in range(1, 300)]
    assert told(*answers) == [("system", "device.fault")]
    assert answers[int(SILENT_S) - 1].observations
    back = heard.received(POLL, now(300))
    assert told(back) == [("system", "device.alive"), ("room", "device.alive"), ("bath", "device.alive")]
    assert values(back)[0] == {"returned": True}


def test_every_device_is_alive_while_its_system_polls() -> None:
    heard = driver()
    answers = [heard.received(POLL, now(second)) for second in range(1, int(3 * ALIVE_S))]
    assert told(*answers) == [("system", "device.alive"), ("room", "device.alive"), ("bath", "device.alive")] * 2


def test_two_devices_of_one_address_are_refused() -> None:
    with pytest.raises(MalformedError, match="address"):
        open_driver("serial", Setup(devices=(ROOM, ROOM)))


_blocks = st.builds(call, st.sampled_from(["550", "551", "9", "KARI"]), st.text("KARI 12Æ", max_size=9))
_noise = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([POLL, SELECT, b"\x01", b"\x01\x31\x02", b"\x03", b"\x01A\x03"]),
        _blocks.flatmap(lambda whole: st.integers(1, len(whole) - 1).map(lambda cut: whole[:cut])),
    ),
    max_size=4,
).map(b"".join)


def _ends_in_front_of_a_bcc(line: Line, noise: bytes) -> bool:
    """Tell whether what comes next would be taken for a BCC that fits: nothing can see that."""
    line.feed(noise, 1.0)
    return line._ended and line._block is not None and bcc(line._block) == Control.SOH


@given(parts=st.lists(st.tuples(_noise, _blocks), max_size=5), data=st.data())
def test_noise_loses_no_block_and_cuts_change_nothing(
    parts: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    stream, probe = b"", Line(selects_alone=False)
    for noise, whole in parts:
        assume(not _ends_in_front_of_a_bcc(probe, noise))
        probe.feed(whole, 1.0)
        stream += noise + whole
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    line, once = Line(selects_alone=False), Line(selects_alone=False)
    found: list[object] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += line.feed(stream[start:end], 1.0)
    assert found == once.feed(stream, 1.0)
    assert line.take_bad() == once.take_bad()
    contents = [each.content for each in found if isinstance(each, Whole)]
    for _, whole in parts:
        content = whole[1:-2]
        at = next(
            (n for n, each in enumerate(contents) if each in (content, bytes(b & 0x7F for b in content))), None
        )
        assert at is not None
        del contents[: at + 1]


@given(
    chunks=st.lists(st.tuples(st.one_of(st.binary(max_size=600), _noise), st.floats(0, 200)), max_size=8),
    state=st.one_of(st.binary(max_size=20), st.just(b'{"last":{"550":{"digest":"","at":"2026-11-21T03:10:00"}}}')),
)
def test_no_input_raises_or_fills_the_memory(chunks: list[tuple[bytes, float]], state: bytes) -> None:
    heard = driver(state=state)
    at = 0.0
    for chunk, pause in chunks:
        at += pause
        heard.received(chunk + call(), now(at))
        heard.tick(now(at))
        assert len(heard._line._block or b"") <= MAX_BLOCK_BYTES
