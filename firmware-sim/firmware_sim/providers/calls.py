"""A call to a phone, from ringing to its end, whoever makes it."""

import asyncio
from collections.abc import Awaitable, Callable

from firmware_sim.phone.model import Message
from firmware_sim.phone.network import Network

#: She has put the phone down.
HUNG_UP = "h"


class Call:
    """One call, kept as a message of the network so that everybody sees what is said.

    Args:
        network: Where the phone is.
        message: The call.
        ring_s: How long it rings at most.
    """

    def __init__(self, network: Network, message: Message, ring_s: float) -> None:
        self._network = network
        self._ring_s = ring_s
        self.message = message
        self.machine = False

    async def ring(self) -> str:
        """Return how it is taken: ``answered``, ``busy``, ``no-answer`` or ``failed``."""
        phone = self._network.phones.get(self.message.to)
        taken = "answered"
        if phone is None or phone.behaviour.fail:
            taken = "failed"
        elif phone.behaviour.busy:
            taken = "busy"
        else:
            self._network.became(self.message, "ringing")
            if phone.behaviour.unanswered or not phone.behaviour.on:
                await asyncio.sleep(0 if phone.behaviour.hasty else self._ring_s)
                taken = "no-answer"
            self.machine = phone.behaviour.machine
        self._network.became(self.message, taken)
        return taken

    def say(self, text: str) -> None:
        """Say something to whoever has taken it."""
        self.message.message = f"{self.message.message} {text}".strip()
        self._network.became(self.message, "spoken")

    async def key(self, wait_s: float) -> str:
        """Return the key that is pressed within this time; empty: none, :data:`HUNG_UP`: the call is over."""
        if self.machine:
            return ""
        key = await self._network.key(self.message.to, wait_s)
        if key:
            self._network.became(self.message, f"key {key}")
        return key

    async def run(self, talk: Callable[["Call"], Awaitable[None]], end: Callable[[str], Awaitable[None]]) -> None:
        """Ring, talk if somebody takes it, and tell how it ended."""
        taken = await self.ring()
        if taken == "answered":
            await talk(self)
            self._network.became(self.message, "completed")
        await end(taken)
