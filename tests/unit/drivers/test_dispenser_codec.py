"""Frames of the dispenser's serial line: round trips, noise, any input."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Answer, Device, Dose, Setup, Write
from drivers.dispenser import open_driver
from drivers.dispenser.codec import (
    MAX_DOSES,
    MAX_FRAME_BYTES,
    Frame,
    Line,
    cobs_decode,
    cobs_encode,
    crc16,
    frame,
    plan,
    read_frame,
    read_hello,
    read_plan,
)
from drivers.dispenser.gatt import EVENT, EVENT_ACK, PLAN, STATUS, GattDispenser
from drivers.dispenser.record import RECORD_BYTES
from drivers.dispenser.serial_line import SerialDispenser
from hub.domain.clock import UTC, Now
from hub.domain.codes import Kind
from hub.domain.errors import MalformedError

NOW = Now(dt.datetime(2026, 11, 21, tzinfo=UTC), 5.0)
RECORD = bytes.fromhex("010107000000b948016b80510100000057011b00")
ON_THE_LINE = bytes.fromhex("0501010107010108b948016b80510101010457011b03728b00")
_records = st.binary(min_size=RECORD_BYTES, max_size=RECORD_BYTES)


def test_checksum_is_the_published_one() -> None:
    assert crc16(b"123456789") == 0x29B1


def test_the_published_frame() -> None:
    assert frame(Frame.EVENT, RECORD) == ON_THE_LINE
    assert read_frame(ON_THE_LINE[:-1]) == (Frame.EVENT, RECORD)


@given(data=st.binary(max_size=600))
def test_cobs_goes_there_and_back(data: bytes) -> None:
    assert 0 not in cobs_encode(data)
    assert cobs_decode(cobs_encode(data)) == data


@pytest.mark.parametrize("size", [253, 254, 255, 508])
def test_cobs_at_its_block_ends(size: int) -> None:
    data = b"\x01" * size
    assert cobs_decode(cobs_encode(data)) == data
    assert cobs_decode(cobs_encode(data + b"\0")) == data + b"\0"


def test_the_longest_plan_fits_into_a_frame() -> None:
    doses = [Dose(minute_of_day=minute, weekdays=127, window_min=60) for minute in range(MAX_DOSES)]
    assert len(frame(Frame.SET_PLAN, plan(1, doses))) <= MAX_FRAME_BYTES
    assert read_plan(plan(7, doses)).version == 7


@pytest.mark.parametrize(
    ("hurt", "place"),
    [(b"\x01\x00", "byte 2"), (plan(1, ())[:-1] + b"\x01", "byte 4"), (b"\1\0\0\0\0", "byte 2")],
)
def test_a_hurt_plan_names_the_byte(hurt: bytes, place: str) -> None:
    with pytest.raises(MalformedError, match=place):
        read_plan(hurt)


def test_a_hello_with_strange_letters_is_read() -> None:
    assert read_hello(b"\x02\xff\xfe\x01b\x00") == ("\ufffd\ufffd", "b", "")


@given(
    parts=st.lists(st.tuples(st.binary(max_size=80), _records), max_size=5),
    cuts=st.sets(st.integers(0, 700), max_size=6),
)
def test_noise_loses_no_record_and_cuts_change_nothing(parts: list[tuple[bytes, bytes]], cuts: set[int]) -> None:
    stream = b"".join(noise + frame(Frame.EVENT, body) for noise, body in parts)
    line = Line()
    ends = sorted(cut for cut in cuts if cut <= len(stream))
    found = []
    for start, end in zip([0, *ends], [*ends, len(stream)], strict=True):
        found += line.feed(stream[start:end])
    assert [each.body for each in found if each.kind == Frame.EVENT] == [body for _, body in parts]


@given(chunks=st.lists(st.binary(max_size=700), max_size=6), state=st.binary(max_size=20))
def test_no_bytes_raise_or_fill_the_memory(chunks: list[bytes], state: bytes) -> None:
    line = open_driver("serial", Setup(devices=(Device(id="d"),), state=state))
    assert isinstance(line, SerialDispenser)
    for number, chunk in enumerate(chunks):
        later = Now(NOW.utc, NOW.mono + 40 * number)
        assert isinstance(line.received(chunk, later), Answer)
        assert isinstance(line.tick(later), Answer)
        assert line._line.unfinished() <= MAX_FRAME_BYTES


@given(
    values=st.lists(
        st.tuples(
            st.sampled_from([EVENT, STATUS, PLAN, "0000ffff-0000-1000-8000-00805f9b34fb"]),
            st.one_of(st.binary(max_size=40), _records, _records.map(lambda data: b"\1" + data[1:])),
        ),
        max_size=8,
    )
)
def test_no_value_raises(values: list[tuple[str, bytes]]) -> None:
    ble = open_driver("gatt", Setup(devices=(Device(id="d", address="54:48:E6:8F:80:A5"),)))
    assert isinstance(ble, GattDispenser)
    for characteristic, data in values:
        assert isinstance(ble.value(characteristic, data, NOW), Answer)


@given(kind=st.sampled_from(list(Frame)), body=st.binary(max_size=240))
def test_no_frame_with_a_good_checksum_raises(kind: Frame, body: bytes) -> None:
    line = open_driver("serial", Setup(devices=(Device(id="d"),), doses={"d": ()}))
    assert isinstance(line, SerialDispenser)
    assert isinstance(line.received(frame(kind, body), NOW), Answer)


@given(records=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), max_size=25), restart=st.integers(0, 25))
def test_every_different_record_is_observed(records: list[tuple[int, int]], restart: int) -> None:
    """Whatever order numbers come in, a record with new content is never taken for a repeat."""
    device = Device(id="d", address="54:48:E6:8F:80:A5")
    state, observed = b"", set()
    ble = open_driver("gatt", Setup(devices=(device,)))
    for place, (seq, other) in enumerate(records):
        if place == restart:
            ble = open_driver("gatt", Setup(devices=(device,), state=state))
        assert isinstance(ble, GattDispenser)
        data = RECORD[:2] + seq.to_bytes(4, "little") + RECORD[6:14] + bytes([other]) + RECORD[15:]
        answer = ble.value(EVENT, data, NOW)
        state = answer.state or state
        kinds = [heard.observation.kind for heard in answer.observations]
        assert Kind.DOSE_DISPENSED in kinds or data in observed
        assert answer.actions == (Write(EVENT_ACK, seq.to_bytes(4, "little")),)
        observed.add(data)
