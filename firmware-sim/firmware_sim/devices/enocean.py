"""An EnOcean USB stick (TCM 310 gateway) on a serial port, and the battery-free devices around it.

Written from EnOcean Serial Protocol 3 and the equipment profiles F6-01-01, F6-02-01 and D5-00-01.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

from firmware_sim.devices.base import Action, Arguments, Device, Place, Spec, faults_of
from firmware_sim.faults import Faults
from firmware_sim.port import Port
from firmware_sim.process import Tasks

_SYNC = 0x55
_RADIO_ERP1, _RESPONSE, _COMMON_COMMAND = 0x01, 0x02, 0x05
_CO_RD_IDBASE = 0x08
_RET_OK, _RET_NOT_SUPPORTED = 0x00, 0x02
_HEADER_BYTES = 6
_RPS, _1BS = 0xF6, 0xD5
#: A radio telegram goes out up to three times within 40 ms; a stick passes on each that it heard.
_SUBTELEGRAMS_AT_S = (0.0, 0.012, 0.030)
_HELD_S = 0.2


def crc8(data: bytes) -> int:
    """Return the CRC-8 of ESP3: polynomial x^8+x^2+x+1 (0x07), from 0, not reflected."""
    value = 0
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = ((value << 1) ^ 0x07 if value & 0x80 else value << 1) & 0xFF
    return value


def packet(kind: int, data: bytes, optional: bytes = b"") -> bytes:
    """Return one ESP3 packet."""
    header = len(data).to_bytes(2, "big") + bytes([len(optional), kind])
    body = data + optional
    return bytes([_SYNC]) + header + bytes([crc8(header)]) + body + bytes([crc8(body)])


class Telegram(NamedTuple):
    """One radio telegram: its kind (RORG), payload, and status byte."""

    rorg: int
    payload: bytes
    status: int = 0x00

    def erp1(self, sender: bytes, dbm: int = 45, subtelegram: int = 1) -> bytes:
        """Return it as the stick reports it, received at ``-dbm`` dBm."""
        data = bytes([self.rorg]) + self.payload + sender + bytes([self.status])
        return packet(_RADIO_ERP1, data, bytes([subtelegram]) + b"\xff\xff\xff\xff" + bytes([dbm, 0]))


#: What each kind sends for each thing one can do to it.
TELEGRAMS: Mapping[str, Mapping[str, Telegram]] = {
    # F6-01-01: bit 4 is the button; status T21 and NU on pressing, T21 alone on release.
    "pendant": {
        "press": Telegram(_RPS, b"\x10", 0x30),
        "release": Telegram(_RPS, b"\x00", 0x20),
    },
    # F6-02-01: rocker BI (010) and energy bow; on release nothing is pressed.
    "pullcord": {
        "press": Telegram(_RPS, b"\x50", 0x30),
        "release": Telegram(_RPS, b"\x00", 0x20),
    },
    # D5-00-01: bit 0 is "closed"; bit 3 clear would be a teach-in telegram.
    "door": {
        "open": Telegram(_1BS, b"\x08"),
        "close": Telegram(_1BS, b"\x09"),
        "teach": Telegram(_1BS, b"\x00"),
    },
}


class Stick:
    """The USB stick: reports what it hears and answers the commands of its host."""

    def __init__(self, name: str, path: Path, base_id: bytes = b"\xff\x9c\x21\x00") -> None:
        self._name = name
        self._port = Port(path, self._received)
        self._base_id = base_id
        self._buffer = bytearray()
        self._tasks = Tasks()
        self.faults = Faults()
        self.actions: Mapping[str, Action] = {"vanish": self._vanish, "return": self._return}

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the name and path of its serial port."""
        return self._name, self._port.path

    async def start(self) -> None:
        """Plug it in."""
        self._port.appear()

    async def stop(self) -> None:
        """Pull it out."""
        await self._tasks.stop()
        self._port.vanish()

    def hear(self, telegram: Telegram, sender: bytes) -> None:
        """Report a telegram, as often as it is sent on the air."""
        self._tasks.start(self._report(telegram, sender), "telegram")

    async def _report(self, telegram: Telegram, sender: bytes) -> None:
        told_s = 0.0
        for at_s in _SUBTELEGRAMS_AT_S:
            await asyncio.sleep(at_s - told_s)
            told_s = at_s
            for sending in self.faults.apply(telegram.erp1(sender)):
                if sending.after_s:
                    self._tasks.start(self._later(sending.after_s, sending.frame), "late frame")
                else:
                    self._port.write(sending.frame)

    async def _later(self, after_s: float, frame: bytes) -> None:
        await asyncio.sleep(after_s)
        self._port.write(frame)

    def _received(self, data: bytes) -> None:
        self._buffer += data
        while command := self._next_command():
            if command[0] == _CO_RD_IDBASE:
                # The optional byte tells how often the base id may still be changed: 10 times when new.
                self._port.write(packet(_RESPONSE, bytes([_RET_OK]) + self._base_id, b"\x0a"))
            else:
                self._port.write(packet(_RESPONSE, bytes([_RET_NOT_SUPPORTED])))

    def _next_command(self) -> bytes:
        """Take the next whole command from the buffer; anything that is none is skipped."""
        buffer = self._buffer
        while len(buffer) >= _HEADER_BYTES:
            if buffer[0] != _SYNC or crc8(bytes(buffer[1:5])) != buffer[5]:
                del buffer[0]
                continue
            data_bytes = int.from_bytes(buffer[1:3], "big")
            body_end = _HEADER_BYTES + data_bytes + buffer[3]
            if len(buffer) <= body_end:
                return b""
            kind, body, check = buffer[4], bytes(buffer[_HEADER_BYTES:body_end]), buffer[body_end]
            if crc8(body) != check:
                del buffer[0]
                continue
            del buffer[: body_end + 1]
            if kind == _COMMON_COMMAND and body:
                return body[:data_bytes]
        return b""

    async def _vanish(self, _arguments: Arguments) -> None:
        self._port.vanish()

    async def _return(self, _arguments: Arguments) -> None:
        self._port.appear()


