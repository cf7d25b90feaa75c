"""The homes of a fleet: their site file, and what is observed in them."""

import random
from collections.abc import Iterator
from typing import NamedTuple

_ZONES = 10

_SITE = """\
[site]
name = "Fleet of {count}"
timezone = "Europe/Oslo"

[[phones]]
id = "leader"
number = "+4700000090"

[[plans]]
class = "care"
steps = [{{ roles = ["duty"], wait_s = 600 }}]

[[plans]]
class = "technical"
steps = [{{ roles = ["duty"], wait_s = 3600 }}]
"""
_ZONE = """
[[phones]]
id = "{zone}-duty"
number = "+47000000{number:02d}"

[[zones]]
id = "{zone}"
last_resort = "leader"

[[rota]]
zone = "{zone}"
role = "duty"
phone = "{zone}-duty"
days = "daily"
from = "00:00"
to = "24:00"
"""
_HOME = """
[[residents]]
id = "{resident}"
zone = "{zone}"

[[hubs]]
id = "{hub}"
zone = "{zone}"
links = [{{ id = "ble", kind = "ble" }}]
"""
_DEVICE = """
[[devices]]
id = "{device}"
hub = "{hub}"
link = "ble"
driver = "bthome"
address = "{address}"
resident = "{resident}"
room = "{room}"
"""

#: Devices of a home: word, room, what it says by day, how often in a day.
_DEVICES = (
    ("button", "stue", ("alarm.pressed",), 0.1),
    ("door", "gang", ("door.opened", "door.closed"), 12.0),
    ("motion", "stue", ("motion.detected", "motion.cleared"), 200.0),
    ("climate", "soverom", ("climate.reading",), 288.0),
)
_DAY_S = 86_400.0


class HomeOf(NamedTuple):
    """One home: the names that the site gives to its hub and its resident, and its zone."""

    hub: str
    resident: str
    zone: str


class Seen(NamedTuple):
    """Something that happens in a home, ``after_s`` the last thing there."""

    after_s: float
    device: str
    kind: str
    value: object


def homes(count: int) -> list[HomeOf]:
    """Name the homes of a fleet."""
    return [HomeOf(f"h-{place:05d}", f"r-{place:05d}", f"zone-{place % _ZONES}") for place in range(1, count + 1)]


def site(count: int) -> str:
    """Return the site file that a centre needs to know a fleet."""
    zones = "".join(_ZONE.format(zone=f"zone-{number}", number=number) for number in range(_ZONES))
    return _SITE.format(count=count) + zones + "".join(_tables(home) for home in homes(count))


def _tables(home: HomeOf) -> str:
    number = int(home.hub.removeprefix("h-"))
    devices = "".join(
        _DEVICE.format(
            device=f"{home.hub}-{word}",
            hub=home.hub,
            resident=home.resident,
            room=room,
            address=f"C0:00:{number >> 8:02X}:{number & 0xFF:02X}:00:{place:02X}",
        )
        for place, (word, room, _, _) in enumerate(_DEVICES)
    )
    return _HOME.format(hub=home.hub, resident=home.resident, zone=home.zone) + devices


def day(home: HomeOf, seed: int, pace: float) -> Iterator[Seen]:
    """Yield what happens in a home, for ever; the same for the same seed.

    Args:
        home: Which.
        seed: The fleet's.
        pace: How many times faster than life; alarms keep life's pace.
    """
    dice = random.Random(f"{seed} {home.hub}")
    rates = [often / _DAY_S * (1.0 if "alarm" in kinds[0] else pace) for _, _, kinds, often in _DEVICES]
    turns = dict.fromkeys((word for word, *_ in _DEVICES), 0)
    while True:
        after_s = dice.expovariate(sum(rates))
        ((word, _, kinds, _),) = dice.choices(_DEVICES, rates)
        kind = kinds[turns[word] % len(kinds)]
        turns[word] += 1
        value = round(dice.gauss(21.0, 1.5), 1) if kind == "climate.reading" else None
        yield Seen(after_s, f"{home.hub}-{word}", kind, value)
