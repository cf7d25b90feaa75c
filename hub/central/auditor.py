"""Watches what must never happen, in a thread of its own, over a connection of its own, by a clock of its own.

What it watches cannot silence it: it does not wait for the event loop, nor for the writers' queue. What it
finds becomes a technical incident, which goes out by another provider than the first
(:mod:`hub.central.watch.kinds`). What it cannot even write down makes it *unfit*: the centre is then not ready,
and no dead-man's ping leaves.
"""

import asyncio
import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial

import sqlalchemy as sa

from hub.central.centre import Centre, Effects, Tx
from hub.central.escalation import engine
from hub.central.incidents import desk, record
from hub.central.incidents.desk import Finding
from hub.central.incidents.lifecycle import Event, State, after
from hub.central.store import mark
from hub.central.store.clock import DatabaseClock
from hub.central.store.engine import Store
from hub.central.store.tables import incidents
from hub.central.watch import troubles
from hub.central.watch.fitness import Fitness
from hub.central.watch.steadiness import Steadiness
from hub.central.watch.troubles import Trouble
from hub.central.watch.waiting import Waiting
from hub.domain.clock import SteadyClock, boottime
from hub.domain.codes import Kind, Severity

log = logging.getLogger(__name__)

ROUND_S = 10.0
# Without a look for so long, it sleeps, or hangs.
ASLEEP_S = 3 * ROUND_S
# A centre that begins so soon after its last look has been there all the while: else one that dies again and again
# would never be late. What became due meanwhile is no older than what may wait.
GOES_ON = dt.timedelta(seconds=troubles.QUEUE_S)


