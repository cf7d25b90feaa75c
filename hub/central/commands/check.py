"""``hub check``: everything that is wrong with a site file, each finding on a line."""

import datetime as dt
from pathlib import Path

from hub.central.commands import Say
from hub.central.commands.files import read_text
from hub.central.site.check import errors, findings
from hub.central.site.check_plans import YEAR_DAYS
from hub.central.site.load import load
from hub.document import DocumentError, Lines, report


def check(path: Path, since: dt.date, say: Say) -> int:
    """Check a site file; return 1 when it has errors.

    Args:
        path: The file.
        since: Local date from which the rota must hold for a year.
        say: Takes each line.

    Raises:
        HubError: The file cannot be read.
    """
    text = read_text(path)
    try:
        site = load(text, str(path))
    except DocumentError as error:
        say(str(error))
        say(_sum(path, len(error.findings), 0))
        return 1
    found = findings(site, since)
    lines = Lines(text)
    for finding in found:
        say(report(str(path), finding, lines))
    wrong = len(errors(found))
    say(_sum(path, wrong, len(found) - wrong))
    if not wrong:
        until = since + dt.timedelta(days=YEAR_DAYS)
        say(f"{path}: every role that a plan names is filled from {since} to {until}")
    return 1 if wrong else 0


def _sum(path: Path, wrong: int, doubtful: int) -> str:
    return f"{path}: {_count(wrong, 'error')}, {_count(doubtful, 'warning')}"


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
