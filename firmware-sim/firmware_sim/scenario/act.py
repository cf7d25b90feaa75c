"""Makes things happen: what a resident does to a device, what breaks, what is mended."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from firmware_sim.control import ControlError
from firmware_sim.scenario.model import DevicePlan, Event, Fault, Scenario
from firmware_sim.scenario.town import House, Town
from firmware_sim.stage.console import Console
from firmware_sim.stage.leap import Leaps
from firmware_sim.stage.stage import USER

#: What a wire hub says when something is done to one of its devices.
WIRE: Mapping[str, str] = {
    "press": "alarm.pressed",
    "fall": "fall.detected",
    "open": "door.opened",
    "close": "door.closed",
    "dispense": "dose.dispensed",
    "jam": "dispenser.jammed",
    "motion": "motion.detected",
}
OBSERVE = "observe"
# A leap is longer than any server keeps an idle connection.
_NONE_KEPT = httpx.Limits(max_keepalive_connections=0)
_WELL: Mapping[str, Any] = {
    "on": True,
    "drop": False,
    "fail": False,
    "slow_s": 0.0,
    "refuse_next": 0,
    "hang_next": 0,
    "duplicate_report": False,
    "lose_webhook": False,
}


class ActError(Exception):
    """Something could not be made to happen; the text names it."""


class Hands:
    """Does what the scenario says, on the town.

    Args:
        town: The running chain.
        scenario: Whose devices and seed.
        leaps: The time.
    """

    def __init__(self, town: Town, scenario: Scenario, leaps: Leaps) -> None:
        self._town, self._scenario, self._leaps = town, scenario, leaps
        self._devices = {device.id: device for home in scenario.homes for device in home.devices}
        self._phones = httpx.AsyncClient(base_url=town.phone_page, limits=_NONE_KEPT)
        self._console: Console | None = None
        self._places: Mapping[str, Callable[[Fault, bool], Awaitable[None]]] = {
            "device": self._device,
            "radio": self._radio,
            "uplink": self._uplink,
            "power": self._power,
            "clock": self._clock,
            "broker": self._broker,
            "centre": self._centre,
            "provider": self._provider,
        }

    async def close(self) -> None:
        """Let go of phones and console."""
        await self._phones.aclose()
        if self._console is not None:
            await self._console.close()

    async def do(self, event: Event) -> None:
        """Let an event happen.

        Raises:
            ActError: The device cannot do that.
        """
        if wire := self._town.wire.get(event.home):
            values = dict(event.arguments)
            kind = str(values.pop("kind", "")) if event.do == OBSERVE else WIRE.get(event.do, "")
            if not kind:
                known = f"{', '.join(WIRE)}, {OBSERVE}"
                raise ActError(f"{event.device!r} of wire hub {event.home!r} cannot {event.do!r}; it can: {known}")
            critical = kind in {"door.opened", "bed.left"} and "night" in self._devices[event.device].site
            wire.observe(
                self._leaps.now_s(), event.device, kind, values.pop("value", None), critical=critical, **values
            )
            return
        await self._tell(self._town.houses[event.home], event.device, event.do, event.arguments)

    async def fault(self, fault: Fault, *, begins: bool) -> None:
        """Let a fault begin, or end."""
        await self._places[fault.place](fault, begins)

    async def reply(self, phone: str, text: str) -> None:
        """Let somebody type an answer on a phone."""
        number = self._scenario.phones[phone]
        (await self._phones.post(f"/phones/{number}/reply", json={"message": text})).raise_for_status()

    async def act(self, incident: int, event: str, **body: str) -> bool:
        """Take an incident a step further in the console; tell whether it could be."""
        for _ in range(2):
            if not self._town.centre.running:
                return False
            if self._console is None:
                self._console = Console(self._town.console, kept=0)
                await self._console.sign_in(USER, self._town.password)
            answer = await self._console.act(incident, event, **body)
            if answer.status_code not in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
                return answer.is_success
            await self._console.close()  # the session has ended meanwhile
            self._console = None
        return False

    async def state(self, home: str, device: str) -> Mapping[str, object]:
        """Return what a simulated device says of itself."""
        return await self._tell(self._town.houses[home], device, "state", {})

    async def _tell(
        self, house: House, device: str, do: str, arguments: Mapping[str, object]
    ) -> Mapping[str, object]:
        try:
            return await (await house.control()).do(device, do, **arguments)
        except ControlError as error:
            raise ActError(f"{house.plan.id}, {device}: {do}: {error}") from error

    async def _device(self, fault: Fault, begins: bool) -> None:  # noqa: FBT001 -- one form for all places
        house = self._town.houses[fault.homes[0]]
        device = self._devices[fault.device]
        if "frames" in fault.what:
            await self._frames(house, device, fault.what["frames"] if begins else {})
        if "gone" in fault.what:
            leaves, comes = ("out_of_range", "in_range") if _radio(device) else ("vanish", "return")
            await self._tell(house, device.id, leaves if begins else comes, {})
        if "clock_off_s" in fault.what or "clock_drift" in fault.what:
            off_s, drift = fault.what.get("clock_off_s", 0), fault.what.get("clock_drift", 0)
            await self._tell(house, device.id, "clock", {"off_s": off_s, "drift": drift} if begins else {})

    async def _radio(self, fault: Fault, begins: bool) -> None:  # noqa: FBT001 -- one form for all places
        for hub in fault.homes:
            house = self._town.houses[hub]
            for device in house.plan.devices:
                await self._frames(house, device, fault.what["frames"] if begins else {})

    async def _frames(self, house: House, device: DevicePlan, faults: object) -> None:
        await self._tell(house, device.id, "fault", {"faults": faults, "seed": self._scenario.seed})

    async def _uplink(self, fault: Fault, begins: bool) -> None:  # noqa: FBT001 -- one form for all places
        now_s = self._leaps.now_s()
        for hub in fault.homes:
            if wire := self._town.wire.get(hub):
                if begins and "half_open" in fault.what:
                    wire.half_open()
                else:
                    wire.uplink(now_s, up=not begins)
                continue
            pipe = self._town.houses[hub].pipe
            pipe.delay_s = float(str(fault.what.get("delay_s", 0))) if begins else 0.0
            if {"down", "half_open"} & fault.what.keys():
                await pipe.be("up" if not begins else "half_open" if "half_open" in fault.what else "down")

    async def _power(self, fault: Fault, begins: bool) -> None:  # noqa: FBT001 -- one form for all places
        now_s = self._leaps.now_s()
        for hub in fault.homes:
            if wire := self._town.wire.get(hub):
                wire.power(now_s, on=not begins)
            elif begins:
                await self._town.houses[hub].edge.kill()
            else:
                await self._town.houses[hub].edge.start()

    async def _clock(self, fault: Fault, begins: bool) -> None:  # noqa: FBT001 -- one form for all places
        off_s, drift = (float(str(fault.what.get(key, 0))) if begins else 0.0 for key in ("off_s", "drift"))
        for hub in fault.homes:
            if wire := self._town.wire.get(hub):
                wire.clock_off_s = off_s
            else:
                self._leaps.lead_astray(hub, off_s, drift)

    async def _broker(self, _fault: Fault, begins: bool) -> None:  # noqa: FBT001 -- one form for all places
        await (self._town.broker.kill() if begins else self._town.broker.start())

    async def _centre(self, _fault: Fault, begins: bool) -> None:  # noqa: FBT001 -- one form for all places
        if begins:
            await self._town.centre.kill()
        else:
            await self._town.centre.start()
            await self._town.until_ready()

    async def _provider(self, fault: Fault, begins: bool) -> None:  # noqa: FBT001 -- one form for all places
        given = dict(_table(fault.what["phones"]))
        phone = str(given.pop("phone", ""))
        path = f"/phones/{self._scenario.phones[phone]}/behaviour" if phone else "/behaviour"
        values = given if begins else {key: _WELL[key] for key in given}
        (await self._phones.post(path, json=values)).raise_for_status()


def _radio(device: DevicePlan) -> bool:
    return device.kind.startswith(("bthome.", "dispenser.ble")) or device.site.get("link") == "ble"


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
