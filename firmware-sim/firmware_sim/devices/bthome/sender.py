"""One Shelly BLU: it wakes, sends a burst of one packet, and sleeps; in pairing mode it can be connected to."""

import asyncio
import random
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from bumble.core import AdvertisingData

from firmware_sim.ble.peripheral import Peripheral
from firmware_sim.devices.base import Action, Arguments, faults_of, whole
from firmware_sim.devices.bthome.frames import BATTERY, PACKET_ID, UUID, encrypted_frame, frame, objects
from firmware_sim.devices.bthome.gatt import offer
from firmware_sim.faults import Faults
from firmware_sim.memory import Memory
from firmware_sim.process import Tasks

#: A Shelly repeats one packet for about this long, this often.
BURST_S = 1.0
_SHORTEST_BURST_S = 0.15
_INTERVAL_MS = 40.0
#: Seconds between two packets in beacon mode, where nothing else was set.
_BEACON_S = 30.0
_PAIRING_S = 60.0
_KEY_BYTES = 16
_GARBAGE_BYTES = 16


class BtHomeDevice:
    """One sender.

    Args:
        peripheral: Its radio.
        address: Its 6 address bytes.
        memory: Keeps packet id and counter when the battery is changed, and what a hub has set.
        key: For encryption, or ``None``; a key that was made when it was paired goes before it.
        beacon_s: Seconds between unasked packets (Shelly's beacon mode), or 0.
        burst_s: How long one packet is repeated, 0.2 to 2 s.
    """

    port: tuple[str, Path] | None = None

    def __init__(
        self,
        peripheral: Peripheral,
        address: bytes,
        memory: Memory,
        key: bytes | None,
        beacon_s: float,
        burst_s: float = BURST_S,
    ) -> None:
        self._peripheral = peripheral
        self._address = address
        self._memory = memory
        made = memory.texts("key")
        self._key = bytes.fromhex(made[0]) if made else key
        self._beacon_s = beacon_s or _BEACON_S
        self._beaconing = bool(beacon_s) or bool(memory.number("beacon"))
        self._burst_s = burst_s
        self._battery_pct = 100
        self._faults = Faults()
        self._tasks = Tasks()
        self._beacons: asyncio.Task[None] | None = None
        self._packets: asyncio.Queue[bytes] = asyncio.Queue()
        self.pairing = False
        self.actions: Mapping[str, Action] = {
            "battery": self._set_battery,
            "beacon": self._beacon,
            "fade": self._fade,
            "fault": self._fault,
            "garbage": self._garbage,
            "in_range": self._in_range,
            "lose": self._lose,
            "out_of_range": self._out_of_range,
            "pair": self._pair,
            "reset": self._reset,
            "state": self._state,
            "swap_battery": self._swap_battery,
            "wrong_key": self._wrong_key,
            **self.words(),
        }
        offer(peripheral.device, self)

    @property
    def key(self) -> bytes:
        """Its key; zeros while it does not encrypt."""
        return self._key or bytes(_KEY_BYTES)

    async def start(self) -> None:
        """Switch it on; in beacon mode it speaks at once, and regularly."""
        await self._peripheral.start()
        self._tasks.start(self._transmit(), "transmitter")
        self.set_beacon(on=self._beaconing)

    async def stop(self) -> None:
        """Switch it off."""
        await self._tasks.stop()
        await self._peripheral.stop()

    def encrypt(self) -> None:
        """Make a key, and encrypt with it from now on."""
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._memory.keep({"key": [self._key.hex()]})

    def set_beacon(self, *, on: bool) -> None:
        """Speak unasked, or stop doing so."""
        self._beaconing = on
        self._memory.keep({"beacon": int(on)})
        if on and self._beacons is None:
            self._beacons = self._tasks.start(self._beat(), "beacons")
        elif not on and self._beacons is not None:
            self._beacons.cancel()
            self._beacons = None

    def factory_reset(self) -> None:
        """Forget key, counters and beacon mode."""
        self._key = None
        self._memory.keep({"key": [], "packet_id": -1, "counter": 0})
        self.set_beacon(on=False)

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

    def words(self) -> Mapping[str, Action]:
        """Return what can be done to it beyond what can be done to each."""
        return {}

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
                AdvertisingData.SERVICE_DATA_16_BIT_UUID,
                UUID + data,
                interval_ms=_INTERVAL_MS,
                connectable=self.pairing,
                for_s=None if self.pairing else self._burst_s,
            )
            await asyncio.sleep(_SHORTEST_BURST_S)
            try:
                data = await asyncio.wait_for(self._packets.get(), self._burst_s - _SHORTEST_BURST_S)
            except TimeoutError:
                # In pairing mode the last packet stays on the air, so that it can be connected to.
                if not self.pairing:
                    await self._peripheral.silence()
                data = await self._packets.get()

    async def _beat(self) -> None:
        while True:
            self.send(*self.idle())
            await asyncio.sleep(self._beacon_s)

    async def _beacon(self, _arguments: Arguments) -> None:
        self.send(*self.idle())

    async def _pair(self, arguments: Arguments) -> None:
        """Hold the button for more than 10 s: it can be bonded with for ``seconds``."""
        self.pairing = True
        self.send(*self.idle())
        self._tasks.start(self._end_pairing(whole(arguments, "seconds", 1, 600, int(_PAIRING_S))), "pairing mode")

    async def _end_pairing(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.pairing = False
        self.send(*self.idle())  # its burst ends with silence

    async def _reset(self, _arguments: Arguments) -> None:
        self.factory_reset()
        await self._peripheral.device.keystore.delete_all()
        self.send(*self.idle())

    async def _set_battery(self, arguments: Arguments) -> None:
        self._battery_pct = whole(arguments, "percent", 0, 100)
        self.send(*self.idle())

    async def _swap_battery(self, _arguments: Arguments) -> None:
        """Put in a new cell: a device whose memory is not lasting counts from the start again."""
        self._battery_pct = 100
        self._memory.keep({"packet_id": -1, "counter": 0})
        self.send(*self.idle())

    async def _wrong_key(self, arguments: Arguments) -> None:
        """Encrypt with another key than the one that was read; ``seed`` makes it."""
        self._key = random.Random(whole(arguments, "seed", 0, 2**63, 0)).randbytes(_KEY_BYTES)
        self.send(*self.idle())

    async def _garbage(self, arguments: Arguments) -> None:
        """Send a packet as firmware does that has lost its way: BTHome by its first byte only."""
        noise = random.Random(whole(arguments, "seed", 0, 2**63, 0)).randbytes(_GARBAGE_BYTES)
        self._packets.put_nowait(frame(noise))

    async def _fault(self, arguments: Arguments) -> None:
        self._faults = faults_of(arguments)

    async def _fade(self, arguments: Arguments) -> None:
        """Set how strongly it is heard, in dBm below zero."""
        self._peripheral.controller.rssi_dbm = -whole(arguments, "dbm", 0, 127)

    async def _lose(self, arguments: Arguments) -> None:
        """Let ``percent`` of its advertisements be lost on the air, one by one."""
        self._peripheral.controller.loss = whole(arguments, "percent", 0, 100) / 100

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
            "encrypted": self._key is not None,
            "beacon": self._beaconing,
            "pairing": self.pairing,
        }
