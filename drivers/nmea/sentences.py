"""What RMC and GGA say, of every talker.

Sources: NMEA 0183 as receivers' manuals show it (fields of RMC and GGA, quality indicator, mode). Talkers: GP GPS,
GL GLONASS, GA Galileo, BD and GB BeiDou, GN several.
"""

import datetime as dt
import math
import re
from typing import NamedTuple

from hub.domain.clock import UTC
from hub.domain.errors import MalformedError

RMC, GGA = "RMC", "GGA"
_TALKER = re.compile(r"G[A-Z]|BD")
# Quality indicator of GGA: where the position comes from.
QUALITIES = {
    1: "gps",
    2: "dgps",
    3: "pps",
    4: "rtk",
    5: "rtk_float",
    6: "estimated",
    7: "manual",
    8: "simulated",
}
# Not measured: entered by hand, or made up.
NOT_MEASURED = frozenset({7, 8})
_NOT_MEASURED_MODES = frozenset("NMS")
_TIME = re.compile(r"(\d\d)(\d\d)(\d\d)(\.\d+)?", re.ASCII)
_GPS_BEGAN = 80
_DATE = re.compile(r"(\d\d)(\d\d)(\d\d)", re.ASCII)
_ANGLE = re.compile(r"(\d{1,3})(\d\d(?:\.\d+)?)", re.ASCII)
_NUMBER = re.compile(r"\d{1,6}(\.\d+)?", re.ASCII)


class Position(NamedTuple):
    """Degrees, north and east positive."""

    lat: float
    lon: float


class Report(NamedTuple):
    """One sentence.

    Attributes:
        formatter: RMC or GGA.
        epoch: Its time of day, which the two sentences of one epoch share.
        position: ``None`` where the receiver says that it has none.
        time: Date and time, of RMC.
        quality: Of GGA.
        satellites: Of GGA.
        hdop: Horizontal dilution of precision, of GGA.
    """

    formatter: str
    epoch: str
    position: Position | None
    time: dt.datetime | None = None
    quality: int | None = None
    satellites: int | None = None
    hdop: float | None = None


def read(body: str) -> Report | None:
    """Read what stands between ``$`` and ``*``; ``None`` for a sentence that is not used.

    Raises:
        MalformedError: A field of RMC or GGA is not of its form; names the field, not its content.
    """
    fields = body.split(",")
    talker, formatter = fields[0][:-3], fields[0][-3:]
    if formatter not in (RMC, GGA) or not _TALKER.fullmatch(talker):
        return None
    least = 10 if formatter == RMC else 9
    if len(fields) < least:
        raise MalformedError(f"{formatter}: {len(fields)} fields, not {least}")
    return _rmc(fields) if formatter == RMC else _gga(fields)


def _rmc(fields: list[str]) -> Report:
    mode = fields[12] if len(fields) > 12 else ""  # from version 2.3 on
    valid = fields[2] == "A" and mode not in _NOT_MEASURED_MODES
    position = _position(RMC, fields[3:7]) if valid else None
    return Report(RMC, fields[1], position, _date_time(fields[9], fields[1]))


def _gga(fields: list[str]) -> Report:
    quality = int(fields[6]) if re.fullmatch(r"\d", fields[6], re.ASCII) else 0
    valid = quality > 0 and quality not in NOT_MEASURED
    satellites, hdop = _number(GGA, "satellites", fields[7]), _number(GGA, "HDOP", fields[8])
    return Report(
        GGA,
        fields[1],
        _position(GGA, fields[2:6]) if valid else None,
        quality=quality,
        satellites=None if satellites is None else int(satellites),
        hdop=hdop or None,
    )


def _position(formatter: str, fields: list[str]) -> Position | None:
    lat = _angle(formatter, "latitude", fields[0], fields[1], "NS", 90)
    lon = _angle(formatter, "longitude", fields[2], fields[3], "EW", 180)
    # In the sea off Africa: what a receiver shows that has forgotten to say that it does not know.
    return None if lat == lon == 0 else Position(lat, lon)


def _angle(formatter: str, name: str, text: str, side: str, sides: str, most: int) -> float:
    match = _ANGLE.fullmatch(text)
    if match is None or len(side) != 1 or side not in sides:
        raise MalformedError(f"{formatter}: {name} is of no known form")
    degrees, minutes = int(match[1]), float(match[2])
    angle = degrees + minutes / 60
    if minutes >= 60 or angle > most:
        raise MalformedError(f"{formatter}: {name} is out of its range")
    return -angle if side == sides[1] else angle


def _number(formatter: str, name: str, text: str) -> float | None:
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise MalformedError(f"{formatter}: {name} is no number")
    return float(text)


def _date_time(date: str, time: str) -> dt.datetime | None:
    """Return the receiver's UTC; ``None`` where it does not say or it is no time."""
    day, clock = _DATE.fullmatch(date), _TIME.fullmatch(time)
    if day is None or clock is None:
        return None
    short = int(day[3])
    year = short + (1900 if short >= _GPS_BEGAN else 2000)
    try:
        whole = dt.datetime(
            year, int(day[2]), int(day[1]), int(clock[1]), int(clock[2]), int(clock[3]), tzinfo=UTC
        )
    except ValueError:
        return None
    return whole + dt.timedelta(seconds=float(clock[4] or 0))


_EARTH_M = 6_371_000.0


def distance_m(one: Position, other: Position) -> float:
    """Return the distance along the ground, by the haversine."""
    lat_1, lat_2 = math.radians(one.lat), math.radians(other.lat)
    half_lat, half_lon = (lat_2 - lat_1) / 2, math.radians(other.lon - one.lon) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_1) * math.cos(lat_2) * math.sin(half_lon) ** 2
    return 2 * _EARTH_M * math.asin(min(1.0, math.sqrt(chord)))
