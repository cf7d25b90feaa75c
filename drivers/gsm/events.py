"""What a modem tells its caller, and what it wants sent."""

from typing import NamedTuple

from drivers.gsm.outbox import Outcome
from drivers.gsm.pdu import Deliver


class Arrived(NamedTuple):
    """A text came."""

    message: Deliver


class Unreadable(NamedTuple):
    """A message that is none came, told so that nothing vanishes; ``pdu`` is hexadecimal."""

    pdu: str
    reason: str


class Trouble(NamedTuple):
    """Something keeps texts from coming or going; told again for as long as it does."""

    name: str
    detail: str = ""


class Ended(NamedTuple):
    """A trouble of this name is over, if there was one."""

    name: str


class Polled(NamedTuple):
    """The modem answered a whole round; signal in dBm where it knows."""

    dbm: int | None
    registered: bool


class PinUsed(NamedTuple):
    """How often the PIN was sent without an answer, and whether it was refused: to be kept across restarts."""

    sends: int
    refused: bool


Event = Arrived | Unreadable | Trouble | Ended | Polled | PinUsed | Outcome


class Turn(NamedTuple):
    """What the modem makes of what it was told.

    Attributes:
        events: What happened, in this order.
        send: Bytes for the line.
        keep_first: Put the events on the disk before ``send`` goes out.
        bad: What was passed over.
    """

    events: tuple[Event, ...] = ()
    send: bytes = b""
    keep_first: bool = False
    bad: tuple[str, ...] = ()
