"""Figures of this machine."""

import argparse

from hub.cli.table import Command, Parser


def _bench(args: argparse.Namespace) -> int:
    from hub.bench import command  # noqa: PLC0415 - as above

    return command.run(tuple(args.only or command.NAMES), quick=args.quick, say=print)


def _bench_options(parser: Parser) -> None:
    parser.add_argument("--quick", action="store_true", help="smaller amounts: some minutes less, rougher figures")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this measurement; may be repeated")


COMMANDS = (
    Command(
        "bench",
        "Measure the whole chain on this machine, with Mosquitto; figures as JSON.",
        _bench_options,
        _bench,
        "hub bench > figures.json\nhub bench --quick --only line_to_provider_ms\n\n"
        "Measurements: adverts_per_s, esp3_telegrams_per_s, journal, line_to_provider_ms, sustained_per_s,\n"
        "backlog, backlog_of_edge, edge.",
    ),
)
