"""Pairing a Shelly BLU over the whole stack: bonding, beacon mode, encryption, and the key that is read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bleak.exc import BleakError

from drivers.base import Advert, Device, Setup
from drivers.bthome import MANIFEST, open_driver
from drivers.bthome.pairing import BEACON_MODE, KEY, PASSKEY, key_of, steps
from firmware_sim.ble.server import HciServer
from firmware_sim.clock import FixedClock
from firmware_sim.home import Home, specs_of
from hub.domain.clock import SystemClock
from hub.domain.errors import MalformedError, RefusedError, TransientError
from hub.edge.links.ble import Radio
from hub.edge.links.bumble import BumbleAdapter
from hub.edge.links.bumble_client import BumbleClient
from hub.edge.pairing import pair

BUTTON, DISPENSER, NOBODY = "F0:11:22:33:44:02", "F0:11:22:33:44:03", "F0:11:22:33:44:99"
SPECS = {
    "device": [
        {"name": "button", "kind": "bthome.button", "address": BUTTON, "burst_s": 0.3},
        {"name": "medicine", "kind": "dispenser.ble", "address": DISPENSER},
    ]
}


class Bench:
    """A home with a button in it, and the edge's radio."""

    def __init__(self, home: Home, radio: Radio) -> None:
        self.home = home
        self.radio = radio
        self._news = asyncio.Event()
        self._frames: list[bytes] = []

    def listen(self) -> None:
        """Hear the button as one that is assigned."""
        self.radio.listen(BUTTON, self._heard)

    def _heard(self, advert: Advert) -> None:
        data = advert.service_data[MANIFEST.services[0]]
        if data not in self._frames:
            self._frames.append(data)
            self._news.set()

    async def frame(self, *, encrypted: bool) -> bytes:
        """Return a frame that came after this was asked."""
        self._frames.clear()
        async with asyncio.timeout(5):
            while True:
                self._news.clear()
                await self._news.wait()
                if bool(self._frames[-1][0] & 0x01) is encrypted:
                    return self._frames[-1]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    home = Home(specs_of(SPECS), tmp_path, FixedClock())
    server = HciServer(home.air)
    await home.start()
    port = await server.start()
    radio = Radio(BumbleAdapter(f"tcp-client:127.0.0.1:{port}", "h-0042", tmp_path / "bonds.json"))
    scanning = asyncio.create_task(radio.run())
    yield Bench(home, radio)
    scanning.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await scanning
    await server.stop()
    await home.stop()


def test_the_steps_are_beacon_mode_passkey_key() -> None:
    told = [(step.characteristic, getattr(step, "data", None)) for step in steps(123456)]
    assert told == [(BEACON_MODE, b"\x01"), (PASSKEY, bytes.fromhex("40e20100")), (KEY, None)]


@pytest.mark.parametrize("passkey", [-1, 1_000_000])
def test_a_passkey_has_six_digits(passkey: int) -> None:
    with pytest.raises(MalformedError, match="passkey: a number of six digits"):
        steps(passkey)


def test_what_is_no_key_is_refused() -> None:
    assert key_of(bytes(range(16))) == bytes(range(16))
    with pytest.raises(MalformedError, match="15 bytes, not 16"):
        key_of(bytes(15))
    with pytest.raises(MalformedError, match="not switched encryption on"):
        key_of(bytes(16))


async def test_a_paired_button_is_encrypted_with_the_key_that_was_read_and_keeps_on_beating(bench: Bench) -> None:
    bench.listen()
    await bench.home.do("button", "pair", {})
    key = await pair(bench.radio, BUTTON, 123456, heard_s=5)
    state = await bench.home.do("button", "state", {})
    assert (state["encrypted"], state["beacon"]) == (True, True)
    waiting = asyncio.create_task(bench.frame(encrypted=True))
    await asyncio.sleep(0)
    await bench.home.do("button", "press", {})
    data = await waiting
    driver = open_driver("advert", Setup(devices=(Device(id="d", address=BUTTON, key=key),)))
    advert = Advert(address=BUTTON, service_data={MANIFEST.services[0]: data})
    (told,) = driver.advertised(advert, SystemClock().now()).observations
    assert (told.observation.kind.value, told.observation.flags) == ("alarm.pressed", ())


