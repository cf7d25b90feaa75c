"""What hostile bytes must not do to a driver: raise, grow its memory without end, or cost a neighbouring frame."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers.base import Advert, Answer, LinkType, Setup
from drivers.registry import packages
from hub.domain.clock import UTC, Now
from tests.fakes.drivers import example, vectors

CORPUS = Path(__file__).parent / "corpus"
START = dt.datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
# Long enough for every driver to let go of a frame that does not come to its end, and of repeats.
PAUSE_S = 120.0
LONGEST = 4096


def seeds(name: str, link: LinkType) -> list[bytes]:
    """Return the real frames of a driver, and the hostile inputs that were kept."""
    found = [bytes.fromhex(vector["hex"]) for vector in vectors(name) if vector.get("link", link) == link]
    kept = CORPUS / f"{name}-{link}.hex"
    if kept.exists():
        found += [bytes.fromhex(line) for line in kept.read_text(encoding="ascii").split()]
    return found


def target(name: str, link: LinkType) -> Callable[[bytes], None]:
    """Return what tries one input on a driver; it raises when the driver does what it must not."""
    tries = {"advert": _advert, "gatt": _gatt, "serial": _serial, "topic": _topic}
    return lambda data: tries[link](name, data[:LONGEST])


def _opened(name: str, link: LinkType, state: bytes = b"") -> Any:
    return packages()[name].open_driver(link, Setup(devices=(example(name, link),), state=state))


def _now(mono: float) -> Now:
    return Now(START + dt.timedelta(seconds=mono), mono)


def _checked(answer: object) -> Answer:
    assert isinstance(answer, Answer), f"answers with {answer!r}"
    for heard in answer.observations:
        assert heard.observation.time.tzinfo is not None
        json.dumps(heard.observation.value)
    return answer


def _advert(name: str, data: bytes) -> None:
    driver = _opened(name, "advert")
    for service in packages()[name].MANIFEST.services:
        advert = Advert(address=example(name, "advert").address, service_data={service: data})
        _checked(driver.advertised(advert, _now(100.0)))


def _gatt(name: str, data: bytes) -> None:
    driver = _opened(name, "gatt")
    asked = _checked(driver.connected(_now(100.0))).actions
    for action in asked:
        _checked(driver.value(getattr(action, "characteristic", ""), data, _now(101.0)))
    _checked(driver.tick(_now(101.0 + PAUSE_S)))


def _topic(name: str, data: bytes) -> None:
    """The first byte chooses the topic, and whether the message was retained."""
    driver = _opened(name, "topic")
    topics = sorted({vector.get("topic", "") for vector in vectors(name)})
    choice, payload = (data[0], data[1:]) if data else (0, b"")
    topic = topics[choice // 2 % len(topics)]
    _checked(driver.message(topic, payload, _now(100.0), retained=bool(choice % 2)))
    _checked(driver.tick(_now(100.0 + PAUSE_S)))


def _serial(name: str, data: bytes) -> None:
    """Whatever came before, the next whole frame is heard as if nothing had been."""
    good = _good_frame(name)
    alone = _kinds(name, [good])
    assert _kinds(name, [good, data])[: len(alone)] == alone, "lost what came before the noise"
    if not _kinds(name, [data]):  # else it is no noise: what it says may make the next frame a repeat
        assert _kinds(name, [data, good]) == alone, "lost what came after the noise and a pause"


def _good_frame(name: str) -> bytes:
    """Return the first vector that the example device makes an observation of."""
    for vector in vectors(name):
        frame = bytes.fromhex(vector["hex"])
        if vector["expect"] and vector.get("link", "serial") == "serial" and _kinds(name, [frame]):
            return frame
    raise AssertionError(f"{name}: its example device makes nothing of any vector")


def _kinds(name: str, chunks: list[bytes]) -> list[tuple[str, str]]:
    driver = _opened(name, "serial")
    answers = [_checked(driver.opened(_now(100.0)))]
    mono = 100.0
    for chunk in chunks:
        answers.append(_checked(driver.received(chunk, _now(mono))))
        for _ in range(3):
            mono += PAUSE_S
            answers.append(_checked(driver.tick(_now(mono))))
    return [
        (heard.observation.kind.value, heard.observation.raw)
        for answer in answers
        for heard in answer.observations
        if heard.observation.raw
    ]
