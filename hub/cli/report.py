"""Reports on what became of the alarms."""

import argparse

from hub.cli.table import Command, Parser, date, now, store_option

_BY = ("zone", "shift", "class", "kind", "resident", "device")


def _followup(args: argparse.Namespace) -> int:
    from hub.central.commands.report import followup  # noqa: PLC0415 - what a command needs is imported by it
    from hub.central.reports.report import Question  # noqa: PLC0415 - as above

    question = Question(since=args.since, until=args.until, kind=args.kind, zone=args.zone, by=args.by)
    return followup(args.store, question, args.format, listed=args.list, now=now(), say=print)


def _followup_options(parser: Parser) -> None:
    store_option(parser)
    parser.add_argument("--from", dest="since", type=date, required=True, metavar="DATE", help="first local day")
    parser.add_argument(
        "--to", dest="until", type=date, required=True, metavar="DATE", help="the day after the last one"
    )
    parser.add_argument(
        "--kind", metavar="KIND", help="only incidents that were reported as this (dose.not_dispensed)"
    )
    parser.add_argument("--zone", metavar="ZONE", help="only incidents of this zone")
    parser.add_argument("--by", choices=_BY, default="zone", help="what they are grouped by; default: zone")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="default: table")
    parser.add_argument("--list", action="store_true", help="each incident on a line: when, who, within the limit")


COMMANDS = (
    Command(
        "report followup",
        "Tell how incidents were followed up: how fast, by whom, and within the site's own limits or not.",
        _followup_options,
        _followup,
        "hub report followup --from 2026-03-01 --to 2026-04-01 --kind dose.not_dispensed --list\n"
        "hub report followup --from 2026-03-01 --to 2026-04-01 --by shift --format csv > march.csv\n\n"
        "Times in the table are minutes and seconds after the alarm was raised. Test alarms are left out.",
    ),
)
