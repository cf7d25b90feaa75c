"""One run of a scenario, from an empty folder to its report."""

from dataclasses import replace
from pathlib import Path

from firmware_sim.clock import Clock
from firmware_sim.scenario.act import Hands
from firmware_sim.scenario.judge import Account, judge
from firmware_sim.scenario.layout import Layout, shifted
from firmware_sim.scenario.model import Scenario
from firmware_sim.scenario.play import PRELUDE_S, Player, Screen
from firmware_sim.scenario.report import Report
from firmware_sim.scenario.store import Store
from firmware_sim.scenario.table import ScenarioError
from firmware_sim.scenario.town import Town
from firmware_sim.stage.leap import Leaps


async def run_scenario(
    scenario: Scenario, folder: Path, library: Path | None, clock: Clock, screen: Screen
) -> Report:
    """Play a scenario and judge it.

    Args:
        scenario: What to play.
        folder: For stores, logs and ports.
        library: libfaketime; ``None``: in real time, beginning as soon as everything runs.
        clock: The machine's time.
        screen: Told what goes on.

    Raises:
        ScenarioError: A site file beside the scenario cannot be moved to the present.
        ChildError: A process did not start.
        ActError: The scenario asks a device for something that it cannot do.
    """
    began_s = clock.mono_s()
    leaps = Leaps(folder, clock, library)
    shift_s = 0.0
    if library is None:
        if scenario.site is not None:
            raise ScenarioError("a scenario with a site file of its own needs libfaketime, not --real-time")
        shift_s = shifted(scenario, clock.wall_s())
        scenario = later(scenario, shift_s)
    else:
        leaps.set(scenario.from_s - PRELUDE_S)
    town = Town(folder, scenario, Layout(scenario, shift_s), leaps)
    async with town:
        player = Player(town, scenario, leaps, screen)
        try:
            await player.ready()
            await player.play()
            raised = player.store.incidents()

            async def arrived() -> bool:
                return all(account.good for account in await _accounts(town, player.hands, player.store))

            await player.wind_up(arrived)
            accounts = await _accounts(town, player.hands, player.store)
        finally:
            await player.close()
    return Report(scenario, judge(scenario.expectations, raised), accounts, clock.mono_s() - began_s, leaps.count)


def later(scenario: Scenario, shift_s: float) -> Scenario:
    """Return a scenario in which everything happens so much later."""
    return replace(
        scenario,
        from_s=scenario.from_s + shift_s,
        until_s=scenario.until_s + shift_s,
        events=tuple(event._replace(at_s=event.at_s + shift_s) for event in scenario.events),
        faults=tuple(
            fault._replace(from_s=fault.from_s + shift_s, until_s=fault.until_s + shift_s)
            for fault in scenario.faults
        ),
        expectations=tuple(
            wanted._replace(from_s=wanted.from_s + shift_s, until_s=wanted.until_s + shift_s)
            for wanted in scenario.expectations
        ),
    )


async def _accounts(town: Town, hands: Hands, store: Store) -> list[Account]:
    """Return what hubs and dispensers sent, and what of it the centre has stored."""
    found = [Account(name, hub.observed, store.stored(name), len(hub.journal)) for name, hub in town.wire.items()]
    for name, house in town.houses.items():
        stored = store.stored(name)
        found.append(Account(name, stored, stored, store.pending(name)))
        for device in house.plan.devices:
            if device.kind.startswith("dispenser."):
                state = await hands.state(name, device.id)
                records = set(range(1, int(str(state["seq"])) + 1))
                left = state["unacknowledged"]
                kept = len(records & store.stored_from(device.id))
                found.append(Account(device.id, len(records), kept, len(left) if isinstance(left, list) else 0))
    return found
