"""``hub-sim run``: plays a scenario on the whole chain and judges it."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console as Terminal

from firmware_sim.clock import SystemClock
from firmware_sim.scenario.act import ActError
from firmware_sim.scenario.layout import local
from firmware_sim.scenario.model import Scenario
from firmware_sim.scenario.read import read_scenario
from firmware_sim.scenario.report import Report
from firmware_sim.scenario.run import run_scenario
from firmware_sim.scenario.table import ScenarioError
from firmware_sim.stage import ChildError
from firmware_sim.stage.leap import faketime

SHIPPED = Path(__file__).parent / "shipped"
_DESCRIPTION = """\
Play a scenario on the whole chain, each part a process of its own: simulated devices over ptys and Bluetooth,
hub edge, MQTT broker, hub central, the phone network. At the end, what was raised is held against what the
scenario expects; the exit code is 0 only when all is as it must be.

Hours in which nothing happens are leapt over; --real-time plays them as long as they are. docs/scenarios.md tells
how a scenario is written.

shipped, to be named without a path: """
_LOG_COLUMNS = 150
_TELL_EVERY_S = 6 * 3600


def shipped() -> dict[str, Path]:
    """Return the scenarios that come with the simulators, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``run`` to the commands."""
    parser = commands.add_parser(
        "run",
        help="play a scenario and judge it",
        description=_DESCRIPTION + ", ".join(shipped()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", metavar="SCENARIO.toml", help="a file, or the name of a shipped one")
    parser.add_argument("--real-time", action="store_true", help="let every second take a second")
    parser.add_argument("--seed", type=int, help="another seed than the file's")
    parser.add_argument("--json", action="store_true", help="print the report as JSON, and nothing else")
    parser.add_argument("--dir", type=Path, help="keep stores and logs there (default: a folder that is removed)")
    parser.set_defaults(run=_run)


class _Screen:
    """Tells what goes on: lines that stay, and on a terminal the scenario's clock."""

    def __init__(self, terminal: Terminal, scenario: Scenario) -> None:
        self._terminal, self._scenario = terminal, scenario
        self._status = terminal.status("starting") if terminal.is_terminal else None
        self._told_s = scenario.from_s
        if self._status is not None:
            self._status.start()

    def say(self, at_s: float, line: str) -> None:
        self._terminal.print(f"[dim]{local(at_s, self._scenario):%a %H:%M:%S}[/] {line}", soft_wrap=True)

    def moved(self, now_s: float, leaps: int) -> None:
        if self._status is not None:
            self._status.update(f"{local(now_s, self._scenario):%a %d %b %H:%M:%S}  {leaps} leaps")
        elif now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            self.say(now_s, f"[dim]{leaps} leaps[/]")

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()


def _run(given: argparse.Namespace) -> int:
    terminal = Terminal(highlight=False, quiet=given.json)
    if not terminal.is_terminal:
        terminal = Terminal(highlight=False, width=_LOG_COLUMNS, quiet=given.json)
    library = None if given.real_time else faketime()
    if library is None and not given.real_time:
        return _fail("time is leapt over by libfaketime: apt-get install libfaketime, or use --real-time")
    try:
        scenario = read_scenario(shipped().get(given.scenario, Path(given.scenario)), given.seed)
    except ScenarioError as error:
        return _fail(str(error))
    folder = given.dir.resolve() if given.dir else Path(tempfile.mkdtemp(prefix="hub-run-"))
    try:
        report = _play(scenario, folder, library, terminal)
    except (ScenarioError, ChildError, ActError, OSError) as error:
        return _fail(f"{error}\nStores and logs are in {folder}")
    except KeyboardInterrupt:
        return 130
    if given.json:
        print(json.dumps(report.plain(), indent=2))  # noqa: T201 -- a command's answer
    _show(report, terminal)
    if report.good and not given.dir:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        terminal.print(f"Stores and logs are in {folder}")
    return 0 if report.good else 1


def _play(scenario: Scenario, folder: Path, library: Path | None, terminal: Terminal) -> Report:
    terminal.print(f"[bold]{scenario.title}[/]: {len(scenario.homes)} homes, {scenario.text}")
    folder.mkdir(parents=True, exist_ok=True)
    screen = _Screen(terminal, scenario)
    try:
        return asyncio.run(run_scenario(scenario, folder, library, SystemClock(), screen))
    finally:
        screen.close()


def _show(report: Report, terminal: Terminal) -> None:
    for table in report.tables():
        terminal.print(table)
    hours = (report.scenario.until_s - report.scenario.from_s) / 3600
    terminal.print(f"{hours:.1f} h in {report.took_s:.1f} s, {report.leaps} leaps, seed {report.scenario.seed}")
    if report.good:
        terminal.print("[bold green]All is as it must be[/]")
    for fault in report.faults:
        terminal.print(f"[bold red]{fault}[/]")


def _fail(why: str) -> int:
    print(f"hub-sim run: {why}", file=sys.stderr)  # noqa: T201 -- a command's answer
    return 1
