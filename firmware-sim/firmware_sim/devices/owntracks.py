"""A phone with OwnTracks: it publishes where it is, when it crosses a region, and a last will.

Written from the booklet's page on JSON (owntracks.org): ``location`` retained on ``BASE/USER/DEVICE``,
``transition`` on ``…/event``, ``lwt`` as the last will.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from firmware_sim.clock import Clock
from firmware_sim.devices.base import Action, Arguments, Place, Spec, faults_of, whole
from firmware_sim.errors import Unfit
from firmware_sim.mqtt import Will
from firmware_sim.publisher import Publisher

#: A square in Oslo where nobody lives.
_LAT, _LON = 59.9111, 10.7503
_ACCURACY_M = 12
_GARBAGE = b'{"_type":"location","lat":59.9'
_REGION_DRAWN = 1_425_042_603


class Phone:
    """One phone.

    Args:
        broker: ``HOST:PORT``.
        topic: ``BASE/USER/DEVICE``.
        clock: The simulator's time.
    """

    port: tuple[str, Path] | None = None

    def __init__(self, broker: str, topic: str, clock: Clock) -> None:
        self._topic = topic
        self._clock = clock
        self._battery_pct = 84
        self._clock_error_s = 0.0
        self._at = (_LAT, _LON)
        self._last = b""
        self._client = Publisher(broker, topic.replace("/", " "), lambda: None, self._will())
        self.actions: Mapping[str, Action] = {
            "ping": self._locate("p"),
            "manual": self._locate("u"),
            "move": self._move,
            "inaccurate": self._inaccurate,
            "no_fix": self._no_fix,
            "enter": self._cross("enter"),
            "leave": self._cross("leave"),
            "battery": self._set_battery,
            "wrong_clock": self._wrong_clock,
            "twice": self._twice,
            "late": self._late,
            "garbage": self._garbage,
            "encrypted": self._encrypted,
            "crash": self._crash,
            "return": self._return,
            "fault": self._fault,
        }

    async def start(self) -> None:
        """Switch it on; its last will tells when."""
        self._client.will = self._will()
        self._client.start()

    async def stop(self) -> None:
        """Switch it off in order."""
        await self._client.stop()

    def _will(self) -> Will:
        lwt = {"_type": "lwt", "tst": int(self._clock.wall_s())}
        return Will(self._topic, json.dumps(lwt).encode(), retain=False)

    def _told_s(self, ago_s: float = 0.0) -> int:
        return int(self._clock.wall_s() + self._clock_error_s - ago_s)

    def _publish(self, said: Mapping[str, object], *, event: bool = False) -> None:
        self._last = json.dumps(said).encode()
        self._client.publish(self._topic + ("/event" if event else ""), self._last, retain=not event)

    def _location(
        self, trigger: str, *, accuracy_m: int = _ACCURACY_M, ago_s: float = 0.0
    ) -> Mapping[str, object]:
        return {
            "_type": "location",
            "lat": self._at[0],
            "lon": self._at[1],
            "acc": accuracy_m,
            "batt": self._battery_pct,
            "vel": 0,
            "t": trigger,
            "tid": "ab",
            "tst": self._told_s(ago_s),
            "conn": "m",
            "inregions": ["Home"],
        }

    def _locate(self, trigger: str) -> Action:
        async def act(_arguments: Arguments) -> None:
            self._publish(self._location(trigger))

        return act

    def _cross(self, event: str) -> Action:
        async def act(_arguments: Arguments) -> None:
            place = {"lat": self._at[0], "lon": self._at[1], "acc": _ACCURACY_M, "tst": self._told_s()}
            region = {"event": event, "desc": "Home", "wtst": _REGION_DRAWN, "t": "c", "tid": "ab"}
            self._publish({"_type": "transition", **place, **region}, event=True)

        return act

    async def _move(self, arguments: Arguments) -> None:
        """Go so many metres to the north, and say so."""
        metres = whole(arguments, "metres", 1, 100_000, 100)
        self._at = (round(self._at[0] + metres / 111_320, 6), self._at[1])
        self._publish(self._location("v"))

    async def _inaccurate(self, arguments: Arguments) -> None:
        self._publish(self._location("p", accuracy_m=whole(arguments, "metres", 1, 100_000, 1500)))

    async def _no_fix(self, _arguments: Arguments) -> None:
        self._publish({**self._location("l"), "lat": 0, "lon": 0})

    async def _set_battery(self, arguments: Arguments) -> None:
        self._battery_pct = whole(arguments, "percent", 0, 100)
        self._publish(self._location("p"))

    async def _wrong_clock(self, arguments: Arguments) -> None:
        self._clock_error_s = float(whole(arguments, "seconds", -(2**31), 2**31))

    async def _twice(self, _arguments: Arguments) -> None:
        self._client.publish(self._topic, self._last, retain=True)

    async def _late(self, arguments: Arguments) -> None:
        """Send a fix that waited in the phone while it had no network."""
        self._publish(self._location("p", ago_s=whole(arguments, "seconds", 1, 86_400, 600)))

    async def _garbage(self, _arguments: Arguments) -> None:
        self._client.publish(self._topic, _GARBAGE, retain=False)

    async def _encrypted(self, _arguments: Arguments) -> None:
        self._client.publish(self._topic, b'{"_type":"encrypted","data":"4p7dz1bq"}', retain=False)

    async def _crash(self, _arguments: Arguments) -> None:
        await self._client.crash()

    async def _return(self, _arguments: Arguments) -> None:
        await self.start()

    async def _fault(self, arguments: Arguments) -> None:
        self._client.faults = faults_of(arguments)


def _make(spec: Spec, place: Place) -> Phone:
    address = spec.text("address")
    if address.count("/") != 1:
        raise Unfit(f"device {spec.name!r}: 'address' must be USER/DEVICE, not {address!r}")
    topic = f"{spec.text('base', 'owntracks')}/{address}"
    return Phone(spec.text("broker", "127.0.0.1:1883"), topic, place.clock)


KINDS = {"owntracks.phone": _make}
