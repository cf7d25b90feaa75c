"""Who carries a phone: answers at once, late, wrongly, for another, or never; and what follows an answer."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.notify.channels.base import Inbound
from hub.domain.errors import RefusedError
from tests.simulation import script
from tests.simulation.centre import quietly

if TYPE_CHECKING:
    from tests.simulation.gateway import SimGateway
    from tests.simulation.world import World

_WORDS = {"OK": "acknowledge", "VEI": "depart", "FREMME": "arrive"}


class Said(NamedTuple):
    """A text that a phone really sent: what may follow from it, and for which incident if it names one."""

    phone: str
    event: str | None
    incident: int | None


class Nurse:
    """Somebody with a phone.

    Attributes:
        said: The texts from this phone, by the provider's name for them.
    """

    def __init__(self, world: "World", carrier: script.Carrier) -> None:
        self.phone = carrier.phone
        self._world, self._carrier = world, carrier
        self._busy: set[int] = set()

    def is_on(self) -> bool:
        """Tell whether the phone can be reached now."""
        off_from, off_until = self._carrier.off
        return not off_from <= self._world.now < off_until

    def gets(self, incident: int, gateway: "SimGateway") -> None:
        """Read an alert."""
        habit = self._carrier.habit
        if gateway.channel == "sms" and habit != "never" and incident not in self._busy:
            self._busy.add(incident)
            self._world.spawn(self._acts(incident, gateway, habit))

    async def _acts(self, incident: int, gateway: "SimGateway", habit: str) -> None:
        rng = self._world.rng
        await asyncio.sleep(rng.uniform(90, 500) if habit == "late" else rng.uniform(3, 60))
        wrong = rng.choice(("hva?", f"OK {incident + 1}", "OK 999", f"ikke ok {incident}"))
        first = {
            "bare": "OK",
            "no": f"NEI {incident}",
            "wrong": wrong,
            "echo": f"{incident} Trygghetsalarm. Svar OK",
        }
        await self._text(first.get(habit, f"OK {incident}"), gateway)
        if habit in ("no", "wrong", "forgets", "echo"):
            self._busy.discard(incident)
            return
        for word in rng.choice(((), ("VEI",), ("FREMME",))):
            await asyncio.sleep(rng.uniform(20, 150))
            await self._text(f"{word} {incident}", gateway)
        await asyncio.sleep(rng.uniform(10, 200))
        await self._closes(incident)
        self._busy.discard(incident)

    async def _text(self, text: str, gateway: "SimGateway") -> None:
        world = self._world
        ref = f"in-{len(world.said) + 1}"
        word, _, number = text.partition(" ")
        world.said[ref] = Said(self.phone.id, _WORDS.get(word), int(number) if number.isdecimal() else None)
        world.say(f"{self.phone.id} texts {text!r} ({ref})")
        inbound = Inbound(
            provider=gateway.name,
            provider_ref=ref,
            sender=self.phone.number,
            recipient="+4700000001",
            text=text,
            at=world.instant(),
        )
        await world.call(gateway, inbound)
        if world.rng.random() < 0.1:
            await world.call(gateway, inbound)

    async def _closes(self, incident: int) -> None:
        world = self._world
        centre = world.some_centre()
        if centre is None:
            return
        world.say(f"{self.phone.id} closes {incident} at the console of {centre.name}")
        world.console.add(incident)
        with quietly():
            try:
                await centre.do(
                    lambda tx: desk.act(
                        tx, incident, Event.CLOSE, "user:nurse", outcome=Outcome.HELP_GIVEN, cause=Cause.NEED
                    )
                )
            except RefusedError as error:
                world.say(f"refused: {error}")
