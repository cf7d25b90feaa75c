"""Sends what the outbox holds: the stages, the provider, and a note of what became of it.

A message is noted as sent *after* the provider accepted it. A process that dies between the two sends it
again: a text that comes twice is better than one that never comes.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.centre import Centre, Effects, Tx
from hub.central.incidents.lifecycle import State
from hub.central.notify import outcome
from hub.central.notify.channels.base import Channel, Outgoing
from hub.central.notify.message import MessageState
from hub.central.notify.outbox import SEND
from hub.central.notify.stages import Draft, Held, held
from hub.central.store.tables import incidents, messages
from hub.domain.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

# At the provider at once: first attempts never queue behind those that are tried again.
_AT_ONCE_FIRST = 25
_AT_ONCE_AGAIN = 25
_NOTE_AGAIN_S = 0.5
# A little more than the channels' own limit of 10 s.
_GRACE_S = 12.0


class Sender:
    """Carries messages to their channels. Independent messages never wait for each other.

    It follows the centre's commits: what a commit has written to the outbox leaves at once. What must be
    tried again comes from clockwork through :meth:`start`.

    Args:
        centre: Whose messages.
        channels: The ways out, by the name that plans use.
        hooks_url: Where the provider reports: the address of ``/hooks/46elks/{secret}`` as seen from there.
    """

    def __init__(self, centre: Centre, channels: Mapping[str, Channel], hooks_url: str) -> None:
        self._centre = centre
        self._channels = channels
        self._hooks_url = hooks_url.rstrip("/")
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._first = asyncio.Semaphore(_AT_ONCE_FIRST)
        self._again = asyncio.Semaphore(_AT_ONCE_AGAIN)
        centre.follow(self._follow)

    def _follow(self, effects: Effects) -> None:
        for message_id in effects.outgoing:
            self._begin(message_id, self._first)

    def start(self, message_id: int) -> None:
        """Begin an attempt at a message that is due; the work of a due ``message.send``."""
        self._begin(message_id, self._again)

    async def send(self, message_id: int) -> None:
        """Make one attempt at a message, or wait for the one that is under way."""
        await asyncio.shield(self._begin(message_id, self._again))

    async def close(self, grace_s: float = _GRACE_S) -> None:
        """Let attempts that are under way end, then stop. What has not ended is taken up by the next start."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=grace_s)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, message_id: int, lane: asyncio.Semaphore) -> asyncio.Task[None]:
        task = self._tasks.get(message_id)
        if task is None or task.done():
            task = asyncio.create_task(self._run(message_id, lane), name=f"send-{message_id}")
            self._tasks[message_id] = task
        return task

    async def _run(self, message_id: int, lane: asyncio.Semaphore) -> None:
        try:
            async with lane:
                await self._attempt(message_id)
        except Exception:  # the task boundary; the lease of its due row ends and it is tried again
            log.exception("message %d: the attempt broke off", message_id)
        finally:
            self._tasks.pop(message_id, None)

    async def _attempt(self, message_id: int) -> None:
        draft = await self._centre.store.read(lambda connection: _load(connection, message_id))
        if draft is None:
            await self._note(lambda tx: clockwork.unschedule(tx, SEND, str(message_id)))
            return
        verdict = held(draft, self._channels)
        if verdict is not None:
            log.info("message %d is held back: %s", message_id, verdict.reason)
            await self._note(lambda tx: _hold(tx, message_id, verdict))
            return
        outgoing = Outgoing(
            message_id=message_id,
            number=draft.number,
            text=draft.text,
            key=f"message-{message_id}",
            receipt_url=f"{self._hooks_url}/delivery?message={message_id}",
        )
        await self._note(await _told(self._channels[draft.channel], outgoing))

    async def _note(self, work: Callable[[Tx], None]) -> None:
        """Keep what happened, as long as it takes: the provider cannot be asked again."""
        while True:
            try:
                await self._centre.transact(work, urgent=True)
            except TransientError as error:
                log.warning("what became of a message cannot be noted yet: %s", error)
                await asyncio.sleep(_NOTE_AGAIN_S)
            else:
                return


async def _told(channel: Channel, outgoing: Outgoing) -> Callable[[Tx], None]:
    """Hand a message to its channel and return what is to be noted."""
    message_id = outgoing.message_id
    try:
        accepted = await channel.send(outgoing)
    except TransientError as error:
        reason = str(error)
        log.warning("message %d: %s", message_id, reason)
        return lambda tx: outcome.put_off(tx, message_id, reason)
    except PermanentError as error:
        reason = str(error)
        log.error("message %d: %s", message_id, reason)  # noqa: TRY400 - the sentence says it; a traceback adds nothing
        return lambda tx: outcome.undeliverable(tx, message_id, reason)
    log.info("message %d accepted", message_id)
    return lambda tx: outcome.sent(tx, message_id, accepted.provider_ref)


def _hold(tx: Tx, message_id: int, verdict: Held) -> None:
    if verdict.state is MessageState.UNDELIVERABLE:
        outcome.undeliverable(tx, message_id, verdict.reason)
    else:
        outcome.cancelled(tx, message_id, verdict.reason)


def _draft() -> sa.Select[Any]:
    newer = messages.alias()
    overtaken = sa.select(newer.c.id).where(
        newer.c.incident_id == messages.c.incident_id,
        newer.c.number == messages.c.number,
        newer.c.state == MessageState.QUEUED,
        newer.c.id > messages.c.id,
    )
    return (
        sa.select(messages, incidents.c.state.label("incident_state"), incidents.c.taken_by, overtaken.exists())
        .select_from(messages.outerjoin(incidents))
        .where(messages.c.id == sa.bindparam("message_id"))
    )


# Made once: to make it takes longer than to ask it.
_DRAFT = _draft()


def _load(connection: sa.Connection, message_id: int) -> Draft | None:
    row = connection.execute(_DRAFT, {"message_id": message_id}).one_or_none()
    if row is None:
        return None
    return Draft(
        id=row.id,
        number=row.number,
        text=row.text,
        channel=row.channel,
        state=MessageState(row.state),
        incident_state=None if row.incident_state is None else State(row.incident_state),
        taken_by=row.taken_by,
        overtaken=bool(row[-1]),
    )
