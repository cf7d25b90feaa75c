"""What the centre tells a device to do, through its hub.

A command is done at most once: one that came twice, or a day late, could dispense a dose that nobody wants
any more. So it expires at the broker, the hub remembers what it has taken, and a hub that is stopped between
taking and doing leaves it undone. What became of it comes back as the observation ``device.answered``.
"""

import msgspec

from hub.domain.errors import MalformedError
from hub.domain.ids import checked_name
from hub.domain.observation import Scalar

# How long the broker keeps a command for a hub that is not there.
EXPIRY_S = 30
# What a hub itself can be told, in place of a device: to journal a test alarm, so that the whole chain is tried.
PROBE = "probe"


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command.

    Attributes:
        id: Unique; the answer names it.
        device: Which device of the hub.
        name: One of the commands in its driver's manifest.
        args: As the driver asks for them.
    """

    id: str
    device: str
    name: str
    args: dict[str, Scalar] = {}


_decoder = msgspec.json.Decoder(Command)


def encode(command: Command) -> bytes:
    """Encode a command."""
    return msgspec.json.encode(command)


def decode(payload: bytes) -> Command:
    """Read a command.

    Raises:
        MalformedError: With the place that is wrong. Nothing is done.
    """
    try:
        command = _decoder.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise MalformedError(f"command: {error}") from error
    for what in ("id", "device", "name"):
        checked_name(getattr(command, what), f"command: {what}")
    return command