class Auditor:
    """Looks again and again, apart from everything that it watches.

    Args:
        centre: The centre that is watched; its site is read, and its followers are told what was written.
        store: A door of its own to the centre's store.
        clock: A clock of its own, or the database's.
        queues: The queues in memory, by name.
        broker: Whether the connection to the broker holds.
        loop: The event loop of the centre.
        mono: Tells monotonic seconds, the same as ``clock``'s.
    """

    def __init__(
        self,
        centre: Centre,
        store: Store,
        clock: SteadyClock | DatabaseClock,
        queues: Mapping[str, Waiting],
        broker: Steadiness,
        loop: asyncio.AbstractEventLoop,
        *,
        mono: Callable[[], float] = boottime,
    ) -> None:
        self._centre = centre
        self._store = store
        self._clock = clock
        self._loop = loop
        self._fitness = Fitness(mono, ASLEEP_S)
        self._ball = Waiting(mono)
        self._queues = {troubles.LOOP: self._ball, **queues}
        self._broker = broker
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="auditor", daemon=True)
        now = clock.now()
        awake = partial(mark.awake, owner=centre.owner, now=now.utc, pause=GOES_ON)
        self._awake = now._replace(utc=store.read_now(awake))

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking. A look that hangs is left behind; the process ends without it."""
        self._stop.set()
        self._thread.join(timeout=1.0)
        if not self._thread.is_alive():
            self._store.close()

    def unfit(self) -> str | None:
        """Return why nobody may rely on the auditor now, or ``None`` when all that it saw has been said."""
        return self._fitness.unfit()

    def looking(self) -> bool:
        """Tell whether it looks: the sign of life for systemd. A store that fails is no reason to start anew."""
        return not self._fitness.slept()

    def ages(self) -> dict[str, float]:
        """Return how long the oldest in each queue in memory has waited, in seconds."""
        return {name: queue.age_s() for name, queue in self._queues.items()}

    def look(self) -> list[Trouble]:
        """Look once; return what was found, and said unless :meth:`unfit` tells otherwise."""
        now = self._clock.now()
        if self._fitness.slept():
            self._awake = now
        self._throw()
        ages = {name: queue.since() for name, queue in self._queues.items()}
        found = troubles.queued(ages, now, self._awake)
        found += troubles.breaking(self._broker.breaking_s(self._centre.site.site.supervision.hub_silent_s))
        blind = False
        try:
            seen = self._store.read_now(partial(troubles.see, now=now.utc))
            found += troubles.stored(seen, now, self._awake)
            for number in seen.unattended:
                log.error("incident %d had no next action", number)
                self._do(partial(_resume, number=number))
        except Exception as error:  # noqa: BLE001 - the thread's boundary; unfit() says it
            self._fitness.failed("look", error)
            blind = True
        for trouble in found:
            level = logging.WARNING if trouble.can_wait else logging.CRITICAL
            log.log(level, "auditor: %s: %s", trouble.name, trouble.reason)
        say = partial(_say, found=found, blind=blind)
        self._do(partial(say, awake=self._awake.utc, jump_s=self._clock.jump_s))
        self._fitness.looked()
        return found

    def _run(self) -> None:
        self.look()  # one that dies within the first round would never look
        while not self._stop.wait(ROUND_S):
            self.look()

    def _throw(self) -> None:
        """Throw a ball into the event loop: it comes back unless the loop is stuck."""
        if self._ball.since() is None:
            self._ball.begin("ball")
            self._loop.call_soon_threadsafe(self._ball.end, "ball")

    def _do(self, work: Callable[[Tx], None]) -> None:
        effects = Effects()

        def run(connection: sa.Connection) -> None:
            nonlocal effects
            effects = Effects()
            centre = self._centre
            work(Tx(connection, centre.site, self._clock.now(), centre.owner, effects))

        try:
            self._store.write_now(run)
        except Exception as error:  # noqa: BLE001 - the thread's boundary; unfit() says it
            self._fitness.failed("write", error)
        else:
            # A loop that is stuck sends nothing; the message is in the store, and leaves when it goes on.
            self._loop.call_soon_threadsafe(self._centre.committed, effects)


def phones_unreachable(tx: Tx, zone: str) -> None:
    """Tell the technician that a whole plan of a zone reached nobody: the account, the network or the rota."""
    need = f"technical:{zone}:phones"
    if record.open_for(tx, need) is None:
        desk.raise_incident(
            tx,
            Finding(
                incident_class="technical",
                kind=Kind.PHONE_UNREACHABLE,
                severity=Severity.CRITICAL,
                need=need,
                reason=f"no phone that zone {zone} relies on could be reached",
                zone=zone,
                occurred_at=tx.now.utc,
            ),
        )


def _resume(tx: Tx, number: int) -> None:
    """Let a forgotten incident alert again, and tell that it was forgotten."""
    incident = record.get(tx, number)
    if number not in engine.unattended(tx.connection):  # another centre's auditor has found it, too
        return
    desk.raise_incident(
        tx,
        Finding(
            incident_class="technical",
            kind=Kind.INCIDENT_UNATTENDED,
            severity=Severity.CRITICAL,
            need=f"technical:incident:{number}:unattended",
            reason=f"incident {number} was open without a next action",
            zone=incident.zone,
            occurred_at=tx.now.utc,
        ),
    )
    record.change(tx, number, state=after(State(incident.state), Event.RESUME, incident.incident_class))
    engine.again(tx, incident, "it was open without a next action")


def _say(tx: Tx, found: list[Trouble], awake: dt.datetime, jump_s: float, *, blind: bool) -> None:
    """Say what was found, and that somebody has looked: a store that takes no write is noticed here."""
    mark.keep(tx.connection, tx.owner, tx.now, awake=awake)
    _keep_open(tx, found, blind=blind)
    _clock_jumped(tx, jump_s)


def _keep_open(tx: Tx, found: list[Trouble], *, blind: bool) -> None:
    """Keep one incident open for each trouble that lasts, and clear those that have ended.

    Of a look that could not see the store nobody knows which have.
    """
    prefix = f"technical:{tx.owner}:stuck:"
    column = incidents.c.open_key
    open_now = set(tx.connection.scalars(sa.select(column).where(column.startswith(prefix, autoescape=True))))
    lasting = {prefix + trouble.name: trouble for trouble in found}
    for need in set() if blind else open_now - lasting.keys():
        desk.clear(tx, need, "it works again")
    for need in lasting.keys() - open_now:
        trouble = lasting[need]
        if trouble.can_wait:
            _raise(tx, Kind.CENTRE_BEHIND, need, trouble.reason, Severity.NORMAL)
        else:
            _raise(tx, Kind.CENTRE_STUCK, need, trouble.reason)


def _clock_jumped(tx: Tx, jump_s: float) -> None:
    need = f"technical:{tx.owner}:clock"
    if not jump_s:
        desk.clear(tx, need, "the clock is right again")
    elif record.open_for(tx, need) is None:
        reason = f"the centre's clock was set by {jump_s:+.0f} s; deadlines go on by the old one"
        _raise(tx, Kind.CENTRE_CLOCK_JUMPED, need, reason, Severity.MODERATE)


def _raise(tx: Tx, kind: Kind, need: str, reason: str, severity: Severity = Severity.CRITICAL) -> None:
    """Raise what concerns the centre as a whole: the site's first zone answers for it."""
    finding = Finding(
        incident_class="technical",
        kind=kind,
        severity=severity,
        need=need,
        reason=reason,
        zone=tx.site.site.zones[0].id,
        occurred_at=tx.now.utc,
    )
    desk.raise_incident(tx, finding)
