"""``hub-sim demo``: the whole chain on this machine, and a story played on it."""

import argparse
import asyncio
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console as Terminal

from firmware_sim.clock import SystemClock, utc
from firmware_sim.demo.follow import Follower
from firmware_sim.demo.report import judge, table
from firmware_sim.demo.scenery import PHONES, expected, scenery
from firmware_sim.demo.story import Teller, acknowledged
from firmware_sim.process import Tasks, until_stopped
from firmware_sim.stage import ChildError, Stage
from firmware_sim.stage.console import Console
from firmware_sim.stage.stage import USER

_DESCRIPTION = """\
Start the whole chain on this machine, each part a process of its own, and play a resident's evening on it:

  simulated devices → hub edge → MQTT broker → hub central → 46elks API → phones

A page shows the duty phones; type the replies there, or answer in the console. Ctrl-C ends it all.
With --once a simulated nurse replies, a table shows the times of each incident, and the exit code is 0 only if
every expected incident was raised exactly once, told to the right phone for the hour, and acknowledged."""
_ACKNOWLEDGED_WITHIN_S = 20.0
_NURSE_S = 1.5
# A file has no width of its own; the table needs this much.
_LOG_COLUMNS = 130


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``demo`` to the commands."""
    parser = commands.add_parser(
        "demo",
        help="the whole chain, with a story",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="play it once without a human, judge it, and end")
    parser.add_argument("--mosquitto", action="store_true", help="use Mosquitto instead of the broker of pip")
    parser.add_argument("--dir", type=Path, help="keep stores and logs there (default: a folder that is removed)")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    terminal = Terminal(highlight=False)
    if not terminal.is_terminal:
        terminal = Terminal(highlight=False, width=_LOG_COLUMNS)
    folder = given.dir.resolve() if given.dir else Path(tempfile.mkdtemp(prefix="hub-demo-"))
    try:
        good = asyncio.run(_play(given, folder, terminal))
    except (ChildError, OSError) as error:
        terminal.print(f"[bold red]The demo cannot start:[/] {error}")
        return 1
    except KeyboardInterrupt:
        return 0
    if given.dir is None and good:
        shutil.rmtree(folder, ignore_errors=True)
    elif not good:
        terminal.print(f"Stores and logs are kept in {folder}")
    return 0 if good else 1


async def _play(given: argparse.Namespace, folder: Path, terminal: Terminal) -> bool:
    clock = SystemClock()
    began = clock.mono_s()
    laid = scenery(utc(clock.wall_s()))
    stage = Stage(folder, home=laid.home, site=laid.site, phones=PHONES, mosquitto=given.mosquitto)
    terminal.print("Starting broker, phone network, devices, centre and edge …")

    def say(line: str) -> None:
        terminal.print(f"[dim]{utc(clock.wall_s()).astimezone():%H:%M:%S}[/] {line}", soft_wrap=True)

    async with stage:
        console = Console(stage.console)
        await console.sign_in(USER, stage.password)
        _welcome(terminal, stage, clock.mono_s() - began)
        follower = Follower(console, stage.phone_page, say)
        tasks = Tasks()
        tasks.start(follower.run(), "follower")
        try:
            if given.once:
                await stage.let_nurses_answer(_NURSE_S)
            wanted = expected(utc(clock.wall_s()))
            story = Teller(stage, laid, follower, clock, say)
            if given.once:
                await story.tell()
                await acknowledged(follower, wanted, _ACKNOWLEDGED_WITHIN_S)
                terminal.print(table(follower.stories))
                verdict = judge(follower.stories, wanted)
                for fault in verdict.faults:
                    terminal.print(f"[bold red]{fault}[/]")
                if verdict.good:
                    terminal.print(f"[bold green]{len(wanted)} incidents, each as it must be[/]")
                return verdict.good
            await _until_ended(story)
            return True
        finally:
            await tasks.stop()
            await console.close()


async def _until_ended(story: Teller) -> None:
    """Tell the story, then let everything run on until Ctrl-C."""
    stopped = asyncio.ensure_future(until_stopped())
    telling = asyncio.ensure_future(story.tell())
    await stopped
    telling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await telling


def _welcome(terminal: Terminal, stage: Stage, took_s: float) -> None:
    port = stage.world.facts["control_port"] if stage.world else ""
    terminal.print(f"[bold green]Ready[/] after {took_s:.1f} s")
    terminal.print(f"  console      {stage.console}   user [bold]{USER}[/], password [bold]{stage.password}[/]")
    terminal.print(f"  duty phones  {stage.phone_page}")
    terminal.print(f"  press a button yourself: {sys.argv[0]} do {port} pendant press")
    terminal.print("  Ctrl-C ends it\n")
