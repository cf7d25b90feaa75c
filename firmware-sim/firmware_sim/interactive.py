"""``hub-sim device``: one simulated device, by hand."""

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

from firmware_sim.ble.server import HciServer
from firmware_sim.clock import SystemClock
from firmware_sim.devices import kinds
from firmware_sim.home import Home, HomeError, specs_of
from firmware_sim.process import port_number

_DESCRIPTION = """\
Run one simulated device and do things to it by typing: press, open, dispense, …
`help` lists the words that it knows; `event event=17` gives an argument; `quit` ends."""

_ADDRESS = {"enocean": "0189A3F1", "bthome": "F0:11:22:33:44:02", "dispenser": "F0:11:22:33:44:03"}


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
    parser.add_argument("--address", help="its address; a fixed one when left out")
    parser.add_argument("--key", help="encryption key of a BTHome device, 32 hex digits")
    parser.add_argument("--hci-port", type=port_number, default=0, help="TCP port for the radio (0: any free)")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_live(given))
    except HomeError as error:
        print(f"hub-sim device: {error}", file=sys.stderr)  # noqa: T201 -- a command's answer
        return 1
    return 0


async def _live(given: argparse.Namespace) -> None:
    address = given.address or _ADDRESS[given.kind.split(".")[0]]
    table = {"name": "device", "kind": given.kind, "address": address}
    if given.key:
        table["key"] = given.key
    folder = given.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    home = Home(specs_of({"device": [table]}), folder, SystemClock())
    await home.start()
    radio = HciServer(home.air)
    places = home.ports() or {"radio": f"tcp-client:127.0.0.1:{await radio.start(given.hci_port)}"}
    for name, place in places.items():
        _say(f"{name}: {place}")
    words = ", ".join(sorted(home.devices["device"].actions))
    _say(f"words: {words}, help, quit")
    while (line := await asyncio.to_thread(_typed)) not in {None, "quit"}:
        if line == "help":
            _say(words)
        elif line:
            _say(await _answer(home, line))
    await radio.stop()
    await home.stop()


async def _answer(home: Home, line: str) -> str:
    word, *pairs = line.split()
    arguments: dict[str, object] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        arguments[key] = int(value) if value.isdigit() else value
    try:
        answer = await home.do("device", word, arguments)
    except ValueError as error:
        return str(error)
    return str(dict(answer)) if answer else "done"


def _typed() -> str | None:
    try:
        return input("> ").strip()
    except EOFError:
        return None


def _say(text: str) -> None:
    print(text)  # noqa: T201 -- this is a conversation
