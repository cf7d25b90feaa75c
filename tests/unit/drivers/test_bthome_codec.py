"""BTHome values: the table against an independent implementation, and any input."""

import datetime as dt

import pytest
from bleak.backends.device import BLEDevice
from bthome_ble import BTHomeBluetoothDeviceData
from bthome_ble.const import MEAS_TYPES
from habluetooth import BluetoothServiceInfoBleak
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Advert, Answer, Device, Setup
from drivers.bthome import MANIFEST, open_driver
from drivers.bthome.codec import parse
from drivers.bthome.table import COMMAND, OBJECTS, PRESSES, Object, Use
from hub.domain.clock import UTC, Now

ADDRESS = "54:48:E6:8F:80:A5"
# What the other implementation reads otherwise: it keeps one decimal of a factor of 0.35, and makes a date
# of a timestamp.
_ROUNDED = {0x58: 0.06}
MEASURED = {
    number: row
    for number, row in OBJECTS.items()
    if row.size and row.use is not Use.BUTTON and number not in (0x3C, 0x50, 0xF0, 0xF1, 0xF2)
}


def oracle(data: bytes) -> BTHomeBluetoothDeviceData:
    """Let the other implementation read service data."""
    device = BTHomeBluetoothDeviceData()
    info = BluetoothServiceInfoBleak(
        name="test",
        address=ADDRESS,
        rssi=-60,
        manufacturer_data={},
        service_data={MANIFEST.services[0]: data},
        service_uuids=[],
        source="test",
        device=BLEDevice(ADDRESS, "test", None),
        advertisement=None,
        connectable=False,
        time=0.0,
        tx_power=None,
    )
    device.update(info)
    return device


def test_the_table_has_every_object_of_the_other_implementation() -> None:
    assert set(OBJECTS) == set(MEAS_TYPES)
    for number, row in OBJECTS.items():
        other = MEAS_TYPES[number]
        if row.size:
            assert (number, row.size) == (number, other.data_length)
            if number in MEASURED:
                assert (number, row.signed) == (number, other.data_format == "signed_integer")


@pytest.mark.parametrize("number", MEASURED)
@settings(max_examples=15)
@given(data=st.data())
def test_a_value_is_what_the_other_implementation_reads(number: int, data: st.DataObject) -> None:
    row: Object = MEASURED[number]
    raw = data.draw(st.binary(min_size=row.size, max_size=row.size))
    (item,), error = parse(bytes([number]) + raw)
    assert error is None
    device = oracle(bytes([0x40, number]) + raw)
    update = device._finish_update()
    values = [value.native_value for key, value in update.entity_values.items() if key.key != "signal_strength"]
    values += [value.native_value for value in update.binary_entity_values.values()]
    (value,) = values
    if isinstance(value, bool):
        assert bool(item.value) is value
    else:
        assert item.value == pytest.approx(value, abs=_ROUNDED.get(number, 1e-9))


@settings(max_examples=60)
@given(data=st.data())
def test_a_frame_of_many_objects_is_what_the_other_implementation_reads(data: st.DataObject) -> None:
    # Of two objects of one name, such as the two sizes of volume, the other implementation keeps the last only.
    measured = st.sampled_from(sorted(set(MEASURED) - set(_ROUNDED)))
    numbers = sorted(data.draw(st.lists(measured, max_size=5, unique_by=lambda number: MEASURED[number].name)))
    # One byte may be a truth value, of which the other implementation makes a bool: 0 and 1 are both.
    raw = {
        number: data.draw(st.binary(min_size=size, max_size=size) if size > 1 else st.sampled_from([b"\0", b"\1"]))
        for number, size in ((number, MEASURED[number].size) for number in numbers)
    }
    body = b"".join(bytes([number]) + raw[number] for number in numbers)
    buttons = data.draw(st.lists(st.sampled_from([0x00, *PRESSES]), max_size=4))
    body += b"".join(bytes([0x3A, value]) for value in buttons)
    items, error = parse(body)
    assert error is None
    update = oracle(bytes([0x40]) + body)._finish_update()
    theirs = [value.native_value for key, value in update.entity_values.items() if key.key != "signal_strength"]
    theirs += [value.native_value for value in update.binary_entity_values.values()]
    ours = [item.value for item in items if item.object.use is not Use.BUTTON]
    assert sorted(float(value or 0) for value in ours) == pytest.approx(sorted(map(float, theirs)))
    pressed = [item.value for item in items if item.object.use is Use.BUTTON and item.value not in (0x00, 0xFE)]
    assert len(update.events) == len(pressed)


def test_presses_are_those_of_the_other_implementation() -> None:
    words = {"press": "single", "hold_press": "hold"}
    for value in range(256):
        update = oracle(bytes([0x40, 0x3A, value]))._finish_update()
        theirs = [event.event_type for event in update.events.values()]
        ours = PRESSES.get(value)
        if theirs and theirs != ["hold_release"]:
            assert [words.get(word, word.removesuffix("_press")) for word in theirs] == [ours]
        else:
            assert ours is None or value == 0xFE  # hold, in older firmware


def test_every_reading_has_a_unit_and_every_state_a_kind() -> None:
    for row in OBJECTS.values():
        assert row.use is not Use.READING or row.unit
        assert row.use not in (Use.STATE, Use.ALARM) or row.on is not None
    assert not OBJECTS[COMMAND].size


def test_quantities_with_the_same_unit_can_be_told_apart() -> None:
    named: dict[str | None, set[str]] = {}
    for row in OBJECTS.values():
        if row.use is Use.READING:
            named.setdefault(row.unit, set()).add(row.name)
    assert all(len(names) == 1 for names in named.values()), named


@given(body=st.binary(max_size=300))
def test_what_is_read_fits_into_what_came(body: bytes) -> None:
    items, error = parse(body)
    assert sum(1 + item.object.size for item in items) <= len(body)
    assert error is None or error.startswith("byte ")


@given(data=st.binary(max_size=300), key=st.sampled_from([None, bytes(16)]), start=st.integers(0, 255))
def test_no_advertisement_raises(data: bytes, key: bytes | None, start: int) -> None:
    driver = open_driver("advert", Setup(devices=(Device(id="d", address=ADDRESS, key=key),)))

    at = Now(dt.datetime(2026, 11, 21, tzinfo=UTC), 1.0)
    for frame in (data, bytes([0x40 | start & 0x1F]) + data):
        answer = driver.advertised(Advert(address=ADDRESS, service_data={MANIFEST.services[0]: frame}), at)
        assert isinstance(answer, Answer)
