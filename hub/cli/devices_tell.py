"""What a device is told to do."""

import argparse

import msgspec

from hub.cli.table import Command, Parser, login, now, store_option
from hub.domain.errors import MalformedError
from hub.domain.observation import Scalar


def _tell(args: argparse.Namespace) -> int:
    from hub.central.commands import tell  # noqa: PLC0415 - an edge has none of the centre's libraries

    return tell.tell(
        args.device, args.command, dict(map(_pair, args.argument)), args.store, args.by or login(), now(), print
    )


def _pair(text: str) -> tuple[str, Scalar]:
    """Read ``KEY=VALUE``; the value is a number, ``true``, ``false`` or a text.

    Raises:
        MalformedError: There is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise MalformedError(f"{text!r}: write KEY=VALUE")
    try:
        return key, msgspec.json.decode(value.encode(), type=bool | int | float)
    except msgspec.DecodeError:
        return key, value


def _options(parser: Parser) -> None:
    parser.add_argument("device", metavar="DEVICE", help="its id in the site")
    parser.add_argument("command", metavar="COMMAND", help="one of its driver's; a wrong one lists them")
    parser.add_argument("argument", nargs="*", metavar="KEY=VALUE", help="where the command takes any")
    store_option(parser)
    parser.add_argument("--by", metavar="NAME", help="who asks, for the audit trail; default: your login")


COMMANDS = (
    Command(
        "devices tell",
        "Let a device do something (dispense, remind, test itself) and say what became of it.",
        _options,
        _tell,
        "hub devices tell d-1001-dispenser remind --store sqlite:////var/lib/hub/central.db\n\n"
        "A command is done at once or not at all: a hub that is away does not find it later. The exit code is 0\n"
        "when the device was told.",
    ),
)
