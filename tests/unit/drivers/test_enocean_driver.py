"""ESP3 packets out of a stream, and what EnOcean telegrams mean."""

import datetime as dt
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers._resync import GAP_S
from drivers.base import Answer, Device, Send, Setup
from drivers.enocean import open_driver
from drivers.enocean.driver import EnOceanDriver
from drivers.enocean.esp3 import HEADER_BYTES, MAX_BODY_BYTES, READ_BASE_ID, SYNC, Stream, crc8, packet
from drivers.enocean.profiles import PROFILES, SETTINGS, Said
from hub.domain.clock import UTC, Now
from hub.domain.errors import MalformedError

START = dt.datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
OPEN = bytes.fromhex("55000707017ad50801825dab0001ffffffff2d0093")
CLOSED = bytes.fromhex("55000707017ad50901825dab0001ffffffff2d0007")
PENDANT = bytes.fromhex("55000707017af610010203043001ffffffff2d0002")
CORD = bytes.fromhex("55000707017af650002989793001ffffffff37009d")
RELEASED = bytes.fromhex("55000707017af600002989792002ffffffff4a0003")
FRAMES = (OPEN, CLOSED, PENDANT, CORD, RELEASED)
DEVICES = (
    Device(id="door", address="01825DAB", profile="D5-00-01"),
    Device(id="pendant", address="01020304", profile="F6-01-01"),
    Device(id="cord", address="00298979", profile="F6-02-01"),
)


def now(seconds: float) -> Now:
    return Now(START + dt.timedelta(seconds=seconds), 500.0 + seconds)


def driver(state: bytes = b"") -> EnOceanDriver:
    made = open_driver("serial", Setup(devices=DEVICES, state=state))
    made.opened(now(0))
    return made


def told(*answers: Answer) -> list[tuple[str, str]]:
    return [(each.device_id, each.observation.kind.value) for answer in answers for each in answer.observations]


def radio(rorg: int, payload: bytes, sender: str, status: int = 0x30) -> bytes:
    data = bytes([rorg]) + payload + bytes.fromhex(sender) + bytes([status])
    return packet(0x01, data, bytes.fromhex("01ffffffff2d00"))


def test_checksum_is_the_published_one() -> None:
    assert crc8(b"123456789") == 0xF4


def test_the_stick_is_asked_for_its_base_id() -> None:
    made = open_driver("serial", Setup(devices=DEVICES))
    assert made.opened(now(0)).actions == (Send(bytes.fromhex("5500010005700838")),)
    assert bytes.fromhex("5500010005700838") == READ_BASE_ID


def test_a_frame_built_is_the_frame_published() -> None:
    assert radio(0xF6, b"\x10", "01020304") == PENDANT


def test_repeats_of_a_telegram_are_one_event() -> None:
    heard = driver()
    again = radio(0xF6, b"\x10", "01020304", status=0x31)  # as a repeater sends it
    answers = [
        heard.received(PENDANT, now(0)),
        heard.received(PENDANT, now(0.04)),
        heard.received(again, now(0.09)),
    ]
    assert told(*answers) == [("pendant", "alarm.pressed")]
    assert told(heard.received(PENDANT, now(0.1))) == [("pendant", "alarm.pressed")]


def test_telegrams_that_a_stalled_hub_reads_at_once_are_each_told() -> None:
    heard = driver()
    answer = heard.received(OPEN + OPEN + CLOSED + CLOSED + OPEN + OPEN, now(10))
    assert told(answer) == [("door", "door.opened"), ("door", "door.closed"), ("door", "door.opened")]
    assert told(heard.received(OPEN + CORD + RELEASED, now(20)), heard.received(CORD, now(20.05))) == [
        ("door", "device.alive"),
        ("cord", "alarm.pressed"),
    ]
    assert told(heard.received(CORD + RELEASED + CORD, now(30))) == [("cord", "alarm.pressed")] * 2


def test_another_payload_is_never_a_repeat() -> None:
    heard = driver()
    other = radio(0xF6, b"\x10", "00298979")
    answers = [heard.received(data, now(0)) for data in (CORD, RELEASED, other, OPEN, CLOSED)]
    assert told(*answers) == [
        ("cord", "alarm.pressed"),
        ("cord", "alarm.pressed"),
        ("door", "door.opened"),
        ("door", "door.closed"),
    ]


