"""The two services."""

import argparse

from hub.cli.table import Command, settings_option


def edge(args: argparse.Namespace) -> int:
    """Run an edge until it is told to stop."""
    from hub.edge.app import main as run  # noqa: PLC0415 - a centre has none of the edge's libraries

    return run(str(args.settings))


def central(args: argparse.Namespace) -> int:
    """Run a centre until it is told to stop."""
    from hub.central.app import main as run  # noqa: PLC0415 - an edge has none of the centre's libraries

    run(args.settings)
    return 0


COMMANDS = (
    Command(
        "edge",
        "Run the box in a home: read devices, journal, send to the centre.",
        settings_option,
        edge,
        "hub edge --settings /etc/hub/edge.toml",
    ),
    Command(
        "central",
        "Run the centre: store, decide, escalate, notify, serve the console.",
        settings_option,
        central,
        "hub central --settings /etc/hub/central.toml",
    ),
)
