"""The topics of wire version 1."""

from enum import StrEnum
from typing import NamedTuple

from hub.domain.codes import Lane
from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name

ROOT = "wt/1"


class Channel(StrEnum):
    """What follows the hub's id in a topic."""

    UP_ALARM = "up/alarm"
    UP_READING = "up/reading"
    UP_ALIVE = "up/alive"
    UP_STATUS = "up/status"
    DOWN_RECEIPT = "down/receipt"
    DOWN_CONFIG = "down/config"
    DOWN_COMMAND = "down/command"


LANE_CHANNEL = {Lane.ALARM: Channel.UP_ALARM, Lane.READING: Channel.UP_READING}


class Address(NamedTuple):
    """A topic, read."""

    hub_id: str
    channel: Channel


def topic(hub_id: str, channel: Channel) -> str:
    """Return the topic of one channel of one hub."""
    return f"{ROOT}/{hub_id}/{channel}"


def every_hub(channel: Channel, share: str | None = None) -> str:
    """Return the filter by which the centre hears one channel of all hubs.

    Args:
        channel: Which.
        share: Name of a group of centres: each message goes to one of them (MQTT 5, 4.8.2 Shared Subscriptions).
    """
    return f"$share/{share}/{ROOT}/+/{channel}" if share else f"{ROOT}/+/{channel}"


def parse(text: str) -> Address:
    """Read a topic.

    Raises:
        MalformedError: It is not a topic of this version.
    """
    parts = text.split("/", 3)
    if len(parts) == 4 and "/".join(parts[:2]) == ROOT:
        try:
            return Address(checked_name(parts[2], "hub in topic"), Channel(parts[3]))
        except ValueError:
            pass
    raise MalformedError(f"topic {text!r}: not one of {ROOT}/<hub>/{{{', '.join(Channel)}}}")
