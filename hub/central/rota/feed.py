"""The rota of a zone as iCalendar (RFC 5545): roles and phones by their ids, instants in UTC, nobody's name.

The reason of an override stays in the site file: people write into it what is no calendar's business.
"""

import datetime as dt
from collections.abc import Iterator

from icalendar import Calendar, Event

from hub.central.escalation.rota import Place, Rota

# Who made it, RFC 5545, section 3.7.3.
_PRODUCT = "-//Welfare hub//Rota//EN"
MEDIA_TYPE = "text/calendar; charset=utf-8"
_REFRESH = dt.timedelta(hours=1)
NOBODY = "nobody"

Duty = tuple[dt.datetime, dt.datetime, tuple[str, ...]]


def feed(rota: Rota, zone: str, since: dt.datetime, until: dt.datetime) -> bytes:
    """Return the calendar of a zone: one event for each time that the same phones have a role.

    Args:
        rota: The rota as it stands.
        zone: Whose roles.
        since: From when.
        until: To when; an event that reaches further is cut there.
    """
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", zone)
    # RFC 7986, section 5.7: how often it is worth asking again.
    calendar.add("refresh-interval", _REFRESH, parameters={"value": "DURATION"})
    for place in (place for place in rota.places if place[0] == zone):
        for start, end, phones in duties(rota, place, since, until):
            event = Event()
            event.add("uid", f"{zone}-{place[1]}-{start:%Y%m%dT%H%M%SZ}@rota")
            event.DTSTAMP, event.DTSTART, event.DTEND = since, start, end
            event.add("summary", f"{place[1]}: {' '.join(phones) or NOBODY}")
            calendar.add_component(event)
    return bytes(calendar.to_ical())


def duties(rota: Rota, place: Place, since: dt.datetime, until: dt.datetime) -> Iterator[Duty]:
    """Yield when which phones fill a role, in order, without break; neighbours are other phones."""
    held: Duty | None = None
    for span in rota.spans(*place, since, until):
        phones = tuple(one.phone.id for one in span.order if one.phone)
        if held is not None and held[2] == phones:
            held = (held[0], span.end, phones)
            continue
        if held is not None:
            yield held
        held = (span.start, span.end, phones)
    if held is not None:
        yield held
