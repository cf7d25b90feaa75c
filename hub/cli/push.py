"""Push to browsers."""

import argparse

from hub.cli.table import Command, Parser


def _options(_parser: Parser) -> None:
    """Add none."""


def _key(_args: argparse.Namespace) -> int:
    from hub.central.notify.channels.webpush import new_key  # noqa: PLC0415 - an edge has none of the centre's libraries

    print(f'private_key = "{new_key()}"')
    return 0


COMMANDS = (
    Command(
        "push key",
        "Make the key by which browsers know this centre's pushes, as a line for its settings.",
        _options,
        _key,
        "hub push key",
    ),
)
