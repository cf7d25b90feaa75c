"""Which news of who was heard is told to those who look at hubs and devices."""

import datetime as dt

from hub.central.bulletin import News
from hub.central.presence import Presence
from hub.domain.clock import UTC, TimeQuality
from hub.wire.alive import Alive, Pending

AT = dt.datetime(2026, 11, 21, 2, 10, tzinfo=UTC)
SILENT = dt.timedelta(seconds=90)


def alive(waiting: int) -> Alive:
    return Alive(
        epoch="e",
        last_seq=waiting,
        pending=Pending(alarm=waiting, reading=0),
        evicted=0,
        timequality=TimeQuality.SYNCED,
        uptime_s=waiting,
        version="1",
    )


def shown(presence: Presence) -> list[News]:
    return presence.visible(presence.take(), SILENT)


def test_only_what_can_be_seen_is_told() -> None:
    presence = Presence()
    presence.heard_hub("h-1", AT, alive(0))
    assert shown(presence) == [News("hub", "h-1")]
    presence.heard_hub("h-1", AT + dt.timedelta(seconds=30))
    assert shown(presence) == []  # the age counts on by itself
    presence.heard_hub("h-1", AT + dt.timedelta(seconds=60), alive(3))
    assert shown(presence) == [News("hub", "h-1")]
    presence.hub_offline("h-1")
    assert shown(presence) == [News("hub", "h-1")]
    presence.heard_hub("h-1", AT + dt.timedelta(seconds=70))
    assert shown(presence) == [News("hub", "h-1")]


def test_a_hub_that_was_shown_as_silent_is_told_when_it_is_heard() -> None:
    presence = Presence()
    presence.heard_hub("h-1", AT)
    shown(presence)
    presence.heard_hub("h-1", AT + SILENT)
    assert shown(presence) == [News("hub", "h-1")]


def test_a_device_is_told_when_first_heard_and_when_its_battery_falls() -> None:
    presence = Presence()
    told = []
    for battery in (80, None, 80, 79):
        presence.heard_device("d-1", AT, "motion.detected", battery, None)
        told.append(shown(presence))
    assert told == [[News("device", "d-1")], [], [], [News("device", "d-1")]]
