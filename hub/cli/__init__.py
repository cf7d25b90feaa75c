"""The command ``hub``: a table of commands; what each needs is imported when it is called."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from hub.cli import (
    audit,
    bench,
    decode,
    devices_add,
    devices_scan,
    devices_tell,
    devices_test,
    maintenance,
    push,
    report,
    rota,
    run,
    site,
)
from hub.cli.table import Parser
from hub.domain.errors import HubError

COMMANDS = (
    *run.COMMANDS,
    *site.COMMANDS,
    *rota.COMMANDS,
    *report.COMMANDS,
    *audit.COMMANDS,
    *decode.COMMANDS,
    *devices_add.COMMANDS,
    *devices_scan.COMMANDS,
    *devices_test.COMMANDS,
    *devices_tell.COMMANDS,
    *maintenance.COMMANDS,
    *push.COMMANDS,
    *bench.COMMANDS,
)
_GROUPS = {
    "site": "Apply and export the site file.",
    "rota": "Who is on call and why.",
    "report": "What became of the alarms.",
    "audit": "The audit trail: who did and who saw what.",
    "user": "Accounts of the console.",
    "push": "Push to browsers.",
    "maintenance": "Faults that are expected for a while.",
    "devices": "Find, assign, test and command the devices of a home.",
}


def parser() -> Parser:
    """Return the parser of the whole table."""
    top = Parser(
        prog="hub",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Hub for welfare technology: from the device in a home to the phone on call.\n\n" + _listing(),
        epilog="`hub COMMAND --help` explains one of them, with examples.",
    )
    top.add_argument("--version", action="version", version=f"hub {version('welfare-hub')}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    groups: dict[str, argparse._SubParsersAction[Parser]] = {}
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
        side = "edge" if args.run is run.edge else "central"
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
    return "\n".join(f"  hub {row.words:<14} {row.title}" for row in rows)


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())
