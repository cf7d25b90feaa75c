"""``hub-sim device``: one simulated device, by hand."""

import argparse
import asyncio
import sys
from pathlib import Path

from firmware_sim.ble.server import HciServer
from firmware_sim.clock import SystemClock
from firmware_sim.devices import kinds
from firmware_sim.handheld.conversation import DEVICE, talk
from firmware_sim.home import Home, HomeError, specs_of
from firmware_sim.process import port_number
from firmware_sim.typed import value

_DESCRIPTION = """\
Hold one simulated device in your hands: each thing that can happen to it is a button on the screen, from a
press to a flat battery, a brown-out in the middle of a frame or firmware that sends garbage.

  hub-sim device enocean.pendant --dir /tmp/device
  hub-sim device bthome.button --dir /tmp/device --set key=231d39c1d7cc1ab1aee224cd096db932
  hub-sim device dispenser.ble --dir /tmp/device --hci-port 6402

Point the hub at the port or the radio that the first lines name. Where the output is no terminal, words are read
from standard input instead, one a line: `press`, `event code=17`, `help`, `quit`."""

_TEXTS = {"address", "key"}
#: Addresses for families that need one, when none is set.
_ADDRESS = {
    "enocean": "0189A3F1",
    "bthome": "F0:11:22:33:44:02",
    "dispenser": "F0:11:22:33:44:03",
    "health": "F0:11:22:33:44:04",
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``device`` to the commands."""
    parser = commands.add_parser(
        "device",
        help="one device, by hand",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", metavar="KIND", choices=sorted(kinds()), help=", ".join(sorted(kinds())))
    parser.add_argument("--dir", type=Path, required=True, help="folder for its port and memory")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting, as in a home file; may be repeated",
    )
    parser.add_argument("--hci-port", type=port_number, default=0, help="TCP port for the radio (0: any free)")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    try:
        asyncio.run(_live(given))
    except (HomeError, OSError) as error:
        print(f"hub-sim device: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


async def _live(given: argparse.Namespace) -> None:
    folder = given.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    home = Home(specs_of({"device": [_table(given.kind, given.set)]}), folder, SystemClock())
    radio = HciServer(home.air)
    await home.start()
    try:
        places = home.ports() or {"radio": f"bumble:tcp-client:127.0.0.1:{await radio.start(given.hci_port)}"}
        if sys.stdout.isatty() and sys.stdin.isatty():
            # Slow to import, and of no use to a script.
            from firmware_sim.handheld.screen import Handheld  # noqa: PLC0415

            await Handheld(home, given.kind, places).run_async()
        else:
            await talk(home, places)
    finally:
        await radio.stop()
        await home.stop()


def _table(kind: str, settings: list[str]) -> dict[str, object]:
    """Make the device's ``[[device]]`` table.

    Raises:
        HomeError: A setting is not written as ``KEY=VALUE``.
    """
    table: dict[str, object] = {"name": DEVICE, "kind": kind}
    family = kind.partition(".")[0]
    if family in _ADDRESS:
        table["address"] = _ADDRESS[family]
    for text in settings:
        key, equals, written = text.partition("=")
        if not equals:
            raise HomeError(f"--set {text!r}: write KEY=VALUE")
        table[key] = value_of(key, written)
    return table


def value_of(key: str, text: str) -> object:
    """Read a setting: JSON where it is a number, true or false, else a text. Some texts are all digits."""
    read = text if key in _TEXTS else value(text)
    return read if isinstance(read, bool | int | float) else text
