"""What a technician is told about pasted bytes."""

import datetime as dt
import json

import pytest

from drivers.decode import decode
from drivers.dispenser.codec import Frame, frame
from hub.domain.clock import UTC, Now
from hub.domain.errors import MalformedError

DOOR = bytes.fromhex("55000707017ad50801825dab0001ffffffff2d0093")
CORD = bytes.fromhex("55000707017af650002989793001ffffffff37009d")
PRESS = bytes.fromhex("44000101643a01")
RECORD = bytes.fromhex("010107000000b948016b80510100000057011b00")

UNKNOWN = RECORD[:1] + b"\x7f" + RECORD[2:]


def test_every_sender_on_a_line_is_heard_with_a_profile_that_fits() -> None:
    told = decode("enocean", DOOR + CORD)
    assert [(each["device"], each["profile"], each["kind"]) for each in told.observations] == [
        ("01825dab", "D5-00-01", "door.opened"),
        ("00298979", "F6-02-01", "alarm.pressed"),
    ]
    assert told.bad == []


def test_a_given_profile_and_address_are_taken() -> None:
    told = decode("enocean", DOOR + CORD, profile="F6-01-01", address="00298979")
    assert [(each["profile"], each["value"]) for each in told.observations] == [("F6-01-01", None)]


def test_the_time_is_told_only_when_somebody_knows_it() -> None:
    at = Now(dt.datetime(2026, 11, 21, 3, 10, tzinfo=UTC), 0.0)
    assert "time" not in decode("bthome", PRESS).observations[0]
    assert decode("bthome", PRESS, now=at).observations[0]["time"] == "2026-11-21T03:10:00Z"
    assert decode("dispenser", RECORD).observations[0]["time"] == "2026-11-21T07:31:05Z"


def test_what_is_told_can_be_printed() -> None:
    told = decode("bthome", PRESS)
    assert json.loads(json.dumps(told.observations)) == told.observations


@pytest.mark.parametrize("whole", [UNKNOWN, frame(Frame.EVENT, UNKNOWN)])
def test_a_whole_record_that_is_a_fault_is_told_whichever_link_it_came_over(whole: bytes) -> None:
    told = decode("dispenser", whole)
    assert [(each["kind"], each["value"]["code"]) for each in told.observations] == [("device.fault", 0x7F)]
    assert told.bad == []


@pytest.mark.parametrize("link", [None, "gatt"])
def test_a_record_that_is_cut_names_the_byte(link: str | None) -> None:
    told = decode("dispenser", RECORD[:-1], link=link)  # type: ignore[arg-type]  # one of the links
    assert any("byte 19" in line for line in told.bad)


@pytest.mark.parametrize(
    ("driver", "options", "field"),
    [
        ("nothing", {}, "driver 'nothing'"),
        ("bthome", {"link": "serial"}, "link 'serial'"),
        ("bthome", {"key": b"short"}, "key of 5 bytes"),
        ("bthome", {"address": "1234"}, "address '1234'"),
        ("bthome", {"key": bytes(16)}, "address: is needed with a key"),
        ("enocean", {"profile": "F6"}, "profile 'F6'"),
        ("enocean", {"profile": "F6", "address": "01825DAB"}, "profile 'F6'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(driver: str, options: dict[str, object], field: str) -> None:
    with pytest.raises(MalformedError, match=field):
        decode(driver, DOOR, **options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("driver", ["bthome", "enocean", "dispenser"])
@pytest.mark.parametrize("data", [b"", b"\0", b"\x55" * 100, b"\xff" * 300, bytes(range(256))])
def test_nothing_pasted_raises(driver: str, data: bytes) -> None:
    decode(driver, data)
