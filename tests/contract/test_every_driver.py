"""What every driver folder owes: a sane manifest, vectors that pass, a page, and robustness."""

import datetime as dt
import json
import random
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from drivers.base import Advert, Answer, Device, LinkType, Package, SerialDriver, Setup
from drivers.decode import decode
from drivers.registry import packages
from firmware_sim.devices import kinds
from hub.domain.clock import UTC, Now
from hub.domain.errors import MalformedError
from tests.fakes.drivers import example, vectors
from tests.fuzz.target import CORPUS, seeds, target

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(
    folder.name
    for folder in (ROOT / "drivers").iterdir()
    if (folder / "__init__.py").exists() and not folder.name.startswith("_")
)
LINKS: list[tuple[str, LinkType]] = [(name, link) for name in FOLDERS for link in packages()[name].MANIFEST.links]
SERIAL = [name for name, link in LINKS if link == "serial"]
LONGEST_SUPERVISION_S = 24 * 3600


VECTORS = [
    pytest.param(name, vector, id=f"{name}: {vector['name']}") for name in FOLDERS for vector in vectors(name)
]


def now(mono: float = 100.0) -> Now:
    return Now(dt.datetime(2026, 11, 21, 8, 0, tzinfo=UTC) + dt.timedelta(seconds=mono), mono)


def device(package: Package, link: LinkType, **changes: str | bytes) -> Device:
    """Return the example device of a driver, as it is on this link, with changes."""
    made = example(package.MANIFEST.name, link)
    package.open_driver(link, Setup(devices=(made,)))
    return msgspec.structs.replace(made, **changes)


def test_every_folder_is_found() -> None:
    assert set(FOLDERS) <= set(packages())
    assert FOLDERS


@pytest.mark.parametrize("name", FOLDERS)
def test_manifest_is_sane(name: str) -> None:
    manifest = packages()[name].MANIFEST
    assert manifest.name == name
    assert len(manifest.title) > len(name)
    assert manifest.links
    assert len(set(manifest.links)) == len(manifest.links)
    assert 0 < manifest.supervision_s <= LONGEST_SUPERVISION_S
    assert bool(manifest.baud) is ("serial" in manifest.links)
    assert manifest.services or "gatt" not in manifest.links
    re.compile(manifest.address)


