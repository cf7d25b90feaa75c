"""A centre's sender as a process that kills itself, by SIGKILL, at the n-th step between claim and note.

A step is each statement to the store, each commit before and after, and the provider's door before and after.
"""

import asyncio
import contextlib
import datetime as dt
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from hub.central.centre import Centre
from hub.central.listening import listen_to
from hub.central.notify.channels import kinds
from hub.central.notify.channels.base import Accepted, Outgoing, Provider
from hub.central.notify.channels.modem import GsmModem
from hub.central.notify.pipeline import Sender
from hub.central.notify.ways import Ways
from hub.domain.clock import Now, boottime
from tests.fakes.ward import START, HandClock, open_centre

# Seconds of a modem's in one of ours: its waits are long.
_HASTE = 20.0
#: Nobody listens there: what a provider reports is not what this is about.
HOOKS = "http://127.0.0.1:9/hooks/secret"


class Hasty(HandClock):
    """Its instants stand still, its seconds run."""

    def __init__(self, utc: dt.datetime = START) -> None:
        super().__init__()
        self.utc = utc

    def now(self) -> Now:
        return Now(self.utc, boottime() * _HASTE)


class Fate:
    """Ends the process at its n-th step.

    Args:
        steps: Which of them is the last; the process survives when there are fewer.
    """

    def __init__(self, steps: int) -> None:
        self._left = steps

    def step(self, *_: object) -> None:
        """Take a step."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def follow_store(self) -> None:
        """Count what goes to any store from now on."""
        sa.event.listen(sa.Engine, "before_cursor_execute", self.step)
        sa.event.listen(sa.Engine, "commit", self.step)
        sa.event.listen(sa.pool.Pool, "checkin", self.step)  # the commit is behind it

    def follow_provider(self, provider: Provider) -> None:
        """Count what goes in and out at a provider's door."""
        real = provider.send

        async def send(outgoing: Outgoing) -> Accepted:
            self.step()
            accepted = await real(outgoing)
            self.step()
            return accepted

        provider.send = send  # type: ignore[method-assign] # it is watched, not changed


def make(account: dict[str, Any]) -> Provider:
    """Make a provider of its entry in the settings."""
    entry = msgspec.convert(account, kinds.Account)
    return kinds.make(entry, HOOKS)


@contextlib.asynccontextmanager
async def listening(centre: Centre, provider: Provider) -> AsyncIterator[None]:
    """Listen to a provider that is listened to, until it can send."""
    tasks = [asyncio.ensure_future(loop()) for loop in listen_to(centre, Ways([provider])).values()]
    async with asyncio.timeout(8):
        while isinstance(provider, GsmModem) and not provider._modem._ready:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def live(folder: Path, utc: dt.datetime, account: dict[str, Any], message_id: int, steps: int) -> None:
    """Send one message, and be killed on the way, or not."""
    asyncio.run(_live(folder, Hasty(utc), account, message_id, Fate(steps)))


async def _live(folder: Path, clock: Hasty, account: dict[str, Any], message_id: int, fate: Fate) -> None:
    centre = open_centre(folder, clock)
    provider = make(account)
    sender = Sender(centre, Ways([provider]), lambda _name: HOOKS)
    async with listening(centre, provider):
        fate.follow_store()
        fate.follow_provider(provider)
        await sender.send(message_id)
        fate.step()
    await sender.close()
    await provider.close()
    centre.store.close()
