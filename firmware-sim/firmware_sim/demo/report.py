"""The table at the end: each incident with its times, and whether all went as it must."""

import datetime as dt
from typing import Any, NamedTuple

from rich.table import Table

from firmware_sim.demo.follow import Story
from firmware_sim.demo.scenery import Expected

_NONE = "[red]-[/]"


class Verdict(NamedTuple):
    """What is wrong; empty when nothing is."""

    faults: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether everything went as it must."""
        return not self.faults


def judge(stories: dict[int, Story], wanted: tuple[Expected, ...]) -> Verdict:
    """Hold what was raised against what had to be: each once, to the right phone, and acknowledged."""
    faults = []
    left = dict(stories)
    for one in wanted:
        found = [
            number
            for number, story in stories.items()
            if story["incident"]["kind"] == one.kind and (story["incident"]["device_id"] or "") == one.device
        ]
        name = f"{one.kind} of {one.device or 'the hub'}"
        if len(found) != 1:
            faults.append(f"{name}: raised {len(found)} times instead of once")
        for number in found:
            story = left.pop(number)
            first = next(iter(story["messages"]), None)
            if first is None or first["phone"] != one.phone:
                faults.append(f"{name}: {first['phone'] if first else 'nobody'} was told instead of {one.phone}")
            elif first["delivered_at"] is None:
                faults.append(f"{name}: the text to {one.phone} was not delivered")
            if _line(story, "acknowledge") is None:
                faults.append(f"{name}: nobody acknowledged it")
    faults += [f"{story['incident']['kind']}: raised, and not expected" for story in left.values()]
    return Verdict(tuple(faults))


def table(stories: dict[int, Story]) -> Table:
    """Return a row for each incident: when the device said it, and how long each leg took after that."""
    result = Table(title="Incidents: seconds since the device, or since the condition was met")
    for heading in ("no.", "what", "about", "told first", "device", "stored", "sent", "delivered", "acknowledged"):
        result.add_column(heading, justify="left" if heading in {"what", "about", "told first"} else "right")
    for number, story in sorted(stories.items()):
        incident = story["incident"]
        first: dict[str, Any] = next(iter(story["messages"]), {})
        seen = next(iter(story["observations"]), None)
        # Of an absence nothing was said: it begins when the centre notes it.
        began = _instant(seen["time"] if seen else incident["opened_at"])
        times = (
            incident["opened_at"],
            first.get("sent_at"),
            first.get("delivered_at"),
            _line(story, "acknowledge"),
        )
        result.add_row(
            str(number),
            incident["kind"],
            incident["resident_id"] or incident["hub_id"],
            first.get("phone", _NONE),
            f"{began.astimezone():%H:%M:%S}",
            *(_NONE if at is None else f"+{(_instant(at) - began).total_seconds():.3f}" for at in times),
        )
    return result


def _line(story: Story, event: str) -> str | None:
    return next((line["at"] for line in story["lines"] if line["event"] == event), None)


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
