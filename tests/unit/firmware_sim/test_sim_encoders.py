"""The simulators' encoders against published frames."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.devices import enocean
from firmware_sim.devices.bthome import (
    BATTERY,
    BUTTON,
    ILLUMINANCE,
    OPENING,
    PACKET_ID,
    ROTATION,
    encrypted_frame,
    frame,
    objects,
)
from firmware_sim.devices.dispenser import record
from firmware_sim.devices.dispenser.record import Dose, Record

KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
MAC = bytes.fromhex("5448E68F80A5")


def test_bthome_plain_button() -> None:
    payload = objects((BUTTON, b"\x01"), (PACKET_ID, b"\x01"), (BATTERY, b"\x64"))
    assert frame(payload).hex() == "44000101643a01"


def test_bthome_plain_door() -> None:
    payload = objects(
        (ROTATION, b"\x00\x00"),
        (OPENING, b"\x01"),
        (ILLUMINANCE, (76800).to_bytes(3, "little")),
        (BATTERY, b"\x64"),
        (PACKET_ID, b"\x0b"),
    )
    assert frame(payload).hex() == "44000b016405002c012d013f0000"


def test_bthome_encrypted_button() -> None:
    payload = objects((PACKET_ID, b"\x07"), (BATTERY, b"\x64"), (BUTTON, b"\x01"))
    sealed = encrypted_frame(payload, key=KEY, address=MAC, counter=5000)
    assert sealed.hex() == "45bccb08fe0a27881300003eb4ddf3"


def test_bthome_published_encrypted_example() -> None:
    payload = bytes.fromhex("02ca0903bf13")
    sealed = encrypted_frame(
        payload, key=KEY, address=MAC, counter=int.from_bytes(b"\x00\x11\x22\x33", "little"), triggered=False
    )
    assert sealed.hex() == "41a47266c95f730011223378237214"


def test_esp3_checksum() -> None:
    assert enocean.crc8(b"123456789") == 0xF4


@pytest.mark.parametrize(
    ("kind", "action", "sender", "dbm", "expected"),
    [
        ("door", "open", "01825dab", 0x2D, "55000707017ad50801825dab0001ffffffff2d0093"),
        ("door", "close", "01825dab", 0x2D, "55000707017ad50901825dab0001ffffffff2d0007"),
        ("door", "teach", "01825dab", 0x2D, "55000707017ad50001825dab0001ffffffff2d002f"),
        ("pullcord", "press", "00298979", 0x37, "55000707017af650002989793001ffffffff37009d"),
        ("pullcord", "release", "00298979", 0x4A, "55000707017af600002989792002ffffffff4a0003"),
        ("pendant", "press", "01020304", 0x2D, "55000707017af610010203043001ffffffff2d0002"),
    ],
)
def test_enocean_telegrams(kind: str, action: str, sender: str, dbm: int, expected: str) -> None:
    subtelegram = 2 if action == "release" else 1
    telegram = enocean.TELEGRAMS[kind][action]
    assert telegram.erp1(bytes.fromhex(sender), dbm, subtelegram).hex() == expected


def test_dispenser_record_and_its_serial_frame() -> None:
    made = Record(0x01, 7, 1795246265, 86400, 0, 87, record.ON_MAINS, 27)
    assert made.encoded().hex() == "010107000000b948016b80510100000057011b00"
    assert Record.decoded(made.encoded()) == made
    line = record.serial_frame(0x01, made.encoded())
    assert line.hex() == "0501010107010108b948016b80510101010457011b03728b00"


def test_dispenser_checksum() -> None:
    assert record.crc16(b"123456789") == 0x29B1


@given(st.integers(0, 255), st.binary(max_size=600))
def test_serial_frame_opens_to_what_went_in(kind: int, body: bytes) -> None:
    sent = record.serial_frame(kind, body)
    assert sent.count(0) == 1
    assert record.opened_frame(sent[:-1]) == (kind, body)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_serial_reader(noise: bytes) -> None:
    with contextlib.suppress(ValueError):
        kind, body = record.opened_frame(noise)
        assert record.opened_frame(record.serial_frame(kind, body)[:-1]) == (kind, body)


def test_plan_survives_the_wire_and_damage_is_seen() -> None:
    doses = [Dose(480, 0b1111111, 60), Dose(1200, 0b0010101, 90)]
    sent = record.encoded_plan(3, doses)
    assert record.decoded_plan(sent) == (3, doses)
    with pytest.raises(ValueError, match="checksum"):
        record.decoded_plan(sent[:-1] + bytes([sent[-1] ^ 1]))
    with pytest.raises(ValueError, match="2 doses"):
        record.decoded_plan(sent[:-1])
