"""``hub-sim world``: the devices of one home, in one process."""

import argparse
import asyncio
import sys
from pathlib import Path

from firmware_sim.ble.server import HciServer
from firmware_sim.clock import SystemClock
from firmware_sim.control import ControlServer
from firmware_sim.home import Home, HomeError, read_home
from firmware_sim.process import port_number, say_ready, until_stopped

_DESCRIPTION = """\
Run every simulated device of one home until Ctrl-C or SIGTERM.

HOME.toml lists the devices:

    [[device]]
    name = "pendant"
    kind = "enocean.pendant"     # `hub-sim device --help` lists all kinds
    port = "enocean"
    address = "0189A3F1"

    [[device]]
    name = "button"
    kind = "bthome.button"
    address = "F0:11:22:33:44:02"
    key = "231d39c1d7cc1ab1aee224cd096db932"     # leave out for a plain button

When all is up, one line of JSON says where: {"ready": true, "hci_port": …, "control_port": …, "ports": {…}}.
Serial ports appear as links in --dir. For Bluetooth, point the hub at tcp-client:127.0.0.1:HCI_PORT.
On the control port, one JSON object a line makes things happen:
    {"do": "press", "device": "pendant"}
An unknown word is answered with the words that the device knows."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``world`` to the commands."""
    parser = commands.add_parser(
        "world",
        help="the devices of one home",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("home", type=Path, metavar="HOME.toml", help="the devices")
    parser.add_argument("--dir", type=Path, required=True, help="folder for ports and devices' memories")
    parser.add_argument("--hci-port", type=port_number, default=0, help="TCP port for the radio (0: any free)")
    parser.add_argument("--control-port", type=port_number, default=0, help="TCP port for control (0: any free)")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    try:
        asyncio.run(_live(given))
    except HomeError as error:
        print(f"hub-sim world: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 1
    return 0


async def _live(given: argparse.Namespace) -> None:
    specs = read_home(given.home)
    folder = given.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    home = Home(specs, folder, SystemClock())
    radio, control = HciServer(home.air), ControlServer(home)
    await home.start()
    hci_port = await radio.start(given.hci_port)
    control_port = await control.start(given.control_port)
    say_ready(hci_port=hci_port, control_port=control_port, ports=home.ports())
    await until_stopped()
    await control.stop()
    await radio.stop()
    await home.stop()
