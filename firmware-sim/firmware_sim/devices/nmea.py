"""A position receiver or tracker on a serial port, speaking NMEA 0183.

Written from the sentences' form: every second RMC and GGA of one moment, each with its checksum.
"""

import asyncio
import datetime as dt
import math
import random
from collections.abc import Mapping
from pathlib import Path

from firmware_sim.clock import Clock, utc
from firmware_sim.devices.base import Action, Arguments, Place, Spec, whole
from firmware_sim.devices.cable import Cable
from firmware_sim.errors import Unfit

#: Metres in one degree of latitude.
_DEGREE_M = 111_195.0
_TALKERS = ("GP", "GN", "GL", "GA", "BD")
#: Somewhere nobody lives.
_LAT, _LON = 69.2, 18.1


def sentence(body: str) -> bytes:
    """Return a sentence: ``$``, body, ``*``, the XOR of the body in hexadecimal, line end."""
    check = 0
    for octet in body.encode("ascii"):
        check ^= octet
    return f"${body}*{check:02X}\r\n".encode("ascii")


def _degrees(value: float, digits: int, sides: str) -> str:
    """Return degrees and minutes: ``6912.0000,N``."""
    ten_thousandths = round(abs(value) * 60 * 10_000)
    degrees, minutes = divmod(ten_thousandths, 60 * 10_000)
    return f"{degrees:0{digits}d}{minutes / 10_000:07.4f},{sides[value < 0]}"


class Receiver:
    """A receiver.

    Args:
        name: Its port's name.
        path: Its port's path.
        clock: The time that the satellites tell.
        talker: Who it says that it hears.
        period_s: Seconds between two positions.
    """

    def __init__(self, name: str, path: Path, clock: Clock, talker: str, period_s: float) -> None:
        self._cable = Cable(name, path)
        self._clock, self._talker, self._period_s = clock, talker, period_s
        self._dice = random.Random(name)
        self.lat, self.lon, self._hdop = _LAT, _LON, 1.2
        self._has_fix = True
        self._cut = 0
        self._jump: tuple[float, float] | None = None
        self._offset = dt.timedelta(0)
        self._count = 0
        self.actions: Mapping[str, Action] = {
            "go": self._go,
            "place": self._place,
            "lose": self._lose,
            "find": self._find,
            "jump": self._jump_once,
            "cut": self._cut_next,
            "clock": self._wrong_clock,
            "poor": self._poor,
            "garbage": self._garbage,
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
        self._cable.tasks.start(self._talk(), "receiver")

    async def stop(self) -> None:
        """Switch it off."""
        await self._cable.stop()

    async def _talk(self) -> None:
        while True:
            self._say()
            await asyncio.sleep(self._period_s)

    def _say(self) -> None:
        # Every position has its own moment, also where the clock stands still.
        self._count += 1
        at = utc(self._clock.wall_s()) + self._offset
        moment = f"{at:%H%M%S}.{self._count % 100:02d}"
        (lat, lon), self._jump = self._jump or (self.lat, self.lon), None
        where = f"{_degrees(lat, 2, 'NS')},{_degrees(lon, 3, 'EW')}" if self._has_fix else ",,,"
        status, mode, quality = ("A", "A", 1) if self._has_fix else ("V", "N", 0)
        seen = f"08,{self._hdop:.1f}" if self._has_fix else "00,"
        self._send(f"{self._talker}RMC,{moment},{status},{where},0.0,,{at:%d%m%y},,,{mode}")
        self._send(f"{self._talker}GGA,{moment},{where},{quality},{seen},10.0,M,35.0,M,,")

    def _send(self, body: str) -> None:
        data = sentence(body)
        if self._cut:
            self._cut -= 1
            data = data[: self._dice.randrange(2, len(data) - 4)]
        self._cable.send(data)

    # ---- What can be done to it --------------------------------------------------------------------------

    async def _go(self, arguments: Arguments) -> None:
        """Go some metres to the north and east; 100 m to the north when nothing is said."""
        self.lat, self.lon = self._beside(arguments or {"north_m": 100})

    async def _place(self, arguments: Arguments) -> None:
        """Be somewhere else."""
        self.lat, self.lon = _number(arguments, "lat", self.lat, 90), _number(arguments, "lon", self.lon, 180)

    async def _jump_once(self, arguments: Arguments) -> None:
        """Show one position that is wrong by so many metres."""
        self._jump = self._beside({"north_m": 20_000, **arguments})

    def _beside(self, arguments: Arguments) -> tuple[float, float]:
        north_m = _number(arguments, "north_m", 0, 1e6)
        east_m = _number(arguments, "east_m", 0, 1e6)
        return self.lat + north_m / _DEGREE_M, self.lon + east_m / _DEGREE_M / math.cos(math.radians(self.lat))

    async def _lose(self, _arguments: Arguments) -> None:
        """See no satellites from now on."""
        self._has_fix = False

    async def _find(self, _arguments: Arguments) -> None:
        self._has_fix = True

    async def _cut_next(self, _arguments: Arguments) -> None:
        """Stop in the middle of the next sentence."""
        self._cut += 1

    async def _wrong_clock(self, arguments: Arguments) -> None:
        """Show a time that is wrong by so many days; an overflowed week counter is -7168."""
        self._offset = dt.timedelta(days=whole(arguments, "days", -7168, 36_500, -7168))

    async def _poor(self, arguments: Arguments) -> None:
        """See few satellites in one direction."""
        self._hdop = _number(arguments, "hdop", 12.5, 99)

    async def _garbage(self, _arguments: Arguments) -> None:
        self._cable.write(self._dice.randbytes(40))

    async def _state(self, _arguments: Arguments) -> Mapping[str, object]:
        return {"lat": self.lat, "lon": self.lon, "fix": self._has_fix}


def _number(arguments: Arguments, key: str, default: float, most: float) -> float:
    value = arguments.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= most:
        raise Unfit(f"{key!r} must be a number from {-most:g} to {most:g}, not {value!r}")
    return float(value)


def _make(spec: Spec, place: Place) -> Receiver:
    talker = spec.text("talker", "GN")
    if talker not in _TALKERS:
        raise Unfit(f"device {spec.name!r}: 'talker' must be one of {', '.join(_TALKERS)}, not {talker!r}")
    port = spec.text("port", spec.name)
    return Receiver(port, place.folder / port, place.clock, talker, spec.number("period_s", 1.0))


KINDS = {"nmea": _make}
