"""The audit trail: is it what it was, and what does it say."""

import argparse

from hub.cli.table import Command, Parser, date, now, store_option


def _verify(args: argparse.Namespace) -> int:
    from hub.central.commands.audit import verify_trail  # noqa: PLC0415 - what a command needs is imported by it

    return verify_trail(args.store, args.since, args.head, now(), print)


def _verify_options(parser: Parser) -> None:
    store_option(parser)
    parser.add_argument("--since", type=date, metavar="DATE", help="take what was noted before this day as it is")
    parser.add_argument(
        "--head", metavar="HASH", help="a head that was written down earlier: it must still be in the trail"
    )


def _show(args: argparse.Namespace) -> int:
    from hub.central.commands.audit import show  # noqa: PLC0415 - as above

    return show(args.store, args.subject, print)


def _show_options(parser: Parser) -> None:
    store_option(parser)
    parser.add_argument(
        "--subject", required=True, metavar="SUBJECT", help="incident:47, resident:r-1017, device:pendant-1 …"
    )


COMMANDS = (
    Command(
        "audit verify",
        "Find what was altered, is missing or was put in: in the audit trail, and in what reports read.",
        _verify_options,
        _verify,
        "hub audit verify --store sqlite:////var/lib/hub/central.db\n"
        "hub audit verify --since 2026-03-01 --head 4f0c…\n\n"
        "The exit code is 1 when something does not hold. Write the head down elsewhere: whoever rewrites the\n"
        "whole trail, or cuts off its end, cannot keep it.",
    ),
    Command(
        "audit show",
        "Print who did and who saw what with one incident, resident or device.",
        _show_options,
        _show,
        "hub audit show --subject incident:47",
    ),
)
