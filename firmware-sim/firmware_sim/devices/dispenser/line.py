"""The dispenser on a serial line."""

import asyncio
import logging
import random
import struct
from collections.abc import Mapping
from pathlib import Path

from firmware_sim.devices.base import Action, Arguments, whole
from firmware_sim.devices.cable import Cable
from firmware_sim.devices.dispenser.model import Dispenser
from firmware_sim.devices.dispenser.record import opened_frame, serial_frame

log = logging.getLogger(__name__)

_EVENT, _STATUS, _PLAN, _HELLO = 0x01, 0x02, 0x03, 0x06
_ACK, _SET_PLAN, _CONTROL, _SET_TIME, _HELLO_REQUEST = 0x81, 0x83, 0x84, 0x85, 0x86
_LONGEST_FRAME = 256
RESEND_S = 5.0
_MOST_GARBAGE = 4096
_ABOUT = ("Welfare Hub ODP-1", "SIM-0002", "1.0.0")


class LineDispenser:
    """A dispenser on a cable. Nobody connects: it tells, and tells again every 5 s until acknowledged.

    Args:
        dispenser: The model behind it.
        name: Its port's name.
        path: Its port's path.
        alive_s: Seconds between status frames.
        resend_s: Seconds between two tellings of the same record.
    """

    def __init__(
        self, dispenser: Dispenser, name: str, path: Path, alive_s: float, resend_s: float = RESEND_S
    ) -> None:
        self._dispenser = dispenser
        self._name = name
        self._alive_s = alive_s
        self._resend_s = resend_s
        self._cable = Cable(name, path, self._received)
        self._buffer = bytearray()
        self._told = 0
        self.bad_frames = 0
        dispenser.on_new(self._tell_new)
        self.actions: Mapping[str, Action] = {
            **dispenser.actions,
            **self._cable.actions,
            "return": self._return,
            "brown_out": self._brown_out,
            "garbage": self._garbage,
        }

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the name and path of its serial port."""
        return self._cable.port

    async def start(self) -> None:
        """Plug it in: it says who it is."""
        self._cable.plug_in()
        self._hello(b"")
        self._cable.tasks.start(self._resend(), "resend")
        self._cable.tasks.start(self._alive(), "alive")

    async def stop(self) -> None:
        """Pull it out."""
        await self._cable.stop()

    def _send(self, kind: int, body: bytes) -> None:
        self._cable.send(serial_frame(kind, body))

    def _tell(self, after_seq: int) -> None:
        for record in self._dispenser.unacknowledged(after_seq):
            self._told = max(self._told, record.seq)
            self._send(_EVENT, record.encoded())

    def _tell_new(self) -> None:
        self._tell(self._told)

    async def _resend(self) -> None:
        while True:
            self._tell(0)
            await asyncio.sleep(self._resend_s)

    async def _alive(self) -> None:
        while True:
            self._send(_STATUS, self._dispenser.status().encoded())
            await asyncio.sleep(self._alive_s)

    def _received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(0)) >= 0:
            stuffed = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if stuffed:
                self._take(stuffed)
        if len(self._buffer) > _LONGEST_FRAME:
            self.bad_frames += 1
            self._buffer.clear()

    def _take(self, stuffed: bytes) -> None:
        takers = {
            _ACK: self._acknowledge,
            _SET_PLAN: self._take_plan,
            _CONTROL: self._dispenser.control,
            _SET_TIME: self._set_time,
            _HELLO_REQUEST: self._hello,
        }
        try:
            kind, body = opened_frame(stuffed)
            takers[kind](body)
        except KeyError as error:
            self.bad_frames += 1
            log.warning("%s: frame of unknown type %s skipped", self._name, error)
        except (ValueError, struct.error) as error:
            self.bad_frames += 1
            log.warning("%s: frame skipped: %s", self._name, error)

    def _acknowledge(self, body: bytes) -> None:
        if not self._cable.faults.hears():
            return
        self._dispenser.acknowledged(struct.unpack("<I", body)[0])

    def _take_plan(self, body: bytes) -> None:
        self._dispenser.take_plan(body)
        self._send(_PLAN, self._dispenser.plan)

    def _set_time(self, body: bytes) -> None:
        unix_s, _minutes_east = struct.unpack("<Ih", body)
        self._dispenser.set_clock(unix_s)

    def _hello(self, _body: bytes) -> None:
        texts = (text.encode() for text in _ABOUT)
        self._send(_HELLO, b"".join(bytes([len(text)]) + text for text in texts))

    async def _return(self, _arguments: Arguments) -> None:
        self._cable.plug_in()
        self._hello(b"")

    async def _brown_out(self, arguments: Arguments) -> None:
        """Lose power in the middle of a frame, and start again."""
        frame = serial_frame(_STATUS, self._dispenser.status().encoded())
        self._cable.write(frame[: len(frame) // 2])
        await self._dispenser.actions["power_cut"](arguments)
        self._hello(b"")

    async def _garbage(self, arguments: Arguments) -> None:
        """Send what faulty firmware sends: bytes without sense."""
        size = whole(arguments, "bytes", 1, _MOST_GARBAGE, 100)
        self._cable.write(random.Random(whole(arguments, "seed", 0, 2**31, 0)).randbytes(size))
