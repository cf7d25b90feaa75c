"""Makes the rounds: one every hour, watched until its text has arrived, and told outside only when it has."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

from hub.central.centre import Centre
from hub.central.synthetic import rounds
from hub.central.synthetic.ping import Signal, Switch
from hub.central.watch.settings import Watch
from hub.domain.errors import TransientError

log = logging.getLogger(__name__)

# A provider's report takes its time; after this the round has failed.
WITHIN_S = 300.0
# A centre that has just begun hears nothing yet.
SETTLED_S = 5.0
_LOOK_S = 0.5


class Runner:
    """Makes one round after the other.

    Args:
        centre: The centre whose chain is tried.
        settings: Which hub begins, which phone ends, how often.
        switch: The dead-man's switch, or ``None``.
        unfit: Returns why nobody outside may be told that all is well, or ``None``.
    """

    def __init__(
        self, centre: Centre, settings: Watch, switch: Switch | None, unfit: Callable[[], str | None]
    ) -> None:
        self._centre = centre
        self._settings = settings
        self._switch = switch
        self._unfit = unfit

    async def run(self) -> None:
        """Make rounds, until cancelled.

        Raises:
            TransientError: The store could not be reached.
        """
        await self._centre.transact(rounds.abandon)
        await asyncio.sleep(min(SETTLED_S, self._settings.every_s))
        while True:
            await asyncio.sleep(await self._until_next_s())
            await self.make()

    async def make(self) -> bool:
        """Make one round and tell outside what came of it; return whether it was complete.

        Raises:
            TransientError: The store could not be reached: nothing is told, and that is what tells.
        """
        settings = self._settings
        number = await self._centre.transact(lambda tx: rounds.begin(tx, settings.probe_hub, settings.phone))
        async with asyncio.TaskGroup() as group:
            # A switch that is slow must not hold up the round.
            group.create_task(self._tell("start", number))
            await self._follow(number)
        outcome, reason = await self._centre.transact(lambda tx: rounds.end(tx, number))
        unfit = self._unfit()
        if outcome != rounds.COMPLETE:
            log.critical("round %s failed: %s", number, reason)
            await self._tell("fail", number, reason)
        elif unfit is not None:
            log.critical("round %s was complete, but this centre is unfit: %s", number, unfit)
            await self._tell("fail", number, f"The round was complete, but this centre is unfit: {unfit}.")
        elif await self._tell("success", number, await self._times(number)):
            await self._centre.transact(lambda tx: rounds.pinged(tx, number))
        return outcome == rounds.COMPLETE

    async def _follow(self, number: str) -> None:
        """Wait until a round is at its end, was refused, or has taken too long."""
        deadline = asyncio.get_running_loop().time() + WITHIN_S
        while asyncio.get_running_loop().time() < deadline:
            try:
                come = await self._progress(number)
            except TransientError as error:
                log.warning("round %s: %s", number, error)
            else:
                if come["delivered_at"] is not None or come["refused"] is not None:
                    return
            await asyncio.sleep(_LOOK_S)

    async def _progress(self, number: str) -> dict[str, Any]:
        return await self._centre.store.read(lambda connection: rounds.progress(connection, number))

    async def _times(self, number: str) -> str:
        """Return when each leg was passed, a line each."""
        come = await self._progress(number)
        return "\n".join(f"{leg} {come[leg]:%H:%M:%S.%f}" for leg in rounds.LEGS)

    async def _tell(self, signal: Signal, number: str, body: str = "") -> bool:
        return self._switch is not None and await self._switch.tell(signal, number, body)

    async def _until_next_s(self) -> float:
        owner = self._centre.owner
        last = await self._centre.store.read(lambda connection: rounds.last_begun(connection, owner))
        if last is None:
            return 0.0
        following = last + dt.timedelta(seconds=self._settings.every_s)
        return max(0.0, (following - self._centre.clock.now().utc).total_seconds())
