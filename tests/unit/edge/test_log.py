"""The edge's log, at any level: what is said in words in a home, and the keys of its devices, are in no line."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import cast

import msgspec
import pytest

from drivers.base import Answer, Device, SerialDriver, Setup
from drivers.espa.codec import block
from drivers.registry import package
from firmware_sim.devices.gsm import pdu as network
from hub.domain.clock import Now, SystemClock
from hub.edge.configuration import Configuration, Task
from hub.edge.opening import open_journal
from hub.edge.recorder import Recorder
from hub.edge.session import Session
from hub.wire import config
from hub.wire.config import DeviceConfig, HubConfig, LinkConfig
from hub.wire.logs import Json, Masked
from tests.unit.edge.makers import HUB, T0

NAME, NUMBER = "KARI NORDMANN", "+4700000012"
KEY = "231D39C1D7CC1AB1AEE224CD096DB932"


def call_text() -> bytes:
    return block("1", [("1", "550"), ("2", NAME), ("4", "3"), ("6", "1")])


def dispenser_text() -> bytes:
    return b"".join(
        f"+CMT: ,{len(one) - 1 - one[0]}\r\n{one.hex()}\r\n".encode()
        for one in network.deliver(NUMBER, f"{NAME}: jam", T0, 1)
    )


DEVICES = {
    "espa": (call_text(), (Device(id="system"), Device(id="room", address="550"))),
    "gsm": (
        dispenser_text(),
        (Device(id="modem", profile="modem"), Device(id="d-1", address=NUMBER, profile="careousel")),
    ),
}


@pytest.fixture
async def recorder(tmp_path: Path) -> AsyncIterator[Recorder]:
    made = Recorder(open_journal(tmp_path), reopen=lambda: open_journal(tmp_path), hub_id=HUB, clock=SystemClock())
    made.start()
    yield made
    await made.close()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Return every line of ours and of the libraries, before anything was masked."""
    caplog.set_level(logging.DEBUG)

    def shown() -> str:
        plain = logging.Formatter()
        return "\n".join(plain.format(record) for record in caplog.records)

    return shown


def session(name: str, recorder: Recorder) -> tuple[Session, SerialDriver]:
    setup = Setup(devices=DEVICES[name][1])
    link = LinkConfig(id="line", kind="serial", port="/dev/none", driver=name)
    task = Task(
        name="line",
        link=link,
        link_type="serial",
        driver=name,
        setup=setup,
        state_name=f"{name}/line",
        critical=frozenset(),
    )
    driver = cast("SerialDriver", package(name).open_driver("serial", setup))
    driver.opened(Now(T0, 0.0))
    return Session(task, recorder, SystemClock()), driver


def spoilt(data: bytes) -> list[bytes]:
    """Return the bytes whole, cut, with a bit turned, and with more before and behind."""
    cut = [data[:end] for end in range(0, len(data), 5)] + [data[start:] for start in range(0, len(data), 5)]
    turned = [data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :] for at in range(0, len(data), 3)]
    return [data, data + data, *cut, *turned, NAME.encode() + data, data * 40]


@pytest.mark.parametrize("name", DEVICES)
async def test_no_text_of_a_device_gets_into_the_log(
    recorder: Recorder, lines: Callable[[], str], name: str
) -> None:
    feeding, driver = session(name, recorder)
    said = 0
    for second, data in enumerate(spoilt(DEVICES[name][0])):
        await feeding._feed(lambda now, data=data: driver.received(data, now), data)
        later = Now(T0, 60.0 * second)
        await feeding._feed(lambda _now, later=later: driver.tick(later))
        said += feeding.state.bad
    assert said  # it has complained, so there was something to leak
    assert not any(word in lines() for word in (NAME, NAME.encode().hex(), "KARI", NUMBER[1:]))


@pytest.mark.parametrize("name", DEVICES)
async def test_a_driver_that_fails_on_a_text_does_not_tell_it(
    recorder: Recorder, lines: Callable[[], str], name: str
) -> None:
    def fails(_now: Now) -> Answer:
        raise KeyError(NAME) from ValueError(NUMBER)

    feeding, _ = session(name, recorder)
    await feeding._feed(fails, DEVICES[name][0])
    assert f"driver {name} fails on {len(DEVICES[name][0])} bytes: KeyError in fails, test_log.py:" in lines()
    assert not any(word in lines() for word in (NAME, NAME.encode().hex(), NUMBER))


def _config(version: int, **device: object) -> bytes:
    link = LinkConfig(id="air", kind="ble")
    told = {"id": "d-1", "link": "air", "driver": "bthome", "address": "54:48:E6:8F:80:A5", "key": KEY} | device
    made = HubConfig(version=version, hub_id=HUB, links=(link,), devices=(msgspec.convert(told, DeviceConfig),))
    return config.encode(made)


async def test_no_key_of_a_device_gets_into_the_log(recorder: Recorder, lines: Callable[[], str]) -> None:
    taken = asyncio.Event()
    kept = Configuration(HUB, recorder, lambda _new: taken.set())
    good = _config(1)
    for offer in (
        good,
        _config(1, key=KEY[::-1]),
        _config(2, key=KEY + "00"),
        good.replace(b'"key":"', b'"key":["'),
        good.replace(b'"version":1', b'"version":"1"'),
        good[:-20],
    ):
        await kept.offered(offer)
    assert taken.is_set()
    assert lines().count("configuration refused") == 5
    assert not any(word in lines() for word in (KEY, KEY[::-1], KEY.lower()))


async def test_a_key_in_the_place_of_a_name_is_masked_on_its_way_out(
    recorder: Recorder, lines: Callable[[], str]
) -> None:
    kept = Configuration(HUB, recorder, lambda _new: None)
    for place in ("driver", "profile"):
        await kept.offered(_config(1, **{place: KEY}))
    assert lines().count(KEY) == 2
    for form in (Masked(), Json()):
        for line in lines().splitlines():
            record = logging.LogRecord("hub.edge", logging.DEBUG, "x.py", 1, "%s", (line,), None)
            assert KEY not in form.format(record)
