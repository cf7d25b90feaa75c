"""A provider of the simulation: what it accepts, what it answers and when, what it delivers and reports."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from hub.central.notify.channels.base import (
    Accepted,
    Capability,
    Hook,
    Outgoing,
    ReceiptStatus,
    Reply,
    Report,
    Told,
)
from hub.central.notify.message import FYI
from hub.domain.errors import HubError, MalformedError, PermanentError, RefusedError, TransientError
from tests.simulation import script
from tests.simulation.centre import SimCentre

if TYPE_CHECKING:
    from tests.simulation.world import World

# Our own limit for an attempt.
_PATIENCE_S = 10.0


class Taken(NamedTuple):
    """A message that the provider has accepted."""

    message_id: int
    number: str
    text: str


class SimGateway:
    """The provider's side of the line; the same for all centres.

    Attributes:
        accepted: What it took over, by its own name for it.
        reported: As what it has reported these.
    """

    def __init__(self, world: "World", plan: script.Gateway) -> None:
        self.name, self.channel = plan.name, plan.channel
        self._world = world
        self._moods = plan.moods
        self.accepted: dict[str, Taken] = {}
        self.reported: dict[str, ReceiptStatus] = {}

    @property
    def mood(self) -> str:
        """How it behaves towards one who asks now."""
        mood = [mood for since, mood in self._moods if since <= self._world.now][-1]
        return self._world.rng.choice(("good", "down", "hung", "drops")) if mood == "flaky" else mood

    def line(self, centre: SimCentre) -> "Line":
        """Return a centre's line to it."""
        return Line(self, centre)

    async def handed(self, outgoing: Outgoing, centre: SimCentre) -> Accepted:
        """Take a message over, or not. What becomes of the centre meanwhile changes nothing here."""
        world = self._world
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        world.leaves(outgoing, self, centre)
        world.spawn(self._answer(outgoing, centre, answer))
        return await answer

    async def _answer(self, outgoing: Outgoing, centre: SimCentre, answer: asyncio.Future[Accepted]) -> None:
        try:
            accepted = await self._take(outgoing, centre)
        except HubError as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():  # whoever asked was killed
                answer.set_result(accepted)

    async def _take(self, outgoing: Outgoing, centre: SimCentre) -> Accepted:
        world, mood = self._world, self.mood
        if mood == "down":
            await asyncio.sleep(world.rng.choice((0.01, _PATIENCE_S)))
            raise TransientError(f"{self.name}: no answer")
        await asyncio.sleep(world.rng.uniform(0.02, 0.5))
        if mood == "refuses":
            raise RefusedError(f"{self.name}: not this number")
        if mood == "account":
            raise PermanentError(f"{self.name}: no credit")
        ref = f"{self.name}-{len(self.accepted) + 1}"
        self.accepted[ref] = Taken(outgoing.message_id, outgoing.number, outgoing.text)
        world.say(f"{ref} is message {outgoing.message_id} of {centre.name} ({mood})")
        if self.channel != FYI:  # nobody shows it, and nobody reports what became of it
            world.spawn(self._carry(ref, mood))
        if mood == "slow":
            await asyncio.sleep(world.rng.uniform(2, _PATIENCE_S - 1))
        if mood == "hung":
            await asyncio.sleep(_PATIENCE_S)
            raise TransientError(f"{self.name}: no answer within {_PATIENCE_S:.0f} s")
        return Accepted(ref)

    async def _carry(self, ref: str, mood: str) -> None:
        world = self._world
        await asyncio.sleep(world.rng.uniform(61, 150) if mood == "late" else world.rng.uniform(0.01, 5))
        if mood == "drops":
            return
        if mood == "fails":
            await self._report(ref, ReceiptStatus.FAILED)
            return
        if mood != "lies" and not world.phone_gets(self, ref):
            # A text to a phone that is off is tried again and nothing is said; a call is over.
            if self.channel == "voice":
                await asyncio.sleep(world.rng.uniform(15, 45))
                await self._report(ref, ReceiptStatus.FAILED, person=True)
            return
        if mood == "mute":
            return
        for _ in range(2 if mood == "twice" else 1):
            await asyncio.sleep(world.rng.uniform(0, 2))
            await self._report(ref, ReceiptStatus.DELIVERED)

    async def _report(self, ref: str, status: ReceiptStatus, *, person: bool = False) -> None:
        world, message = self._world, self.accepted[ref]
        self.reported[ref] = status
        report = Report(
            provider_ref=ref,
            status=status,
            at=world.instant(),
            message_id=message.message_id,
            reason="failed",
            person=person,
        )
        if not world.lost():
            await world.call(self, report)


class Line:
    """One centre's end of the line: :class:`hub.central.notify.channels.base.Provider`."""

    capabilities = frozenset({Capability.SMS, Capability.TWO_WAY, Capability.ANSWERS})

    def __init__(self, gateway: SimGateway, centre: SimCentre) -> None:
        self._gateway, self._centre = gateway, centre
        self.name, self.channel = gateway.name, gateway.channel

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand a message over."""
        accepted = await self._gateway.handed(outgoing, self._centre)
        await self._centre.step()  # between the provider's yes and our note of it
        self._centre.owes(accepted.provider_ref)
        return accepted

    def hook(self, hook: Hook) -> tuple[Told, ...]:
        """Take no call: what it tells is handed over as read."""
        raise MalformedError(f"{self.name} has no hook {hook.what}")

    def reply(self, _hook: Hook, _told: tuple[Told, ...], text: str) -> Reply:
        """Answer a call."""
        return Reply(text.encode())

    async def close(self) -> None:
        """Hold nothing."""
