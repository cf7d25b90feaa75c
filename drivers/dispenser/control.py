"""What a dispenser can be told to do (open dispenser profile 1, characteristic Control)."""

from collections.abc import Mapping
from typing import NamedTuple

from hub.domain.errors import MalformedError
from hub.domain.observation import Scalar


class Control(NamedTuple):
    """One row: the opcode, and what it does."""

    opcode: int
    title: str


CONTROLS = {
    "dispense_now": Control(1, "give out the next dose now"),
    "remind": Control(2, "remind the resident of the dose that waits"),
    "self_test": Control(3, "test itself, and report what it finds"),
    "silence": Control(4, "end its reminding sounds"),
}


def control(name: str, arguments: Mapping[str, Scalar]) -> bytes:
    """Return the bytes of a command; none of this profile's takes arguments.

    Raises:
        MalformedError: There is no such command, or something was to go with it.
    """
    if name not in CONTROLS:
        raise MalformedError(f"command {name!r}: a dispenser knows {', '.join(CONTROLS)}")
    if arguments:
        raise MalformedError(f"command {name!r}: takes no arguments, not {', '.join(sorted(arguments))}")
    return bytes([CONTROLS[name].opcode])
