"""Sends what the outbox holds: the stages, the order of the providers, and a note of what became of it.

An attempt is noted as sent *after* the provider accepted it. A process that dies between the two sends it
again: a text that comes twice is better than one that never comes.
"""

import asyncio
import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import sqlalchemy as sa

from hub.central import clockwork
from hub.central.bulletin import News
from hub.central.centre import Centre, Effects, Tx
from hub.central.incidents.lifecycle import State
from hub.central.links import tokens
from hub.central.notify import attempts, order, outcome
from hub.central.notify.attempts import SEND
from hub.central.notify.breaker import Condition
from hub.central.notify.channels.base import Outgoing, Provider
from hub.central.notify.message import FYI, MessageState
from hub.central.notify.outcome import Fault
from hub.central.notify.stages import Draft, Held, held
from hub.central.notify.ways import Ways
from hub.central.push import subscriptions
from hub.central.store.tables import incidents, messages
from hub.domain.errors import PermanentError, RefusedError, TransientError

log = logging.getLogger(__name__)

# At the providers at once: first attempts never queue behind those that are tried again.
_AT_ONCE_FIRST = 25
_AT_ONCE_AGAIN = 25
_NOTE_AGAIN_S = 0.5
# A little more than the channels' own limit of 10 s.
_GRACE_S = 12.0
# A message that was read longer ago is read again before it leaves.
_FRESH = dt.timedelta(seconds=2)
# An alarm waits no longer for its link.
_LINK_S = 2.0

Hooks = Callable[[str], str]
T = TypeVar("T")


