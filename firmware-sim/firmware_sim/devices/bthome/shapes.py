"""What tells one Shelly BLU from another: its buttons and sensors."""

import asyncio
from collections.abc import Mapping, Sequence

from firmware_sim.devices.base import Action, Arguments, whole
from firmware_sim.devices.bthome.frames import (
    BUTTON,
    HUMIDITY,
    ILLUMINANCE,
    MOTION,
    OPENING,
    PUSHES,
    ROTATION,
    TEMPERATURE,
)
from firmware_sim.devices.bthome.sender import BtHomeDevice
from firmware_sim.errors import Unfit

#: A button that sticks makes and breaks with every tremble.
_STUCK_EVERY_S = 0.3
_LUX = 120
_BLIND_S = 60


class Button(BtHomeDevice):
    """A call button."""

    buttons = 1
    _stuck: asyncio.Task[None] | None = None

    def words(self) -> Mapping[str, Action]:
        """Return what can be done to it."""
        return {"press": self._press, "stuck": self._stick_fast, "free": self._come_free}

    def idle(self) -> Sequence[tuple[int, bytes]]:
        """Return "not pushed" for each button."""
        return self._pushed({})

    def _pushed(self, how: dict[int, str]) -> Sequence[tuple[int, bytes]]:
        """Return an object for each button; their order is their number."""
        return [(BUTTON, bytes([PUSHES[how.get(number, "none")]])) for number in range(1, self.buttons + 1)]

    async def _press(self, arguments: Arguments) -> None:
        how = arguments.get("how", "press")
        if how not in PUSHES:
            raise Unfit(f"'how' must be one of {', '.join(PUSHES)}, not {how!r}")
        self.send(*self._pushed({whole(arguments, "button", 1, self.buttons, 1): str(how)}))

    async def _stick_fast(self, _arguments: Arguments) -> None:
        if self._stuck is None:
            self._stuck = self._tasks.start(self._press_on(), "stuck button")

    async def _press_on(self) -> None:
        while True:
            self.send(*self._pushed({1: "press"}))
            await asyncio.sleep(_STUCK_EVERY_S)

    async def _come_free(self, _arguments: Arguments) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None


class Remote(Button):
    """Four buttons, by the bed or on the wall."""

    buttons = 4

    def words(self) -> Mapping[str, Action]:
        """Return what can be done to it."""
        return {**super().words(), "grab": self._grab}

    async def _grab(self, _arguments: Arguments) -> None:
        """Press all of them at once, as a hand does in the dark."""
        self.send(*self._pushed(dict.fromkeys(range(1, self.buttons + 1), "press")))


class Door(BtHomeDevice):
    """A door and window contact: it tells light and tilt besides."""

    _opened = False

    def words(self) -> Mapping[str, Action]:
        """Return what can be done to it."""
        return {"open": self._open, "close": self._close}

    def idle(self) -> Sequence[tuple[int, bytes]]:
        """Return light in 0.01 lx, whether the door is open, and no tilt."""
        return [(ILLUMINANCE, _light()), (OPENING, bytes([self._opened])), (ROTATION, b"\x00\x00")]

    async def _open(self, _arguments: Arguments) -> None:
        self._opened = True
        self.send(*self.idle())

    async def _close(self, _arguments: Arguments) -> None:
        self._opened = False
        self.send(*self.idle())


class Motion(BtHomeDevice):
    """A motion sensor: it tells that it is still when nobody has moved for its blind time."""

    _moving = False
    _blind: asyncio.Task[None] | None = None

    def words(self) -> Mapping[str, Action]:
        """Return what can be done to it."""
        return {"move": self._move}

    def idle(self) -> Sequence[tuple[int, bytes]]:
        """Return light in 0.01 lx and whether somebody moves."""
        return [(ILLUMINANCE, _light()), (MOTION, bytes([self._moving]))]

    async def _move(self, arguments: Arguments) -> None:
        """See somebody; ``blind_s`` later it is over."""
        blind_s = whole(arguments, "blind_s", 0, 3600, _BLIND_S)
        self._moving = True
        self.send(*self.idle())
        if self._blind is not None:
            self._blind.cancel()
        self._blind = self._tasks.start(self._be_still(blind_s), "blind time")

    async def _be_still(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._moving = False
        self.send(*self.idle())


class Climate(BtHomeDevice):
    """A room sensor."""

    _decidegrees, _humidity_pct = 215, 40

    def words(self) -> Mapping[str, Action]:
        """Return what can be done to it."""
        return {"measure": self._measure}

    def idle(self) -> Sequence[tuple[int, bytes]]:
        """Return humidity in percent and temperature in 0.1 degrees."""
        warmth = self._decidegrees.to_bytes(2, "little", signed=True)
        return [(HUMIDITY, bytes([self._humidity_pct])), (TEMPERATURE, warmth)]

    async def _measure(self, arguments: Arguments) -> None:
        self._decidegrees = whole(arguments, "decidegrees", -400, 1000, self._decidegrees)
        self._humidity_pct = whole(arguments, "humidity", 0, 100, self._humidity_pct)
        self.send(*self.idle())


def _light() -> bytes:
    return (_LUX * 100).to_bytes(3, "little")
