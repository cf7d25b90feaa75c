"""What people do with incidents and what they look at, with its trace in the audit trail."""

import logging

from hub.central.auth import Session, audit
from hub.central.centre import Centre, Tx
from hub.central.incidents import desk, record
from hub.central.incidents.lifecycle import Cause, Event, Outcome, State
from hub.domain.errors import RefusedError, TransientError

log = logging.getLogger(__name__)


class PressedMeanwhileError(RefusedError):
    """Somebody closes what he or she has not seen all of."""


async def act(
    centre: Centre,
    session: Session,
    number: int,
    event: Event,
    *,
    ending: tuple[Outcome, Cause] | None = None,
    note: str = "",
    presses: int | None = None,
) -> State:
    """Let the signed-in person take an incident a step further; return its new state.

    Args:
        centre: The centre.
        session: Who does it.
        number: Which incident.
        event: What is done.
        ending: Outcome and cause, for a closing.
        note: Anything to add.
        presses: How many observations the person has seen; a closing is refused when there are more by now.

    Raises:
        RefusedError: It cannot be done; the sentence says why.
        TransientError: The store could not be reached.
    """
    outcome, cause = ending or (None, None)

    def work(tx: Tx) -> State:
        if event is Event.CLOSE and presses is not None and presses < record.get(tx, number).presses:
            raise PressedMeanwhileError(f"incident {number} was reported again meanwhile; look at it first")
        state = desk.act(tx, number, event, session.actor, outcome=outcome, cause=cause, note=note)
        audit.note(tx.connection, tx.now, session.actor, f"incident.{event}", f"incident:{number}")
        return state

    return await centre.transact(work, urgent=True)


async def seen(centre: Centre, session: Session, action: str, subject: str) -> None:
    """Note who saw what. An alarm is shown even when that cannot be noted; then it stands in the log."""
    try:
        await centre.transact(
            lambda tx: audit.note(tx.connection, tx.now, session.actor, action, subject), urgent=True
        )
    except TransientError as error:
        log.error("audit trail: %s %s %s not stored: %s", session.actor, action, subject, error)  # noqa: TRY400 - no traceback needed
