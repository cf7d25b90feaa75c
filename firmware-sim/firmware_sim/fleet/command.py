"""``hub-sim fleet``: many homes for load, straight on the wire contract."""

import argparse
import asyncio
import sys
from pathlib import Path

from firmware_sim.clock import SystemClock
from firmware_sim.fleet.homes import site
from firmware_sim.fleet.run import Fleet, said
from firmware_sim.process import port_number

_DESCRIPTION = """\
Let many homes live against a broker on this machine: a hub each, which beats, observes, sends again until it is
receipted, and keeps what is not. No devices, no radio: what is loaded is the broker and the centre.

  hub-sim fleet --homes 1000 --site fleet.toml         write the site file that the centre needs
  hub site apply fleet.toml --store …; hub central …   and start the centre with it
  hub-sim fleet --homes 1000 --port 1883 --seconds 60

Every five seconds, and in the end, one line of JSON: observed, receipted, waiting, resent, how long receipts took.
The exit code is 0 when everything that was observed was receipted. The same seed lets the same things happen."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``fleet`` to the commands."""
    parser = commands.add_parser(
        "fleet",
        help="a thousand homes, for load",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--homes", type=int, default=1000, metavar="N", help="how many; default: 1000")
    parser.add_argument("--site", type=Path, metavar="FILE", help="write the site file for them, and end")
    parser.add_argument("--port", type=port_number, default=1883, help="the broker's; default: 1883")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they live; default: 60")
    parser.add_argument("--pace", type=float, default=1.0, help="readings so many times faster than in life")
    parser.add_argument("--seed", type=int, default=0, help="what happens; default: 0")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    if not 1 <= given.homes <= 65_535 or given.seconds <= 0 or given.pace <= 0:
        print("hub-sim fleet: 1 to 65535 homes, seconds and pace above 0", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 1
    if given.site is not None:
        given.site.write_text(site(given.homes))
        return 0
    fleet = Fleet(given.homes, given.port, seed=given.seed, pace=given.pace, clock=SystemClock())
    try:
        figures = asyncio.run(fleet.run(given.seconds, lambda each: print(said(each), file=sys.stderr)))  # noqa: T201 -- as above
    except KeyboardInterrupt:
        return 130
    print(said(figures))  # noqa: T201 -- as above
    return 0 if figures["observed"] and not figures["waiting"] else 1
