"""The rota: who has a role and why, and lists of shifts into the site file."""

import argparse
import datetime as dt
from pathlib import Path

from hub.cli.table import Command, Parser, now
from hub.domain.errors import HubError

_MOST_DAYS = 366


def _show(args: argparse.Namespace) -> int:
    from hub.central.commands.rota import show  # noqa: PLC0415 - an edge has none of the centre's libraries

    return show(args.site, args.zone, args.at or now().utc, args.days, print)


def _import(args: argparse.Namespace) -> int:
    from hub.central.commands.rota import take_in  # noqa: PLC0415 - as above

    today = now().utc.astimezone().date()
    return take_in(args.site, args.file, (args.zone, args.role), today, print)


def _local(text: str) -> dt.datetime:
    from hub.central.escalation.days import parse_local  # noqa: PLC0415 - as above

    try:
        return parse_local(text)
    except HubError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _days(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r}: write 0 to {_MOST_DAYS} days")
    return int(text)


def _show_options(parser: Parser) -> None:
    parser.add_argument("site", type=Path, metavar="SITE.toml")
    parser.add_argument("--zone", required=True, metavar="ZONE", help="whose roles")
    parser.add_argument(
        "--at", type=_local, metavar="TIME", help="local time such as 2026-12-24T15:00; default: now"
    )
    parser.add_argument("--days", type=_days, default=0, metavar="N", help="and every change in so many days")


def _import_options(parser: Parser) -> None:
    parser.add_argument("site", type=Path, metavar="SITE.toml")
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a CSV with from,to,phone[,kind,reason], or an .ics"
    )
    parser.add_argument("--zone", required=True, metavar="ZONE", help="the zone that they are shifts of")
    parser.add_argument("--role", required=True, metavar="ROLE", help="the role that they fill")


COMMANDS = (
    Command(
        "rota show",
        "Say who fills the roles of a zone at a time, and why.",
        _show_options,
        _show,
        "hub rota show site.toml --zone nord-1 --at 2026-12-24T15:00\n"
        "hub rota show site.toml --zone nord-1 --days 7",
    ),
    Command(
        "rota import",
        "Take a list of shifts into the site file, as overrides.",
        _import_options,
        _import,
        "hub rota import site.toml christmas.csv --zone nord-1 --role duty\n"
        "hub rota import site.toml shifts.ics --zone nord-1 --role duty\n\n"
        "The whole file is checked as by `hub check`; with an error it is left as it was, and the exit code is 1.",
    ),
)
