"""Maintenance of a hub, a device or a zone: with a reason and an end."""

import argparse

from hub.cli.table import Command, Parser, login, now, store_option

_LONGEST = 18  # digits; a column holds 63 bits


def _add(args: argparse.Namespace) -> int:
    from hub.central.commands import maintenance  # noqa: PLC0415 - an edge has none of the centre's libraries

    about, period = (args.kind, args.subject), (args.since, args.until)
    by = args.by or login()
    return maintenance.add(about, args.reason, period, args.store, by=by, now=now(), say=print)


def _add_options(parser: Parser) -> None:
    parser.add_argument("kind", choices=("hub", "device", "zone"), help="what it is about")
    parser.add_argument("subject", metavar="ID", help="its id in the site")
    store_option(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for whoever finds it silent")
    parser.add_argument(
        "--until", required=True, metavar="TIME", help="when it ends by itself, such as 2026-12-01T15:00"
    )
    parser.add_argument("--from", dest="since", metavar="TIME", help="when it begins; default: now")
    _by(parser)


def _end(args: argparse.Namespace) -> int:
    from hub.central.commands import maintenance  # noqa: PLC0415 - as above

    return maintenance.end(args.number, args.store, by=args.by or login(), now=now(), say=print)


def _end_options(parser: Parser) -> None:
    parser.add_argument("number", type=_number, metavar="NUMBER", help="as `hub maintenance list` shows it")
    store_option(parser)
    _by(parser)


def _number(text: str) -> int:
    """Read a number that the store may have given."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a maintenance")
    return int(text)


def _list(args: argparse.Namespace) -> int:
    from hub.central.commands import maintenance  # noqa: PLC0415 - as above

    return maintenance.list_all(args.store, as_json=args.json, say=print)


def _list_options(parser: Parser) -> None:
    store_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _by(parser: Parser) -> None:
    parser.add_argument("--by", metavar="NAME", help="who does it, for the audit trail; default: your login")


COMMANDS = (
    Command(
        "maintenance add",
        "Hold back the faults of a hub, a device or a zone until a given time.",
        _add_options,
        _add,
        'hub maintenance add hub h-0007 --reason "moving to a new flat" --until 2026-12-01T15:00\n'
        'hub maintenance add device d-1001-button --reason "broken: sends by itself" --until 2026-11-25T09:00\n\n'
        "It lasts 30 days at most and ends by itself. Care alarms are raised all the same, but for those of a\n"
        'device whose reason begins with "broken:": these go to the technician as a fault.',
    ),
    Command(
        "maintenance list",
        "List the maintenance that is under way or to come, and how much it has held back.",
        _list_options,
        _list,
        "hub maintenance list --store sqlite:////var/lib/hub/central.db",
    ),
    Command(
        "maintenance end",
        "End a maintenance now; what it held back is raised.",
        _end_options,
        _end,
        "hub maintenance end 3",
    ),
)
