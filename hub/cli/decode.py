"""What bytes from a sniffer mean."""

import argparse
import sys

import msgspec

from hub.cli.table import Command, Parser, octets


def _decode(args: argparse.Namespace) -> int:
    from drivers.decode import decode  # noqa: PLC0415 - drivers bring their own libraries

    found = decode(
        args.driver,
        octets("HEX", args.hex),
        link=args.link,
        key=None if args.key is None else octets("--key", args.key),
        address=args.address.upper(),
        characteristic=args.characteristic,
        profile=args.profile,
    )
    for observation in found.observations:
        print(msgspec.json.encode(observation).decode())
    for line in found.bad:
        print(f"hub: {line}", file=sys.stderr)
    if not found.observations and not found.bad:
        print("hub: no whole frame in these bytes", file=sys.stderr)
    return 0 if found.observations and not found.bad else 1


def _decode_options(parser: Parser) -> None:
    parser.add_argument("driver", metavar="DRIVER", help="its folder's name: bthome, enocean, dispenser...")
    parser.add_argument("hex", metavar="HEX", help="the bytes; blanks and colons between them are ignored")
    parser.add_argument("--link", choices=["advert", "serial", "gatt"], help="where they were heard")
    parser.add_argument("--key", metavar="HEX", help="key of an encrypted device")
    parser.add_argument("--address", default="", help="address of the device; an encrypted one needs it")
    parser.add_argument("--characteristic", metavar="UUID", help="which value it is, of a connected device")
    parser.add_argument("--profile", default="", help="what the driver must be told, such as F6-01-01")


COMMANDS = (
    Command(
        "decode",
        "Say what bytes from a sniffer mean: one JSON observation a line.",
        _decode_options,
        _decode,
        "hub decode bthome 4001643a01\n"
        "hub decode dispenser 010107000000b948016b80510100000057011b00\n\n"
        "The exit code is 1 when a frame is bad; why is said on standard error.",
    ),
)
