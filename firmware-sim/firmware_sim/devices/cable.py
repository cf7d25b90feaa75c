"""What every simulated device on a serial line has: a cable that can be pulled out, and faults on it."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from firmware_sim.devices.base import Action, Arguments, faults_of
from firmware_sim.faults import Faults
from firmware_sim.port import Port
from firmware_sim.process import Tasks


class Cable:
    """A serial line, as the device at its end has it.

    Args:
        name: The port's name.
        path: The port's path.
        received: Told each piece of bytes that the other side wrote; ``None``: the device is deaf.

    Attributes:
        port: The port's name and path.
        faults: What befalls what is sent.
        tasks: What goes on until the device is switched off.
        actions: What can be done to any such device.
    """

    def __init__(self, name: str, path: Path, received: Callable[[bytes], None] | None = None) -> None:
        self._port = Port(path, received or (lambda _data: None))
        self.port = (name, path)
        self.faults = Faults()
        self.tasks = Tasks()
        self.actions: Mapping[str, Action] = {
            "vanish": self._vanish,
            "return": self._return,
            "fault": self._fault,
        }

    @property
    def plugged_in(self) -> bool:
        """Whether the port is there."""
        return self._port.present

    def plug_in(self) -> None:
        """Put it in; does nothing when it is."""
        self._port.appear()

    def pull_out(self) -> None:
        """Pull it out; the device goes on."""
        self._port.vanish()

    async def stop(self) -> None:
        """Switch the device off."""
        await self.tasks.stop()
        self._port.vanish()

    def send(self, frame: bytes) -> None:
        """Send a frame through the faults of the line."""
        for sending in self.faults.apply(frame):
            if sending.after_s:
                self.tasks.start(self._later(sending.after_s, sending.frame), "late frame")
            else:
                self._port.write(sending.frame)

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._port.write(data)

    async def _later(self, after_s: float, frame: bytes) -> None:
        await asyncio.sleep(after_s)
        self._port.write(frame)

    async def _vanish(self, _arguments: Arguments) -> None:
        self.pull_out()

    async def _return(self, _arguments: Arguments) -> None:
        self.plug_in()

    async def _fault(self, arguments: Arguments) -> None:
        self.faults = faults_of(arguments)
