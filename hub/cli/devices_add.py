"""A device into the site file."""

import argparse
from pathlib import Path

from hub.cli.table import Command, Parser, now

_OPTIONS = {
    "hub": "the hub that hears it",
    "link": "the hub's link on which it is heard",
    "driver": "its folder's name: bthome, enocean, dispenser...; a label may say it",
    "address": "as its driver writes it; a label may say it",
    "key": "hexadecimal key of an encrypted device; a label may say it",
    "profile": "where the driver has several, such as F6-01-01",
    "resident": "whose it is: a pseudonym of the site",
    "room": "where it is, one word for the text",
    "night": "local hours such as 22:00-06:00 in which its opened door or left bed is an incident",
    "id": "what it is called; default: resident and driver",
}
_NEEDED = {"hub", "link", "resident", "room"}


def _add(args: argparse.Namespace) -> int:
    from hub.central.commands.devices_add import add  # noqa: PLC0415 - an edge has none of the centre's libraries

    given = {name: getattr(args, name) for name in _OPTIONS}
    return add(args.site, given, args.qr, now().utc.astimezone().date(), print)


def _options(parser: Parser) -> None:
    parser.add_argument("site", type=Path, metavar="SITE.toml")
    for name, text in _OPTIONS.items():
        parser.add_argument(f"--{name}", required=name in _NEEDED, metavar=name.upper(), help=text)
    parser.add_argument("--qr", metavar="TEXT", help="what the QR code on the device says")


COMMANDS = (
    Command(
        "devices add",
        "Assign a device to a resident and a room in the site file, by hand or from its label.",
        _options,
        _add,
        "hub devices add site.toml --hub h-0001 --link radio --resident r-1001 --room stue \\\n"
        "    --profile F6-01-01 --qr 30S0000FEFEAE38+1P000C00000002\n"
        "hub devices add site.toml --hub h-0001 --link ble --resident r-1001 --room bad --driver bthome \\\n"
        "    --address A4:C1:38:00:10:09 --key 00112233445566778899AABBCCDDEEFF\n\n"
        "The whole file is checked as by `hub check`; with an error it is left as it was, and the exit code is 1.",
    ),
)
