"""Watches what must never happen: an open incident without a next action, a clock that somebody has set."""

import asyncio
import logging
from functools import partial

from hub.central.centre import Centre, Tx
from hub.central.escalation import engine
from hub.central.incidents import desk, record
from hub.central.incidents.desk import Finding
from hub.domain.clock import SteadyClock
from hub.domain.codes import Kind, Severity
from hub.domain.errors import TransientError

log = logging.getLogger(__name__)

ROUND_S = 30.0


class Auditor:
    """Looks again and again, apart from the escalation that it watches.

    Args:
        centre: The centre that is watched.
        clock: Its clock.
    """

    def __init__(self, centre: Centre, clock: SteadyClock) -> None:
        self._centre = centre
        self._clock = clock

    async def run(self) -> None:
        """Look every half minute, until cancelled."""
        while True:
            try:
                await self.round()
            except TransientError as error:
                log.warning("audit waits: %s", error)
            await asyncio.sleep(ROUND_S)

    async def round(self) -> None:
        """Look once."""
        forgotten = await self._centre.store.read(engine.unattended)
        for number in forgotten:
            log.error("incident %d had no next action", number)
            await self._centre.transact(partial(_resume, number=number), urgent=True)
        self._clock.now()
        jump_s = self._clock.jump_s
        await self._centre.transact(lambda tx: _clock_jumped(tx, jump_s))


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
    if number not in engine.unattended(tx.connection):
        return
    incident = record.get(tx, number)
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
    record.change(tx, number, state="alerting")
    engine.again(tx, incident, "it was open without a next action")


def _clock_jumped(tx: Tx, jump_s: float) -> None:
    need = f"technical:{tx.owner}:clock"
    if not jump_s:
        desk.clear(tx, need, "the clock is right again")
    elif record.open_for(tx, need) is None:
        desk.raise_incident(
            tx,
            Finding(
                incident_class="technical",
                kind=Kind.CENTRE_CLOCK_JUMPED,
                severity=Severity.MODERATE,
                need=need,
                reason=f"the centre's clock was set by {jump_s:+.0f} s; deadlines go on by the old one",
                zone=tx.site.site.zones[0].id,
                occurred_at=tx.now.utc,
            ),
        )
