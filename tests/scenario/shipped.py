"""Plays a shipped scenario, compressed, and keeps what a failure must show."""

from pathlib import Path

from firmware_sim.clock import SystemClock
from firmware_sim.scenario.command import shipped
from firmware_sim.scenario.read import read_scenario
from firmware_sim.scenario.report import Report
from firmware_sim.scenario.run import run_scenario
from firmware_sim.stage.leap import faketime

HOMES = ("quiet-night", "fall-at-0310", "every-link-fault", "installers-checklist")
TOWN = ("power-cut-street", "wifi-down-six-hours", "dispenser-bad-week")


class Listener:
    """Keeps every line; pytest shows them with a failure."""

    def say(self, at_s: float, line: str) -> None:
        print(f"{at_s:.0f} {line}")  # noqa: T201 - pytest shows it with a failure

    def moved(self, now_s: float, leaps: int) -> None:
        del now_s, leaps


async def play(name: str, folder: Path) -> Report:
    """Play a shipped scenario."""
    library = faketime()
    assert library is not None, "apt-get install libfaketime"
    return await run_scenario(read_scenario(shipped()[name]), folder, library, SystemClock(), Listener())
