"""What bytes from a sniffer mean."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hub.cli.capture import Frame, frames, octets
from hub.cli.table import Command, Parser
from hub.domain.errors import MalformedError


def _decode(args: argparse.Namespace) -> int:
    if (args.hex is None) is (args.file is None):
        raise MalformedError("give either the bytes or --file; --file - reads standard input")
    given = [Frame(0, octets("HEX", args.hex))] if args.file is None else list(_read(args.file, args.driver))
    told = bad = 0
    for frame in _joined(args.driver, args.link, given):
        observations, wrong = _one(args, frame)
        told, bad = told + observations, bad + wrong
    if not told and not bad:
        print("hub: no whole frame in these bytes", file=sys.stderr)
    return 0 if told and not bad else 1


def _read(name: str, driver: str) -> Sequence[Frame]:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise MalformedError(f"--file {name}: {error.strerror}") from error
    try:
        return list(frames(content, driver))
    except MalformedError as error:
        raise MalformedError(f"--file {name}: {error}") from error


def _joined(driver: str, link: str | None, given: Sequence[Frame]) -> Sequence[Frame]:
    """Make one stream of a serial line's pieces: a frame may begin in one and end in another."""
    from drivers.registry import package  # noqa: PLC0415 - drivers bring their own libraries

    links = package(driver).MANIFEST.links
    if (link or links[0]) != "serial" or (link is None and len(links) > 1) or len(given) < 2:
        return given
    return [Frame(0, b"".join(frame.data for frame in given))]


def _one(args: argparse.Namespace, frame: Frame) -> tuple[int, int]:
    """Print what one frame means; return how many observations and faults it has."""
    from drivers.decode import decode  # noqa: PLC0415 - drivers bring their own libraries
    from drivers.registry import package  # noqa: PLC0415 - as above

    address = args.address or frame.address
    topics_only = package(args.driver).MANIFEST.links == ("topic",)
    found = decode(
        args.driver,
        frame.data,
        link=args.link,
        key=None if args.key is None else octets("--key", args.key),
        address=address if topics_only else address.upper(),
        characteristic=frame.place or args.characteristic,
        topic=args.topic or frame.place,
        profile=args.profile,
    )
    at = {"line": frame.line} if frame.line else {}
    for observation in found.observations:
        print(msgspec.json.encode(at | observation).decode())
    where = f"line {frame.line}: " if frame.line else ""
    for line in found.bad:
        print(f"hub: {where}{line}", file=sys.stderr)
    return len(found.observations), len(found.bad)


def _options(parser: Parser) -> None:
    parser.add_argument("driver", metavar="DRIVER", help="its folder's name: bthome, enocean, dispenser...")
    parser.add_argument("hex", metavar="HEX", nargs="?", help="the bytes; blanks and colons are ignored")
    parser.add_argument("--file", metavar="FILE", help="a capture, one frame a line; - is standard input")
    parser.add_argument("--link", choices=["advert", "serial", "gatt", "topic"], help="where they were heard")
    parser.add_argument("--key", metavar="HEX", help="key of an encrypted device")
    parser.add_argument("--address", default="", help="address of the device; an encrypted one needs it")
    parser.add_argument("--characteristic", metavar="UUID", help="which value it is, of a connected device")
    parser.add_argument("--topic", default="", help="of a gateway's message, below the base of its link")
    parser.add_argument("--profile", default="", help="what the driver must be told, such as F6-01-01")


COMMANDS = (
    Command(
        "decode",
        "Say what bytes from a sniffer mean: one JSON observation a line.",
        _options,
        _decode,
        "hub decode bthome 4001643a01\n"
        "hub decode dispenser 010107000000b948016b80510100000057011b00\n"
        "hub decode enocean --file capture.txt\n"
        "xxd -p /dev/ttyUSB0 | hub decode radar60 --file -\n\n"
        "A capture has one frame a line in hexadecimal digits, or is a recording of `hub devices record`; the\n"
        "lines of a serial line are read as one stream. The exit code is 1 when a frame is bad; why is said\n"
        "on standard error, with the byte and, of a capture, the line.",
    ),
)
