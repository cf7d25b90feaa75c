"""A GSM modem on a serial port, with its SIM, its memory and its moods.

Written from 3GPP TS 27.005 (PDU mode), TS 27.007 and ITU-T V.250: commands one at a time, answers and notices as
lines, ``> `` before a message. Codes of errors: 27.007, 9.2 and 27.005, 3.2.5.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from firmware_sim.clock import Clock
from firmware_sim.devices.base import Action
from firmware_sim.devices.cable import Cable
from firmware_sim.devices.gsm import pdu
from firmware_sim.devices.gsm.network import Network
from firmware_sim.devices.gsm.sim import Sim

_ESC, _CTRL_Z = 0x1B, 0x1A
_BOOT_S = 0.05
_HOME, _SEARCHING = 1, 2
_SIM_FAILURE, _NO_NETWORK, _INVALID_INDEX, _INVALID_PDU = 310, 331, 321, 304


class Cell(NamedTuple):
    """One place of the memory: status (0 unread, 1 read) and PDU."""

    status: int
    pdu: bytes


class Refused(Exception):  # noqa: N818 -- an answer, not a fault of ours
    """The modem says no, with the family and number of the error."""

    def __init__(self, family: str = "", code: int = 0) -> None:
        super().__init__(f"{family} {code}")
        self.family, self.code = family, code


class GsmModem:
    """The modem. What can be done to it is in :mod:`firmware_sim.devices.gsm.moods`.

    Args:
        name: Its port's name.
        path: Its port's path.
        clock: The network's time.
        sim: The card in it.
        capacity: Messages that its memory holds.
        stores_reports: It can store reports (``+CNMI`` ds=2), or only hand them through.
    """

    def __init__(
        self, name: str, path: Path, clock: Clock, sim: Sim, *, capacity: int = 20, stores_reports: bool = True
    ) -> None:
        self.cable = Cable(name, path, self._received)
        self.sim = sim
        self._capacity = capacity
        self._stores_reports = stores_reports
        self.network = Network(clock, self.deliver)
        self._memory: dict[int, Cell] = {}
        self._reference = 0
        # What an operator of the simulator changes.
        self.registration, self.rssi = _HOME, 20
        self.prompt_s, self.taking_s = 0.0, 0.0  # until it asks for the text, and until the network has taken it
        self.silent = self.half_a_pdu = False
        self.refusals: list[int] = []
        self.heard: list[str] = []
        self._settings_lost()
        self._exact: Mapping[str, Callable[[], Iterable[str]]] = {
            "AT": tuple,
            "AT+CPIN?": lambda: [f"+CPIN: {self.sim.state()}"],
            "AT+CREG?": lambda: [f"+CREG: {self._creg},{self.registration}"],
            "AT+CSQ": lambda: [f"+CSQ: {self.rssi},99"],
            "AT+CPMS?": lambda: ["+CPMS: " + ",".join([f'"SM",{len(self._memory)},{self._capacity}'] * 3)],
            "AT+CMGL=4": self._list,
            "AT+CFUN=1,1": self._reset,
        }
        self._patterns: tuple[tuple[str, Callable[[re.Match[str]], Iterable[str]]], ...] = (
            (r"ATE([01])", self._set_echo),
            (r"AT\+CMEE=([012])", self._set_errors),
            (r'AT\+CPIN="?(\d+)"?', self._enter_pin),
            (r"AT\+CREG=([012])", self._set_creg),
            (r"AT\+CMGF=([01])", self._set_format),
            (r'AT\+CPMS="SM"(?:,"SM"){0,2}', self._set_memory),
            (r"AT\+CNMI=([0-3]),([01])(?:,0(?:,([0-2])(?:,[01])?)?)?", self._set_notices),
            (r"AT\+CMGR=(\d+)", self._read),
            (r"AT\+CMGD=(\d+)", self._delete),
        )
        self.actions: Mapping[str, Action] = {}

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the name and path of its serial port."""
        return self.cable.port

    async def start(self) -> None:
        """Switch it on. Does nothing when it is: several devices of a home may have it."""
        if self.cable.plugged_in:
            return
        self.cable.plug_in()
        self.cable.tasks.start(self._boot(), "boot")

    async def stop(self) -> None:
        """Pull it out."""
        await self.cable.stop()

    def vanish(self) -> None:
        """Pull the stick out; it has no power then."""
        self.cable.pull_out()
        self.lose_power()

    def appear(self) -> None:
        """Put the stick back."""
        self.cable.plug_in()
        self.restart()

    def restart(self) -> None:
        """Lose all settings and start again, in the middle of whatever is going on."""
        self.lose_power()
        self.cable.tasks.start(self._boot(), "boot")

    def lose_power(self) -> None:
        """Forget everything but the memory and the card."""
        self._settings_lost()
        self.sim.power_lost()
        self._up = False

    def _settings_lost(self) -> None:
        self._up = False
        self._echo, self._errors, self._creg, self._format = True, 0, 0, 0
        self._new_texts = self._new_reports = 0
        self._line = bytearray()
        self._message: bytearray | None = None
        self._octets = 0

    async def _boot(self) -> None:
        await asyncio.sleep(_BOOT_S)
        self._up = True
        self.say("RDY", "+CFUN: 1", f"+CPIN: {self.sim.state()}" if self.sim.present else "+CPIN: NOT INSERTED")
        self.deliver()

    # Lines in and out.

    def say(self, *lines: str) -> None:
        """Send lines, each through the faults of the line."""
        for line in lines:
            self._send(f"\r\n{line}\r\n".encode("ascii"))

    def _send(self, data: bytes) -> None:
        self.cable.send(data)

    def _received(self, data: bytes) -> None:
        if not self._up or self.silent:
            return
        if self._echo:
            self.cable.write(data)
        for octet in data:
            if self._message is not None:
                self._take_message(octet)
            elif octet == ord("\r"):
                line, self._line = self._line.decode("ascii", "replace").strip(), bytearray()
                if line:
                    self._command(line)
            elif octet not in (_ESC, ord("\n")):
                self._line.append(octet)

    def _command(self, line: str) -> None:
        self.heard.append(line)
        try:
            if match := re.fullmatch(r"AT\+CMGS=(\d+)", line, re.IGNORECASE):
                self._begin_message(int(match[1]))
                return
            lines = tuple(self._answer(line.upper()))
        except Refused as refused:
            self._no(refused)
            return
        if self._up:
            self.say(*lines, "OK")
            self.deliver()

    def _no(self, refused: Refused) -> None:
        if self._errors == 0 or not refused.family:
            self.say("ERROR" if refused.family != "CMS" else f"+CMS ERROR: {refused.code}")
        else:
            self.say(f"+{refused.family} ERROR: {refused.code}")

    def _answer(self, line: str) -> Iterable[str]:
        if not line.startswith("AT"):
            raise Refused
        if line == "AT+CPIN?" and not self.sim.present:
            raise Refused("CME", 10)
        if line in self._exact:
            return self._exact[line]()
        for pattern, answer in self._patterns:
            if match := re.fullmatch(pattern, line):
                return answer(match)
        raise Refused

    def _need_sim(self) -> None:
        if not self.sim.ready():
            raise Refused("CMS", _SIM_FAILURE if not self.sim.present else _SIM_FAILURE + 1)

    # Settings.

    def _set_echo(self, match: re.Match[str]) -> tuple[str, ...]:
        self._echo = match[1] == "1"
        return ()

    def _set_errors(self, match: re.Match[str]) -> tuple[str, ...]:
        self._errors = int(match[1])
        return ()

    def _set_creg(self, match: re.Match[str]) -> tuple[str, ...]:
        self._creg = int(match[1])
        return ()

    def _set_format(self, match: re.Match[str]) -> tuple[str, ...]:
        self._format = int(match[1])
        return ()

    def _set_notices(self, match: re.Match[str]) -> tuple[str, ...]:
        self._need_sim()
        reports = int(match[3] or 0)
        if reports == 2 and not self._stores_reports:
            raise Refused("CMS", 303)
        self._new_texts, self._new_reports = int(match[2]), reports
        return ()

    def _enter_pin(self, match: re.Match[str]) -> tuple[str, ...]:
        code = self.sim.enter(match[1])
        if code:
            raise Refused("CME", code)
        return ()

    def _reset(self) -> tuple[str, ...]:
        self.say("OK")
        self.restart()
        return ()

    # Memory.

    def _set_memory(self, _match: re.Match[str]) -> tuple[str, ...]:
        self._need_sim()
        return ("+CPMS: " + ",".join([f"{len(self._memory)},{self._capacity}"] * 3),)

    def _list(self) -> Iterable[str]:
        self._need_sim()
        for index, cell in sorted(self._memory.items()):
            yield self._with_pdu(f"+CMGL: {index},{cell.status},,", cell.pdu)
            if self._up:
                self._memory[index] = cell._replace(status=1)

    def _read(self, match: re.Match[str]) -> Iterable[str]:
        self._need_sim()
        index = int(match[1])
        if index not in self._memory:
            raise Refused("CMS", _INVALID_INDEX)
        cell = self._memory[index]
        self._memory[index] = cell._replace(status=1)
        line = self._with_pdu(f"+CMGR: {cell.status},,", cell.pdu)
        return [line] if self._up else []

    def _with_pdu(self, header: str, octets: bytes) -> str:
        line = f"{header}{len(octets) - 1 - octets[0]}\r\n{octets.hex().upper()}"
        if self.half_a_pdu:
            # The supply breaks down in the middle of the line.
            self.half_a_pdu = False
            self._send(f"\r\n{line[: -len(octets)]}".encode("ascii"))
            self.restart()
        return line

    def _delete(self, match: re.Match[str]) -> tuple[str, ...]:
        self._need_sim()
        self._memory.pop(int(match[1]), None)
        return ()

    def fill(self) -> None:
        """Fill the memory with texts that somebody wrote in this card long ago (status 2, to be sent)."""
        draft = bytes.fromhex("0001000A810000000000000000")
        for index in range(1, self._capacity + 1):
            self._memory.setdefault(index, Cell(2, draft))

    def clear(self) -> None:
        """Empty the memory by other means."""
        self._memory.clear()
        self.deliver()

    def deliver(self) -> None:
        """Take what the network has, as far as there is room; the rest waits there."""
        waiting = self.network.waiting
        while waiting and self._up and self.sim.ready() and self.registration in (1, 5):
            octets, is_report = waiting[0]
            if is_report and self._new_reports != 2:
                if self._new_reports == 1:
                    self.say(f"+CDS: {len(octets) - 1 - octets[0]}\r\n{octets.hex().upper()}")
                del waiting[0]
                continue
            free = next((at for at in range(1, self._capacity + 1) if at not in self._memory), None)
            if free is None:
                return
            del waiting[0]
            self._memory[free] = Cell(0, octets)
            if is_report:
                self.say(f'+CDSI: "SM",{free}')
            elif self._new_texts:
                self.say(f'+CMTI: "SM",{free}')

    # Sending.

    def _begin_message(self, octets: int) -> None:
        self._need_sim()
        if self._format != 0:
            raise Refused("CMS", 302)
        self._octets = octets
        self.cable.tasks.start(self._prompt(), "prompt")

    async def _prompt(self) -> None:
        await asyncio.sleep(self.prompt_s)
        if self._up:
            self._message = bytearray()
            self._send(b"\r\n> ")

    def _take_message(self, octet: int) -> None:
        if self._message is None:
            return
        if octet == _ESC:
            self._message = None
            self.say("OK")
        elif octet == _CTRL_Z:
            digits, self._message = self._message.decode("ascii", "replace"), None
            if self.taking_s:
                self.cable.tasks.start(self._take_later(digits), "taking")
            else:
                self._take(digits)
        elif octet not in b"\r\n":
            self._message.append(octet)

    async def _take_later(self, digits: str) -> None:
        await asyncio.sleep(self.taking_s)
        if self._up:
            self._take(digits)

    def _take(self, digits: str) -> None:
        try:
            reference = self._submit(digits)
        except Refused as refused:
            self._no(refused)
        else:
            self.say(f"+CMGS: {reference}", "OK")
            self.deliver()

    def _submit(self, digits: str) -> int:
        if self.refusals:
            raise Refused("CMS", self.refusals.pop(0))
        if self.registration not in (1, 5):
            raise Refused("CMS", _NO_NETWORK)
        try:
            octets = bytes.fromhex(digits)
            message = pdu.read_submit(octets)
        except ValueError as error:
            raise Refused("CMS", _INVALID_PDU) from error
        if len(octets) - 1 - octets[0] != self._octets:
            raise Refused("CMS", _INVALID_PDU)
        self._reference = (self._reference + 1) % 256
        self.network.submitted(message, self._reference)
        return self._reference