def test_a_contact_that_repeats_its_state_is_alive_also_after_a_restart() -> None:
    heard = driver()
    first = heard.received(OPEN, now(1))
    assert told(first) == [("door", "door.opened")]
    assert told(heard.received(OPEN, now(1200))) == [("door", "device.alive")]
    assert first.state is not None
    restarted = driver(first.state)
    again = restarted.received(OPEN, now(2400))
    assert told(again) == [("door", "device.alive")]
    assert again.state is None
    assert told(restarted.received(CLOSED, now(2401))) == [("door", "door.closed")]


def test_strangers_are_named_and_not_observed() -> None:
    answer = driver().received(radio(0xF6, b"\x10", "fe00a1b2") + radio(0xD5, b"\x08", "fe00a1b2"), now(0))
    assert answer.observations == ()
    assert answer.strangers == ("FE00A1B2",)


def test_an_unknown_telegram_is_counted_and_its_neighbours_are_heard() -> None:
    stream = OPEN + radio(0x99, b"\x01\x02", "01825dab") + packet(0x01, b"\xf6\x10") + PENDANT
    answer = driver().received(stream, now(0))
    assert told(answer) == [("door", "door.opened"), ("pendant", "alarm.pressed")]
    assert any("unknown RORG 0x99 of 01825DAB" in line for line in answer.bad)
    assert any("radio telegram of 2 bytes" in line for line in answer.bad)


@pytest.mark.parametrize(
    ("payload", "status", "value"),
    [
        (0x10, 0x30, {"rocker": "AI"}),
        (0x30, 0x30, {"rocker": "AO"}),
        (0x50, 0x30, {"rocker": "BI"}),
        (0x70, 0x30, {"rocker": "BO"}),
        (0x15, 0x30, {"rocker": "AI", "second": "BI"}),
        (0xB0, 0x30, {"rocker": "5"}),  # reserved: raised all the same
        (0x70, 0x20, {"rocker": "several"}),
        (0x40, 0x30, None),
        (0x00, 0x20, None),
    ],
)
def test_rockers(payload: int, status: int, value: object) -> None:
    answer = driver().received(radio(0xF6, bytes([payload]), "00298979", status), now(0))
    assert [each.observation.value for each in answer.observations] == ([value] if value else [])


def test_signal_strength_is_negative_and_may_be_absent() -> None:
    without = packet(0x01, bytes.fromhex("f6100102030430"))
    answer = driver().received(PENDANT, now(0)), driver().received(without, now(0))
    assert [each.observations[0].observation.rssi_dbm for each in answer] == [-45, None]


def test_two_devices_with_one_address_are_refused() -> None:
    with pytest.raises(MalformedError, match="address"):
        open_driver("serial", Setup(devices=(DEVICES[0], DEVICES[0])))


def test_a_false_start_holds_an_alarm_until_the_line_is_quiet() -> None:
    heard = driver()
    header = bytes.fromhex("01f40001")
    false_start = bytes([SYNC]) + header + bytes([crc8(header)])
    assert told(heard.received(false_start + PENDANT, now(0))) == []
    assert told(heard.tick(now(0.03)), heard.tick(now(0.04))) == []
    assert told(heard.tick(now(0.1))) == [("pendant", "alarm.pressed")]


def test_a_length_above_the_ceiling_holds_nothing_back() -> None:
    header = (MAX_BODY_BYTES + 1).to_bytes(2, "big") + b"\x00\x01"
    too_long = bytes([SYNC]) + header + bytes([crc8(header)])
    answer = driver().received(too_long + PENDANT, now(0))
    assert told(answer) == [("pendant", "alarm.pressed")]
    assert answer.bad == ("byte 0: length 513 is above 512; 6 bytes passed over",)


def test_a_false_start_does_not_outlive_a_gap() -> None:
    heard = driver()
    heard.received(PENDANT[:10], now(0))
    answer = heard.received(PENDANT[:5], now(1))
    assert told(answer, heard.received(PENDANT[5:], now(1.01))) == [("pendant", "alarm.pressed")]


@pytest.mark.parametrize("cut", range(1, len(PENDANT)))
def test_half_a_packet_before_a_gap_costs_nothing_of_the_next_wherever_that_is_cut(cut: int) -> None:
    heard = driver()
    heard.received(PENDANT[:10], now(0))
    answers = [heard.received(PENDANT[:cut], now(1)), heard.received(PENDANT[cut:], now(1.01))]
    assert told(*answers) == [("pendant", "alarm.pressed")]


