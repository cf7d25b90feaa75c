"""One device near a stick: a press, a light or a coin cell makes the energy for its telegrams."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from firmware_sim.devices.base import Action, Arguments, Spec, faults_of, whole
from firmware_sim.devices.enocean.stick import Stick
from firmware_sim.devices.enocean.telegrams import CYCLIC, SECURE, SUPPLIED, TELEGRAMS, Telegram
from firmware_sim.process import Tasks

#: How long a finger holds a button down, and at least how long it is away before it presses once more.
_HELD_S = 0.2
_LET_GO_S = 0.15
#: A button that sticks makes and breaks with every tremble.
_STUCK_EVERY_S = 0.3
_CYCLE_S = 1200.0
_LOW_DECIVOLTS = 22
_STEPS_A_DECIVOLT = 5
_STRENGTH_DBM = -45


class Sender:
    """One device.

    Args:
        stick: The stick that hears it.
        kind: Its row of :data:`TELEGRAMS`.
        spec: Its settings: ``address``; ``rssi_dbm``; ``cycle_s`` between two reports of one that is cyclic, 0 for
            none.

    Raises:
        Unfit: A setting does not fit.
    """

    def __init__(self, stick: Stick, kind: str, spec: Spec) -> None:
        self._stick = stick
        self._address = spec.octets("address", 4)
        self._telegrams = TELEGRAMS[kind]
        self._supply: int | None = None
        self._dbm = -int(spec.number("rssi_dbm", _STRENGTH_DBM))
        self._cycle_s = spec.number("cycle_s", _CYCLE_S) if kind in CYCLIC else 0.0
        self._repeaters = 0
        self._in_range = True
        self._last: Telegram | None = None
        self._finger: asyncio.Task[None] | None = None
        self._stuck: asyncio.Task[None] | None = None
        self._tasks = Tasks()
        self.actions: Mapping[str, Action] = {
            **{name: self._action(name) for name in self._telegrams},
            **({"low_battery": self._low_battery} if kind in SUPPLIED else {}),
            **({"stuck": self._stick_fast, "free": self._come_free} if "press" in self._telegrams else {}),
            "repeaters": self._set_repeaters,
            "fade": self._fade,
            "brown_out": self._brown_out,
            "unknown": self._unknown,
            "out_of_range": self._leave,
            "in_range": self._come_back,
            "fault": self._fault,
            **stick.actions,
        }

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the port of its stick."""
        return self._stick.port

    async def start(self) -> None:
        """Have the stick plugged in; a cyclic device begins to count."""
        await self._stick.start()
        if self._cycle_s:
            self._tasks.start(self._cycle(), "cycle")

    async def stop(self) -> None:
        """Have the stick pulled out."""
        await self._tasks.stop()
        await self._stick.stop()

    def _action(self, name: str) -> Action:
        async def act(_arguments: Arguments) -> None:
            if "release" not in self._telegrams or name == "release":
                self._send(name)
                return
            while self._finger is not None and not self._finger.done():
                await asyncio.wait({self._finger})
            self._send(name)
            self._finger = self._tasks.start(self._let_go(), "release")

        return act

    def _send(self, name: str) -> None:
        telegram = self._telegrams[name]
        if name != "teach":
            self._last = telegram
        self._transmit(telegram)

    def _transmit(self, telegram: Telegram) -> None:
        if self._supply is not None and telegram is not self._telegrams.get("teach"):
            telegram = telegram._replace(payload=bytes([self._supply]) + telegram.payload[1:])
        if self._in_range:
            self._stick.hear(telegram, self._address, self._dbm, self._repeaters)

    async def _let_go(self) -> None:
        await asyncio.sleep(_HELD_S)
        self._send("release")
        await asyncio.sleep(_LET_GO_S)

    async def _cycle(self) -> None:
        while True:
            await asyncio.sleep(self._cycle_s)
            self._again()

    def _again(self) -> None:
        """Tell how things are; before anything has happened, that nothing has: the last state of its row."""
        resting = [telegram for name, telegram in self._telegrams.items() if name != "teach"]
        self._transmit(self._last or resting[-1])

    async def _low_battery(self, arguments: Arguments) -> None:
        """Let the supply go down to ``decivolts`` (default 22: 2.2 V), and say so."""
        self._supply = whole(arguments, "decivolts", 0, 50, _LOW_DECIVOLTS) * _STEPS_A_DECIVOLT
        self._again()

    async def _stick_fast(self, _arguments: Arguments) -> None:
        if self._stuck is None:
            self._stuck = self._tasks.start(self._press_on(), "stuck button")

    async def _press_on(self) -> None:
        while True:
            self._send("press")
            await asyncio.sleep(_STUCK_EVERY_S)

    async def _come_free(self, _arguments: Arguments) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        self._send("release")

    async def _set_repeaters(self, arguments: Arguments) -> None:
        self._repeaters = whole(arguments, "count", 0, 2)

    async def _fade(self, arguments: Arguments) -> None:
        """Set how strongly it is heard, in dBm below zero."""
        self._dbm = whole(arguments, "dbm", 0, 127)

    async def _brown_out(self, _arguments: Arguments) -> None:
        self._stick.brown_out(self._last or next(iter(self._telegrams.values())), self._address)

    async def _unknown(self, _arguments: Arguments) -> None:
        self._stick.hear(SECURE, self._address, self._dbm, self._repeaters)

    async def _leave(self, _arguments: Arguments) -> None:
        self._in_range = False

    async def _come_back(self, _arguments: Arguments) -> None:
        self._in_range = True

    async def _fault(self, arguments: Arguments) -> None:
        self._stick.cable.faults = faults_of(arguments)
