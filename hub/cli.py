"""The command ``hub``: a table of commands, each in a module of its own that is imported when it is called."""

import argparse
import datetime as dt
import getpass
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

from hub.domain.clock import Now, SystemClock
from hub.domain.errors import HubError, MalformedError

_STORE = "sqlite:///central.db"
_Parser = argparse.ArgumentParser
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Command(NamedTuple):
    """One row of the table.

    Attributes:
        words: What is typed after ``hub``.
        title: One sentence.
        options: Adds its arguments.
        run: Does it, and returns the exit code.
        examples: Shown at the end of its help.
    """

    words: str
    title: str
    options: Callable[[_Parser], object]
    run: Callable[[argparse.Namespace], int]
    examples: str


def _edge(args: argparse.Namespace) -> int:
    from hub.edge.app import main as run  # noqa: PLC0415 - a centre has none of the edge's libraries

    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT)
    return run(str(args.settings))


def _central(args: argparse.Namespace) -> int:
    from hub.central.app import main as run  # noqa: PLC0415 - an edge has none of the centre's libraries

    run(args.settings)
    return 0


def _check(args: argparse.Namespace) -> int:
    from hub.central.commands.check import check  # noqa: PLC0415 - as above

    return check(args.site, args.since or _now().utc.astimezone().date(), print)


