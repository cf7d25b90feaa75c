"""The chain of a scenario: one centre, and as many homes as there are."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

from firmware_sim.control import Control
from firmware_sim.scenario.layout import Layout
from firmware_sim.scenario.model import HomePlan, Scenario
from firmware_sim.scenario.pipe import Pipe
from firmware_sim.stage.child import Child
from firmware_sim.stage.leap import Leaps
from firmware_sim.stage.stage import Conditions, Stage
from firmware_sim.wirehub import WireHub

#: What a site says when it says nothing (docs/site-file.md).
HUB_SILENT_S, ALIVE_S = 90.0, 30.0
#: How much of that time a leap takes at most: the hub is heard right after it.
_LEAP = 0.75
#: An edge that hears no Bluetooth at all for this long takes its radio for broken.
RADIO_SILENT_S = 90.0
#: A leap must not look like a dead line: the hubs' own rule waits for 1.8 keep-alives.
_KEEPALIVES_A_LEAP = 4
_EDGE = """\
hub_id = "{hub}"
data_dir = "{data}"

[mqtt]
{broker}

[ble]
backend = "{ble}"
"""


class House:
    """A home with an edge: its devices, its hub, its line to the broker."""

    def __init__(self, plan: HomePlan, folder: Path, world: Child, edge: Child, pipe: Pipe) -> None:
        self.plan = plan
        self.ports = folder / f"{plan.id}-home"
        self.world, self.edge, self.pipe = world, edge, pipe
        self._control: Control | None = None

    async def control(self) -> Control:
        """Return the line by which things are made to happen in it."""
        if self._control is None:
            self._control = await Control(int(str(self.world.facts["control_port"]))).__aenter__()
        return self._control

    async def leave(self) -> None:
        """Let go of that line."""
        if self._control is not None:
            await self._control.__aexit__(None, None, None)


class Town(Stage):
    """All processes of a scenario.

    Args:
        folder: Where everything is kept.
        scenario: What is played.
        layout: Its files.
        leaps: Its time.

    Attributes:
        houses: The homes with an edge, by hub.
        wire: The hubs without one.
        alive_s: How often a hub gives a sign of life.
        leap_s: How far time may leap at most without a hub seeming silent.
    """

    def __init__(self, folder: Path, scenario: Scenario, layout: Layout, leaps: Leaps) -> None:
        silent_s = scenario.supervision.get("hub_silent_s", HUB_SILENT_S)
        radio = any(_only_advertises(plan) for plan in scenario.homes if not plan.wire)
        self.leap_s = min(silent_s, RADIO_SILENT_S if radio else silent_s) * _LEAP
        super().__init__(
            folder,
            home="",
            site="",
            phones={number: name for name, number in scenario.phones.items()},
            mosquitto=bool(shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")),
            conditions=Conditions(
                environment=leaps.environment(),
                launcher=leaps.launcher,
                keepalive_s=int(self.leap_s * _KEEPALIVES_A_LEAP) if leaps.launcher else 0,
            ),
        )
        settings = folder / "mosquitto" / "mosquitto.conf"
        if settings.exists():
            with settings.open("a") as lines:
                lines.write(
                    "user root\n"
                )  # started by root, it would change to an account that may not write here
        self.alive_s = scenario.supervision.get("alive_s", ALIVE_S)
        self._layout, self._leaps = layout, leaps
        self.houses = {plan.id: self._house(plan) for plan in scenario.homes if not plan.wire}
        self.wire = {
            plan.id: WireHub(plan.id, self.broker_port, seed=scenario.seed, alive_s=self.alive_s)
            for plan in scenario.homes
            if plan.wire
        }
        self._site = layout.site({name: str(house.ports) for name, house in self.houses.items()})

    def leaping(self) -> Iterator[int]:
        """Yield the processes whose time leaps."""
        for child in (self.centre, self.phone, *self._homes()):
            if child.running:
                yield child.pid

    def watched(self) -> Iterator[int]:
        """Yield the processes that are waited for."""
        yield from self.leaping()
        if self.broker.running:
            yield self.broker.pid

    def _homes(self) -> Iterator[Child]:
        for house in self.houses.values():
            yield from (house.world, house.edge)

    def _house(self, plan: HomePlan) -> House:
        home = self.folder / f"{plan.id}.home.toml"
        home.write_text(self._layout.home(plan))
        settings = str(self.folder / f"{plan.id}.toml")
        ports = str(self.folder / f"{plan.id}-home")
        world = self._child(f"{plan.id}-world", "hub-sim", "world", str(home), "--dir", ports, says_ready=True)
        edge = self._child(f"{plan.id}-edge", "hub", "edge", "--settings", settings)
        edge.environment = dict(self._leaps.environment(plan.id))
        return House(plan, self.folder, world, edge, Pipe(self.broker_port))

    async def _start(self) -> None:
        houses = self.houses.values()
        prepared = asyncio.to_thread(self._prepare_centre)
        await asyncio.gather(
            self.broker.start(), self.phone.start(), prepared, *(house.world.start() for house in houses)
        )
        for house in houses:
            await house.pipe.start()
            self._settle_in(house)
            await house.edge.start()
        await self.centre.start()
        await asyncio.gather(asyncio.to_thread(self._make_user), self.until_ready())

    def _settle_in(self, house: House) -> None:
        radio = f"bumble:tcp-client:127.0.0.1:{house.world.facts['hci_port']}"
        ble = radio if _on_the_air(house.plan) else "none"
        broker = self.broker_lines(house.pipe.port)
        (self.folder / f"{house.plan.id}.toml").write_text(
            _EDGE.format(hub=house.plan.id, data=self.folder / f"{house.plan.id}-edge", broker=broker, ble=ble)
        )

    async def _stop(self) -> None:
        for hub in self.wire.values():
            hub.stop()
        for house in self.houses.values():
            await house.leave()
        edges = [house.edge for house in self.houses.values()]
        await asyncio.gather(*(edge.stop() for edge in edges), self.centre.stop())
        await asyncio.gather(*(house.world.stop() for house in self.houses.values()), self.phone.stop())
        for house in self.houses.values():
            await house.pipe.stop()
        await self.broker.stop()


def _on_the_air(plan: HomePlan) -> bool:
    """Tell whether a home has devices that speak Bluetooth."""
    by_kind = any(device.kind.startswith(("bthome.", "dispenser.ble")) for device in plan.devices)
    return by_kind or any(device.site.get("link") == "ble" for device in plan.devices)


def _only_advertises(plan: HomePlan) -> bool:
    """Tell whether a home's radio hears nothing but adverts: one that is connected to a device is not deaf."""
    kinds = [device.kind for device in plan.devices]
    return any(kind.startswith("bthome.") for kind in kinds) and "dispenser.ble" not in kinds
