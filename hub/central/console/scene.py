"""What a page shows, cut into parts that can change one by one while somebody looks at it.

A part has a mark, made of all that it shows. As long as the mark is the same, nothing is sent; an age that grows
is not part of it, the page counts on by itself.
"""

import hashlib
from collections import Counter
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from markupsafe import Markup

from hub.central.commissioning import standing
from hub.central.commissioning.standing import Standing
from hub.central.console import duty, equipment, upkeep
from hub.central.console.render import Reader
from hub.central.console.upkeep import Upkeep
from hub.central.incidents import view
from hub.central.incidents.lifecycle import OUTCOMES, TABLE, Cause, Event, State
from hub.central.notify.outcome import SENDER
from hub.central.site.directory import Directory
from hub.domain.clock import Now

_MARK_LENGTH = 12
# What a person may do, in the order in which it is usually done.
ACTS = (Event.ACKNOWLEDGE, Event.DEPART, Event.ARRIVE, Event.CLOSE)
Act = Literal["acknowledge", "depart", "arrive", "close"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of a page.

    Attributes:
        id: The element's id.
        template: What draws it.
        model: What it shows.
    """

    id: str
    template: str
    model: Any

    @property
    def mark(self) -> str:
        """A short digest of what is shown."""
        shown = msgspec.json.encode([self.template, self.model])
        return hashlib.sha256(shown).hexdigest()[:_MARK_LENGTH]

    def html(self, reader: Reader) -> Markup:
        """Draw it for a reader."""
        return reader.render(f"parts/{self.template}.html", part=self, m=self.model)


Scene = dict[str, list[Part]]  # by region: the id of the element that holds the parts


class Chip(msgspec.Struct, frozen=True):
    """One choice of the filter of a page, with how many things are to be seen there and how many need somebody."""

    page: str
    zone: str
    chosen: bool
    open: int
    alerting: int


class Timeline(msgspec.Struct, frozen=True):
    """What happened to an incident.

    Attributes:
        lines: People and decisions.
        everything: The same with every step of every message; empty when that adds nothing.
    """

    lines: tuple[view.Line, ...]
    everything: tuple[view.Line, ...]


class OneDevice(msgspec.Struct, frozen=True):
    """How a device stands, and what is open about it."""

    standing: Standing
    incidents: tuple[view.Incident, ...]


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """What can be done with an incident now."""

    number: int
    presses: int
    acts: tuple[Event, ...]
    outcomes: tuple[str, ...] = OUTCOMES
    causes: tuple[str, ...] = tuple(Cause)


class Listed(msgspec.Struct, frozen=True):
    """What is under maintenance or in test mode, and the page that shows it."""

    rows: tuple[Upkeep, ...]
    back: str


def board(connection: sa.Connection, site: Directory, only: str, now: Now) -> Scene:
    """Return the open incidents and what is switched off, both filtered by the zone if there is one."""
    cards = view.open_cards(connection)
    counts = Counter(card.incident.zone for card in cards)
    alerting = Counter(card.incident.zone for card in cards if card.incident.alerting)
    rows = upkeep.listed(connection, site, now.utc)
    if only:
        rows = tuple(row for row in rows if row.zone in {only, ""})
        cards = [card for card in cards if card.incident.zone == only]
    return {
        "zones": _chips("/", zones(site, counts), only, counts, alerting),
        # What is switched off stands below all that is open, and is counted above it.
        "upkeep-count": [Part(id="switched-off-count", template="upkeep_count", model=len(rows))] if rows else [],
        "care": _cards(cards, "care"),
        "upkeep": _upkeep(rows, f"/?zone={only}" if only else "/"),
        "technical": _cards(cards, "technical"),
    }


def zones(site: Directory, open_in: Counter[str] | None = None) -> list[str]:
    """Return the zones of the site, and any other that an open incident is in."""
    return list(dict.fromkeys([*site.zones, *sorted(open_in or ())]))


def incident(story: view.Story) -> Scene:
    """Return the parts of one incident's page."""
    head = story.incident
    acts = tuple(act for act in ACTS if act in TABLE[State(head.state)])
    parts = [
        Part(id="head", template="head", model=head),
        Part(id="actions", template="actions", model=Actions(number=head.id, presses=head.presses, acts=acts)),
        Part(id="people", template="people_then" if head.closed_at else "people", model=head.unprotected),
    ]
    record = [
        Part(id="messages", template="messages", model=story.messages),
        Part(id="timeline", template="timeline", model=timeline(story.lines)),
        Part(id="observations", template="observations", model=story.observations),
    ]
    return {"incident": parts, "record": record}


def timeline(lines: tuple[view.Line, ...]) -> Timeline:
    """Keep a history short: how each message fared is told beside it, and here only on demand."""
    short = tuple(line for line in lines if line.actor != SENDER)
    return Timeline(short, lines if len(short) < len(lines) else ())


def hubs(connection: sa.Connection, site: Directory, now: Now) -> Scene:
    """Return the hubs with their devices."""
    rows = equipment.hub_rows(connection, site, now)
    untested = tuple(device.id for row in rows for device in row.devices if device.in_service_at is None)
    return {
        "untested": [Part(id="untested-devices", template="untested", model=untested)],
        "hubs": [Part(id=f"hub-{row.id}", template="hub", model=row) for row in rows],
    }


def device(connection: sa.Connection, site: Directory, device_id: str, now: Now) -> Scene:
    """Return how a device stands; nothing when it has left the site."""
    stands = [one for one in standing.standings(connection, site, now.utc) if one.id == device_id]
    if not stands:
        return {"device": [], "upkeep": []}
    incidents = tuple(view.open_about(connection, device_id=device_id))
    rows = upkeep.of_device(upkeep.listed(connection, site, now.utc), site, site.devices[device_id])
    # Its test mode is told, and ended, where it stands.
    rows = tuple(row for row in rows if row.number is not None)
    return {
        "device": [Part(id="standing", template="standing", model=OneDevice(one, incidents)) for one in stands],
        "upkeep": _upkeep(rows, f"/devices/{device_id}"),
    }


def resident(connection: sa.Connection, site: Directory, resident_id: str, now: Now) -> Scene:
    """Return what of a resident's devices is switched off."""
    rows = upkeep.of_resident(upkeep.listed(connection, site, now.utc), site, resident_id)
    return {"upkeep": _upkeep(rows, f"/residents/{resident_id}")}


def shifts(connection: sa.Connection, site: Directory, only: str, now: Now) -> Scene:
    """Return who is on call in each zone, with the filter."""
    found = duty.zones(connection, site, now)
    troubled = Counter({zone.id: sum(one.troubled for one in zone.duties) for zone in found})
    return {
        "zones": _chips("/shifts", [*site.zones], only, troubled, troubled),
        "duties": [
            Part(id=f"duty-{zone.id}", template="duty", model=zone)
            for zone in found
            if zone.id == only or (not only and zone.duties)
        ],
    }


def _chips(page: str, names: list[str], only: str, counts: Counter[str], alerting: Counter[str]) -> list[Part]:
    chips = [Chip(page, "", not only, counts.total(), alerting.total())]
    chips += [Chip(page, zone, zone == only, counts[zone], alerting[zone]) for zone in names]
    return [Part(id=f"zone-{chip.zone or 'all'}", template="chip", model=chip) for chip in chips]


def _upkeep(rows: tuple[Upkeep, ...], back: str) -> list[Part]:
    return [Part(id="switched-off", template="upkeep", model=Listed(rows, back))] if rows else []


def _cards(cards: list[view.Card], incident_class: str) -> list[Part]:
    return [
        Part(id=f"incident-{card.incident.id}", template="card", model=card)
        for card in cards
        if card.incident.incident_class == incident_class
    ]
