"""What every simulated device is: a name, things one can do to it, a start and a stop."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from firmware_sim.ble.controller import Air
from firmware_sim.clock import Clock
from firmware_sim.errors import Unfit
from firmware_sim.faults import FaultPlan, Faults
from firmware_sim.memory import Memory

Arguments = Mapping[str, object]
Action = Callable[[Arguments], Awaitable[Mapping[str, object] | None]]


class Spec(NamedTuple):
    """One ``[[device]]`` of a home file."""

    name: str
    kind: str
    settings: Mapping[str, object]

    def text(self, key: str, default: str | None = None) -> str:
        """Return a setting that is a text.

        Raises:
            Unfit: It is missing and has no default, or is something else.
        """
        value = self.settings.get(key, default)
        if not isinstance(value, str):
            raise Unfit(f"device {self.name!r}: {key!r} must be a text, not {value!r}")
        return value

    def number(self, key: str, default: float) -> float:
        """Return a setting that is a number.

        Raises:
            Unfit: It is something else.
        """
        value = self.settings.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unfit(f"device {self.name!r}: {key!r} must be a number, not {value!r}")
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a setting that is true or false.

        Raises:
            Unfit: It is something else.
        """
        value = self.settings.get(key, default)
        if not isinstance(value, bool):
            raise Unfit(f"device {self.name!r}: {key!r} must be true or false, not {value!r}")
        return value

    def octets(self, key: str, length: int) -> bytes:
        """Return a setting that is hexadecimal, colons allowed.

        Raises:
            Unfit: It is missing, not hexadecimal, or of another length.
        """
        given = self.text(key)
        try:
            octets = bytes.fromhex(given.replace(":", ""))
        except ValueError:
            octets = b""
        if len(octets) != length:
            raise Unfit(f"device {self.name!r}: {key!r} must be {length} bytes in hex, not {given!r}")
        return octets


class Place(NamedTuple):
    """Where a device stands: the air around it, the folder for its ports and memory, the time.

    ``shared`` holds what several devices of a home have in common, by name: an EnOcean stick.
    """

    air: Air
    folder: Path
    clock: Clock
    shared: dict[str, "Device"]

    def memory(self, name: str) -> Memory:
        """Return the lasting memory of a device."""
        return Memory(self.folder / f"{name}.memory.json")


class Device(Protocol):
    """A simulated device.

    Attributes:
        actions: What can be done to it, by the word the control line uses.
        port: Its serial port's name and path, when it has one.
    """

    actions: Mapping[str, Action]

    @property
    def port(self) -> tuple[str, Path] | None:
        """Return the name and path of its serial port."""
        ...

    async def start(self) -> None:
        """Switch it on."""
        ...

    async def stop(self) -> None:
        """Switch it off."""
        ...


Maker = Callable[[Spec, Place], Device]


def whole(arguments: Arguments, key: str, low: int, high: int, default: int | None = None) -> int:
    """Return an argument that is a whole number in a range.

    Raises:
        Unfit: It is missing and has no default, or is something else.
    """
    value = arguments.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Unfit(f"{key!r} must be a whole number from {low} to {high}, not {value!r}")
    return value


def faults_of(arguments: Arguments) -> Faults:
    """Read the ``fault`` action's arguments: ``faults`` and ``seed``.

    Raises:
        Unfit: They describe no fault that exists.
    """
    given = arguments.get("faults", {})
    if not isinstance(given, Mapping):
        raise Unfit(f"'faults' must be an object, not {given!r}")
    return Faults(FaultPlan.of(given), seed=whole(arguments, "seed", 0, 2**63, 0))