class Sender:
    """Carries messages to their providers. Independent messages never wait for each other.

    It follows the centre's commits: what a commit has written to the outbox leaves at once. What must be
    tried again comes from clockwork through :meth:`start`.

    Args:
        centre: Whose messages.
        ways: The providers, in order.
        hooks: Returns the address of a provider's hooks as seen from there, by the provider's name.

    Attributes:
        ways: The providers, in order.
    """

    def __init__(self, centre: Centre, ways: Ways, hooks: Hooks) -> None:
        self._centre = centre
        self.ways = ways
        self._hooks = hooks
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._once_more: set[int] = set()
        self._first = asyncio.Semaphore(_AT_ONCE_FIRST)
        self._again = asyncio.Semaphore(_AT_ONCE_AGAIN)
        centre.follow(self._follow)

    def _follow(self, effects: Effects) -> None:
        for message_id in effects.outgoing:
            if message_id in self._tasks:  # the next provider's turn came while this one's attempt is noted
                self._once_more.add(message_id)
            else:
                self._begin(message_id, self._first)

    def start(self, message_id: int) -> None:
        """Begin an attempt at a message that is due; the work of a due ``message.send``."""
        self._begin(message_id, self._again)

    async def send(self, message_id: int) -> None:
        """Make the attempts at a message that can be made now, or wait for those that are under way."""
        await asyncio.shield(self._begin(message_id, self._again))

    async def close(self, grace_s: float = _GRACE_S) -> None:
        """Let attempts that are under way end, then stop. What has not ended is taken up by the next start."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self._tasks:  # one that fails may let the next begin
                    await asyncio.wait(list(self._tasks.values()))
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
                while message_id in self._once_more:
                    self._once_more.discard(message_id)
                    await self._attempt(message_id)
        except Exception:  # the task boundary; the lease of its due row ends and it is tried again
            log.exception("message %d: the attempt broke off", message_id)
        finally:
            self._once_more.discard(message_id)
            self._tasks.pop(message_id, None)

    async def _look(self, message_id: int) -> tuple[Draft | None, bool]:
        """Return a message as it stands at this very moment, and whether it is this centre's for an attempt."""
        while True:
            asked = self._centre.clock.now().utc
            found = await self._centre.store.read(lambda connection: self._found(connection, message_id))
            # A process that was frozen in between holds what was true before: it looks again.
            if self._centre.clock.now().utc - asked < _FRESH:
                return found

    def _found(self, connection: sa.Connection, message_id: int) -> tuple[Draft | None, bool]:
        ours = (self._centre.owner, self._centre.clock.now().utc, SEND, str(message_id))
        return _load(connection, message_id), clockwork.leased(connection, *ours)

    async def _attempt(self, message_id: int, token: str | None = None) -> None:
        """Make an attempt, or note why there is none.

        Args:
            message_id: At which message.
            token: Of its link, empty when none can be kept now; ``None``: whether it needs one is not known yet.
        """
        draft, ours = await self._look(message_id)
        if draft is None:
            await self._note(lambda tx: clockwork.unschedule(tx, SEND, str(message_id)))
            return
        if held(draft, self.ways.channels) is not None:
            verdict = await self._note(lambda tx: _hold(tx, message_id, self.ways.channels))
            if verdict is None:  # something has changed since it was read
                await self._attempt(message_id, token)
            else:
                log.info("message %d is held back: %s", message_id, verdict.reason)
            return
        if not ours:
            # It waited for its turn until the lease was short, or another centre has overtaken this one.
            if await self._centre.transact(lambda tx: clockwork.lease_again(tx, SEND, str(message_id))):
                await self._attempt(message_id, token)
            else:
                log.warning("message %d is let go: another centre has it now", message_id)
            return
        now = self._centre.clock.now().utc
        ways = order.turned(self.ways.of(draft.channel, now), draft.kind)
        step = order.following(ways, draft.past, now)
        provider = None if isinstance(step, order.Nobody) else self.ways.named(step.provider)
        if provider is None:
            await self._note(lambda tx: outcome.undeliverable(tx, message_id, step.reason))
            return
        if token is None and draft.incident_id is not None and tokens.wanted(draft.text):
            # Somebody may take the incident meanwhile: the look at it stays the last thing before it leaves.
            await self._attempt(message_id, await self._token(message_id, draft.incident_id, draft.phone))
            return
        log.info("message %d by %s: %s", message_id, provider.name, step.reason)
        await self._note(await self._told(provider, draft, token or ""))

    async def _token(self, message_id: int, incident_id: int, phone: str) -> str:
        """Return a token for one attempt, its hash kept; empty when the store does not take it in time."""
        try:
            async with asyncio.timeout(_LINK_S):
                return await self._centre.transact(lambda tx: tokens.make(tx, incident_id, phone), urgent=True)
        except (TransientError, TimeoutError) as error:
            log.warning("message %d: no link can be made for it now: %r", message_id, error)
            return ""

    async def _told(self, provider: Provider, draft: Draft, token: str) -> Callable[[Tx], None]:
        """Hand a message to a provider and return what is to be noted."""
        phone = self._centre.site.phones.get(draft.phone)
        outgoing = Outgoing(
            message_id=draft.id,
            number=self._address(draft),
            text=tokens.filled(draft.text, token),
            key=f"message-{draft.id}",
            receipt_url=f"{self._hooks(provider.name)}/delivery?message={draft.id}",
            incident_id=draft.incident_id,
            language=phone.language if phone else None,
            subscriptions=draft.subscriptions,
        )
        self.ways.breaker(provider.name).began(self._centre.clock.now().utc)
        try:
            accepted = await provider.send(outgoing)
        except (TransientError, PermanentError) as error:
            return self._failed(provider, draft, error)
        self._answered(provider)
        log.info("message %d accepted by %s", draft.id, provider.name)
        return lambda tx: outcome.sent(tx, draft.id, draft.attempt_id, provider.name, accepted.provider_ref)

    def _address(self, draft: Draft) -> str:
        """Return where a message goes; the message itself keeps the number of the phone, by e-mail too."""
        if draft.channel == FYI:
            return draft.phone
        if draft.channel != "email":
            return draft.number
        phone = self._centre.site.phones.get(draft.phone)
        return phone.email or "" if phone else ""

    def _failed(
        self, provider: Provider, draft: Draft, error: TransientError | PermanentError
    ) -> Callable[[Tx], None]:
        fault = Fault(provider.name, str(error), final=isinstance(error, PermanentError))
        log.log(logging.ERROR if fault.final else logging.WARNING, "message %d: %s", draft.id, fault.reason)
        if isinstance(error, RefusedError):
            self._answered(provider)  # it works: it is this message that it does not take
        elif self.ways.breaker(provider.name).failed(self._centre.clock.now().utc):
            self._tell(provider, Condition.OPEN)
        return lambda tx: outcome.failed(tx, draft.id, draft.attempt_id, fault, self.ways)

    def _answered(self, provider: Provider) -> None:
        if self.ways.breaker(provider.name).answered():
            self._tell(provider, Condition.CLOSED)

    def _tell(self, provider: Provider, condition: Condition) -> None:
        said = "fails again and again: others go first" if condition is Condition.OPEN else "works again"
        log.warning("provider %s %s", provider.name, said)
        self._centre.bulletin.announce(News("provider", provider.name))

    async def _note(self, work: Callable[[Tx], T]) -> T:
        """Keep what happened, as long as it takes: the provider cannot be asked again."""
        while True:
            try:
                return await self._centre.transact(work, urgent=True)
            except TransientError as error:
                log.warning("what became of a message cannot be noted yet: %s", error)
                await asyncio.sleep(_NOTE_AGAIN_S)


