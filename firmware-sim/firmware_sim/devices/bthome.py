"""BTHome v2 senders in the shape of Shelly BLU: a button and a door contact.

Written from the BTHome v2 format (bthome.io): service data of UUID 0xFCD2, device info byte, objects by
ascending id, and for encrypted frames AES-128-CCM with a 4-byte tag and no associated data.
"""

import asyncio
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from bumble.core import AdvertisingData
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.devices.base import Action, Arguments, Place, Spec, faults_of, whole
from firmware_sim.errors import Unfit
from firmware_sim.faults import Faults
from firmware_sim.memory import Memory
from firmware_sim.process import Tasks

_UUID = b"\xd2\xfc"
_INFO_VERSION_2 = 0x40
_INFO_ENCRYPTED = 0x01
_INFO_TRIGGERED = 0x04
PACKET_ID, BATTERY, ILLUMINANCE, OPENING, BUTTON, ROTATION = 0x00, 0x01, 0x05, 0x2D, 0x3A, 0x3F

#: How one can push the button: word to value of object 0x3A.
PUSHES = {"none": 0, "press": 1, "double": 2, "triple": 3, "long": 4, "long_double": 5, "hold": 0x80}

#: A Shelly repeats one packet for about this long, this often.
_BURST_S = 1.0
_SHORTEST_BURST_S = 0.15
_INTERVAL_MS = 40.0


def objects(*values: tuple[int, bytes]) -> bytes:
    """Return the objects in the order that the format asks for: by id."""
    return b"".join(bytes([number]) + value for number, value in sorted(values, key=lambda item: item[0]))


def frame(payload: bytes, *, triggered: bool = True) -> bytes:
    """Return the service data, without UUID, of a frame that is not encrypted."""
    return bytes([_INFO_VERSION_2 | (_INFO_TRIGGERED if triggered else 0)]) + payload


def encrypted_frame(payload: bytes, *, key: bytes, address: bytes, counter: int, triggered: bool = True) -> bytes:
    """Return the service data, without UUID, of an encrypted frame.

    Args:
        payload: The objects.
        key: 16 bytes.
        address: The sender's 6 bytes, in the order they are printed.
        counter: 32 bits; grows with each frame.
        triggered: The device sends on events only.
    """
    info = bytes([_INFO_VERSION_2 | _INFO_ENCRYPTED | (_INFO_TRIGGERED if triggered else 0)])
    count = struct.pack("<I", counter)
    sealed = AESCCM(key, tag_length=4).encrypt(address + _UUID + info + count, payload, None)
    return info + sealed[:-4] + count + sealed[-4:]


class BtHomeDevice:
    """One sender: it wakes, sends a burst of one packet, and sleeps.

    Args:
        peripheral: Its radio.
        address: Its 6 address bytes.
        memory: Keeps packet id and counter when the battery is changed.
        key: For encryption, or ``None``.
        beacon_s: Seconds between unasked packets (Shelly's beacon mode), or 0.
    """

    port: tuple[str, Path] | None = None

    def __init__(
        self, peripheral: Peripheral, address: bytes, memory: Memory, key: bytes | None, beacon_s: float
    ) -> None:
        self._peripheral = peripheral
        self._address = address
        self._memory = memory
        self._key = key
        self._beacon_s = beacon_s
        self._battery_pct = 100
        self._faults = Faults()
        self._tasks = Tasks()
        self._packets: asyncio.Queue[bytes] = asyncio.Queue()
        self.actions: Mapping[str, Action] = {
            "battery": self._set_battery,
            "beacon": self._beacon,
            "fault": self._fault,
            "out_of_range": self._out_of_range,
            "in_range": self._in_range,
            "state": self._state,
        }

    async def start(self) -> None:
        """Switch it on; in beacon mode it speaks at once, and regularly."""
        await self._peripheral.start()
        self._tasks.start(self._transmit(), "transmitter")
        if self._beacon_s:
            self._tasks.start(self._beacons(), "beacons")

    async def stop(self) -> None:
        """Switch it off."""
        await self._tasks.stop()
        await self._peripheral.stop()

    def packet(self, *values: tuple[int, bytes]) -> bytes:
        """Make the next packet: packet id and battery go with every one. Counters are stored first."""
        packet_id = (self._memory.number("packet_id", -1) + 1) % 256
        counter = self._memory.number("counter") + 1
        self._memory.keep({"packet_id": packet_id, "counter": counter})
        payload = objects((PACKET_ID, bytes([packet_id])), (BATTERY, bytes([self._battery_pct])), *values)
        if self._key is None:
            return frame(payload)
        return encrypted_frame(payload, key=self._key, address=self._address, counter=counter)

    def send(self, *values: tuple[int, bytes]) -> None:
        """Send one packet as a burst, in the background."""
        for sending in self._faults.apply(self.packet(*values)):
            if sending.after_s:
                self._tasks.start(self._later(sending.after_s, sending.frame), "late packet")
            else:
                self._packets.put_nowait(sending.frame)

    def idle(self) -> Sequence[tuple[int, bytes]]:
        """Return what a beacon tells besides battery."""
        return ()

    async def _later(self, after_s: float, data: bytes) -> None:
        await asyncio.sleep(after_s)
        self._packets.put_nowait(data)

    async def _transmit(self) -> None:
        """Send packet after packet. One that waits cuts the burst before it short, as on a real button."""
        data = await self._packets.get()
        while True:
            await self._peripheral.advertise(
                AdvertisingData.SERVICE_DATA_16_BIT_UUID, _UUID + data, interval_ms=_INTERVAL_MS
            )
            await asyncio.sleep(_SHORTEST_BURST_S)
            try:
                data = await asyncio.wait_for(self._packets.get(), _BURST_S - _SHORTEST_BURST_S)
            except TimeoutError:
                await self._peripheral.silence()
                data = await self._packets.get()

    async def _beacons(self) -> None:
        while True:
            self.send(*self.idle())
            await asyncio.sleep(self._beacon_s)

    async def _beacon(self, _arguments: Arguments) -> None:
        self.send(*self.idle())

    async def _set_battery(self, arguments: Arguments) -> None:
        self._battery_pct = whole(arguments, "percent", 0, 100)
        self.send(*self.idle())

    async def _fault(self, arguments: Arguments) -> None:
        self._faults = faults_of(arguments)

    async def _out_of_range(self, _arguments: Arguments) -> None:
        self._peripheral.controller.leave()

    async def _in_range(self, _arguments: Arguments) -> None:
        self._peripheral.controller.in_range = True

    async def _state(self, _arguments: Arguments) -> Mapping[str, object]:
        return {
            "packet_id": self._memory.number("packet_id", -1),
            "counter": self._memory.number("counter"),
            "battery_pct": self._battery_pct,
            "in_range": self._peripheral.controller.in_range,
        }