def test_a_slow_reader_makes_no_gap() -> None:
    heard = driver()
    heard.received(PENDANT[:10], now(0))
    heard.tick(now(0.5))  # the bytes were there all the time, nobody had read them
    assert told(heard.received(PENDANT[10:], now(0.5))) == [("pendant", "alarm.pressed")]


def test_a_line_that_was_opened_again_forgets_half_packets() -> None:
    heard = driver()
    heard.received(PENDANT[:10], now(0))
    heard.opened(now(0.01))
    assert told(heard.received(PENDANT, now(0.02))) == [("pendant", "alarm.pressed")]


def test_what_is_passed_over_makes_few_lines() -> None:
    heard = driver()
    lines = [line for _ in range(50) for line in heard.received(b"\x00\x01\x02", now(0)).bad]
    assert lines == []
    assert heard.received(OPEN, now(0)).bad == ("byte 0: 0x00 is no start (0x55); 150 bytes passed over",)


# Noise that is made of what could be taken for packets, as far as that can be done.
_noise = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.just(b"\x55"),
        st.just(b"\x55\xff\xff\xff\xff"),
        st.sampled_from(FRAMES).flatmap(lambda frame: st.integers(1, 20).map(lambda cut: frame[:cut])),
        st.integers(0, 600).map(
            lambda n: bytes([SYNC, n >> 8, n & 0xFF, 0, 1, crc8(bytes([n >> 8, n & 0xFF, 0, 1]))])
        ),
    ),
    max_size=4,
).map(b"".join)


def _false_packet(stream: bytes, frames: Sequence[tuple[int, int]]) -> bool:
    """Tell whether noise makes, with what follows, a packet whose two checksums fit: nothing can see that."""
    real = {start for start, _ in frames}
    for at in range(len(stream) - HEADER_BYTES):
        if stream[at] != SYNC or at in real or crc8(stream[at + 1 : at + 5]) != stream[at + 5]:
            continue
        size = (stream[at + 1] << 8 | stream[at + 2]) + stream[at + 3]
        end = at + HEADER_BYTES + size
        if size <= MAX_BODY_BYTES and end < len(stream) and crc8(stream[at + HEADER_BYTES : end]) == stream[end]:
            return True
    return False


@given(parts=st.lists(st.tuples(_noise, st.sampled_from(FRAMES)), max_size=5), tail=_noise, data=st.data())
def test_noise_loses_no_packet_and_cuts_change_nothing(
    parts: list[tuple[bytes, bytes]], tail: bytes, data: st.DataObject
) -> None:
    stream, places = b"", []
    for noise, frame in parts:
        stream += noise
        places.append((len(stream), len(frame)))
        stream += frame
    stream += tail
    assume(not _false_packet(stream, places))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    line = Stream()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += line.feed(stream[start:end], 1.0)
    for _ in range(2):
        found += line.tick(1.0 + 2 * GAP_S)
    assert [each.raw for each in found] == [frame for _, frame in parts]
    assert not line._buffer


@given(
    chunks=st.lists(st.tuples(st.one_of(st.binary(max_size=600), _noise), st.floats(0, 0.2)), max_size=8),
    state=st.binary(max_size=20),
)
def test_no_input_raises_or_fills_the_memory(chunks: list[tuple[bytes, float]], state: bytes) -> None:
    heard = driver(state)
    at = 0.0
    for chunk, pause in chunks:
        at += pause
        heard.received(chunk, now(at))
        heard.tick(now(at))
        assert len(heard._stream._buffer) <= HEADER_BYTES + MAX_BODY_BYTES
    for _ in range(2):
        heard.tick(now(at + 1))
    assert not heard._stream._buffer


@given(payload=st.binary(min_size=4, max_size=4), status=st.integers(0, 255))
@pytest.mark.parametrize("profile", PROFILES)
def test_every_payload_of_a_profile_is_read(profile: str, payload: bytes, status: int) -> None:
    row = PROFILES[profile]
    facts = row.read(Said(payload[: row.size], status, {name: each.default for name, each in SETTINGS.items()}))
    names = [fact.state.name for fact in facts if fact.state]
    assert len(set(names)) == len(names)
    assert all(fact.kind or fact.state for fact in facts)