class Sender:
    """One battery-free device near a stick: moving it makes the energy for its telegrams."""

    def __init__(self, stick: Stick, address: bytes, telegrams: Mapping[str, Telegram]) -> None:
        self._stick = stick
        self._address = address
        self._telegrams = telegrams
        self._tasks = Tasks()
        self.actions: Mapping[str, Action] = {
            **{name: self._action(name) for name in telegrams},
            "fault": self._fault,
            **stick.actions,
        }

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the port of its stick."""
        return self._stick.port

    async def start(self) -> None:
        """Have the stick plugged in; the device itself has nothing to switch on."""
        await self._stick.start()

    async def stop(self) -> None:
        """Have the stick pulled out."""
        await self._tasks.stop()
        await self._stick.stop()

    def _action(self, name: str) -> Action:
        async def act(_arguments: Arguments) -> None:
            self._stick.hear(self._telegrams[name], self._address)
            if name == "press":
                self._tasks.start(self._let_go(), "release")

        return act

    async def _let_go(self) -> None:
        await asyncio.sleep(_HELD_S)
        self._stick.hear(self._telegrams["release"], self._address)

    async def _fault(self, arguments: Arguments) -> None:
        self._stick.faults = faults_of(arguments)


def _make(kind: str, spec: Spec, place: Place) -> Device:
    name = spec.text("port", "enocean")
    stick = place.shared.setdefault(f"stick {name}", Stick(name, place.folder / name))
    return Sender(cast("Stick", stick), spec.octets("address", 4), TELEGRAMS[kind])


KINDS = {
    "enocean.pendant": lambda spec, place: _make("pendant", spec, place),
    "enocean.pullcord": lambda spec, place: _make("pullcord", spec, place),
    "enocean.door": lambda spec, place: _make("door", spec, place),
}
