"""From read models to HTML: templates, local time, ages and icons."""

import datetime as dt
import zoneinfo
from functools import cache
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from hub.central.auth import Session
from hub.central.console import said, values
from hub.central.console.words import CODES, LANGUAGES, Words
from hub.central.escalation.days import WEEKDAYS
from hub.central.incidents.lifecycle import State
from hub.central.incidents.view import Line
from hub.domain.clock import UTC, Now

# As the centre writes an instant into a sentence.
_STORED = "%Y-%m-%d %H:%M:%S UTC"
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


@cache
def environment() -> jinja2.Environment:
    """Return the templates; everything they are given is escaped, and a name they lack is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["steps"] = tuple(State)
    made.filters["initial"] = initial
    return made


def initial(text: str) -> str:
    """Return a text with a capital at its beginning; the rest stays as it was written."""
    return text[:1].upper() + text[1:]


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a page is written.

    Attributes:
        words: The texts of the reader's language.
        zone: The site's time zone; everybody in the service speaks of the same 03:10.
        now: This moment.
        session: Whose session it is; ``None`` before the login.
        only: The zone of home nursing the reader looks at; empty for all.
        push: The centre can push to browsers.
    """

    words: Words
    zone: zoneinfo.ZoneInfo
    now: Now
    session: Session | None = None
    only: str = ""
    push: bool = False

    @property
    def keep(self) -> str:
        """What a link needs so that the filter stays as it is."""
        return f"?zone={self.only}" if self.only else ""

    def clock(self, at: dt.datetime, *, seconds: bool = False) -> str:
        """Return a local time, with its date when that is not today."""
        local = at.astimezone(self.zone)
        text = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
        if local.date() == self.now.utc.astimezone(self.zone).date():
            return text
        date = self.words("day.date", day=local.day, month=self.words.month(local.month))
        if local.year != self.now.utc.astimezone(self.zone).year:
            date = f"{date} {local.year}"
        return f"{date} {text}"

    def time(self, at: dt.datetime) -> str:
        """Return a local time without its date."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def weekday(self, at: dt.datetime) -> str:
        """Return the day of the week of an instant."""
        return self.words.name("weekday", WEEKDAYS[at.astimezone(self.zone).weekday()])

    def day(self, date: dt.date) -> str:
        """Return a date with its day of the week."""
        written = self.words("day.date", day=date.day, month=self.words.month(date.month))
        return f"{self.words.name('weekday', WEEKDAYS[date.weekday()])} {written}"

    def age(self, since: dt.datetime) -> str:
        """Return how long ago an instant is."""
        return self.span(self.now.utc - since)

    def span(self, span: dt.timedelta) -> str:
        """Return a length of time in its two largest units; the page's script counts on in the same way."""
        seconds = max(0, int(span.total_seconds()))
        unit = self.words
        if seconds < _MINUTE_S:
            return f"{seconds} {unit('unit.s')}"
        if seconds < _HOUR_S:
            return f"{seconds // _MINUTE_S} {unit('unit.min')}"
        hours, minutes = seconds // _HOUR_S, seconds % _HOUR_S // _MINUTE_S
        if seconds < _DAY_S:
            return f"{hours} {unit('unit.h')} {minutes} {unit('unit.min')}"
        return f"{seconds // _DAY_S} {unit('unit.d')} {hours % 24} {unit('unit.h')}"

    def who(self, actor: str) -> str:
        """Return what somebody is called: ``user:kari-test``, ``phone:nord-1-duty``, ``centre``."""
        sort, _, name = actor.partition(":")
        known = self.words.name("actor", sort)
        if known == sort:
            return actor
        text = known.format(id=name)
        return f"{text} ({self.words('page.you')})" if self.session and actor == self.session.actor else text

    def said(self, text: str) -> str:
        """Return what the rules or the centre said, in the reader's language and local time."""
        return said.say(text, self.words.said, self._fill)

    def detail(self, line: Line) -> str:
        """Return what a line of an incident's history says; what a person wrote stays as it was written."""
        said = str if line.actor.startswith("user:") else self.said
        return self.words.closing(line.detail, said) if line.event == "closed" else said(line.detail)

    def _fill(self, place: str, text: str) -> str:
        if place == "who":
            return self.who(text)
        if place == "at":
            try:
                return self.clock(dt.datetime.strptime(text, _STORED).replace(tzinfo=UTC))
            except (ValueError, OverflowError):  # somebody typed it
                return text
        if place == "days":
            return self.words.days(text)
        return self.words.name(place, text) if place in CODES else text

    def value(self, value: Any, unit: str | None) -> str:  # noqa: ANN401 - what a device said
        """Return a value in words, with its unit."""
        return values.say(value, unit, self.words)

    def stored(self, value: str | None, unit: str | None) -> str:
        """Return a value that is still as the store keeps it, in words."""
        return values.stored(value, unit, self.words)

    def render(self, template: str, **values: Any) -> Markup:  # noqa: ANN401 - a template takes what it is given
        """Return a template filled in; besides ``values`` it knows the reader ``r`` and the words ``t``."""
        text = environment().get_template(template).render(r=self, t=self.words, **values)
        return Markup(text)  # noqa: S704 - the template has escaped it

    def page(self, template: str, *, here: str = "", at: str = "", **values: Any) -> Markup:  # noqa: ANN401 - handed on to render()
        """Return a whole page.

        Args:
            template: Which.
            here: Its entry in the menu.
            at: Its address, where it may answer a form that was sent to another.
            values: What the template takes.
        """
        return self.render(template, here=here, at=at, languages=LANGUAGES, **values)
