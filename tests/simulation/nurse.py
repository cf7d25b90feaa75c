"""Who carries a phone: answers at once, late, wrongly, for another, or never; and what follows an answer."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from hub.central.incidents import desk
from hub.central.incidents.lifecycle import Cause, Event, Outcome
from hub.central.notify.channels.base import Inbound, Keyed
from hub.domain.errors import RefusedError
from tests.simulation import script
from tests.simulation.centre import quietly

if TYPE_CHECKING:
    from tests.simulation.gateway import SimGateway
    from tests.simulation.world import World

_WORDS = {"OK": "acknowledge", "VEI": "depart", "FREMME": "arrive", "NEI": "reject"}
_KEYS = {"1": "acknowledge", "2": "depart", "9": "reject"}

# How often a provider tells the same twice.
_TWICE = 0.1
# How often whoever took an incident says no after all.
_REGRETS = 0.2
# Who goes where she said that she would go.
_GO_THERE = ("prompt", "late", "bare")


class Said(NamedTuple):
    """A text or key that really came from a phone: what may follow, and for which incident if it names one.

    Attributes:
        story: What an incident's history calls it.
    """

    actor: str
    event: str | None
    incident: int | None
    story: str


class Nurse:
    """Somebody with a phone.

    Attributes:
        phone: It.
    """

    def __init__(self, world: "World", carrier: script.Carrier) -> None:
        self.phone = carrier.phone
        self._world, self._carrier = world, carrier
        self._busy: set[int] = set()

    def is_on(self) -> bool:
        """Tell whether the phone can be reached now."""
        off_from, off_until = self._carrier.off
        return not off_from <= self._world.now < off_until

    def gets(self, incident: int, gateway: "SimGateway", ref: str) -> bool:
        """Read an alert, or take the call that it is; tell whether a call is taken."""
        if self._carrier.habit == "never":
            return gateway.channel != "voice"
        if incident not in self._busy:
            self._busy.add(incident)
            acts = self._hears(incident, gateway, ref) if gateway.channel == "voice" else self._reads(incident)
            self._world.spawn(acts)
        return True

    async def _reads(self, incident: int) -> None:
        rng, habit = self._world.rng, self._carrier.habit
        await asyncio.sleep(rng.uniform(90, 500) if habit == "late" else rng.uniform(3, 60))
        wrong = rng.choice(("hva?", f"OK {incident + 1}", "OK 999", f"ikke ok {incident}"))
        first = {
            "bare": "OK",
            "no": f"NEI {incident}",
            "wrong": wrong,
            "echo": f"{incident} Trygghetsalarm. Svar OK",
        }
        await self._text(first.get(habit, f"OK {incident}"))
        await self._goes_on(incident)

    async def _hears(self, incident: int, gateway: "SimGateway", ref: str) -> None:
        world, habit = self._world, self._carrier.habit
        await asyncio.sleep(world.rng.uniform(40, 85) if habit == "late" else world.rng.uniform(3, 30))
        keys = {"no": "9", "wrong": world.rng.choice("3570"), "echo": ""}
        digits = keys.get(habit, world.rng.choice("112"))
        await self._presses(digits, incident, gateway, ref)
        if habit in _GO_THERE and world.rng.random() < _REGRETS:
            await asyncio.sleep(world.rng.uniform(1, 5))
            await self._presses("9", incident, gateway, ref)
            self._busy.discard(incident)
        else:
            await self._goes_on(incident)

    async def _presses(self, digits: str, incident: int, gateway: "SimGateway", ref: str) -> None:
        world, story = self._world, f"call {ref}"
        if digits in _KEYS:
            world.said.add(Said(f"call:{self.phone.id}", _KEYS[digits], incident, story))
        world.say(f"{self.phone.id} presses {digits!r} ({story})")
        message_id = gateway.accepted[ref].message_id
        keyed = Keyed(provider_ref=ref, message_id=message_id, digits=digits)
        await world.call(gateway, keyed)
        if world.rng.random() < _TWICE:
            await world.call(gateway, keyed)

    async def _goes_on(self, incident: int) -> None:
        """Do what follows an answer: go there and close it, or hand it back, or nothing."""
        rng = self._world.rng
        if self._carrier.habit in _GO_THERE:
            words = rng.choice(((), ("VEI",), ("FREMME",)))
            regrets = rng.random() < _REGRETS
            for word in (*words, "NEI") if regrets else words:
                await asyncio.sleep(rng.uniform(20, 150))
                await self._text(f"{word} {incident}")
            if not regrets:
                await asyncio.sleep(rng.uniform(10, 200))
                await self._closes(incident)
        self._busy.discard(incident)

    async def _text(self, text: str) -> None:
        world, gateway = self._world, self._world.gateways[0]
        world.texts += 1
        ref = f"in-{world.texts}"
        word, _, number = text.partition(" ")
        named = int(number) if number.isdecimal() else None
        world.said.add(Said(f"sms:{self.phone.id}", _WORDS.get(word), named, f"reply {ref}"))
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
        if world.rng.random() < _TWICE:
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
