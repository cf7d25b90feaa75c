"""The text that rings the phone on call: what, where, since when, and what to answer. Never who by name."""

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
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
_WHAT = 48  # characters for several kinds: who, where and when need the rest
_LEAST_ROOM = 3  # fewer characters of a room tell nobody where it is


class Because(StrEnum):
    """Why an incident is told again; the names of entries in the tables of sentences."""

    NOBODY_CAME = "nobody_came"
    EXPIRED = "expired"  # whoever took it went no further
    PASSED_ON = "passed_on"  # whoever took it said no after all
    REPORTED = "reported"  # the resident pressed again, or it became worse


def alert_text(
    site: Directory,
    incident: sa.Row[Any],
    now: dt.datetime,
    *,
    again: Because | None = None,
    language: str | None = None,
    others: Sequence[int] = (),
    link: str = "",
) -> str:
    """Return the text for an incident: one message of the GSM alphabet, whatever has room in it.

    Args:
        site: Whose language and time zone.
        incident: A row of ``incidents``.
        now: For its age, told when it is more than a minute old.
        again: Why it is told again; ``None``: for the first time.
        language: Of whoever gets it; ``None`` is the site's.
        others: Numbers of the other open incidents that the phone was told of; listed as far as there is room.
        link: Address that shows and answers it; left out where it does not fit.
    """
    settings = site.site.site
    language = language or settings.language
    zone = ZoneInfo(settings.timezone)
    values = {
        "number": incident.id,
        "what": what(language, incident.kind, incident.also.split()),
        "test": render(language, "alert.test") if incident.test else "",
        "again": render(language, f"alert.{again}") if again else "",
        "time": clock_time(incident.occurred_at, now, zone),
        "age": _late(language, now - incident.occurred_at),
        "presses": render(language, "alert.presses", count=incident.presses) if incident.presses > 1 else "",
        "odd": render(language, "alert.odd") if incident.flags else "",
    }

    def fill(who: str, room: str, others: str = "", link: str = "") -> str:
        place = f", {room}" if room else ""
        return render(language, "alert.text", who=who, room=place, others=others, link=link, **values)

    left = gsm.LIMIT - len(fill("", ""))
    who = gsm.join([gsm.plain(name) for name in _who(language, incident)], left)
    width = left - len(who) - len(", ")
    room = gsm.plain(incident.room or "")[:width].rstrip() if width >= _LEAST_ROOM else ""
    listed = _others(language, others, gsm.LIMIT - len(fill(who, room)))
    text = fill(who, room, listed, f"{link} " if link else "")
    return text if gsm.fits(text) else fill(who, room, listed)


def fyi_text(site: Directory, incident: sa.Row[Any], now: dt.datetime, event: str) -> str:
    """Return what whoever else wants to know is told: the words of the alert, and nothing to answer.

    Args:
        site: Whose language and time zone.
        incident: A row of ``incidents``.
        now: For its age.
        event: What happened, an entry in the tables of sentences.
    """
    language, zone = site.site.site.language, ZoneInfo(site.site.site.timezone)
    return render(
        language,
        "fyi.text",
        event=render(language, f"fyi.{event}"),
        number=incident.id,
        what=what(language, incident.kind, incident.also.split()),
        who=gsm.join([gsm.plain(name) for name in _who(language, incident)], gsm.LIMIT),
        room=f", {gsm.plain(incident.room)}" if incident.room else "",
        time=clock_time(incident.occurred_at, now, zone),
        age=_late(language, now - incident.occurred_at) if event == "raised" else "",
    )


def what(language: str, kind: str, also: Sequence[str]) -> str:
    """Return what an incident is: what was reported last, and what else as far as that has room."""
    text = render(language, f"kind.{kind}")
    for other in also:
        longer = f"{text} + {render(language, f'kind.{other}')}"
        if len(longer) > _WHAT:
            break
        text = longer
    return text


def _others(language: str, numbers: Sequence[int], width: int) -> str:
    """Return what is open besides, as many whole numbers as fit; empty when not even their count does."""
    room = width - len(render(language, "alert.others", numbers=""))
    listed = gsm.whole([str(number) for number in numbers], room)
    return render(language, "alert.others", numbers=listed) if listed else ""


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
