"""A hub's heartbeat and its status."""

from typing import Literal

import msgspec

from hub.domain.clock import TimeQuality
from hub.domain.errors import MalformedError


class Pending(msgspec.Struct, frozen=True):
    """Journal entries that wait for their receipt."""

    alarm: int
    reading: int


class Alive(msgspec.Struct, frozen=True):
    """What a hub says of itself every 30 s."""

    epoch: str
    last_seq: int
    pending: Pending
    evicted: int
    timequality: TimeQuality
    uptime_s: int
    version: str


class Status(msgspec.Struct, frozen=True):
    """Retained by the broker; ``offline`` is the hub's last will."""

    state: Literal["online", "offline"]


_alive = msgspec.json.Decoder(Alive)
_status = msgspec.json.Decoder(Status)
ONLINE = msgspec.json.encode(Status("online"))
OFFLINE = msgspec.json.encode(Status("offline"))


def encode(alive: Alive) -> bytes:
    """Encode a heartbeat."""
    return msgspec.json.encode(alive)


def decode_alive(payload: bytes) -> Alive:
    """Read a heartbeat.

    Raises:
        MalformedError: It is not one.
    """
    try:
        return _alive.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MalformedError(f"alive: {error}") from error


def decode_status(payload: bytes) -> Status:
    """Read a status.

    Raises:
        MalformedError: It is not one.
    """
    try:
        return _status.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MalformedError(f"status: {error}") from error
