"""A 60 GHz fall radar R60AFD1 on a serial port.

Written from the R60AFD1 protocol: ``53 59 | control | command | length 2 | data | checksum | 54 43``, reports by
itself, answers to queries (command with bit 7, data 0x0F), settings below control 0x83.
"""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path

from firmware_sim.devices.base import Action, Arguments, Place, Spec
from firmware_sim.devices.cable import Cable

_HEAD, _TAIL = b"\x53\x59", b"\x54\x43"
_SHORTEST = 9
_QUERY_BIT = 0x80
_HEARTBEAT = (0x01, 0x01, b"\x0f")
_STARTED = (0x05, 0x01, b"\x0f")
_PRESENCE, _MOTION, _FALL, _STILL = (0x80, 0x01), (0x80, 0x02), (0x83, 0x01), (0x83, 0x05)
#: What the radar leaves the factory with: threshold in s, sensitivity, breaking height in cm.
FACTORY: Mapping[int, bytes] = {0x0C: b"\x00\x00\x00\x05", 0x0D: b"\x01", 0x11: b"\x00\x64"}
_SETTINGS = 0x83
_REPORT_S = 1.0


def frame(control: int, command: int, data: bytes) -> bytes:
    """Return one frame."""
    head = _HEAD + bytes([control, command, len(data) >> 8, len(data) & 0xFF]) + data
    return head + bytes([sum(head) % 256]) + _TAIL


class Radar:
    """A radar: it reports changes at once, and all of its states again and again.

    Args:
        name: Its port's name.
        path: Its port's path.
        heartbeat_s: Seconds between two heartbeats.
        report_s: Seconds between two reports of its states.
    """

    def __init__(self, name: str, path: Path, heartbeat_s: float, report_s: float = _REPORT_S) -> None:
        self._cable = Cable(name, path, self._received)
        self._heartbeat_s, self._report_s = heartbeat_s, report_s
        self._buffer = bytearray()
        self._dice = random.Random(name)
        self._mute = self._stuck = self._refusing = False
        self._states = dict.fromkeys((_PRESENCE, _MOTION, _FALL, _STILL), 0)
        self.settings = dict(FACTORY)
        self.actions: Mapping[str, Action] = {
            "enter": self._setting_states({_PRESENCE: 1, _MOTION: 2}),
            "leave": self._setting_states({_MOTION: 0, _PRESENCE: 0}),
            "move": self._setting_states({_MOTION: 2}),
            "rest": self._setting_states({_MOTION: 1}),
            "fall": self._setting_states({_FALL: 1, _MOTION: 1}),
            "rise": self._setting_states({_FALL: 0, _STILL: 0, _MOTION: 2}),
            "still": self._setting_states({_STILL: 1}),
            "stuck": self._get_stuck,
            "forget": self._forget,
            "refuse": self._refuse,
            "reboot": self._reboot,
            "garbage": self._garbage,
            "checksum": self._wrong_checksum,
            "mute": self._fall_silent,
            "speak": self._speak,
            "state": self._state,
            **self._cable.actions,
        }

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the name and path of its serial port."""
        return self._cable.port

    async def start(self) -> None:
        """Switch it on."""
        self._cable.plug_in()
        self._send(*_STARTED)
        self._cable.tasks.start(self._beat(), "heartbeat")
        self._cable.tasks.start(self._report(), "report")

    async def stop(self) -> None:
        """Switch it off."""
        await self._cable.stop()

    def _send(self, control: int, command: int, data: bytes) -> None:
        if not self._mute:
            self._cable.send(frame(control, command, data))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            self._send(*_HEARTBEAT)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._report_s)
            for (control, command), value in self._states.items():
                self._send(control, command, bytes([value]))
            self._send(0x80, 0x03, bytes([self._dice.randint(0, 100) if self._states[_PRESENCE] else 0]))

    # ---- What the other side asks ------------------------------------------------------------------------

    def _received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _SHORTEST:
            if self._buffer[:2] != _HEAD:
                del self._buffer[0]
                continue
            size = _SHORTEST + int.from_bytes(self._buffer[4:6], "big")
            if len(self._buffer) < size:
                return
            asked = bytes(self._buffer[:size])
            if frame(asked[2], asked[3], asked[6:-3]) != asked:
                del self._buffer[0]
                continue
            del self._buffer[:size]
            self._asked(asked[2], asked[3], asked[6:-3])

    def _asked(self, control: int, command: int, data: bytes) -> None:
        plain = command & ~_QUERY_BIT
        if command & _QUERY_BIT:
            if (control, plain) in self._states:
                self._send(control, command, bytes([self._states[control, plain]]))
            elif control == _SETTINGS and plain in self.settings:
                self._send(control, command, self.settings[plain])
        elif control == _SETTINGS and plain in self.settings and len(data) == len(self.settings[plain]):
            if not self._refusing:
                self.settings[plain] = data
            # A radar that does not take a setting says yes all the same.
            self._send(control, command, data)

    # ---- What can be done to it --------------------------------------------------------------------------

    def _setting_states(self, states: Mapping[tuple[int, int], int]) -> Action:
        async def act(_arguments: Arguments) -> None:
            for key, value in states.items():
                if self._stuck and key in (_FALL, _STILL) and not value:
                    continue
                if self._states[key] != value:
                    self._states[key] = value
                    self._send(*key, bytes([value]))

        return act

    async def _get_stuck(self, _arguments: Arguments) -> None:
        """A fall that it shows will never clear."""
        self._stuck = True

    async def _forget(self, _arguments: Arguments) -> None:
        """Lose the settings, and say nothing of it."""
        self.settings = dict(FACTORY)

    async def _refuse(self, _arguments: Arguments) -> None:
        """Take no settings from now on."""
        self._refusing = True

    async def _reboot(self, _arguments: Arguments) -> None:
        """Lose power in the middle of a frame; come back with nothing remembered."""
        half = frame(*_PRESENCE, bytes([self._states[_PRESENCE]]))
        self._cable.write(half[: len(half) // 2])
        self._states = dict.fromkeys(self._states, 0)
        self._stuck = False
        self._buffer.clear()
        await self._forget({})
        self._send(*_STARTED)

    async def _garbage(self, _arguments: Arguments) -> None:
        self._cable.write(self._dice.randbytes(40))

    async def _wrong_checksum(self, _arguments: Arguments) -> None:
        """Send one fall report whose checksum does not fit."""
        wrong = bytearray(frame(*_FALL, b"\x01"))
        wrong[-3] ^= 0x01
        self._cable.write(bytes(wrong))

    async def _fall_silent(self, _arguments: Arguments) -> None:
        self._mute = True

    async def _speak(self, _arguments: Arguments) -> None:
        self._mute = False

    async def _state(self, _arguments: Arguments) -> Mapping[str, object]:
        return {f"{command:02X}": data.hex() for command, data in self.settings.items()}


def _make(spec: Spec, place: Place) -> Radar:
    port = spec.text("port", spec.name)
    report_s = spec.number("report_s", _REPORT_S)
    return Radar(port, place.folder / port, spec.number("heartbeat_s", 10.0), report_s)


KINDS = {"radar60": _make}
