"""Everything around the centres, and what is known without asking them: presses, phones, what was said."""

import asyncio
import datetime as dt
import random
from collections.abc import Coroutine
from contextvars import copy_context
from functools import partial
from typing import Any

from hub.central import ingest
from hub.central.api.hooks import take
from hub.central.centre import Tx
from hub.central.ingest import Parcel
from hub.central.notify.channels.base import Outgoing, Provider, Report, Told
from hub.central.notify.ways import Ways
from hub.domain.clock import TimeQuality
from hub.domain.errors import RefusedError, TransientError
from hub.wire.envelope import Data, Event
from rules.loader import standard
from tests.simulation.centre import START, GoneError, SimCentre
from tests.simulation.gateway import SimGateway
from tests.simulation.invariants import Invariants
from tests.simulation.nurse import Nurse, Said
from tests.simulation.script import Press, Script
from tests.simulation.store import Database

_RESEND_S = 5.0
_CALL_AGAIN_S = 5.0
_CALLS = 15


class World:
    """One run of one seed.

    Args:
        database: Of which the run begins with an empty one.
        script: What happens.
        seed: Of the chances that are taken on the way.

    Attributes:
        calm_at: From when on nothing new goes wrong, and whoever was killed or frozen before is back.
        trace: What happened, a line each, with the virtual second.
        broken: The first invariant that did not hold, or ``None``.
        said: The texts that phones sent and the keys that were pressed.
        texts: How many of them were texts.
        console: The incidents that somebody closed at the console.
        kept: The presses that a centre has receipted.
        reached: When a phone last showed an alert of an incident.
    """

    def __init__(self, database: Database, script: Script, seed: int) -> None:
        self.database = database
        self.script = script
        self.rng = random.Random(~seed)
        self.calm_at = script.calm_at
        self.trace: list[str] = []
        self.broken: str | None = None
        self.said: set[Said] = set()
        self.texts = 0
        self.console: set[int] = set()
        self.kept: set[int] = set()
        self.reached: dict[int, float] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def play(self) -> None:
        """Play the script, to its end or to the first invariant that does not hold."""
        self._loop = asyncio.get_running_loop()
        self.context = copy_context()
        self._over = asyncio.Event()
        script = self.script
        self.database.begin_anew()
        self.gateways = [SimGateway(self, plan) for plan in (*script.gateways, *script.fyi)]
        self.nurses = {number: Nurse(self, carrier) for number, carrier in script.carriers.items()}
        self.invariants = Invariants(self)
        self.centres = [
            SimCentre(
                self,
                number,
                offset,
                [death for death in script.deaths if death.centre == number],
                [freeze for freeze in script.freezes if freeze.centre == number],
            )
            for number, offset in enumerate(script.offsets)
        ]
        for centre in self.centres:
            centre.begin()
        for number, press in enumerate(script.presses, start=1):
            self.spawn(self._press(number, press))
        for jump in script.jumps:
            self._loop.call_at(jump.at, self._jump, jump.centre, jump.by_s)
            self._loop.call_at(jump.until, self._jump, jump.centre, 0.0)
        self.spawn(self._look())
        self._loop.call_at(script.end, self._over.set)
        await self._over.wait()
        for centre in self.centres:
            centre.thaw()
        if self.broken is None:
            self.invariants.at_the_end()

    @property
    def now(self) -> float:
        """Virtual seconds since the start: the true time."""
        return self._loop.time()

    def instant(self) -> dt.datetime:
        """Return the true time as an instant."""
        return START + dt.timedelta(seconds=self.now)

    def say(self, line: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.now:9.3f} {line}")

    def breaks(self, sentence: str) -> None:
        """An invariant does not hold: the run is over."""
        if self.broken is None:
            self.broken = sentence
            self.say(f"BROKEN: {sentence}")
            self._over.set()

    def troubled_for(self, for_s: float) -> None:
        """Something is wrong for so many seconds: it is not calm before its end."""
        self.calm_at = max(self.calm_at, self.now + for_s)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something happen that no centre's death ends."""
        task = self._loop.create_task(self._guarded(work), context=self.context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lost(self) -> bool:
        """Tell whether what is on its way now is lost."""
        return self.now < self.script.calm_at and self.rng.random() < self.script.lossy

    @property
    def served_since(self) -> float:
        """Since when some centre runs and finds its store; infinite while none does."""
        return min(centre.well_since for centre in self.centres)

    def some_centre(self) -> SimCentre | None:
        """Return a centre that runs, or ``None``."""
        alive = [centre for centre in self.centres if centre.alive]
        return self.rng.choice(alive) if alive else None

    def committed(self) -> None:
        """A centre has committed: look."""
        self.invariants.look()
        everything = len(self.kept) == len(self.script.presses) and self.now > self.calm_at
        if everything and not self.script.patient and self.invariants.settled():
            self._over.set()

    def leaves(self, outgoing: Outgoing, gateway: SimGateway, centre: SimCentre) -> None:
        """A centre hands a message to a provider."""
        self.say(f"{centre.name} hands message {outgoing.message_id} to {gateway.name}")
        self.invariants.leaves(outgoing.message_id, centre.name)

    def phone_gets(self, gateway: SimGateway, ref: str) -> bool:
        """Bring a text or a call to its phone; tell whether it is on, and the call taken."""
        message = gateway.accepted[ref]
        nurse = self.nurses[message.number]
        rows = self.database.rows("SELECT incident_id FROM messages WHERE id = ?", message.message_id)
        incident = rows[0][0]
        if not nurse.is_on():
            return False
        if incident is None:  # that another phone has what this one had
            return True
        self.say(f"{nurse.phone.id} shows message {message.message_id} of incident {incident}")
        self.reached[incident] = self.now
        return nurse.gets(incident, gateway, ref)

    async def call(self, gateway: SimGateway, told: Told) -> None:
        """Let a provider call our hooks, again until somebody answers, but not for ever."""
        for _ in range(_CALLS):
            centre = self.some_centre()
            if centre is not None:
                line, ways = gateway.line(centre), centre.ways
                try:
                    await centre.do(partial(self._hear, provider=line, told=told, ways=ways))
                except RefusedError as error:
                    self.say(f"refused: {error}")
                    return
                except (GoneError, TransientError):
                    pass
                else:
                    return
            await asyncio.sleep(_CALL_AGAIN_S)

    def _hear(self, tx: Tx, *, provider: Provider, told: Told, ways: Ways) -> None:
        take(tx, provider, (told,), ways)
        self.invariants.heard(told)
        if isinstance(told, Report):
            self.invariants.deliveries.told(told)

    async def _press(self, number: int, press: Press) -> None:
        await asyncio.sleep(press.at)
        event = Event(
            id=f"0193-{number}",
            source="urn:hub:h-1",
            subject=press.device,
            time=self.instant(),
            timequality=TimeQuality.SYNCED,
            epoch="aabbccdd",
            seq=number,
            data=Data(kind=press.kind),
        )
        parcel = Parcel("wt/1/h-1/up/alarm", "h-1", [event], [])
        self.say(f"{press.device} says {press.kind}")
        while True:
            centre = self.some_centre()
            if centre is not None:
                try:
                    await centre.do(lambda tx: ingest.keep(tx, [parcel], standard()))
                except (GoneError, TransientError):
                    pass
                else:
                    self.kept.add(number)
                    if not self.lost():
                        return
            await asyncio.sleep(_RESEND_S)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(15)
            self.invariants.look()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - what nobody expected breaks the run
            self.breaks(f"{type(error).__name__}: {error}")

    def _jump(self, centre: int, by_s: float) -> None:
        if self.centres[centre].alive:
            self.say(f"{self.centres[centre].name}'s clock is set {by_s:+.0f} s from the true time")
            self.centres[centre].jump_s = by_s