@pytest.mark.parametrize("name", FOLDERS)
def test_page_has_a_body(name: str) -> None:
    text = (ROOT / "docs" / "devices" / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert len(text.split()) > 150
    assert f'driver = "{name}"' in text


@pytest.mark.parametrize("name", FOLDERS)
def test_it_can_be_simulated(name: str) -> None:
    offered = [kind for kind in kinds() if kind.partition(".")[0] == name]
    assert offered, f"firmware_sim/devices has no kind {name!r} or {name}.…"


@pytest.mark.parametrize("name", FOLDERS)
def test_there_are_vectors(name: str) -> None:
    found = vectors(name)
    assert len({vector["name"] for vector in found}) == len(found) > 0
    assert any(vector["expect"] for vector in found)
    assert any(vector.get("bad") for vector in found)


@pytest.mark.parametrize(("name", "vector"), VECTORS)
def test_vector(name: str, vector: dict[str, Any]) -> None:
    told = decode(
        name,
        bytes.fromhex(vector["hex"]),
        link=vector.get("link"),
        key=bytes.fromhex(vector["key"]) if "key" in vector else None,
        address=vector.get("address", ""),
        characteristic=vector.get("characteristic"),
        topic=vector.get("topic", ""),
        profile=vector.get("profile", ""),
    )
    narrowed = [
        {field: observation.get(field) for field in expected}
        for observation, expected in zip(told.observations, vector["expect"], strict=False)
    ]
    assert narrowed == vector["expect"], told
    assert len(told.observations) == len(vector["expect"]), told
    for part in vector.get("bad", []):
        assert any(part in line for line in told.bad), told.bad
    json.dumps(told.observations)


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_what_does_not_fit_is_refused_by_name(name: str, link: LinkType) -> None:
    package = packages()[name]
    manifest = package.MANIFEST
    wrong = {
        "address": device(package, link, address="nowhere/#"),
        "key": device(package, link, key=bytes(manifest.key_bytes + 1)),
        "profile": device(package, link, profile="Z9-99-99"),
    }
    for field, each in wrong.items():
        with pytest.raises(MalformedError, match=field):
            package.open_driver(link, Setup(devices=(each,)))
    other: set[LinkType] = {"advert", "serial", "gatt", "topic"}
    for not_offered in other - set(manifest.links):
        with pytest.raises(MalformedError, match="link"):
            package.open_driver(not_offered, Setup(devices=(device(package, link),)))


@pytest.mark.parametrize("state", [b"", b"{", b"null", b"[1]", b'{"on":3}', b"\xff" * 40])
@pytest.mark.parametrize(("name", "link"), LINKS)
def test_a_damaged_state_stops_nothing(name: str, link: LinkType, state: bytes) -> None:
    package = packages()[name]
    package.open_driver(link, Setup(devices=(device(package, link),), state=state))


def _hostile(name: str) -> list[bytes]:
    """Return noise, real frames with bits turned, and real frames cut and joined; seeded."""
    chance = random.Random(name)
    real = [bytes.fromhex(vector["hex"]) for vector in vectors(name)]
    inputs: list[bytes] = [b"", bytes(1000), b"\xff" * 1000]
    for _ in range(400):
        frame = bytearray(chance.choice(real))
        for _ in range(chance.randrange(4)):
            if frame:
                frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
        inputs += [bytes(frame[: chance.randrange(len(frame) + 1)]), chance.randbytes(chance.randrange(64))]
    return inputs


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_no_input_raises(name: str, link: LinkType) -> None:
    package = packages()[name]
    manifest = package.MANIFEST
    driver: Any = package.open_driver(link, Setup(devices=(device(package, link),)))
    for number, data in enumerate(_hostile(name)):
        at = now(100.0 + number)
        if link == "advert":
            advert = Advert(address="54:48:E6:8F:80:A5", service_data={manifest.services[0]: data})
            answer = driver.advertised(advert, at)
        elif link == "gatt":
            asked = driver.connected(at).actions
            for action in asked:
                driver.value(getattr(action, "characteristic", ""), data, at)
            answer = driver.value("0000ffff-0000-1000-8000-00805f9b34fb", data, at)
            assert isinstance(driver.tick(at), Answer)
        elif link == "topic":
            topics = [vector.get("topic", "") for vector in vectors(name)] + ["", "$SYS/x", "a/b/c/d"]
            for topic in topics:
                answer = driver.message(topic, data, at, retained=bool(number % 2))
            assert isinstance(driver.tick(at), Answer)
        else:
            answer = driver.received(data, at)
            assert isinstance(driver.tick(at), Answer)
        assert isinstance(answer, Answer)


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_what_fuzzing_has_kept_breaks_nothing(name: str, link: LinkType) -> None:
    assert (CORPUS / f"{name}-{link}.hex").exists(), f"not fuzzed yet: make fuzz ARGS='--keep {name}'"
    tried = target(name, link)
    for data in seeds(name, link):
        tried(data)


def _told(driver: SerialDriver, chunks: list[bytes]) -> list[tuple[str, str]]:
    at = now()
    driver.opened(at)
    answers = [driver.received(chunk, at) for chunk in chunks]
    later = [driver.tick(now(at.mono + 60.0)) for _ in range(3)]
    return [
        (heard.observation.kind.value, heard.observation.raw)
        for answer in answers + later
        for heard in answer.observations
    ]


@pytest.mark.parametrize("name", SERIAL)
def test_where_the_bytes_are_cut_changes_nothing(name: str) -> None:
    package = packages()[name]
    parts = [vector["hex"] for vector in vectors(name) if vector.get("link", "serial") == "serial"]
    stream = bytes.fromhex("".join(parts))
    devices: tuple[Device, ...] = (device(package, "serial"),)
    if devices[0].address:
        heard: Any = package.open_driver("serial", Setup(devices=()))
        senders = heard.received(stream, now()).strangers
        devices = tuple(msgspec.structs.replace(devices[0], id=a.lower(), address=a) for a in senders)

    def told(chunks: list[bytes]) -> list[tuple[str, str]]:
        driver: Any = package.open_driver("serial", Setup(devices=devices))
        return _told(driver, chunks)

    whole = told([stream])
    assert whole
    chance = random.Random(name)
    for _ in range(20):
        cuts = sorted(chance.sample(range(len(stream)), chance.randrange(1, len(stream) // 2)))
        ends = [*cuts, len(stream)]
        assert told([stream[a:b] for a, b in zip([0, *cuts], ends, strict=True)]) == whole
    assert told([bytes([byte]) for byte in stream]) == whole
