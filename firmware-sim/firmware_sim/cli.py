"""``hub-sim``: simulated devices, phone network and broker."""

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

_DESCRIPTION = """\
Everything around a hub, simulated: devices, the phone network, a broker.

  hub-sim demo                         the whole chain on this machine, with a story
  hub-sim run SCENARIO.toml            days in many homes, played in minutes and judged
  hub-sim world HOME.toml --dir DIR    the devices of a home, in one process
  hub-sim device KIND --dir DIR        one device, by hand
  hub-sim do PORT DEVICE ACTION        make something happen in a running home
  hub-sim record SOCKET FILE           raw frames of a live edge, under made-up addresses
  hub-sim replay RECORDING --dir DIR   and into another edge
  hub-sim fleet --homes 1000           many homes, for load
  hub-sim phone --user U --password P  a text message service with phones to look at
  hub-sim broker                       an MQTT 5 broker

Each prints one line of JSON when it is ready. `hub-sim COMMAND --help` tells more."""

#: Command: the module whose ``add_parser`` adds it, setting ``run(given) -> exit code``; one line of help.
#: Only the module of the command given is imported: a broker need not wait for Bluetooth.
_COMMANDS = {
    "world": ("firmware_sim.world", "the devices of one home"),
    "device": ("firmware_sim.handheld.command", "one device, by hand"),
    "phone": ("firmware_sim.phone.command", "the phone network"),
    "broker": ("firmware_sim.broker", "an MQTT 5 broker"),
    "do": ("firmware_sim.do", "press, open, dispense… in a running home"),
    "run": ("firmware_sim.scenario.command", "play a scenario and judge it"),
    "record": ("firmware_sim.replay.record", "raw frames of a live edge"),
    "replay": ("firmware_sim.replay.command", "a recording, into another edge"),
    "fleet": ("firmware_sim.fleet.command", "a thousand homes, for load"),
    "demo": ("firmware_sim.demo.command", "the whole chain, with a story"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        prog="hub-sim", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--verbose", action="store_true", help="tell more on standard error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, line) in _COMMANDS.items():
        if name in arguments:
            importlib.import_module(module).add_parser(commands)
        else:
            commands.add_parser(name, help=line)
    given = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if given.verbose else logging.WARNING,
        format="%(name)s: %(message)s",
        stream=sys.stderr,
    )
    code: int = given.run(given)
    return code


if __name__ == "__main__":
    sys.exit(main())
