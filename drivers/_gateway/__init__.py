"""What drivers of gateways on the home's own broker share."""

from drivers._gateway.news import BAD_TIME, LATE, RETAINED, Event, Gateway, Message, Switched
from drivers._gateway.payload import dated, fingerprint, json_of, number, object_of, percent, scalars

__all__ = [
    "BAD_TIME",
    "LATE",
    "RETAINED",
    "Event",
    "Gateway",
    "Message",
    "Switched",
    "dated",
    "fingerprint",
    "json_of",
    "number",
    "object_of",
    "percent",
    "scalars",
]