def _hold(tx: Tx, message_id: int, channels: Collection[str]) -> Held | None:
    """Note why a message does not leave, as it stands in this transaction; return ``None`` when it may after all.

    The provider's report of a failure may have queued an attempt since the message was read, which must not be
    taken back.
    """
    outcome.find(tx, message_id)
    draft = _load(tx.connection, message_id)
    verdict = None if draft is None else held(draft, channels)
    if verdict is None:
        return None
    if verdict.state is MessageState.UNDELIVERABLE:
        outcome.undeliverable(tx, message_id, verdict.reason)
    else:
        outcome.cancelled(tx, message_id, verdict.state, verdict.reason)
    return verdict


def _draft() -> sa.Select[Any]:
    newer = messages.alias()
    overtaken = sa.select(newer.c.id).where(
        newer.c.incident_id == messages.c.incident_id,
        newer.c.number == messages.c.number,
        newer.c.channel == messages.c.channel,
        newer.c.state == MessageState.QUEUED,
        newer.c.id > messages.c.id,
    )
    return (
        sa.select(
            messages,
            incidents.c.kind,
            incidents.c.state.label("incident_state"),
            incidents.c.taken_by,
            overtaken.exists(),
        )
        .select_from(messages.outerjoin(incidents))
        .where(messages.c.id == sa.bindparam("message_id"))
    )


# Made once: to make it takes longer than to ask it.
_DRAFT = _draft()


def _load(connection: sa.Connection, message_id: int) -> Draft | None:
    row = connection.execute(_DRAFT, {"message_id": message_id}).one_or_none()
    if row is None:
        return None
    made = attempts.of(connection, message_id)
    queued = [attempt.id for attempt in made if attempt.state == MessageState.QUEUED]
    return Draft(
        id=row.id,
        phone=row.phone,
        number=row.number,
        text=row.text,
        channel=row.channel,
        # The version before this one kept no attempts.
        waiting=bool(queued) or (not made and row.state == MessageState.QUEUED),
        attempt_id=queued[-1] if queued else None,
        past=attempts.past(made),
        incident_state=None if row.incident_state is None else State(row.incident_state),
        taken_by=row.taken_by,
        overtaken=bool(row[-1]),
        kind=row.kind,
        incident_id=row.incident_id,
        subscriptions=subscriptions.of(connection, row.phone, row.number) if row.channel == "push" else (),
    )
