"""What one core hears: adverts through filter and decoder, telegrams of a stick through their driver."""

import asyncio
import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Any, cast

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

from drivers import registry
from drivers.base import Advert, AdvertDriver, Device, SerialDriver, Setup
from hub.bench.line import press_telegram
from hub.bench.size import Size
from hub.domain.clock import Now, SystemClock, boottime
from hub.edge.links.ble import Adapter, Radio

# The goal of the radio: 99 of 100 adverts are strangers'.
_STRANGERS = 99
_OURS = "C2:11:22:33:44:55"
_BTHOME = "0000fcd2-0000-1000-8000-00805f9b34fb"
_APPLE = 0x004C
# Of the strangers, so many are of a family that we know, as in a block of flats.
_KNOWN_FAMILY = 10
# For each append that the journal is measured with: enough to last seconds.
_ADVERTS, _TELEGRAMS = 100, 25
_PENDANTS = 500
# As a driver of a USB stick hands them over.
_READ_BYTES = 64
_TELEGRAM_EVERY = dt.timedelta(milliseconds=1)


class _Scanner(BaseBleakScanner):
    """bleak's scanner where the adverts come from a list."""

    def __init__(
        self,
        callback: Any,  # noqa: ANN401 - bleak's
        uuids: list[str] | None,
        _mode: str,
        *,
        ready: "asyncio.Future[_Scanner]",
        **_: Any,  # noqa: ANN401 - bleak's
    ) -> None:
        super().__init__(callback, uuids)
        self._ready = ready

    async def start(self) -> None:
        """Say that whoever waits may now say what is heard."""
        self._ready.set_result(self)

    async def stop(self) -> None:
        """Do nothing."""


async def adverts(size: Size) -> dict[str, Any]:
    """Measure adverts a second from bleak's callback to the driver's answer, when 99 of 100 are strangers'."""
    total = size.appends * _ADVERTS
    adapter = Adapter()
    ready: asyncio.Future[_Scanner] = asyncio.get_running_loop().create_future()
    adapter.scanner = {"backend": _Scanner, "ready": ready}
    services = frozenset(uuid for each in registry.packages().values() for uuid in each.MANIFEST.services)
    radio = Radio(adapter, services)
    setup = Setup(devices=(Device(id="d-bench", address=_OURS),))
    driver = cast("AdvertDriver", registry.package("bthome").open_driver("advert", setup))
    clock = SystemClock()
    observations = decoded = 0

    def ours(advert: Advert) -> None:
        nonlocal observations, decoded
        decoded += 1
        observations += len(driver.advertised(advert, clock.now()).observations)

    radio.listen(_OURS, ours)
    running = asyncio.create_task(radio.run())
    scanner = await ready
    heard = list(itertools.islice(_air(), total))
    began = boottime()
    for device, data in heard:
        scanner.call_detection_callbacks(device, data)
    seconds = boottime() - began
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return {
        "per_s": round(total / seconds),
        "adverts": total,
        "decoded": decoded,
        "observations": observations,
    }


def _air() -> Iterator[tuple[BLEDevice, AdvertisementData]]:
    """Give what is heard in a block of flats, for ever: random addresses go by, and one device is ours."""
    for number in itertools.count():
        if number % (_STRANGERS + 1) == 0:
            # Packet id, battery, a button pressed: each is another event.
            frame = bytes([0x44, 0x00, number // (_STRANGERS + 1) & 0xFF, 0x01, 0x64, 0x3A, 0x01])
            yield BLEDevice(_OURS, None, None), _said({_BTHOME: frame}, {})
            continue
        address = f"D{number >> 16 & 0xF:X}:00:00:{number >> 8 & 0xFF:02X}:{number & 0xFF:02X}:01"
        if number % _KNOWN_FAMILY == 0:
            yield BLEDevice(address, None, None), _said({_BTHOME: b"\x44\x00\x01\x3a\x00"}, {})
        else:
            yield BLEDevice(address, None, None), _said({}, {_APPLE: bytes(23)})


def _said(services: dict[str, bytes], makers: dict[int, bytes]) -> AdvertisementData:
    return AdvertisementData(None, makers, services, list(services), None, -70, ())


async def telegrams(size: Size) -> dict[str, Any]:
    """Measure ESP3 telegrams a second from the bytes of a stick to observations."""
    return await asyncio.to_thread(_telegrams, size.appends * _TELEGRAMS)


def _telegrams(total: int) -> dict[str, Any]:
    senders = [0xFF80_0000 + number for number in range(_PENDANTS)]
    devices = tuple(Device(id=f"d-{one}", address=f"{one:08X}", profile="F6-01-01") for one in senders)
    driver = cast("SerialDriver", registry.package("enocean").open_driver("serial", Setup(devices=devices)))
    line = b"".join(press_telegram(senders[number % _PENDANTS].to_bytes(4)) for number in range(total))
    reads = [line[at : at + _READ_BYTES] for at in range(0, len(line), _READ_BYTES)]
    now = SystemClock().now()
    step = _TELEGRAM_EVERY * (total / len(reads))
    observations = bad = 0
    driver.opened(now)
    began = boottime()
    for data in reads:
        now = Now(now.utc + step, now.mono + step.total_seconds())
        answer = driver.received(data, now)
        observations += len(answer.observations)
        bad += len(answer.bad)
    seconds = boottime() - began
    return {"per_s": round(total / seconds), "telegrams": total, "observations": observations, "bad": bad}
