"""A home, as data: which simulated devices stand in it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from firmware_sim.ble.controller import Air
from firmware_sim.clock import Clock
from firmware_sim.devices import kinds
from firmware_sim.devices.base import Arguments, Device, Place, Spec
from firmware_sim.errors import Unfit


class HomeError(Unfit):
    """The home file cannot be used; the text says where and why."""


def read_home(path: Path) -> list[Spec]:
    """Read the ``[[device]]`` tables of a home file.

    Raises:
        HomeError: The file is missing, no TOML, or a device in it has no name or no known kind.
    """
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise HomeError(f"{path.name}: {error.strerror}") from error
    except ValueError as error:
        raise HomeError(f"{path.name}: {error}") from error
    return specs_of(content)


def specs_of(content: Mapping[str, object]) -> list[Spec]:
    """Return the devices that a home's data describes.

    Raises:
        HomeError: A device has no name, the name of another, or no known kind.
    """
    tables = content.get("device", [])
    if not isinstance(tables, list) or not tables:
        raise HomeError("no [[device]] in it")
    known = kinds()
    specs: list[Spec] = []
    for number, table in enumerate(tables, start=1):
        if not isinstance(table, dict):
            raise HomeError("'device' must be written as [[device]] tables")
        name, kind = table.get("name"), table.get("kind")
        if not isinstance(name, str) or not name or "/" in name:
            raise HomeError(f"[[device]] number {number}: 'name' must be a word, not {name!r}")
        if any(spec.name == name for spec in specs):
            raise HomeError(f"[[device]] number {number}: a second device is named {name!r}")
        if not isinstance(kind, str) or kind not in known:
            raise HomeError(f"device {name!r}: unknown kind {kind!r}; known: {', '.join(sorted(known))}")
        settings = {key: value for key, value in table.items() if key not in {"name", "kind"}}
        specs.append(Spec(name, kind, settings))
    return specs


class Home:
    """The devices of one home, switched on and off together.

    Args:
        specs: What stands in it.
        folder: Where its ports and the devices' memories are.
        clock: The simulator's time.

    Raises:
        HomeError: A device's settings do not fit its kind.
    """

    def __init__(self, specs: list[Spec], folder: Path, clock: Clock) -> None:
        self.air = Air()
        place = Place(self.air, folder, clock, {})
        known = kinds()
        try:
            self.devices: dict[str, Device] = {spec.name: known[spec.kind](spec, place) for spec in specs}
        except ValueError as error:
            raise HomeError(str(error)) from error

    def ports(self) -> dict[str, str]:
        """Return the serial ports by name, with their paths."""
        return {port[0]: str(port[1]) for device in self.devices.values() if (port := device.port)}

    async def start(self) -> None:
        """Switch every device on."""
        for device in self.devices.values():
            await device.start()

    async def stop(self) -> None:
        """Switch every device off."""
        for device in self.devices.values():
            await device.stop()

    async def do(self, device: str, action: str, arguments: Arguments) -> Mapping[str, object]:
        """Do something to a device and return what it answers.

        Raises:
            Unfit: There is no such device, it has no such action, or the arguments do not fit.
        """
        if device not in self.devices:
            raise Unfit(f"no device {device!r}; there are: {', '.join(self.devices)}")
        actions = self.devices[device].actions
        if action not in actions:
            raise Unfit(f"{device!r} cannot {action!r}; it can: {', '.join(sorted(actions))}")
        return await actions[action](arguments) or {}
