"""Plays a recording: serial lines as ports, Bluetooth as radios, gateways through a broker."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from firmware_sim.ble.controller import Air
from firmware_sim.clock import Clock
from firmware_sim.errors import Unfit
from firmware_sim.mqtt import Will
from firmware_sim.port import Port
from firmware_sim.process import Tasks
from firmware_sim.publisher import Publisher
from firmware_sim.replay.radio import Connected, Sender
from firmware_sim.replay.tape import Frame, Tape


class Player:
    """One recording, ready to be played.

    Args:
        tape: What to play.
        folder: Where the serial ports appear, one for each link.
        air: Where its radios are heard.
        broker: ``HOST:PORT`` of the home's own broker, for recorded gateways; empty: there is none.
        clock: The simulator's time.

    Raises:
        Unfit: The recording has a gateway's messages, and there is no broker; or an address cannot be played.
    """

    def __init__(self, tape: Tape, folder: Path, air: Air, broker: str, clock: Clock) -> None:
        self._frames = tape.frames
        self._clock = clock
        self._tasks = Tasks()
        self._ports = {
            link: Port(folder / link, lambda _data: None) for link in _unique(tape, "serial", lambda f: f.link)
        }
        self._senders = {a: Sender(air, a) for a in _unique(tape, "advert", lambda f: f.address)}
        self._connected = {
            a: Connected(air, a, [f for f in tape.frames if f.kind == "gatt" and f.address == a])
            for a in _unique(tape, "gatt", lambda f: f.address)
        }
        self._gateways: dict[str, Publisher] = {}
        for link in _unique(tape, "topic", lambda f: f.link):
            if not broker:
                raise Unfit(f"link {link!r} was a gateway: give the home's own broker with --broker HOST:PORT")
            will = Will(f"replay/{link}", b"", retain=False)
            self._gateways[link] = Publisher(broker, f"replay-{link}", lambda: None, will)

    @property
    def _devices(self) -> list[Sender | Connected]:
        return [*self._senders.values(), *self._connected.values()]

    @property
    def ports(self) -> dict[str, str]:
        """The serial ports by the name of their link."""
        return {link: str(port.path) for link, port in self._ports.items()}

    async def start(self) -> None:
        """Let everything be there, silent."""
        for port in self._ports.values():
            port.appear()
        for device in self._devices:
            await device.start()
        for gateway in self._gateways.values():
            gateway.start()

    async def play(self, speed: float, told: Callable[[Frame], None]) -> None:
        """Play from the first frame to the last.

        Args:
            speed: How many times faster than it was recorded.
            told: Called with each frame when it goes out.
        """
        began = self._clock.mono_s()
        queues: dict[str, asyncio.Queue[Frame]] = {}
        for frame in self._frames:
            await asyncio.sleep(max(0.0, frame.at_s / speed - (self._clock.mono_s() - began)))
            if frame.kind in ("advert", "gatt"):
                queue = queues.get(frame.address)
                if queue is None:
                    queue = queues[frame.address] = asyncio.Queue()
                    self._tasks.start(self._radio(frame, queue, told), f"replay {frame.address}")
                queue.put_nowait(frame)
                continue
            self._wired(frame)
            told(frame)
        for queue in queues.values():
            await queue.join()

    def _wired(self, frame: Frame) -> None:
        if frame.kind == "serial":
            self._ports[frame.link].write(frame.data)
        else:
            self._gateways[frame.link].publish_surely(f"{frame.link}/{frame.place}", frame.data, retain=False)

    async def _radio(self, first: Frame, queue: "asyncio.Queue[Frame]", told: Callable[[Frame], None]) -> None:
        """Play one device's frames one after the other: one burst, one link at a time."""
        device = (self._senders if first.kind == "advert" else self._connected)[first.address]
        while True:
            frame = await queue.get()
            await device.play(frame)
            told(frame)
            queue.task_done()

    async def stop(self) -> None:
        """Let it all be gone."""
        await self._tasks.stop()
        for port in self._ports.values():
            port.vanish()
        for device in self._devices:
            await device.stop()
        for gateway in self._gateways.values():
            await gateway.stop()


def _unique(tape: Tape, kind: str, name: Callable[[Frame], str]) -> list[str]:
    return list(dict.fromkeys(name(frame) for frame in tape.frames if frame.kind == kind))
