"""An EnOcean USB stick (TCM 310 gateway) on a serial port: what it hears, and what it answers.

Written from EnOcean Serial Protocol 3.
"""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

from firmware_sim.devices.base import Action, Arguments, whole
from firmware_sim.devices.cable import Cable
from firmware_sim.devices.enocean.esp3 import COMMON_COMMAND, HEADER_BYTES, RESPONSE, SYNC, crc8, packet
from firmware_sim.devices.enocean.telegrams import Telegram

_CO_RD_IDBASE = 0x08
_RET_OK, _RET_NOT_SUPPORTED = 0x00, 0x02
#: A radio telegram goes out up to three times within 40 ms; a stick passes on each that it heard.
_SUBTELEGRAMS_AT_S = (0.0, 0.012, 0.030)
#: A repeater sends it once more, and counts itself in the low half of the status.
_REPEATER_AFTER_S = 0.020
_REPEATER_COUNT = 0x0F


class Stick:
    """The USB stick: reports what it hears and answers the commands of its host."""

    def __init__(self, name: str, path: Path, base_id: bytes = b"\xff\x9c\x21\x00") -> None:
        self.cable = Cable(name, path, self._received)
        self._base_id = base_id
        self._buffer = bytearray()
        self.actions: Mapping[str, Action] = {
            **self.cable.actions,
            "garbage": self._garbage,
        }

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the name and path of its serial port."""
        return self.cable.port

    async def start(self) -> None:
        """Plug it in."""
        self.cable.plug_in()

    async def stop(self) -> None:
        """Pull it out."""
        await self.cable.stop()

    def hear(self, telegram: Telegram, sender: bytes, dbm: int = 45, repeaters: int = 0) -> None:
        """Report a telegram, as often as it is sent on the air: by the device, and by each repeater."""
        self.cable.tasks.start(self._report(telegram, sender, dbm, repeaters), "telegram")

    def brown_out(self, telegram: Telegram, sender: bytes) -> None:
        """Report half a telegram: the supply fails in the middle, and is there again."""
        frame = telegram.erp1(sender)
        self.cable.write(frame[: len(frame) // 2])

    async def _report(self, telegram: Telegram, sender: bytes, dbm: int, repeaters: int) -> None:
        told_s = 0.0
        for at_s in _SUBTELEGRAMS_AT_S:
            await asyncio.sleep(at_s - told_s)
            told_s = at_s
            self._pass_on(telegram.erp1(sender, dbm))
        for number in range(1, repeaters + 1):
            await asyncio.sleep(_REPEATER_AFTER_S)
            status = telegram.status & ~_REPEATER_COUNT | number
            self._pass_on(telegram._replace(status=status).erp1(sender, dbm))

    def _pass_on(self, frame: bytes) -> None:
        self.cable.send(frame)

    def _received(self, data: bytes) -> None:
        self._buffer += data
        while command := self._next_command():
            if command[0] == _CO_RD_IDBASE:
                # The optional byte tells how often the base id may still be changed: 10 times when new.
                self.cable.write(packet(RESPONSE, bytes([_RET_OK]) + self._base_id, b"\x0a"))
            else:
                self.cable.write(packet(RESPONSE, bytes([_RET_NOT_SUPPORTED])))

    def _next_command(self) -> bytes:
        """Take the next whole command from the buffer; anything that is none is skipped."""
        buffer = self._buffer
        while len(buffer) >= HEADER_BYTES:
            if buffer[0] != SYNC or crc8(bytes(buffer[1:5])) != buffer[5]:
                del buffer[0]
                continue
            data_bytes = int.from_bytes(buffer[1:3], "big")
            body_end = HEADER_BYTES + data_bytes + buffer[3]
            if len(buffer) <= body_end:
                return b""
            kind, body, check = buffer[4], bytes(buffer[HEADER_BYTES:body_end]), buffer[body_end]
            if crc8(body) != check:
                del buffer[0]
                continue
            del buffer[: body_end + 1]
            if kind == COMMON_COMMAND and body:
                return body[:data_bytes]
        return b""

    async def _garbage(self, arguments: Arguments) -> None:
        """Write noise, as firmware does that has lost its way; the seed makes it repeatable."""
        noise = random.Random(whole(arguments, "seed", 0, 2**63, 0))
        self.cable.write(noise.randbytes(whole(arguments, "bytes", 1, 4096, 64)))