async def test_a_device_that_is_not_in_pairing_mode_is_told_so(bench: Bench) -> None:
    waiting = asyncio.create_task(pair(bench.radio, BUTTON, 1, heard_s=5))
    await asyncio.sleep(0)
    pressing = asyncio.create_task(_press_on(bench.home))
    with pytest.raises(
        TransientError, match="F0:11:22:33:44:02 does not bond: hold its button for more than 10 s"
    ):
        await waiting
    pressing.cancel()
    assert (await bench.home.do("button", "state", {}))["encrypted"] is False


async def test_a_device_that_was_reset_is_paired_anew(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_client: BumbleClient) -> None:
        raise BleakError("PIN_OR_KEY_MISSING")

    await bench.home.do("button", "pair", {})
    first = await pair(bench.radio, BUTTON, 1, heard_s=5)
    assert BUTTON in (tmp_path / "bonds.json").read_text()
    await bench.home.do("button", "reset", {})
    await bench.home.do("button", "pair", {})
    # The virtual controller encrypts without a key; a real one says this of a bond that is older than the device.
    with monkeypatch.context() as patched:
        patched.setattr(BumbleClient, "pair", refuse)
        with pytest.raises(TransientError, match=r"does not bond: hold its button .* \(PIN_OR_KEY_MISSING\)"):
            await pair(bench.radio, BUTTON, 2, heard_s=5)
    assert BUTTON not in (tmp_path / "bonds.json").read_text()
    assert await pair(bench.radio, BUTTON, 2, heard_s=5) != first


async def test_a_dispenser_that_is_asked_by_mistake_keeps_its_bond(bench: Bench, tmp_path: Path) -> None:
    bonds = tmp_path / "bonds.json"
    bench.radio.listen(DISPENSER, lambda _advert: None)
    with pytest.raises(RefusedError, match="no Shelly BLU"):
        await pair(bench.radio, DISPENSER, 1, heard_s=5)
    assert not bonds.exists()
    async with bench.radio.connection(DISPENSER, bonded=True, on_lost=lambda: None):
        before = bonds.read_text()
    with pytest.raises(RefusedError, match="no Shelly BLU"):
        await pair(bench.radio, DISPENSER, 1, heard_s=5)
    assert bonds.read_text() == before


async def _press_on(home: Home) -> None:
    while True:
        await home.do("button", "press", {})
        await asyncio.sleep(0.2)


async def test_a_device_that_is_not_there_is_told_so(bench: Bench) -> None:
    with pytest.raises(TransientError, match=r"not heard within 0\.2 s: hold its button"):
        await pair(bench.radio, NOBODY, 1, heard_s=0.2)


async def test_a_device_of_another_kind_is_refused(bench: Bench) -> None:
    with pytest.raises(RefusedError, match=f"{DISPENSER} has no {BEACON_MODE}: no Shelly BLU"):
        await pair(bench.radio, DISPENSER, 1, heard_s=5)


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("set_beacon", "it gave up before encryption was switched on; hold its button"),
        ("encrypt", "encryption may be on with a key that was not read; pair it again"),
    ],
)
async def test_a_device_that_walks_away_half_way_leaves_a_clear_sentence(
    bench: Bench, step: str, sentence: str
) -> None:
    device = bench.home.devices["button"]

    def walk_away(**_on: bool) -> None:
        device._peripheral.controller.leave()  # type: ignore[attr-defined] # a Shelly

    setattr(device, step, walk_away)
    await bench.home.do("button", "pair", {})
    with pytest.raises(TransientError, match=sentence):
        await pair(bench.radio, BUTTON, 1, heard_s=5)


async def test_a_device_that_says_yes_and_does_nothing_is_found_out(bench: Bench) -> None:
    device = bench.home.devices["button"]
    device.encrypt = lambda: None  # type: ignore[attr-defined] # firmware that says yes and does nothing
    await bench.home.do("button", "pair", {})
    with pytest.raises(RefusedError, match="has not switched encryption on"):
        await pair(bench.radio, BUTTON, 1, heard_s=5)
