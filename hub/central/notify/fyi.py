"""For whoever else wants to know: told in the transaction of what happened, and nothing rests on it.

Such a message belongs to no step of a plan. It is not cancelled when somebody takes the incident, no receipt is
awaited, and when its provider fails again and again that is noted in the incident's story and nothing follows.
"""

from collections.abc import Iterable, Iterator

from hub.central.centre import Tx
from hub.central.escalation.plan import EVERY_ZONE
from hub.central.incidents import record
from hub.central.notify import outbox
from hub.central.site.model import Fyi, FyiEvent
from hub.central.texts import fyi_text


def tell(tx: Tx, incident: record.Incident, event: FyiEvent, *, above: int | None = None) -> None:
    """Tell all who want to know of an event of an incident. A test concerns nobody else.

    Args:
        tx: The transaction in which it happened.
        incident: Its row.
        event: What happened.
        above: The severity that it had: whoever was told then is not told again.
    """
    if incident.test or incident.test_phone is not None:
        return
    for one in wanting(tx.site.site.fyi, incident, event):
        if above is None or above < one.min_severity:
            text = fyi_text(tx.site, incident, tx.now.utc, event)
            outbox.inform(tx, incident.id, incident.zone, one.id, text)


def wanting(recipients: Iterable[Fyi], incident: record.Incident, event: FyiEvent) -> Iterator[Fyi]:
    """Yield who wants to know of this event of an incident."""
    for one in recipients:
        if (
            event in one.events
            and one.incident_class in {None, incident.incident_class}
            and one.min_severity <= incident.severity
            and (EVERY_ZONE in one.zones or incident.zone in one.zones)
        ):
            yield one