class Button(BtHomeDevice):
    """A call button."""

    def __init__(
        self, peripheral: Peripheral, address: bytes, memory: Memory, key: bytes | None, beacon_s: float
    ) -> None:
        super().__init__(peripheral, address, memory, key, beacon_s)
        self.actions = {**self.actions, "press": self._press}

    def idle(self) -> Sequence[tuple[int, bytes]]:
        """Return "not pushed"."""
        return [(BUTTON, bytes([PUSHES["none"]]))]

    async def _press(self, arguments: Arguments) -> None:
        how = arguments.get("how", "press")
        if how not in PUSHES:
            raise Unfit(f"'how' must be one of {', '.join(PUSHES)}, not {how!r}")
        self.send((BUTTON, bytes([PUSHES[str(how)]])))


class Door(BtHomeDevice):
    """A door and window contact: it tells light and tilt besides."""

    _LUX = 120
    _opened = False

    def __init__(
        self, peripheral: Peripheral, address: bytes, memory: Memory, key: bytes | None, beacon_s: float
    ) -> None:
        super().__init__(peripheral, address, memory, key, beacon_s)
        self.actions = {**self.actions, "open": self._open, "close": self._close}

    def idle(self) -> Sequence[tuple[int, bytes]]:
        """Return light in 0.01 lx, whether the door is open, and no tilt."""
        lux = (self._LUX * 100).to_bytes(3, "little")
        return [(ILLUMINANCE, lux), (OPENING, bytes([self._opened])), (ROTATION, b"\x00\x00")]

    async def _open(self, _arguments: Arguments) -> None:
        self._opened = True
        self.send(*self.idle())

    async def _close(self, _arguments: Arguments) -> None:
        self._opened = False
        self.send(*self.idle())


_NAMES: Mapping[type[BtHomeDevice], str] = {Button: "SBBT-002C", Door: "SBDW-002C"}


def _make(shape: type[BtHomeDevice], spec: Spec, place: Place) -> BtHomeDevice:
    address = spec.octets("address", 6)
    key = spec.octets("key", 16) if "key" in spec.settings else None
    printed = ":".join(f"{octet:02X}" for octet in address)
    peripheral = Peripheral(place.air, printed, _NAMES[shape])
    peripheral.controller.rssi_dbm = int(spec.number("rssi_dbm", peripheral.controller.rssi_dbm))
    return shape(peripheral, address, place.memory(spec.name), key, spec.number("beacon_s", 0.0))


KINDS = {
    "bthome.button": lambda spec, place: _make(Button, spec, place),
    "bthome.door": lambda spec, place: _make(Door, spec, place),
}
