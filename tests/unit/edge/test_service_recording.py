"""Recordings: nothing that names a device or opens a lock, and everything that a replay needs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import registry
from drivers.base import NOTHING, Advert, Answer, Device, LinkType, Manifest, Setup
from drivers.enocean import renamed
from drivers.enocean.esp3 import RADIO_ERP1, Stream, packet
from hub.domain.clock import Now
from hub.edge.configuration import Task
from hub.edge.service.guess import Guesser
from hub.edge.service.hearing import MOST, Hearing
from hub.edge.service.pseudonyms import Pseudonyms
from hub.edge.service.recording import Recording
from hub.edge.tap import Frame, Tapped
from hub.wire.config import LinkConfig
from tests.unit.edge.makers import HUB, T0, heard

_MAC, _SENDER = "C2:11:22:33:44:55", "01825DAB"
_KEY = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
_FCD2 = "0000fcd2-0000-1000-8000-00805f9b34fb"


def _task(kind: LinkType, driver: str, *devices: Device) -> Task:
    link = LinkConfig(id="a-link", kind="ble" if kind in ("advert", "gatt") else "serial", port="/dev/x")
    return Task(
        name=devices[0].id if devices else "a-link",
        link=link,
        link_type=kind,
        driver=driver,
        setup=Setup(devices=devices),
        state_name="s",
        critical=frozenset(),
    )


def _seen(task: Task, frame: Frame, mono: float = 1.0, answer: Answer = NOTHING) -> Tapped:
    return Tapped(Now(T0, mono), task, frame, answer)


_STICK = _task("serial", "enocean", Device(id="d-1", address=_SENDER, profile="F6-01-01"))
_BUTTON = _task("advert", "bthome", Device(id="d-2", address=_MAC, key=_KEY))


def _telegram(sender: str = _SENDER) -> bytes:
    return packet(RADIO_ERP1, bytes.fromhex(f"F610{sender}30"), bytes.fromhex("01ffffffff2d00"))


@pytest.mark.parametrize("address", [_MAC, _MAC.lower(), _SENDER, "0x00158d0001a2b3c4", "01-02-03-04"])
def test_a_made_up_address_has_the_form_of_the_true_one(address: str) -> None:
    made_up = Pseudonyms()
    made = made_up.address(address)
    assert made != address
    assert made == made_up.address(address)
    assert [c in ":-" for c in made] == [c in ":-" for c in address]
    assert made.upper() == made if address.upper() == address else made.lower() == made
    assert Pseudonyms().address(address) != made  # another recording
    if ":" in address:
        assert int(made[:2], 16) >> 6 == int(address[:2], 16) >> 6


def test_a_name_becomes_a_name_and_the_salt_tells_nothing() -> None:
    key = bytes(32)
    made_up = Pseudonyms(key)
    assert re.fullmatch("name-[0-9a-f]{8}", made_up.address("Bedroom of somebody"))
    assert made_up.address("") == ""
    assert key.hex()[:8] not in made_up.salt
    assert Pseudonyms(key).salt == made_up.salt != Pseudonyms().salt


def test_addresses_inside_bytes_go_too_in_either_order() -> None:
    made_up = Pseudonyms()
    made = bytes.fromhex(made_up.address(_MAC).replace(":", ""))
    made_up.address("7")  # a node's number stays: it is in everything
    true = bytes.fromhex(_MAC.replace(":", ""))
    found = made_up.data(b"7" + true + b"-" + true[::-1] + _MAC.encode())
    assert found == b"7" + made + b"-" + made[::-1] + made_up.address(_MAC).encode()


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_telegram_is_renamed_whatever_is_around_it(before: bytes, after: bytes) -> None:
    data = before.replace(b"\x55", b"") + _telegram() + after.replace(b"\x55", b"")
    found = renamed(data, lambda _address: "DEADBEEF")
    assert len(found) == len(data)
    assert _SENDER not in found.hex().upper()
    stream = Stream()
    (one,) = stream.feed(found, 0.0)
    assert one.raw == _telegram("DEADBEEF")


@given(st.binary(max_size=120))
def test_renaming_takes_any_bytes(data: bytes) -> None:
    assert len(renamed(data, lambda _address: "DEADBEEF")) == len(data)


def test_pieces_of_a_telegram_become_one_line_without_its_sender() -> None:
    recording = Recording(Pseudonyms())
    telegram = _telegram()
    recording.tapped(_seen(_STICK, Frame(telegram[:5]), 1.0))
    recording.tapped(_seen(_STICK, Frame(telegram[5:]), 1.01))
    assert recording.take(1.02) == []  # more may come
    recording.tapped(_seen(_STICK, Frame(telegram[:9]), 2.0))  # half, and then nothing
    first, second = recording.take(3.0)
    assert (first["mono"], first["link"], first["driver"], first["device"]) == (1.0, "a-link", "enocean", "d-1")
    assert len(bytes.fromhex(first["hex"])) == len(telegram)
    assert _SENDER.lower() not in first["hex"]
    (one,) = Stream().feed(bytes.fromhex(first["hex"]), 0.0)
    assert one.data[-5:-1].hex().upper() == first["address"]
    assert second["hex"] == telegram[:9].hex()


def test_an_advert_is_kept_whole_under_another_address() -> None:
    recording = Recording(Pseudonyms())
    mac = bytes.fromhex(_MAC.replace(":", ""))
    advert = Advert(
        address=_MAC, rssi_dbm=-61, name="Pendant of somebody", service_data={_FCD2: b"\x44" + mac[::-1]}
    )
    recording.tapped(_seen(_BUTTON, Frame(b"", advert=advert)))
    (line,) = recording.take(1.0)
    assert (line["kind"], line["rssi_dbm"], line["device"]) == ("advert", -61, "d-2")
    assert line["service_data"][_FCD2][:2] == "44"
    assert mac[::-1].hex() not in str(line)
    assert "somebody" not in str(line)
    assert line["address"] != _MAC


def test_keys_and_what_people_wrote_are_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(Pseudonyms())
    gatt = _task("gatt", "bthome", Device(id="d-2", address=_MAC, key=_KEY))
    recording.tapped(_seen(gatt, Frame(b"\x01" + _KEY, "uuid")))
    manifest = registry.package("bthome").MANIFEST
    told = Manifest(name="texts", title="t", links=("gatt",), supervision_s=1, personal=True)
    monkeypatch.setattr(registry.package("bthome"), "MANIFEST", told)
    recording.tapped(_seen(gatt, Frame(b"Hello", "uuid")))
    assert manifest.personal is False
    first, second = recording.take(2.0)
    assert (first["withheld"], second["withheld"]) == (17, 5)
    assert _KEY.hex() not in str(first)
    assert "hex" not in second


def test_a_slow_reader_is_told_how_much_it_lost() -> None:
    recording = Recording(Pseudonyms(), room=3)
    for _ in range(5):
        recording.tapped(_seen(_BUTTON, Frame(b"", advert=Advert(address=_MAC))))
    assert [line.get("lost") for line in recording.take(1.0)] == [None, None, None, 2]
    recording.tapped(_seen(_BUTTON, Frame(b"", advert=Advert(address=_MAC))))
    assert [line.get("lost") for line in recording.take(1.0)] == [None]


def test_the_header_names_format_and_hub() -> None:
    header = Recording(Pseudonyms()).header(HUB, Now(T0, 7.0))
    assert list(header) == ["recording", "salt", "hub", "at", "mono"]
    assert (header["recording"], header["hub"], header["mono"]) == (1, HUB, 7.0)


_MANIFESTS = {
    "a": Manifest(name="a", title="A scale", links=("gatt",), supervision_s=1, services=("181d",)),
    "b": Manifest(
        name="b", title="A thing", links=("gatt",), supervision_s=1, services=("181d",), names={"Q.*": "Q1"}
    ),
    "enocean": Manifest(name="enocean", title="EnOcean", links=("serial",), supervision_s=1),
}


def test_a_type_is_guessed_by_name_then_by_service() -> None:
    guesser = Guesser(_MANIFESTS.values())
    assert guesser.type_of(Advert(address=_MAC, name="Q-17", service_uuids=("181d",))) == "Q1"
    assert guesser.type_of(Advert(address=_MAC, service_uuids=("181d",))) == "A scale or A thing"
    assert guesser.type_of(Advert(address=_MAC, service_data={"181d": b""})) == "A scale or A thing"
    assert guesser.type_of(Advert(address=_MAC, name="?")) == ""


def test_rows_of_strangers_and_of_ours() -> None:
    hearing = Hearing(_MANIFESTS, lambda: [_STICK, _BUTTON])
    now = Now(T0, 1.0)
    for address in (_MAC, "C0:00:00:00:00:01", _MAC):
        hearing.advert(Advert(address=address, rssi_dbm=-50, service_data={_FCD2: b"\x44"}), now)
    stranger = Answer(strangers=("AABBCCDD",), profiles={"AABBCCDD": "A5-02-05"})
    hearing.tapped(_seen(_STICK, Frame(b"\x55"), answer=stranger))
    hearing.tapped(_seen(_STICK, Frame(b"\x55"), answer=Answer(observations=(heard(device="d-1"),))))
    rows = {row["address"]: row for row in hearing.changes()}
    assert (rows[_MAC]["device"], rows[_MAC]["times"], rows[_MAC]["frame"]) == ("d-2", 2, "44")
    assert rows["C0:00:00:00:00:01"]["device"] is None
    assert (rows["AABBCCDD"]["profile"], rows["AABBCCDD"]["type"]) == ("A5-02-05", "EnOcean")
    assert (rows[_SENDER]["device"], rows[_SENDER]["profile"]) == ("d-1", "F6-01-01")
    assert hearing.changes() == []


def test_rows_are_never_many() -> None:
    hearing = Hearing({}, list)
    for number in range(MOST + 50):
        hearing.advert(Advert(address=f"C0:00:00:00:{number >> 8:02X}:{number & 255:02X}"), Now(T0, 1.0))
    assert len(hearing.changes()) == MOST
