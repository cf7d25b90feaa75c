"""What a row of the table of commands is, and what several of them share."""

import argparse
import datetime as dt
import getpass
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hub.domain.clock import Now, SystemClock

Parser = argparse.ArgumentParser
_STORE = "sqlite:///central.db"


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
    options: Callable[[Parser], object]
    run: Callable[[argparse.Namespace], int]
    examples: str


def settings_option(parser: Parser) -> None:
    """Add ``--settings``."""
    parser.add_argument("--settings", type=Path, required=True, metavar="FILE", help="its TOML settings")


def store_option(parser: Parser) -> None:
    """Add ``--store``."""
    parser.add_argument(
        "--store",
        default=os.environ.get("HUB_STORE", _STORE),
        metavar="URL",
        help=f"the centre's store; default: environment variable HUB_STORE, else {_STORE} in this folder",
    )


def now() -> Now:
    """Return this moment."""
    return SystemClock().now()


def login() -> str:
    """Return who is logged in, for the audit trail."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def date(text: str) -> dt.date:
    """Read a date from the command line."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        date = dt.date.min
    if not 2000 <= date.year < 2200:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of our time; write it as 2026-11-23")
    return date
