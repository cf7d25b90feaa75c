"""The fall radar: frames out of a stream, what they mean, and what is done when it is quiet, restarts or lies."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers._resync import GAP_S
from drivers.base import Answer, Device, Send, Setup
from drivers.radar60 import MANIFEST, open_driver
from drivers.radar60.codec import HEAD, MAX_DATA_BYTES, Stream, frame
from drivers.radar60.driver import ALIVE_S, ASK_S, STUCK_S, UNHEARD_S, RadarDriver
from drivers.radar60.settings import ANSWER_S, ATTEMPTS, VERIFY_S
from hub.domain.clock import UTC, Now
from hub.domain.errors import MalformedError

START = dt.datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
FALL = bytes.fromhex("53598301000101325443")
CLEAR = bytes.fromhex("53598301000100315443")
PRESENT = bytes.fromhex("535980010001012f5443")
ACTIVE = bytes.fromhex("53598002000102315443")
ASK = bytes.fromhex("5359808100010fbd5443")
HEARTBEAT, STARTED = frame(0x01, 0x01, b"\x0f"), frame(0x05, 0x01, b"\x0f")
STILL = frame(0x83, 0x05, b"\x01")
FRAMES = (FALL, CLEAR, PRESENT, ACTIVE, HEARTBEAT, STILL)
GIVEN = {"threshold_s": 20, "sensitivity": 2, "height_cm": 300 - 250}
WRITES = (frame(0x83, 0x0C, b"\0\0\0\x14"), frame(0x83, 0x0D, b"\x02"), frame(0x83, 0x11, b"\0\x32"))
READS = tuple(frame(0x83, command, b"\x0f") for command in (0x8C, 0x8D, 0x91))
HELD = frame(0x83, 0x8C, b"\0\0\0\x14") + frame(0x83, 0x8D, b"\x02") + frame(0x83, 0x91, b"\0\x32")


def now(seconds: float) -> Now:
    return Now(START + dt.timedelta(seconds=seconds), 500.0 + seconds)


def driver(state: bytes = b"", **settings: int) -> RadarDriver:
    made = open_driver("serial", Setup(devices=(Device(id="d-r", settings=settings or GIVEN),), state=state))
    made.opened(now(0))
    return made


def told(*answers: Answer) -> list[tuple[str, Any]]:
    return [(one.observation.kind.value, one.observation.value) for each in answers for one in each.observations]


def kinds(*answers: Answer) -> list[str]:
    return [kind for kind, _ in told(*answers)]


def sent(answer: Answer) -> list[bytes]:
    return [action.data for action in answer.actions if isinstance(action, Send)]


def state_of(*answers: Answer) -> bytes:
    return [each.state for each in answers if each.state is not None][-1]


def test_the_published_frames_are_made_and_the_query_too() -> None:
    assert frame(0x83, 0x01, b"\x01") == FALL
    assert frame(0x80, 0x81, b"\x0f") == ASK


def test_opening_asks_for_every_state_and_writes_every_setting() -> None:
    made = open_driver("serial", Setup(devices=(Device(id="d-r", settings=GIVEN),)))
    asked = [ASK, frame(0x80, 0x82, b"\x0f"), frame(0x83, 0x81, b"\x0f"), frame(0x83, 0x85, b"\x0f")]
    settings = [data for pair in zip(WRITES, READS, strict=True) for data in pair]
    assert sent(made.opened(now(0))) == asked + settings


def test_one_state_is_one_event_until_it_changes() -> None:
    heard = driver()
    answers = [heard.received(FALL, now(at)) for at in (1, 2, 3)]
    assert kinds(*answers) == ["fall.detected"]
    assert kinds(heard.received(CLEAR + CLEAR + FALL, now(4))) == ["fall.cleared", "fall.detected"]


def test_a_standing_fall_survives_a_restart_of_the_hub() -> None:
    first = driver().received(FALL, now(1))
    again = driver(state_of(first))
    assert told(again.received(FALL, now(2))) == []
    assert told(again.received(CLEAR + FALL, now(3))) == [("fall.cleared", None), ("fall.detected", None)]


def test_a_fall_that_stands_after_nobody_listened_may_be_another_and_is_told() -> None:
    first = driver().received(FALL + PRESENT, now(1))
    device = Device(id="d-r", settings=GIVEN)
    again = open_driver("serial", Setup(devices=(device,), state=state_of(first)))
    again.opened(now(2 + UNHEARD_S))
    answer = again.received(FALL + PRESENT + FALL, now(3 + UNHEARD_S))
    assert [(each.observation.kind, each.observation.flags) for each in answer.observations] == [
        ("fall.detected", ("not_watched",))
    ]


def test_a_fall_cleared_while_nobody_listened_is_flagged() -> None:
    first = driver().received(FALL, now(1))
    answer = driver(state_of(first)).received(CLEAR, now(60))
    assert [each.observation.flags for each in answer.observations] == [("not_watched",)]
    watched = driver(state_of(first))
    watched.received(FALL, now(2))
    assert [each.observation.flags for each in watched.received(CLEAR, now(3)).observations] == [()]


def test_a_radar_that_restarts_clears_nothing_and_gets_its_settings_again() -> None:
    heard = driver()
    heard.received(HELD + FALL + STILL, now(1))
    answer = heard.received(FALL[:6] + STARTED + CLEAR, now(2))
    assert told(answer) == [("device.fault", {"reason": "restarted", "standing": "fall, still"})]
    assert [data for data in sent(heard.tick(now(2.1))) if data in WRITES] == list(WRITES)
    assert kinds(heard.received(FALL, now(3))) == ["fall.detected"]


def test_a_quiet_radar_is_asked_then_reported_once_then_welcomed() -> None:
    heard = driver()
    heard.received(HELD + PRESENT, now(1))
    answers = [heard.tick(now(1 + tenth / 10)) for tenth in range(1, 600)]
    assert told(*answers) == [("device.fault", {"reason": "silent", "seconds": round(4 * ASK_S)})]
    assert [data for each in answers[:199] for data in sent(each)] == [ASK] * 3
    lost = driver(state_of(*answers))
    assert told(*[lost.tick(now(tenth / 10)) for tenth in range(600)]) == []
    back = heard.received(PRESENT, now(70))
    assert told(back) == [("device.alive", {"returned": True})]
    assert WRITES[0] in sent(heard.tick(now(70.1)))


def test_a_stalled_hub_does_not_call_the_radar_silent() -> None:
    heard = driver()
    heard.received(HELD, now(1))
    assert told(heard.tick(now(300)), heard.tick(now(300.1)), heard.received(PRESENT, now(300.2)))[0][0] == (
        "occupancy.started"
    )


def test_a_radar_without_news_is_alive_every_minute() -> None:
    heard = driver()
    heard.received(HELD + PRESENT, now(0))
    answers = [heard.received(PRESENT + HEARTBEAT, now(second)) for second in range(1, 181)]
    assert told(*answers) == [("device.alive", None)] * int(180 / ALIVE_S)


def test_a_setting_is_believed_only_when_it_is_read_back() -> None:
    heard = driver()
    echoes = b"".join(WRITES)  # says yes to everything
    wrong = frame(0x83, 0x8C, b"\0\0\0\x05") + frame(0x83, 0x8D, b"\x02") + frame(0x83, 0x91, b"\0\x32")
    answers = []
    for tenth in range(1, 150):
        answers += [heard.tick(now(tenth / 10)), heard.received(echoes + wrong, now(tenth / 10))]
    fault = {"reason": "setting_refused", "name": "threshold_s", "wanted": 20, "has": 5}
    assert told(*answers) == [("device.fault", fault)]
    writes = [data for each in answers for data in sent(each) if data == WRITES[0]]
    assert len(writes) == ATTEMPTS - 1  # the first was sent when the line was opened
    taken = heard.received(HELD, now(20))
    assert told(taken) == [("device.alive", {"setting_taken": "threshold_s"})]


def test_a_setting_that_is_never_answered_is_a_fault_without_a_value() -> None:
    heard = driver()
    answers = []
    for tenth in range(1, int((ATTEMPTS + 1) * ANSWER_S) * 10):
        answers += [heard.received(PRESENT, now(tenth / 10)), heard.tick(now(tenth / 10))]
    faults = [value for kind, value in told(*answers) if kind == "device.fault"]
    assert [(value["name"], value["has"]) for value in faults] == [(name, None) for name in GIVEN]
    again = driver(state_of(*answers))
    answers = [again.tick(now(tenth / 10)) for tenth in range(1, 100)]
    assert told(*answers) == []


def test_a_setting_that_was_lost_is_written_again() -> None:
    heard = driver()
    heard.received(HELD, now(0.1))
    assert sent(heard.tick(now(0.2))) == []
    heard.received(PRESENT, now(VERIFY_S))
    assert sent(heard.tick(now(VERIFY_S + 0.2))) == list(READS)
    heard.received(HELD.replace(b"\0\x32", b"\0\x33"), now(VERIFY_S + 0.3))  # its checksum is wrong: nothing
    assert sent(heard.tick(now(VERIFY_S + 0.4))) == []
    heard.received(frame(0x83, 0x91, b"\0\x64"), now(VERIFY_S + 0.5))
    assert sent(heard.tick(now(VERIFY_S + 0.6))) == [WRITES[2], READS[2]]


def test_a_fall_that_never_clears_is_a_fault_once() -> None:
    heard = driver()
    heard.received(HELD + FALL, now(0))
    answers = []
    for second in range(0, int(STUCK_S) + 120, 2):
        answers += [heard.received(FALL + HELD, now(second)), heard.tick(now(second))]
    assert [value for kind, value in told(*answers) if kind == "device.fault"] == [
        {"reason": "stuck", "signal": "fall"}
    ]


@pytest.mark.parametrize("settings", [{"threshold_s": 4}, {"height_cm": 1.5}, {"sensitivity": True}, {"mute": 1}])
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match=next(iter(settings))):
        open_driver("serial", Setup(devices=(Device(id="d-r", settings=settings),)))


def test_the_manifest_offers_only_what_is_written() -> None:
    assert set(MANIFEST.settings) == set(GIVEN)


_noise = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.just(HEAD),
        st.just(HEAD + b"\x83\x01\xff\xff"),
        st.sampled_from(FRAMES).flatmap(lambda whole: st.integers(1, 9).map(lambda cut: whole[:cut])),
        st.integers(0, 100).map(lambda n: HEAD + b"\x83\x01" + n.to_bytes(2, "big")),
    ),
    max_size=4,
).map(b"".join)


def _false_frame(stream: bytes, starts: set[int]) -> bool:
    """Tell whether noise happens to make a frame that fits in all its parts: nothing can see that."""
    for at in range(len(stream) - 8):
        length = int.from_bytes(stream[at + 4 : at + 6], "big")
        whole = stream[at : at + 9 + length]
        if at not in starts and length <= MAX_DATA_BYTES and whole == frame(whole[2], whole[3], whole[6:-3]):
            return True
    return False


@given(parts=st.lists(st.tuples(_noise, st.sampled_from(FRAMES)), max_size=5), tail=_noise, data=st.data())
def test_noise_loses_no_frame_and_cuts_change_nothing(
    parts: list[tuple[bytes, bytes]], tail: bytes, data: st.DataObject
) -> None:
    stream, starts = b"", set()
    for noise, whole in parts:
        stream += noise
        starts.add(len(stream))
        stream += whole
    stream += tail
    assume(not _false_frame(stream, starts))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    line = Stream()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += line.feed(stream[start:end], 1.0)
    for _ in range(2):
        found += line.tick(1.0 + 2 * GAP_S)
    assert [each.raw for each in found] == [whole for _, whole in parts]
    assert not line._buffer


@given(
    chunks=st.lists(st.tuples(st.one_of(st.binary(max_size=200), _noise), st.floats(0, 30)), max_size=8),
    state=st.one_of(st.binary(max_size=20), st.just(msgspec.json.encode({"seen": {"fall": 7, "x": -1}}))),
)
def test_no_input_raises_or_fills_the_memory(chunks: list[tuple[bytes, float]], state: bytes) -> None:
    heard = driver(state)
    at = 0.0
    for chunk, pause in chunks:
        at += pause
        heard.received(chunk, now(at))
        heard.tick(now(at))
        assert len(heard._stream._buffer) <= MAX_DATA_BYTES + 9
