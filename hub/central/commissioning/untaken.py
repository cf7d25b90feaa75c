"""A test that nobody took may have been a resident who pressed: it becomes what it would have been."""

import sqlalchemy as sa

from hub.central import ingest
from hub.central.centre import Tx
from hub.central.commissioning import mode
from hub.central.incidents import desk, record
from hub.central.incidents.lifecycle import State
from hub.central.store.tables import incident_observations, observations
from rules.engine import RuleSet

_WHY = "It came in test mode, and nobody took the test."


def untaken(tx: Tx, subject: str, rules: RuleSet) -> None:
    """Raise a test in earnest that nobody took, and end its test mode (the work of ``incident.untaken``)."""
    test = record.get(tx, int(subject))
    if test.state != State.ALERTING:
        return
    mode.end(tx, test.device_id, mode.CENTRE)  # whatever the device says next is real
    links = incident_observations
    query = (
        sa.select(observations)
        .join(links, links.c.observation_id == observations.c.id)
        .where(links.c.incident_id == test.id)
        .order_by(observations.c.id)
    )
    number = None
    for row in tx.connection.execute(query).all():
        found = ingest.in_earnest(tx, row, rules)
        if found is not None:
            finding, action = found
            if action == "note":
                desk.add_note(tx, finding.need, finding.reason, row.id)
            else:
                number = desk.raise_incident(tx, finding.because(_WHY))
    what = f"it is incident {number} now" if number else "nothing of it is an alarm"
    desk.clear(tx, test.need, f"nobody took the test: {what}")
