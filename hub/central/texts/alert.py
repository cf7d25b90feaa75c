"""The text that rings the phone on call: what, where, since when, and what to answer. Never who by name."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from hub.central.site.directory import Directory
from hub.central.texts import gsm
from hub.central.texts.language import render

# Younger than this, an alarm is news and its age says nothing.
_NEWS = dt.timedelta(seconds=60)
_HOUR = dt.timedelta(hours=1)
_DAY = dt.timedelta(days=1)
_LEAST_ROOM = 3  # fewer characters of a room tell nobody where it is


def alert_text(site: Directory, incident: sa.Row[Any], now: dt.datetime, *, again: bool = False) -> str:
    """Return the text for an incident: one message of the GSM alphabet, in the site's language.

    Args:
        site: Whose language and time zone.
        incident: A row of ``incidents``.
        now: For its age, told when it is more than a minute old.
        again: It was told before and nobody came.
    """
    settings = site.site.site
    language = settings.language
    zone = ZoneInfo(settings.timezone)
    values = {
        "number": incident.id,
        "what": render(language, f"kind.{incident.kind}"),
        "test": render(language, "alert.test") if incident.test else "",
        "time": clock_time(incident.occurred_at, now, zone),
        "age": _late(language, now - incident.occurred_at),
        "presses": render(language, "alert.presses", count=incident.presses) if incident.presses > 1 else "",
        "odd": render(language, "alert.odd") if incident.flags else "",
    }

    def fill(who: str, room: str) -> str:
        key = "alert.again" if again else "alert.first"
        return render(language, key, who=who, room=f", {room}" if room else "", **values)

    left = gsm.LIMIT - len(fill("", ""))
    who = gsm.join([gsm.plain(name) for name in _who(language, incident)], left)
    width = left - len(who) - len(", ")
    room = gsm.plain(incident.room or "")[:width].rstrip() if width >= _LEAST_ROOM else ""
    return fill(who, room)


def clock_time(at: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """Return a local time of day, with its day before it when that is not today."""
    local = at.astimezone(zone)
    time = f"{local:%H:%M}"
    return time if local.date() == now.astimezone(zone).date() else f"{local.day}.{local.month}. {time}"


def _late(language: str, age: dt.timedelta) -> str:
    return render(language, "alert.age", age=_duration(language, age)) if age > _NEWS else ""


def _duration(language: str, age: dt.timedelta) -> str:
    minutes = age // dt.timedelta(minutes=1)
    if age < _HOUR:
        return render(language, "alert.minutes", minutes=minutes)
    if age < _DAY:
        return render(language, "alert.hours", hours=minutes // 60, minutes=minutes % 60)
    return render(language, "alert.days", days=age.days, hours=age.seconds // 3600)


def _who(language: str, incident: sa.Row[Any]) -> list[str]:
    """Return whom it is about, by pseudonym; where nobody is known, where it came from."""
    thing = incident.device_id or incident.hub_id
    if incident.incident_class == "technical":
        whose = [incident.resident_id] if incident.resident_id else incident.unprotected.split()
        return [*([thing] if thing else []), *whose] or [incident.zone]
    if incident.resident_id:
        return [incident.resident_id]
    return [render(language, "alert.nobody"), *filter(None, [incident.device_id, incident.hub_id])]
