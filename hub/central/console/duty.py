"""Who has the phone: each role of a zone now and in the days to come, as the rota says and as it was confirmed."""

import datetime as dt
from typing import Any
from urllib.parse import quote

import msgspec
import sqlalchemy as sa

from hub.central.escalation.days import instant
from hub.central.escalation.rota import Place
from hub.central.rota.feed import duties
from hub.central.shifts import gaps
from hub.central.shifts.texts import open_numbers
from hub.central.site.directory import Directory
from hub.central.site.model import Zone
from hub.central.store.tables import shifts
from hub.domain.clock import Now

DAYS = 7
# A gap is told this long before, here as in its incident.
_AHEAD = gaps.WARNINGS[0][0]


class Phone(msgspec.Struct, frozen=True):
    """A phone that has a role, and why; the role and its zone are not repeated."""

    id: str
    reason: str


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """For how long the same phones have a role, in their order; none is a gap.

    ``end`` is ``None`` when it is not in sight; ``special`` has the reasons
    that are no weekly rule: of the same phone's turn, one part may be a longer shift.
    """

    start: dt.datetime
    end: dt.datetime | None
    phones: tuple[Phone, ...]
    special: tuple[str, ...]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A shift whose phone was asked to confirm it."""

    id: int
    phone: str
    asked_at: dt.datetime
    confirmed_at: dt.datetime | None
    confirmed_by: str | None
    leader_told: int


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """One role of a zone.

    Attributes:
        zone: The zone.
        role: The role.
        now: Who has it.
        missing: Nobody has it, and a plan needs somebody now.
        next: Who comes next, or ``None`` when nobody else does in these days.
        asked: The shift that lasts, where the zone asks; ``None`` when no phone could be asked.
        gap: The next hours that a plan needs somebody and the rota has nobody, or ``None``.
        days: Who has it in the days to come, by the local date on which a turn begins.
    """

    zone: str
    role: str
    now: Turn
    missing: bool
    next: Turn | None
    asked: Asked | None
    gap: tuple[dt.datetime, dt.datetime] | None
    days: tuple[tuple[dt.date, tuple[Turn, ...]], ...]

    @property
    def troubled(self) -> bool:
        """Whether nobody has it, or nobody has confirmed it in time."""
        late = self.asked is not None and self.asked.confirmed_at is None and self.asked.leader_told > 0
        return late or self.missing


class ZoneDuty(msgspec.Struct, frozen=True, kw_only=True):
    """A zone and its roles.

    Attributes:
        id: The zone.
        asks: Whoever comes on duty is asked to confirm it.
        last_resort: Who is told when nobody else is.
        calendar: The address of its calendar, or ``None``.
        open: Its open incidents: what is handed over.
        duties: Its roles.
    """

    id: str
    asks: bool
    last_resort: str
    calendar: str | None
    open: tuple[int, ...]
    duties: tuple[Duty, ...]


def zones(connection: sa.Connection, site: Directory, now: Now) -> list[ZoneDuty]:
    """Return every zone of the site with its roles, in the file's order."""
    rows = connection.execute(sa.select(shifts).where(shifts.c.open_key.is_not(None)))
    asked = {(row.zone, row.role): _asked(row) for row in rows}
    # A role that a plan names and the rota does not know has nobody at all.
    places = list(dict.fromkeys([*site.rota.places, *gaps.roles_of(site.site)]))
    return [
        ZoneDuty(
            id=zone.id,
            asks=zone.shift_check,
            last_resort=zone.last_resort,
            calendar=_calendar(site, zone),
            open=tuple(open_numbers(connection, zone.id)),
            duties=tuple(_duty(site, place, asked.get(place), now.utc) for place in places if place[0] == zone.id),
        )
        for zone in site.site.zones
    ]


def confirmed_by(connection: sa.Connection, number: int) -> str | None:
    """Return who has confirmed a shift, if anybody has."""
    return connection.scalar(sa.select(shifts.c.confirmed_by).where(shifts.c.id == number))


def _duty(site: Directory, place: Place, asked: Asked | None, now: dt.datetime) -> Duty:
    turns = [turn for turn in _turns(site, place, now) if turn.end is None or turn.end > now]
    gap = gaps.next_gap(site, place, now, now + _AHEAD)
    missing = gap is not None and gap.start <= now
    days: dict[dt.date, list[Turn]] = {}
    for turn in turns:
        days.setdefault(max(now, turn.start).astimezone(site.rota.zone).date(), []).append(turn)
    return Duty(
        zone=place[0],
        role=place[1],
        now=msgspec.structs.replace(turns[0], phones=_phones(site, place, now)),
        missing=missing,
        next=turns[1] if len(turns) > 1 else None,
        asked=asked,
        gap=(gap.start, gap.end) if gap is not None and not missing else None,
        days=tuple((date, tuple(begun)) for date, begun in days.items()),
    )


def _turns(site: Directory, place: Place, now: dt.datetime) -> list[Turn]:
    """Return who has a role from yesterday on. The bounds are midnights: the same turns all day long."""
    today = now.astimezone(site.rota.zone).date()
    first = instant(today - dt.timedelta(days=1), 0, site.rota.zone)
    last = instant(today + dt.timedelta(days=DAYS), 0, site.rota.zone)
    weekly = {f"{rule.days} {rule.start}-{rule.end}" for rule in site.site.rota if (rule.zone, rule.role) == place}
    turns = []
    for start, end, ids in duties(site.rota, place, first, last):
        phones = _phones(site, place, start) if ids else ()
        reasons = (_phones(site, place, span.start) for span in site.rota.spans(*place, start, end) if ids)
        special = dict.fromkeys(order[0].reason for order in reasons if order[0].reason not in weekly)
        turns.append(Turn(start=start, end=end if end < last else None, phones=phones, special=tuple(special)))
    return turns


def _phones(site: Directory, place: Place, at: dt.datetime) -> tuple[Phone, ...]:
    zone, role = place
    order = site.rota.who_all(zone, role, at)
    return tuple(Phone(one.phone.id, one.reason.removeprefix(f"{role} of {zone}: ")) for one in order if one.phone)


def _asked(row: sa.Row[Any]) -> Asked:
    return Asked(**{name: row._mapping[name] for name in Asked.__struct_fields__})  # noqa: SLF001 - SQLAlchemy's own public name


def _calendar(site: Directory, zone: Zone) -> str | None:
    if not zone.calendar_key:
        return None
    # A calendar program knows no other address than this; where the site has none, the browser's own is meant.
    host = (site.site.site.public_url or "").rstrip("/")
    return f"{host}/calendar/{zone.id}.ics?key={quote(zone.calendar_key, safe='')}"
