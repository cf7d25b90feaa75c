"""Every table of the centre, by what it is for."""

from hub.central.store.tables.columns import Instant, Name, Number, metadata, microseconds
from hub.central.store.tables.heard import (
    cursors,
    dead_letters,
    devices,
    history_rejects,
    hubs,
    observations,
)
from hub.central.store.tables.incidents import (
    attempts,
    due,
    incident_events,
    incident_observations,
    incidents,
    links,
    messages,
    replies,
)
from hub.central.store.tables.people import (
    audit,
    audit_head,
    sessions,
    sites,
    users,
)
from hub.central.store.tables.upkeep import (
    commands,
    device_tests,
    held_findings,
    maintenances,
    outages,
    rounds,
    shift_messages,
    shifts,
)

__all__ = [
    "Instant",
    "Name",
    "Number",
    "attempts",
    "audit",
    "audit_head",
    "commands",
    "cursors",
    "dead_letters",
    "device_tests",
    "devices",
    "due",
    "held_findings",
    "history_rejects",
    "hubs",
    "incident_events",
    "incident_observations",
    "incidents",
    "links",
    "maintenances",
    "messages",
    "metadata",
    "microseconds",
    "observations",
    "outages",
    "replies",
    "rounds",
    "sessions",
    "shift_messages",
    "shifts",
    "sites",
    "users",
]