def _decode(args: argparse.Namespace) -> int:
    from drivers.decode import decode  # noqa: PLC0415 - drivers bring their own libraries

    found = decode(
        args.driver,
        _bytes("HEX", args.hex),
        link=args.link,
        key=None if args.key is None else _bytes("--key", args.key),
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


def _site_apply(args: argparse.Namespace) -> int:
    from hub.central.commands import site  # noqa: PLC0415 - as above

    return site.apply_file(args.site, args.store, site.checked_by(args.by or _login()), _now(), print)


def _site_export(args: argparse.Namespace) -> int:
    from hub.central.commands.site import export_site  # noqa: PLC0415 - as above

    return export_site(args.store, print)


def _user_add(args: argparse.Namespace) -> int:
    from hub.central.commands import user  # noqa: PLC0415 - as above

    password = user.asked_password(from_stdin=args.password_stdin)
    return user.add(args.name, args.store, password, _now(), print)


def _user_password(args: argparse.Namespace) -> int:
    from hub.central.commands import user  # noqa: PLC0415 - as above

    password = user.asked_password(from_stdin=args.password_stdin)
    return user.change_password(args.name, args.store, password, _now(), print)


def _bench(args: argparse.Namespace) -> int:
    from hub.bench import command  # noqa: PLC0415 - as above

    return command.run(tuple(args.only or command.NAMES), quick=args.quick, say=print)


def _settings_option(parser: _Parser) -> None:
    parser.add_argument("--settings", type=Path, required=True, metavar="FILE", help="its TOML settings")


def _store_option(parser: _Parser) -> None:
    parser.add_argument(
        "--store",
        default=os.environ.get("HUB_STORE", _STORE),
        metavar="URL",
        help=f"the centre's store; default: environment variable HUB_STORE, else {_STORE} in this folder",
    )


def _check_options(parser: _Parser) -> None:
    parser.add_argument("site", type=Path, metavar="SITE.toml")
    parser.add_argument(
        "--from",
        dest="since",
        type=_date,
        metavar="DATE",
        help="check the rota for a year from here (2026-11-23); default: today",
    )


def _decode_options(parser: _Parser) -> None:
    parser.add_argument("driver", metavar="DRIVER", help="its folder's name: bthome, enocean, dispenser...")
    parser.add_argument("hex", metavar="HEX", help="the bytes; blanks and colons between them are ignored")
    parser.add_argument("--link", choices=["advert", "serial", "gatt"], help="where they were heard")
    parser.add_argument("--key", metavar="HEX", help="key of an encrypted device")
    parser.add_argument("--address", default="", help="address of the device; an encrypted one needs it")
    parser.add_argument("--characteristic", metavar="UUID", help="which value it is, of a connected device")
    parser.add_argument("--profile", default="", help="what the driver must be told, such as F6-01-01")


def _apply_options(parser: _Parser) -> None:
    parser.add_argument("site", type=Path, metavar="SITE.toml")
    _store_option(parser)
    parser.add_argument("--by", metavar="NAME", help="who applies it, for the audit trail; default: your login")


def _user_options(parser: _Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="small letters, digits and hyphens")
    _store_option(parser)
    parser.add_argument("--password-stdin", action="store_true", help="read it from standard input, one line")


def _bench_options(parser: _Parser) -> None:
    parser.add_argument("--quick", action="store_true", help="smaller amounts: some minutes less, rougher figures")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this measurement; may be repeated")


COMMANDS = (
    Command(
        "edge",
        "Run the box in a home: read devices, journal, send to the centre.",
        _settings_option,
        _edge,
        "hub edge --settings /etc/hub/edge.toml",
    ),
    Command(
        "central",
        "Run the centre: store, decide, escalate, notify, serve the console.",
        _settings_option,
        _central,
        "hub central --settings /etc/hub/central.toml",
    ),
    Command(
        "check",
        "Find what is wrong with a site file: gaps in the rota, empty steps, devices that do not fit.",
        _check_options,
        _check,
        "hub check sites/example.toml\nhub check sites/example.toml --from 2027-01-01\n\n"
        "Each finding is one line; the exit code is 1 when one of them is an error.",
    ),
    Command(
        "decode",
        "Say what bytes from a sniffer mean: one JSON observation a line.",
        _decode_options,
        _decode,
        "hub decode bthome 4001643a01\n"
        "hub decode dispenser 010107000000b948016b80510100000057011b00\n\n"
        "The exit code is 1 when a frame is bad; why is said on standard error.",
    ),
    Command(
        "site apply",
        "Check a site file and make it hold; a running centre takes it up at once.",
        _apply_options,
        _site_apply,
        "hub site apply sites/example.toml --store sqlite:////var/lib/hub/central.db --by ward-office",
    ),
    Command(
        "site export",
        "Print the site file that was applied last.",
        _store_option,
        _site_export,
        "hub site export --store sqlite:////var/lib/hub/central.db > site.toml",
    ),
    Command(
        "user add",
        "Add an account for the console; the password is asked for twice.",
        _user_options,
        _user_add,
        "hub user add night-shift\nhub user add night-shift --password-stdin < password-file",
    ),
    Command(
        "user password",
        "Give an account another password; its sessions end.",
        _user_options,
        _user_password,
        "hub user password night-shift",
    ),
    Command(
        "bench",
        "Measure the whole chain on this machine, with Mosquitto; figures as JSON.",
        _bench_options,
        _bench,
        "hub bench > figures.json\nhub bench --quick --only line_to_provider_ms\n\n"
        "Measurements: journal, line_to_provider_ms, sustained_per_s, backlog, backlog_of_edge, edge.",
    ),
)
_GROUPS = {"site": "Apply and export the site file.", "user": "Accounts of the console."}


def parser() -> _Parser:
    """Return the parser of the whole table."""
    top = _Parser(
        prog="hub",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Hub for welfare technology: from the device in a home to the phone on call.\n\n" + _listing(),
        epilog="`hub COMMAND --help` explains one of them, with examples.",
    )
    top.add_argument("--version", action="version", version=f"hub {version('welfare-hub')}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    groups: dict[str, argparse._SubParsersAction[_Parser]] = {}
    for command in COMMANDS:
        group, _, word = command.words.rpartition(" ")
        if group and group not in groups:
            parent = commands.add_parser(
                group,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                description=f"{_GROUPS[group]}\n\n{_listing(group)}",
            )
            groups[group] = parent.add_subparsers(metavar="COMMAND", required=True)
        own = (groups[group] if group else commands).add_parser(
            word,
            description=command.title,
            epilog=f"examples:\n{_indent(command.examples)}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.options(own)
        own.set_defaults(run=command.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; whatever has a name in the tree of errors becomes one clear line."""
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()  # here, where a reader that has gone is no surprise
    except HubError as error:
        for line in str(error).splitlines():
            print(f"hub: {line}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in {"hub", "drivers", "rules"}:
            raise
        side = "edge" if args.run is _edge else "central"
        print(f"hub: {error.name} is not installed: pip install 'welfare-hub[{side}]'", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our lines has gone (`| head`); Python must not complain when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _listing(group: str = "") -> str:
    rows = [command for command in COMMANDS if command.words.startswith(group)]
    return "\n".join(f"  hub {row.words:<12} {row.title}" for row in rows)


def _now() -> Now:
    return SystemClock().now()


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _date(text: str) -> dt.date:
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        date = dt.date.min
    if not 2000 <= date.year < 2200:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of our time; write it as 2026-11-23")
    return date


def _bytes(what: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text.replace(":", " ").removeprefix("0x"))
    except ValueError as error:
        raise MalformedError(f"{what}: write hexadecimal digits, two for each byte") from error


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
