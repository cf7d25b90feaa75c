"""``hub-sim replay``: a fault seen in a home is a test the same day."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from firmware_sim.ble.controller import Air
from firmware_sim.ble.server import HciServer
from firmware_sim.clock import SystemClock
from firmware_sim.errors import Unfit
from firmware_sim.process import port_number, say_ready
from firmware_sim.replay.play import Player
from firmware_sim.replay.tape import Frame, Tape, read

_DESCRIPTION = """\
Play a recording of `hub devices record` (or `hub-sim record`) into another edge.

  hub-sim replay kitchen.jsonl --dir /tmp/replay --wait 10

Serial lines appear as ports in --dir, named like their links; Bluetooth devices are heard on the radio that the
first line names (point the edge at bumble:tcp-client:127.0.0.1:HCI_PORT); a gateway's messages go to --broker.
The edge needs a site with the recording's made-up addresses: --devices prints the tables for it. Frames that were
encrypted for the true address cannot be decrypted under a made-up one; they replay as what an edge without the
key hears."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``replay`` to the commands."""
    replay = commands.add_parser(
        "replay",
        help="a recording, into another edge",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    replay.add_argument("recording", type=Path, metavar="RECORDING")
    replay.add_argument("--dir", type=Path, help="folder for the serial ports; needed unless --devices")
    replay.add_argument("--devices", action="store_true", help="print links and devices for a site file, and end")
    replay.add_argument("--wait", type=float, default=5.0, metavar="S", help="before it begins; default: 5")
    replay.add_argument("--speed", type=float, default=1.0, help="times faster than it was; default: 1")
    replay.add_argument("--hci-port", type=port_number, default=0, help="TCP port for the radio (0: any free)")
    replay.add_argument("--broker", default="", metavar="HOST:PORT", help="the home's own, for gateways")
    replay.set_defaults(run=_replay)


def _replay(given: argparse.Namespace) -> int:
    try:
        tape = read(given.recording)
        if given.devices:
            print(site_tables(tape))  # noqa: T201 -- a command's answer
            return 0
        asyncio.run(_played(given, tape))
    except (Unfit, OSError) as error:
        print(f"hub-sim replay: {error}", file=sys.stderr)  # noqa: T201 -- as above
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


async def _played(given: argparse.Namespace, tape: Tape) -> None:
    if given.dir is None or given.speed <= 0:
        raise Unfit("give --dir for the ports, and a speed above 0")
    folder = given.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    air = Air()
    player, radio = Player(tape, folder, air, given.broker, SystemClock()), HciServer(air)
    await player.start()
    try:
        hci_port = await radio.start(given.hci_port)
        say_ready(hci_port=hci_port, ports=player.ports, frames=len(tape.frames), withheld=tape.withheld)
        await asyncio.sleep(given.wait)
        await player.play(given.speed, _told)
    finally:
        await radio.stop()
        await player.stop()


def _told(frame: Frame) -> None:
    said = {"at_s": round(frame.at_s, 3), "link": frame.link, "kind": frame.kind, "address": frame.address}
    print(json.dumps(said), flush=True)  # noqa: T201 -- a command's answer


def site_tables(tape: Tape) -> str:
    """Return ``[[hubs.links]]`` and ``[[devices]]`` for a site in which a recording makes sense."""
    tables: list[str] = []
    ways = {"serial": "serial", "advert": "ble", "gatt": "ble", "topic": "mqtt"}
    for link in dict.fromkeys((f.link, f.kind, f.driver) for f in tape.frames):
        name, kind, driver = link
        more = {
            "serial": f'port = "DIR/{name}"\ndriver = "{driver}"\n',
            "mqtt": f'base = "{name}"\ndriver = "{driver}"\n',
        }
        tables.append(f'[[hubs.links]]\nid = "{name}"\nkind = "{ways[kind]}"\n{more.get(ways[kind], "")}')
    devices = dict.fromkeys((f.address, f.link, f.driver) for f in tape.frames if f.address)
    for number, (address, link_id, driver) in enumerate(devices, start=1):
        tables.append(
            f'[[devices]]\nid = "replayed-{number}"\nhub = "HUB"\nlink = "{link_id}"\ndriver = "{driver}"\n'
            f'address = "{address}"\n'
        )
    return "\n".join(dict.fromkeys(tables))
